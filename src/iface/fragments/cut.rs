//! IPv4 packets that are made already, cut: those of others on their way through a router (RFC 791 §3.2,
//! RFC 1812 §4.2.2.7), and those of raw sockets.

use crate::wire::ipv4::{self, HEADER_LEN};

/// Sends a frame's IP packet of so many octets, which the closure fills; `false` if there is no room.
#[cfg(feature = "iface-forward")]
pub(crate) type SendPacket<'s> = dyn FnMut(usize, &mut dyn FnMut(&mut [u8])) -> bool + 's;

/// Why a packet was not cut, or not to its end.
#[cfg(feature = "iface-forward")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CutError {
    /// It may not be cut, is no packet, or the link carries too little.
    Refused,
    /// Room ended after so many fragments.
    NoRoom { sent: usize },
}

/// Cuts a packet into fragments of at most `mtu` octets, and says how many there were. All have `hop_limit`.
///
/// What is a fragment already is cut further. IPv6 packets are never cut on their way.
#[cfg(feature = "iface-forward")]
pub(crate) fn cut_v4(
    packet: &[u8],
    mtu: usize,
    hop_limit: u8,
    send: &mut SendPacket<'_>,
) -> Result<usize, CutError> {
    let parts = ipv4::Header::split(packet).map_err(|_| CutError::Refused)?;
    let fixed = packet.first_chunk().ok_or(CutError::Refused)?;
    let whole = Whole::new(*fixed, parts.options, parts.payload).ok_or(CutError::Refused)?;
    let (mut gone, mut sent) = (0, 0);
    loop {
        let mut copied = [0; 40];
        let fragment = whole.fragment(gone, mtu, hop_limit, &mut copied).ok_or(CutError::Refused)?;
        if !send(fragment.len(), &mut |out| fragment.write(out)) {
            return Err(CutError::NoRoom { sent });
        }
        sent += 1;
        gone += fragment.payload_len();
        if fragment.is_last {
            return Ok(sent);
        }
    }
}

/// An IPv4 packet that may be cut.
pub(super) struct Whole<'p> {
    fixed: [u8; HEADER_LEN],
    options: &'p [u8],
    payload: &'p [u8],
    /// Octets before it in the datagram that it is a fragment of, and whether others follow.
    offset: usize,
    more: bool,
}

impl<'p> Whole<'p> {
    /// `None` if it may not be cut.
    pub(super) fn new(fixed: [u8; HEADER_LEN], options: &'p [u8], payload: &'p [u8]) -> Option<Whole<'p>> {
        let [.., high, low] = *fixed.first_chunk::<8>()?;
        let flags = u16::from_be_bytes([high, low]);
        let offset = usize::from(flags & 0x1fff) << 3;
        let may_be_cut = flags & 0x4000 == 0 && offset + payload.len() <= usize::from(u16::MAX);
        may_be_cut.then_some(Whole { fixed, options, payload, offset, more: flags & 0x2000 != 0 })
    }

    /// The fragment behind so many octets of the payload; its options may be gathered in `copied`. `None` if the
    /// link carries too little.
    pub(super) fn fragment<'f>(
        &self,
        gone: usize,
        mtu: usize,
        hop_limit: u8,
        copied: &'f mut [u8; 40],
    ) -> Option<Fragment<'f>>
    where
        'p: 'f,
    {
        let options = if gone == 0 {
            self.options
        } else {
            let len = copied_options(self.options, copied);
            copied.get(..len)?
        };
        let room = mtu.saturating_sub(HEADER_LEN + options.len()) & !7; // none: refused below
        let rest = self.payload.get(gone..)?;
        let (piece, after) = rest.split_at_checked(room).unwrap_or((rest, &[]));
        if piece.is_empty() {
            return None;
        }
        let is_last = after.is_empty();
        let flags = if is_last && !self.more { 0 } else { 0x2000 } | ((self.offset + gone) >> 3) as u16;
        Some(Fragment { fixed: self.fixed, options, piece, flags, hop_limit, is_last })
    }
}

/// A fragment, in the pieces that it is made of.
pub(super) struct Fragment<'f> {
    fixed: [u8; HEADER_LEN],
    options: &'f [u8],
    piece: &'f [u8],
    /// Flags and offset, as in the header.
    flags: u16,
    hop_limit: u8,
    /// Of the packet that was cut.
    pub(super) is_last: bool,
}

impl Fragment<'_> {
    pub(super) fn len(&self) -> usize {
        HEADER_LEN + self.options.len() + self.piece.len()
    }

    pub(super) fn payload_len(&self) -> usize {
        self.piece.len()
    }

    pub(super) fn write(&self, out: &mut [u8]) {
        let total_len = self.len() as u16;
        let Some((header, rest)) = out.split_first_chunk_mut::<HEADER_LEN>() else { return };
        let Some((options, payload)) = rest.split_at_mut_checked(self.options.len()) else { return };
        *header = self.fixed;
        options.copy_from_slice(self.options);
        payload.copy_from_slice(self.piece);
        header[0] = 0x40 | ((HEADER_LEN + self.options.len()) / 4) as u8;
        header[6..8].copy_from_slice(&self.flags.to_be_bytes());
        header[8] = self.hop_limit;
        let mut packet = ipv4::Packet::new_unchecked(out);
        packet.set_total_len(total_len);
        packet.fill_checksum();
    }
}

