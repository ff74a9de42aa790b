//! The numbers that the fragments of one datagram have in common (RFC 6864, RFC 7739).
//!
//! Nobody who sees some shall foresee others, or learn how much we send to whom. A datagram that we cut gets
//! a number by RFC 7739 §5.3: a keyed hash of who talks to whom, plus a counter that few others share. Every
//! other IPv4 packet has one in case that a router cuts it (RFC 6864 §4.3); it goes out on the hot path, and
//! so its number is a counter behind a small keyed permutation, whose key changes when the counter wraps: no
//! number comes twice among 65,536 packets.

use crate::iface::Interface;
use crate::iface::links::Links;
use crate::rand::{Domain, Keys};
use crate::wire::{Addr, IpProtocol};

/// How many counters there are.
const COUNTERS: usize = 16;

/// Keys before there are any.
const NO_KEYS: [u16; 3] = [0, 1, 1];

/// The numbers of IPv4 packets that are not cut here.
#[derive(Debug, Clone)]
pub(crate) struct Idents {
    counter: u16,
    /// The permutation's keys, of which the second and the third are odd.
    keys: [u16; 3],
}

impl Idents {
    pub(crate) const fn new() -> Idents {
        Idents { counter: 0, keys: NO_KEYS }
    }

    /// The next packet's number.
    #[inline]
    pub(crate) fn next(&self) -> u16 {
        permute(self.counter, &self.keys)
    }
}

/// Products with odd numbers and shifts folded in, all of which can be undone: whatever the keys, no two
/// numbers become the same.
#[inline]
fn permute(number: u16, keys: &[u16; 3]) -> u16 {
    let [a, b, c] = *keys;
    let mut mixed = (number ^ a).wrapping_mul(b);
    mixed ^= mixed >> 8;
    mixed = mixed.wrapping_mul(c);
    mixed ^ mixed >> 7
}

/// The numbers of datagrams that are cut here.
#[derive(Debug)]
pub(crate) struct DatagramIdents {
    /// `None` before the first poll.
    keys: Option<Keys>,
    /// How often the permutation of the others' numbers was changed.
    epoch: u32,
    counters: [u32; COUNTERS],
}

impl DatagramIdents {
    pub(crate) const fn new() -> DatagramIdents {
        DatagramIdents { keys: None, epoch: 0, counters: [0; COUNTERS] }
    }

    #[inline]
    pub(super) fn are_unseeded(&self) -> bool {
        self.keys.is_none()
    }

    /// The number of a datagram's fragments; IPv4 takes its lower half.
    fn next(&mut self, src: &Addr, dst: &Addr, protocol: IpProtocol) -> u32 {
        let Some(keys) = &self.keys else { return 0 };
        let ([a, b, c, d], [e, f, g, h]) = (src.words(), dst.words());
        let hash = keys.hash(Domain::Ident, &[a, b, c, d, e, f, g, h, protocol.0.into()]);
        let counter = &mut self.counters[(hash >> 32) as usize % COUNTERS];
        *counter = counter.wrapping_add(1);
        (hash as u32).wrapping_add(*counter)
    }

    /// Keys for the other numbers.
    fn permutation(&mut self) -> [u16; 3] {
        let Some(keys) = &self.keys else { return NO_KEYS };
        self.epoch = self.epoch.wrapping_add(1);
        let hash = keys.hash(Domain::Ident, &[self.epoch]);
        [hash as u16, (hash >> 16) as u16 | 1, (hash >> 32) as u16 | 1]
    }
}

/// Lets each port's interface draw a secret of its own from the stack's, unless it has one.
#[inline]
pub(crate) fn seed(links: &mut Links<'_, '_, '_>, keys: &Keys) {
    for port in 0..links.count() {
        links.with_port(port, |iface, _| {
            if iface.fragments.is_unseeded() {
                iface.draw_secret(keys, port);
            }
        });
    }
}

