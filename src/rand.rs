//! Everything unpredictable, from 32 secret octets.
//!
//! [`Keys`] is one keyed function (SipHash-2-4, with one 16-octet half of the secret as its key and a
//! domain word in front of every input). It makes initial sequence numbers, ports, identifiers and
//! the key of the demultiplexing hash, so that every behaviour replays from the secret.

/// What a value is drawn for; a domain never shares values with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Domain {
    /// Initial sequence numbers (RFC 6528).
    Isn = 1,
    /// Ephemeral ports (RFC 6056).
    Port = 2,
    /// SYN cookies (RFC 4987).
    #[cfg(feature = "tcp-cookies")]
    Cookie = 3,
    /// Cookies of TCP Fast Open (RFC 7413).
    #[cfg(feature = "tcp-fastopen")]
    FastOpen = 8,
    /// What the clock of timestamps shows to whom (RFC 7323).
    #[cfg(feature = "tcp-timestamps")]
    Stamp = 5,
    /// Delays of multicast reports (RFC 3376 §5.1, RFC 3810 §6.1).
    #[cfg(feature = "iface-multicast")]
    Group = 6,
    /// Places in a bridge's table.
    #[cfg(feature = "iface-bridge")]
    Bridge = 7,
    /// Delays and nonces of questions about addresses (RFC 4862 §5.4.2, RFC 7527).
    #[cfg(feature = "iface-dad")]
    Autoconf = 9,
    /// Identifications of datagrams (RFC 7739).
    #[cfg(feature = "iface-fragments")]
    Ident = 4,
}

/// The stack's secrets.
#[derive(Clone)]
pub struct Keys {
    secret: [u64; 4],
}

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Keys(..)")
    }
}

impl Keys {
    /// From 32 secret octets, which must differ between any two stacks and any two starts.
    pub fn new(secret: [u8; 32]) -> Keys {
        let (words, _) = secret.as_chunks::<8>();
        let word = |i: usize| u64::from_le_bytes(words[i]);
        Keys { secret: [word(0), word(1), word(2), word(3)] }
    }

    /// Draws 32 octets from `rng`.
    pub fn from_rng(rng: &mut impl rand_core::CryptoRng) -> Keys {
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        Keys::new(secret)
    }

    /// 64 bits that depend on the secret, the domain and `words`, and tell nothing about any of them.
    pub(crate) fn hash(&self, domain: Domain, words: &[u32]) -> u64 {
        siphash((self.secret[0], self.secret[1]), Some(domain as u32), words)
    }

    /// The key for the demultiplexing hash.
    pub(crate) fn demux(&self) -> [u32; 2] {
        let key = self.secret[2] ^ self.secret[3].rotate_left(32);
        [key as u32, (key >> 32) as u32]
    }
}

/// SipHash-2-4 (Aumasson, Bernstein, 2012) over little-endian words, `first` in front of the others.
fn siphash(key: (u64, u64), first: Option<u32>, words: &[u32]) -> u64 {
    let mut v = [
        key.0 ^ 0x736f_6d65_7073_6575,
        key.1 ^ 0x646f_7261_6e64_6f6d,
        key.0 ^ 0x6c79_6765_6e65_7261,
        key.1 ^ 0x7465_6462_7974_6573,
    ];
    let mut held = first;
    for &word in words {
        held = match held {
            None => Some(word),
            Some(low) => {
                absorb(&mut v, low, word);
                None
            }
        };
    }
    let count = words.len() + usize::from(first.is_some());
    absorb(&mut v, held.unwrap_or(0), (count as u32) << 26); // octets, modulo 256, in the highest octet
    v[2] ^= 0xff;
    rounds(&mut v, 4);
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn absorb(v: &mut [u64; 4], low: u32, high: u32) {
    let message = u64::from(low) | u64::from(high) << 32;
    v[3] ^= message;
    rounds(v, 2);
    v[0] ^= message;
}

#[inline]
fn rounds(v: &mut [u64; 4], count: u32) {
    for _ in 0..count {
        round(v);
    }
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siphash_gives_the_reference_vectors() {
        // From the authors' vectors: key 00..0f, messages 00.. of 0, 4, 8 and 12 octets.
        let key = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        let message = [0x0302_0100, 0x0706_0504, 0x0b0a_0908];
        for (count, expected) in [
            (0, 0x726f_db47_dd0e_0e31),
            (1, 0xcf27_94e0_2771_87b7),
            (2, 0x93f5_f579_9a93_2462),
            (3, 0x751e_8fbc_860e_e5fb_u64),
        ] {
            let hash = siphash(key, None, &message[..count]);
            assert_eq!(hash, expected, "{count} words");
            if let Some((&first, rest)) = message[..count].split_first() {
                assert_eq!(siphash(key, Some(first), rest), expected, "{count} words, one apart");
            }
        }
    }

    #[test]
    fn domains_do_not_share_values() {
        let keys = Keys::new([7; 32]);
        assert_ne!(keys.hash(Domain::Isn, &[1, 2]), keys.hash(Domain::Port, &[1, 2]));
        assert_ne!(keys.hash(Domain::Isn, &[1, 2]), keys.hash(Domain::Isn, &[1, 2, 0]));
    }
}
