//! Connections in TIME-WAIT, in a table with four places for each of a few hash values.
//!
//! Looking one up, and making room for one, looks at four records and no more.

use managed::ManagedSlice;

#[cfg(feature = "tcp-options")]
use crate::socket::Room;
use crate::socket::Tuple;
use crate::socket::tcp::{Plan, Segment, Stamp, TimeWait, Verdict};
use crate::time::Ticks;

const WAYS: usize = 4;

pub(crate) struct TimeWaitTable<'a> {
    records: ManagedSlice<'a, TimeWait>,
}

impl<'a> TimeWaitTable<'a> {
    pub(crate) fn new(mut records: ManagedSlice<'a, TimeWait>) -> TimeWaitTable<'a> {
        records.fill(TimeWait::EMPTY);
        TimeWaitTable { records }
    }

    /// The places for `hash`; fewer than four records are one set.
    fn places(&mut self, hash: u32) -> &mut [TimeWait] {
        let sets = self.records.len() / WAYS;
        // Of all sets the one that lies where the hash lies among all hashes.
        let start = ((u64::from(hash) * sets as u64) >> 32) as usize * WAYS;
        let records = self.records.get_mut(start..).unwrap_or_default();
        let count = records.len().min(WAYS);
        records.get_mut(..count).unwrap_or_default()
    }

    /// Gives a segment to the record of its connection, which gives way to a new one only if somebody listens: then
    /// `granted` is the stamp that it begins with. [`Verdict::Reopen`], and there is none afterwards, if there is none
    /// alive.
    pub(crate) fn process(
        &mut self,
        hash: u32,
        tuple: &Tuple,
        now: Ticks,
        segment: &Segment<'_>,
        granted: Option<Stamp>,
        reply: &mut Plan,
    ) -> Verdict {
        let mut places = self.places(hash).iter_mut();
        let Some(record) = places.find(|record| record.is_used() && record.is_for(tuple)) else {
            return Verdict::Reopen;
        };
        if !record.is_expired(now) {
            let verdict = record.process(now, segment, granted, reply);
            if !matches!(verdict, Verdict::Reopen) {
                return verdict;
            }
        }
        *record = TimeWait::EMPTY;
        Verdict::Reopen
    }

    /// Whether there is a record of this connection.
    #[cfg(feature = "socket-interface")]
    pub(crate) fn has(&mut self, hash: u32, tuple: &Tuple) -> bool {
        self.places(hash).iter().any(|record| record.is_used() && record.is_for(tuple))
    }

    /// The room in what is sent for a connection.
    #[cfg(feature = "tcp-options")]
    pub(crate) fn room(&mut self, hash: u32, tuple: &Tuple) -> Room {
        let mut places = self.places(hash).iter();
        let record = places.find(|record| record.is_used() && record.is_for(tuple));
        record.map_or(Room::NONE, |record| record.room)
    }

    /// Forgets a connection, since there is to be a new one between the same ends.
    #[cfg_attr(not(feature = "tcp-connect"), allow(dead_code))]
    pub(crate) fn forget(&mut self, hash: u32, tuple: &Tuple) {
        let mut places = self.places(hash).iter_mut();
        if let Some(record) = places.find(|record| record.is_used() && record.is_for(tuple)) {
            *record = TimeWait::EMPTY;
        }
    }

    /// Keeps a record, in place of the one that would go first if there is no room.
    pub(crate) fn insert(&mut self, hash: u32, record: &TimeWait, now: Ticks) {
        let mut places = self.places(hash).iter_mut();
        let Some(mut place) = places.next() else { return };
        for other in places {
            if other.left(now) < place.left(now) {
                place = other;
            }
        }
        *place = *record;
    }

    /// How many connections are in TIME-WAIT, or were until lately.
    pub(crate) fn len(&self) -> usize {
        self.records.iter().filter(|record| record.is_used()).count()
    }
}