impl Interface<'_> {
    #[inline(never)]
    fn draw_secret(&mut self, keys: &Keys, port: usize) {
        let [a, b, c, d, e, f] = self.hardware;
        let (high, low) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, 0, 0]));
        let mut secret = [0; 32];
        for (place, octets) in secret.chunks_exact_mut(8).enumerate() {
            let hash = keys.hash(Domain::Ident, &[place as u32, port as u32, high, low]);
            octets.copy_from_slice(&hash.to_le_bytes());
        }
        self.fragments.idents.keys = Some(Keys::new(secret));
        self.idents = Idents { counter: 0, keys: self.fragments.idents.permutation() };
    }

    /// An IPv4 packet that is not cut has gone.
    #[inline]
    pub(crate) fn use_ident(&mut self) {
        self.idents.counter = self.idents.counter.wrapping_add(1);
        if self.idents.counter == 0 {
            self.change_permutation();
        }
    }

    #[inline(never)]
    fn change_permutation(&mut self) {
        self.idents.keys = self.fragments.idents.permutation();
    }

    /// The number of the next datagram that is cut.
    pub(super) fn datagram_ident(&mut self, src: &Addr, dst: &Addr, protocol: IpProtocol) -> u32 {
        self.fragments.idents.next(src, dst, protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Covers: RFC 6864 §4.3
    #[test]
    fn no_number_comes_twice_before_the_counter_wraps() {
        for keys in [NO_KEYS, [1, 3, 5], [0xffff, 0x1235, 0x8001]] {
            let mut seen = vec![false; 65_536];
            (0..=u16::MAX).for_each(|number| seen[usize::from(permute(number, &keys))] = true);
            assert!(seen.iter().all(|&seen| seen));
        }
    }

    /// A factor that is even would give two numbers the same.
    #[test]
    fn the_keys_are_all_of_a_hash_and_the_factors_odd() {
        let mut idents = DatagramIdents { keys: Some(Keys::new([7; 32])), ..DatagramIdents::new() };
        let all: Vec<_> = (0..64).map(|_| idents.permutation()).collect();
        assert!(all.iter().all(|[_, b, c]| b & c & 1 == 1));
        for place in 0..3 {
            let union = all.iter().fold(0, |bits, keys| bits | keys[place]);
            let common = all.iter().fold(u16::MAX, |bits, keys| bits & keys[place]);
            assert_eq!((union, common), (u16::MAX, if place == 0 { 0 } else { 1 }), "each bit varies");
        }
        assert!(all.iter().all(|[a, b, c]| a | 1 != *b && b != c));
    }

    #[test]
    fn numbers_in_a_row_are_not_in_a_row() {
        let keys = [0x3a91, 0x77c3, 0x0f0d];
        let steps = |number: u16| permute(number + 1, &keys).wrapping_sub(permute(number, &keys));
        let mut steps: Vec<u16> = (0..1_000).map(steps).collect();
        steps.sort_unstable();
        steps.dedup();
        assert!(steps.len() > 900, "{} different steps", steps.len());
        assert_ne!(permute(5, &keys), permute(5, &[0x3a92, 0x77c3, 0x0f0d]));
    }

    /// Covers: RFC 7739 §5.3
    #[test]
    fn each_flow_counts_for_itself_from_a_number_of_its_own() {
        let mut idents = DatagramIdents { keys: Some(Keys::new([7; 32])), ..DatagramIdents::new() };
        let addr = |last| Addr::try_from(crate::wire::IpAddress::v4(10, 0, 0, last));
        let [Ok(us), Ok(a), Ok(b)] = [1, 2, 3].map(addr) else { return };
        let first = idents.next(&us, &a, IpProtocol::UDP);
        let other = idents.next(&us, &b, IpProtocol::UDP);
        let icmp = idents.next(&us, &a, IpProtocol::ICMP);
        assert!(first.abs_diff(other) > 1_000 && first.abs_diff(icmp) > 1_000);
        let second = idents.next(&us, &a, IpProtocol::UDP);
        assert!((1..=3).contains(&second.wrapping_sub(first)));
        // A counter for all would have come to 32 more in between.
        let mut next = |last| idents.next(&us, &Addr::v4([10, 0, 1, last]), IpProtocol::UDP);
        let numbers: Vec<_> = (0..32).map(&mut next).collect();
        let again: Vec<_> = (0..32).map(next).collect();
        assert!(again.iter().zip(&numbers).all(|(again, number)| again.wrapping_sub(*number) < 16));
    }
}
