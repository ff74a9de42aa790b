//! The forwarding table: which station is behind which port (IEEE 802.1D §7.8, §7.9).
//!
//! Entries lie in lent memory, chained by a keyed hash, so that nobody outside can choose addresses that share
//! a chain. What a port has learned is a list in the order of last hearing: so the oldest is found at once,
//! whether it has aged or has to make room.

use managed::ManagedSlice;

use super::port::{Learned, Port, PortSet};
use crate::config;
use crate::rand::{Domain, Keys};
use crate::time::{Duration, Instant};
use crate::wire::EthernetAddress;

/// The index of no entry.
pub(super) const NIL: u32 = u32::MAX;

/// Whom an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Vacant,
    /// Heard by this port.
    Learned(u8),
    Static(PortSet),
}

/// The place of one station. Lend an array of [`Entry::EMPTY`].
#[derive(Debug, Clone)]
pub struct Entry {
    address: [u8; 6],
    kind: Kind,
    heard_at: Instant,
    /// The first entry of the chain whose number is this entry's index.
    head: u32,
    /// The next in this entry's chain; in a vacant entry, the next vacant one.
    next: u32,
    /// Its neighbours on the list of its port.
    older: u32,
    newer: u32,
}

impl Entry {
    /// A place with nothing in it.
    pub const EMPTY: Entry = Entry {
        address: [0; 6],
        kind: Kind::Vacant,
        heard_at: Instant::ZERO,
        head: NIL,
        next: NIL,
        older: NIL,
        newer: NIL,
    };
}

/// What the table knows of a station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Whereabouts {
    /// It was heard by a port.
    #[non_exhaustive]
    Learned {
        /// The port's place.
        port: usize,
        /// How long ago.
        age: Duration,
    },
    /// What was told: frames for it go there, and nowhere if that is empty.
    Static(PortSet),
}

/// What became of the table. All wrap.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableCounters {
    /// Stations that were not in the table before.
    pub learned: u32,
    /// Stations that were heard by another port than before.
    pub moved: u32,
    /// Entries that were removed since their station was silent.
    pub aged: u32,
    /// Entries that had to make room for others.
    pub evicted: u32,
    /// Sources that were not learned for want of room, or since their port may learn none.
    pub unlearned: u32,
}

/// All places are taken by static entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

pub(super) struct Table<'b> {
    entries: ManagedSlice<'b, Entry>,
    keys: Keys,
    ageing: Duration,
    vacant: u32,
    pub(super) counters: TableCounters,
}

impl<'b> Table<'b> {
    pub(super) fn new(entries: ManagedSlice<'b, Entry>, keys: Keys, ageing: Duration) -> Table<'b> {
        let mut table = Table { entries, keys, ageing, vacant: NIL, counters: TableCounters::default() };
        for (ix, entry) in (0..NIL).zip(table.entries.iter_mut()) {
            *entry = Entry { next: core::mem::replace(&mut table.vacant, ix), ..Entry::EMPTY };
        }
        table
    }

    fn get(&self, ix: u32) -> Option<&Entry> {
        self.entries.get(ix as usize)
    }

    fn get_mut(&mut self, ix: u32) -> Option<&mut Entry> {
        self.entries.get_mut(ix as usize)
    }

    /// The chain of an address.
    fn chain_of(&self, address: &[u8; 6]) -> u32 {
        let [a, b, c, d, e, f] = *address;
        let words = [u32::from_be_bytes([a, b, c, d]), u32::from(u16::from_be_bytes([e, f]))];
        let hash = self.keys.hash(Domain::Bridge, &words) as u32;
        ((u64::from(hash) * self.entries.len() as u64) >> 32) as u32
    }

    fn find(&self, address: &[u8; 6]) -> Option<u32> {
        let mut at = self.get(self.chain_of(address))?.head;
        loop {
            let entry = self.get(at)?;
            if entry.address == *address {
                return Some(at);
            }
            at = entry.next;
        }
    }

    fn has_aged(&self, entry: &Entry, now: Instant) -> bool {
        now.saturating_duration_since(entry.heard_at) >= self.ageing
    }

    fn whereabouts(&self, now: Instant, entry: &Entry) -> Option<Whereabouts> {
        match entry.kind {
            Kind::Vacant => None,
            Kind::Learned(port) => (!self.has_aged(entry, now)).then(|| Whereabouts::Learned {
                port: usize::from(port),
                age: now.saturating_duration_since(entry.heard_at),
            }),
            Kind::Static(ports) => Some(Whereabouts::Static(ports)),
        }
    }

    /// Where a station is, or a group is wanted.
    pub(super) fn lookup(&self, now: Instant, address: &[u8; 6]) -> Option<Whereabouts> {
        self.whereabouts(now, self.get(self.find(address)?)?)
    }

    pub(super) fn iter(&self, now: Instant) -> impl Iterator<Item = (EthernetAddress, Whereabouts)> + '_ {
        self.entries
            .iter()
            .filter_map(move |entry| Some((EthernetAddress(entry.address), self.whereabouts(now, entry)?)))
    }

