//! The demultiplexing table: hash chains through the slots.
//!
//! The heads of the chains are lent; of `n` places the largest power of two is used. With none there is
//! one chain, which is a linear scan. The full hash stands in the slot and is compared before the item
//! is looked at, so a longer chain costs little until it leaves the cache.
//!
//! The hash is keyed with a secret, so that nobody outside can choose connections that share a chain.
//! It is multiply and fold, one multiplication a word: not a cryptographic function, and its values must
//! not be shown to anybody.

use managed::ManagedSlice;

use super::slots::{Marks, NIL, Slot, Slots};
use crate::config::HAS_IPV6;
use crate::wire::Addr;

/// The heads of the chains, and the key.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    heads: ManagedSlice<'a, u32>,
    /// The only head when none is lent.
    one: u32,
    /// The number of heads in use less one; 0 when none is lent.
    mask: u32,
    key: [u32; 2],
}

/// The largest power of two of heads in `len` places, less one.
fn mask_for(len: usize) -> u32 {
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    len.checked_ilog2().map_or(0, |bits| (1 << bits) - 1)
}

impl<'a> Table<'a> {
    /// An empty table with its heads in `heads`. `key` is secret.
    pub(crate) fn new(heads: impl Into<ManagedSlice<'a, u32>>, key: [u32; 2]) -> Table<'a> {
        let mut heads = heads.into();
        heads.fill(NIL);
        let mask = mask_for(heads.len());
        Table { heads, one: NIL, mask, key }
    }

    /// How many chains there are.
    pub(crate) fn chain_count(&self) -> usize {
        self.mask as usize + 1
    }

    /// The hash of a connection: both ends, the port in host order, and the IP protocol.
    #[inline]
    pub(crate) fn hash_tuple(&self, local: (&Addr, u16), remote: (&Addr, u16), protocol: u8) -> u32 {
        let [even, odd] = self.key;
        let mut hash = u64::from(odd) << 32 | u64::from(even);
        let [a, b, c, d] = remote.0.words();
        let [e, f, g, h] = local.0.words();
        if HAS_IPV6 && !remote.0.is_v4() {
            // Own addresses too: with any address accepted, they are of the peer's choosing.
            for word in [a, b, c, e, f, g] {
                hash = mix(hash, word, odd);
            }
        }
        hash = mix(hash, d, odd);
        hash = mix(hash, h, even);
        hash = mix(hash, u32::from(local.1) << 16 | u32::from(remote.1), odd);
        finish(hash, u32::from(protocol), even)
    }

    /// The hash of all that is bound to a port in host order without a remote end.
    #[inline]
    pub(crate) fn hash_port(&self, protocol: u8, port: u16) -> u32 {
        let [even, odd] = self.key;
        let hash = mix(u64::from(odd) << 32 | u64::from(even), u32::from(port), odd);
        finish(hash, u32::from(protocol), even)
    }

    #[inline]
    fn head(&self, hash: u32) -> u32 {
        *self.heads.get((hash & self.mask) as usize).unwrap_or(&self.one)
    }

    #[inline]
    fn head_mut(&mut self, hash: u32) -> &mut u32 {
        self.heads.get_mut((hash & self.mask) as usize).unwrap_or(&mut self.one)
    }

    /// Files the slot `ix` under `hash`. What it was filed under before, it is no longer.
    pub(crate) fn file<T>(&mut self, slots: &mut Slots<'_, T>, ix: u32, hash: u32) {
        self.unfile(slots, ix);
        let Some(links) = slots.links_mut(ix) else { return };
        links.marks.insert(Marks::FILED);
        links.hash = hash;
        links.chain = core::mem::replace(self.head_mut(hash), ix);
    }

    /// Takes the slot `ix` out of its chain, if it is filed.
    pub(crate) fn unfile<T>(&mut self, slots: &mut Slots<'_, T>, ix: u32) {
        let Some(links) = slots.links_mut(ix) else { return };
        if !links.marks.contains(Marks::FILED) {
            return;
        }
        links.marks.remove(Marks::FILED);
        let next = core::mem::replace(&mut links.chain, NIL);
        let head = self.head_mut(links.hash);
        if *head == ix {
            *head = next;
            return;
        }
        let mut at = *head;
        while let Some(links) = slots.links_mut(at) {
            if links.chain == ix {
                links.chain = next;
                return;
            }
            at = links.chain;
        }
    }

    /// The hash that the slot `ix` is filed under.
    pub(crate) fn filed_under<T>(&self, slots: &Slots<'_, T>, ix: u32) -> Option<u32> {
        slots.links(ix).filter(|links| links.marks.contains(Marks::FILED)).map(|links| links.hash)
    }

    /// The items that are filed under `hash`, with the indices of their slots: candidates, for
    /// different keys can share a hash. The last one filed comes first.
    #[inline]
    pub(crate) fn chain<'s, T>(&self, slots: &'s Slots<'_, T>, hash: u32) -> Chain<'s, T> {
        Chain { slots: slots.all(), next: self.head(hash), hash }
    }

    /// Makes owned heads as many as `len`, rounded up to a power of two. Without memory for that, or with
    /// borrowed heads, the table stays as it is.
    #[cfg(feature = "alloc")]
    #[cold]
    pub(crate) fn grow_to<T>(&mut self, slots: &mut Slots<'_, T>, len: usize) {
        let ManagedSlice::Owned(heads) = &mut self.heads else { return };
        let Some(len) = len.checked_next_power_of_two() else { return };
        if len <= heads.len() || heads.try_reserve_exact(len - heads.len()).is_err() {
            return;
        }
        heads.resize(len, NIL);
        heads.fill(NIL);
        self.one = NIL;
        self.mask = mask_for(len);
        for (ix, slot) in (0..).zip(slots.all_mut()) {
            if slot.links.marks.contains(Marks::FILED) {
                slot.links.chain = core::mem::replace(self.head_mut(slot.links.hash), ix);
            }
        }
    }
}

/// The items of one chain that have the hash that was asked for.
pub(crate) struct Chain<'s, T> {
    slots: &'s [Slot<T>],
    next: u32,
    hash: u32,
}