/// Gathers the options that every fragment has, whose first bit is set, and says how many octets they take,
/// padding included (RFC 791 §3.1).
fn copied_options(options: &[u8], copied: &mut [u8; 40]) -> usize {
    let mut rest = options;
    let mut len: usize = 0;
    while let [kind, after @ ..] = rest {
        let option_len = match (kind, after.first()) {
            (0, _) => break,
            (1, _) => 1,
            (_, Some(&len)) if len >= 2 => usize::from(len),
            _ => break,
        };
        let Some((option, after)) = rest.split_at_checked(option_len) else { break };
        if kind & 0x80 != 0
            && let Some(place) = copied.get_mut(len..len + option_len)
        {
            place.copy_from_slice(option);
            len += option_len;
        }
        rest = after;
    }
    len.next_multiple_of(4)
}

#[cfg(all(test, feature = "iface-forward"))]
mod tests {
    use super::*;

    fn packet(options: &[u8], payload: &[u8], flags: u16) -> Vec<u8> {
        let header_len = 20 + options.len();
        let mut packet = vec![0x40 | (header_len / 4) as u8, 0, 0, 0, 0x12, 0x34, 0, 0, 9, 17, 0, 0];
        packet.extend([10, 0, 0, 1, 10, 0, 0, 2]);
        packet.extend(options);
        packet.extend(payload);
        packet[2..4].copy_from_slice(&((header_len + payload.len()) as u16).to_be_bytes());
        packet[6..8].copy_from_slice(&flags.to_be_bytes());
        let mut packet = ipv4::Packet::new_unchecked(packet);
        packet.fill_checksum();
        packet.into_inner()
    }

    fn cut(packet: &[u8], mtu: usize) -> (Result<usize, CutError>, Vec<Vec<u8>>) {
        let mut sent = Vec::new();
        let result = cut_v4(packet, mtu, 8, &mut |len, write| {
            let mut out = vec![0xff; len];
            write(&mut out);
            assert!(len <= mtu);
            sent.push(out);
            true
        });
        (result, sent)
    }

    /// Covers: RFC 791 §3.2
    #[test]
    fn a_packet_is_cut_into_pieces_that_make_it_up() {
        let payload: Vec<u8> = (0..100).collect();
        let (result, sent) = cut(&packet(&[], &payload, 0), 68);
        assert_eq!(result, Ok(3));
        let mut whole: Vec<u8> = Vec::new();
        for fragment in &sent {
            let parts = ipv4::Header::split(fragment).unwrap();
            assert_eq!(usize::from(parts.header.fragment_offset()), whole.len());
            assert_eq!((parts.header.hop_limit(), parts.header.ident()), (8, 0x1234));
            whole.extend(parts.payload);
            assert_eq!(parts.header.more_fragments(), whole.len() < 100);
        }
        assert_eq!(whole, payload);
    }

    /// Covers: RFC 791 §3.1 (the copied flag), RFC 1812 §4.2.2.7
    #[test]
    fn only_options_that_say_so_go_into_later_fragments() {
        // No operation, record route (not copied), stream identifier (copied), end.
        let options = [1, 7, 7, 4, 0, 0, 0, 0, 0x88, 4, 0xab, 0xcd];
        let (result, sent) = cut(&packet(&options, &[7; 80], 0), 72);
        assert_eq!(result, Ok(2));
        assert_eq!(ipv4::Header::split(&sent[0]).unwrap().options, options);
        assert_eq!(ipv4::Header::split(&sent[1]).unwrap().options, [0x88, 4, 0xab, 0xcd]);
    }

    #[test]
    fn a_fragment_is_cut_further() {
        let (result, sent) = cut(&packet(&[], &[7; 64], 0x2000 | 100), 52);
        assert_eq!(result, Ok(2));
        let headers = sent.iter().map(|fragment| ipv4::Header::split(fragment).unwrap().header);
        let said: Vec<_> =
            headers.map(|header| (header.fragment_offset(), header.more_fragments())).collect();
        assert_eq!(said, [(800, true), (832, true)]);
    }

    #[test]
    fn what_may_not_be_cut_is_refused() {
        assert_eq!(cut(&packet(&[], &[7; 64], 0x4000), 52).0, Err(CutError::Refused));
        assert_eq!(cut(&packet(&[], &[7; 64], 0), 27).0, Err(CutError::Refused));
        assert_eq!(cut(&[0x45; 10], 52).0, Err(CutError::Refused));
        let stopped = cut_v4(&packet(&[], &[7; 64], 0), 52, 8, &mut |_, _| false);
        assert_eq!(stopped, Err(CutError::NoRoom { sent: 0 }));
    }

    #[test]
    fn no_options_make_it_panic() {
        let mut state = 7_u32;
        for _ in 0..5_000 {
            let options: [u8; 40] = core::array::from_fn(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                [0, 1, 2, 0x80, 0x88, 3, 4, 0xff, 5, 40][(state >> 24) as usize % 10]
            });
            let (result, _) = cut(&packet(&options, &[7; 80], 0), 100);
            assert_eq!(result.map(|sent| sent > 1), Ok(true));
        }
    }
}