    /// A frame of this station came by this port.
    pub(super) fn learn(&mut self, now: Instant, address: &[u8; 6], port: usize, ports: &mut [Port<'_>]) {
        let Some(ix) = self.find(address) else { return self.learn_new(now, address, port, ports) };
        let Some(&Entry { kind: Kind::Learned(old), newer, .. }) = self.get(ix) else { return };
        let has_moved = usize::from(old) != port;
        if has_moved || newer != NIL {
            self.unlist(ix, ports);
            if has_moved && !self.make_room(port, ports) {
                self.counters.unlearned = self.counters.unlearned.wrapping_add(1);
                return self.vacate(ix);
            }
            self.list(ix, port, ports);
            self.counters.moved = self.counters.moved.wrapping_add(u32::from(has_moved));
        }
        if let Some(entry) = self.get_mut(ix) {
            entry.heard_at = now;
        }
    }

    #[inline(never)]
    fn learn_new(&mut self, now: Instant, address: &[u8; 6], port: usize, ports: &mut [Port<'_>]) {
        if !self.make_room(port, ports) || (self.vacant == NIL && !self.evict_for(port, ports)) {
            self.counters.unlearned = self.counters.unlearned.wrapping_add(1);
            return;
        }
        let Some(ix) = self.take_vacant(address) else { return };
        if let Some(entry) = self.get_mut(ix) {
            entry.heard_at = now;
        }
        self.list(ix, port, ports);
        self.counters.learned = self.counters.learned.wrapping_add(1);
    }

    /// How many entries a port may have.
    fn quota(&self, learned: &Learned, ports_count: usize) -> usize {
        learned.quota.unwrap_or((self.entries.len() / ports_count.max(1)).max(1))
    }

    /// Brings a port below its quota; false if that is 0.
    fn make_room(&mut self, port: usize, ports: &mut [Port<'_>]) -> bool {
        let count = ports.len();
        let Some(learned) = ports.get(port).map(|port| &port.learned) else { return false };
        let quota = self.quota(learned, count);
        let is_full = learned.count >= quota;
        quota > 0 && (!is_full || self.evict_oldest(port, ports))
    }

    /// The table is full: of the port that is above its quota by the most the oldest goes, or if there is none
    /// of this port itself. False if it has none.
    #[cold]
    fn evict_for(&mut self, port: usize, ports: &mut [Port<'_>]) -> bool {
        let count = ports.len();
        let excess = |port: &Port<'_>| port.learned.count.saturating_sub(self.quota(&port.learned, count));
        let richest = (0..count).max_by_key(|place| excess(&ports[*place]));
        let richest = richest.filter(|place| excess(&ports[*place]) > 0);
        self.evict_oldest(richest.unwrap_or(port), ports)
    }

    fn evict_oldest(&mut self, port: usize, ports: &mut [Port<'_>]) -> bool {
        let is_done = self.remove_oldest(port, ports);
        self.counters.evicted = self.counters.evicted.wrapping_add(u32::from(is_done));
        is_done
    }

    fn remove_oldest(&mut self, port: usize, ports: &mut [Port<'_>]) -> bool {
        let Some(ix) = ports.get(port).map(|port| port.learned.oldest).filter(|ix| *ix != NIL) else {
            return false;
        };
        self.unlist(ix, ports);
        self.vacate(ix);
        true
    }

    /// Forgets what a port has learned.
    pub(super) fn flush(&mut self, port: usize, ports: &mut [Port<'_>]) {
        while self.remove_oldest(port, ports) {}
    }

    /// Removes what has aged, some entries at a time.
    pub(super) fn expire(&mut self, now: Instant, ports: &mut [Port<'_>]) {
        for port in 0..ports.len() {
            for _ in 0..config::BRIDGE_REMOVALS {
                let oldest = self.get(ports[port].learned.oldest);
                if !oldest.is_some_and(|entry| self.has_aged(entry, now)) {
                    break;
                }
                self.remove_oldest(port, ports);
                self.counters.aged = self.counters.aged.wrapping_add(1);
            }
        }
    }

    /// Frames for this address go to these ports from now on, whatever is learned.
    pub(super) fn add_static(
        &mut self,
        address: &[u8; 6],
        to: PortSet,
        ports: &mut [Port<'_>],
    ) -> Result<(), Full> {
        let ix = match self.find(address) {
            Some(ix) => ix,
            None => {
                if self.vacant == NIL {
                    let fullest = (0..ports.len()).max_by_key(|place| ports[*place].learned.count);
                    if !fullest.is_some_and(|port| self.evict_oldest(port, ports)) {
                        return Err(Full);
                    }
                }
                self.take_vacant(address).ok_or(Full)?
            }
        };
        self.unlist(ix, ports);
        if let Some(entry) = self.get_mut(ix) {
            entry.kind = Kind::Static(to);
        }
        Ok(())
    }

    /// False if there is no static entry of this address.
    pub(super) fn remove_static(&mut self, address: &[u8; 6]) -> bool {
        let Some(ix) = self.find(address) else { return false };
        let is_static = self.get(ix).is_some_and(|entry| matches!(entry.kind, Kind::Static(_)));
        if is_static {
            self.vacate(ix);
        }
        is_static
    }

    /// Takes a vacant entry and files it, on no list so far.
    fn take_vacant(&mut self, address: &[u8; 6]) -> Option<u32> {
        let (ix, chain) = (self.vacant, self.chain_of(address));
        self.vacant = self.get(ix)?.next;
        let next = core::mem::replace(&mut self.get_mut(chain)?.head, ix);
        let entry = self.get_mut(ix)?;
        (entry.address, entry.next) = (*address, next);
        Some(ix)
    }

    /// Takes an entry, which is on no list, out of its chain.
    fn vacate(&mut self, ix: u32) {
        let Some(&Entry { address, next, .. }) = self.get(ix) else { return };
        let chain = self.chain_of(&address);
        match self.get_mut(chain) {
            Some(first) if first.head == ix => first.head = next,
            Some(first) => {
                let mut at = first.head;
                while let Some(entry) = self.get_mut(at) {
                    if entry.next == ix {
                        entry.next = next;
                        break;
                    }
                    at = entry.next;
                }
            }
            None => {}
        }
        let vacant = core::mem::replace(&mut self.vacant, ix);
        if let Some(entry) = self.get_mut(ix) {
            (entry.kind, entry.next) = (Kind::Vacant, vacant);
        }
    }

    /// Puts an entry on a port's list as the newest.
    fn list(&mut self, ix: u32, port: usize, ports: &mut [Port<'_>]) {
        let Some(learned) = ports.get_mut(port).map(|port| &mut port.learned) else { return };
        let older = core::mem::replace(&mut learned.newest, ix);
        learned.count += 1;
        match self.get_mut(older) {
            Some(entry) => entry.newer = ix,
            None => learned.oldest = ix,
        }
        if let Some(entry) = self.get_mut(ix) {
            (entry.older, entry.newer, entry.kind) = (older, NIL, Kind::Learned(port as u8));
        }
    }

    /// Takes an entry off its port's list, if it is on one.
    fn unlist(&mut self, ix: u32, ports: &mut [Port<'_>]) {
        let Some(&Entry { kind: Kind::Learned(port), older, newer, .. }) = self.get(ix) else { return };
        let Some(learned) = ports.get_mut(usize::from(port)).map(|port| &mut port.learned) else { return };
        learned.count -= 1;
        match self.get_mut(older) {
            Some(entry) => entry.newer = newer,
            None => learned.oldest = newer,
        }
        match self.get_mut(newer) {
            Some(entry) => entry.older = older,
            None => learned.newest = older,
        }
    }
}