impl<'s, T> Iterator for Chain<'s, T> {
    type Item = (u32, &'s T);

    #[inline]
    fn next(&mut self) -> Option<(u32, &'s T)> {
        loop {
            let ix = self.next;
            let slot = self.slots.get(ix as usize)?;
            self.next = slot.links.chain;
            if slot.links.hash == self.hash
                && let Some(item) = slot.item()
            {
                return Some((ix, item));
            }
        }
    }
}

/// Takes one word in: a multiplication whose both halves stay.
#[inline]
fn mix(hash: u64, word: u32, key: u32) -> u64 {
    let product = u64::from(hash as u32 ^ word) * u64::from(key | 1);
    product ^ hash >> 32 ^ product >> 32
}

/// Takes the last word in and folds, so that the low bits, which choose the chain, depend on all others.
#[inline]
fn finish(hash: u64, word: u32, key: u32) -> u32 {
    let hash = mix(hash, word, key);
    let product = u64::from(hash as u32 ^ (hash >> 32) as u32) * 0x9e37_79b1;
    product as u32 ^ (product >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::super::testing::XorShift;
    use super::*;
    use std::collections::HashMap;

    const KEY: [u32; 2] = [0x0123_4567, 0x89ab_cdef];

    fn addr(last: u32) -> Addr {
        #[cfg(feature = "proto-ipv4")]
        return Addr::v4((0x0a00_0000 | last).to_be_bytes());
        #[cfg(not(feature = "proto-ipv4"))]
        return Addr::v6(((0x2001_0db8_u128 << 96) | u128::from(last)).to_be_bytes());
    }

    #[test]
    fn a_table_uses_the_largest_power_of_two() {
        for (len, chains) in [(0, 1), (1, 1), (2, 2), (3, 2), (7, 4), (8, 8), (1000, 512)] {
            let mut heads = vec![0; len];
            assert_eq!(Table::new(&mut heads[..], KEY).chain_count(), chains);
        }
    }

    #[test]
    fn every_part_of_a_tuple_changes_the_hash() {
        let table = Table::new(&mut [][..], KEY);
        let (a, b) = (addr(1), addr(2));
        let base = table.hash_tuple((&a, 80), (&b, 1024), 6);
        assert_eq!(base, table.hash_tuple((&a, 80), (&b, 1024), 6));
        assert_ne!(base, table.hash_tuple((&b, 80), (&b, 1024), 6));
        assert_ne!(base, table.hash_tuple((&a, 81), (&b, 1024), 6));
        assert_ne!(base, table.hash_tuple((&a, 80), (&a, 1024), 6));
        assert_ne!(base, table.hash_tuple((&a, 80), (&b, 1025), 6));
        assert_ne!(base, table.hash_tuple((&a, 80), (&b, 1024), 17));
        assert_ne!(base, Table::new(&mut [][..], [1, 2]).hash_tuple((&a, 80), (&b, 1024), 6));
        assert_ne!(table.hash_port(6, 80), table.hash_port(17, 80));
    }

    #[cfg(feature = "proto-ipv6")]
    #[test]
    fn every_word_of_an_ipv6_address_changes_the_hash() {
        let table = Table::new(&mut [][..], KEY);
        let own = Addr::v6([1; 16]);
        let mut seen = Vec::new();
        for octet in 0..16 {
            let mut other = [1; 16];
            other[octet] = 2;
            let other = Addr::v6(other);
            seen.push(table.hash_tuple((&own, 80), (&other, 1024), 6));
            seen.push(table.hash_tuple((&other, 80), (&own, 1024), 6));
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 32);
    }

    /// The longest of 1024 chains for 1024 hashes is 6 or 7 when they are random; a hash that hangs
    /// together with what it is made of has far longer ones.
    fn assert_spread(what: &str, hashes: impl Iterator<Item = u32>) {
        let mut chains = vec![0; 1024];
        for hash in hashes.take(1024) {
            chains[(hash & 1023) as usize] += 1;
        }
        let longest = chains.iter().max().unwrap();
        assert!(*longest <= 10, "{what}: {longest} in one chain");
    }

    #[test]
    fn regular_tuples_spread_over_the_chains() {
        let mut random = XorShift(77);
        for key in
            [KEY, [0, 0], [1, u32::MAX], [random.next(), random.next()], [random.next(), random.next()]]
        {
            let table = Table::new(&mut [][..], key);
            let own = addr(1);
            let ports = |port| table.hash_tuple((&own, 80), (&own, port), 6);
            assert_spread("ports", (0..1024).map(ports));
            assert_spread("ports in steps", (0..1024).map(|n| ports(64 * n)));
            let hosts = |host| table.hash_tuple((&own, 80), (&addr(host), 1024), 6);
            assert_spread("hosts", (0..1024).map(hosts));
            assert_spread("networks", (0..1024).map(|n| hosts(n << 14)));
            assert_spread("listeners", (0..1024).map(|port| table.hash_port(6, port)));
        }
    }

    fn random_use(heads: &mut [u32]) {
        const COUNT: u32 = 12;
        let mut memory = [const { Slot::EMPTY }; COUNT as usize];
        let mut slots = Slots::new(&mut memory[..]);
        for n in 0..COUNT {
            slots.insert(n).unwrap();
        }
        let mut table = Table::new(heads, KEY);
        let mut model: HashMap<u32, u32> = HashMap::new();
        let mut random = XorShift(0x7ab1e);
        for _ in 0..50_000 {
            let ix = random.below(COUNT);
            // Few hashes, of which some share a chain without being equal.
            let hash = random.below(6) << 16 | random.below(3);
            match random.below(3) {
                0 => {
                    table.unfile(&mut slots, ix);
                    model.remove(&ix);
                }
                _ => {
                    table.file(&mut slots, ix, hash);
                    model.insert(ix, hash);
                }
            }
            assert_eq!(table.filed_under(&slots, ix), model.get(&ix).copied());
            let mut found: Vec<_> = table.chain(&slots, hash).map(|(ix, &item)| (ix, item)).collect();
            found.sort_unstable();
            let mut expected: Vec<_> =
                model.iter().filter(|entry| *entry.1 == hash).map(|(&ix, _)| (ix, ix)).collect();
            expected.sort_unstable();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn random_use_agrees_with_a_map() {
        random_use(&mut [0; 4]);
        random_use(&mut [0; 3]);
    }

    #[test]
    fn a_table_without_memory_is_a_linear_scan() {
        random_use(&mut []);
    }

    #[cfg(feature = "alloc")]
    #[cfg(feature = "iface-scale")]
    #[test]
    fn growing_keeps_what_is_filed() {
        let mut slots = Slots::new(Vec::new());
        let mut table = Table::new(Vec::new(), KEY);
        for n in 0..100_u16 {
            slots.insert(n).unwrap();
            let hash = table.hash_port(6, n);
            table.file(&mut slots, u32::from(n), hash);
            table.grow_to(&mut slots, usize::from(n) + 1);
        }
        assert_eq!(table.chain_count(), 128);
        table.unfile(&mut slots, 50);
        for n in 0..100 {
            let hash = table.hash_port(6, n);
            let found: Vec<_> = table.chain(&slots, hash).map(|(_, &item)| item).collect();
            assert_eq!(found, if n == 50 { vec![] } else { vec![n] });
        }
    }
}
