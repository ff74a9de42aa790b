//! The neighbour cache: which hardware address an IP address has on this link.
//!
//! One table and one state machine serve ARP (RFC 826) and Neighbor Discovery (RFC 4861 §7.3), with
//! unreachability detection for both: a neighbour that has not been confirmed for a while is probed by
//! unicast when it is used, and forgotten if it stays silent. Without `iface-nud` there are no probes: what
//! is known for a minute is asked for again (RFC 1122 §2.3.2.1).
//!
//! ```text
//!   Free --used--> Incomplete --answer--> Reachable --30 s--> Stale --used--> Delay --5 s--> Probe
//!    ^                 | 3 tries              ^                                 |answer       | 3 tries
//!    +-----------------+----------------------+---------------------------------+-> Reachable | --> Free
//! ```
//!
//! The sockets and packets that wait for an unresolved neighbour hang on its entry, so one that does
//! not answer delays nobody else.

use managed::ManagedSlice;

use crate::config;
use crate::storage::{List, lists};
use crate::time::Ticks;
use crate::wire::Addr;

/// An Ethernet address, which is the only kind that is resolved.
pub(crate) type Hardware = [u8; 6];

/// The hardware address that is nobody's own.
pub(crate) const EVERYBODY: Hardware = [0xff; 6];

/// Reachability of a neighbour (RFC 4861 §7.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum State {
    Free,
    /// The application has said it, and nothing that comes changes it.
    #[cfg_attr(not(feature = "iface-neighbors"), allow(dead_code, reason = "nobody says it"))]
    Static,
    Reachable,
    Stale,
    // From here on somebody wakes up when the state ends.
    Incomplete,
    Delay,
    Probe,
}

/// Storage for one neighbour.
#[derive(Debug)]
pub struct Neighbor {
    addr: Addr,
    hardware: Hardware,
    state: State,
    /// Solicitations sent in this state.
    tries: u8,
    /// When the state ends. For `Reachable` nobody wakes up for it.
    due: Ticks,
    used: Ticks,
    /// Sockets with something to send there.
    pub(crate) waiting: List,
}

impl Neighbor {
    /// An unused entry.
    pub const EMPTY: Neighbor = Neighbor {
        addr: Addr::UNSPECIFIED,
        hardware: [0; 6],
        state: State::Free,
        tries: 0,
        due: Ticks(0),
        used: Ticks(0),
        waiting: List::new(lists::NEIGHBOR),
    };

    fn enter(&mut self, state: State, due: Ticks) {
        self.state = state;
        self.due = due;
        self.tries = 0;
    }

    fn is_timed(&self) -> bool {
        self.state >= State::Incomplete
    }
}

/// What the cache says about a neighbour that somebody wants to send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// Its hardware address is known.
    Known,
    /// Being asked for: wait on this entry.
    Pending(usize),
    /// No entry is free for it.
    Full,
    /// It is ourselves.
    #[cfg(feature = "iface-loopback")]
    Own,
}

/// What shall be done because time has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Ask who has `addr`: [`EVERYBODY`], or the one who had it.
    Solicit { addr: Addr, to: Hardware },
    /// Nobody has answered: release what waits on this entry, then [`NeighborCache::forget`] it.
    Fail(usize),
}

/// Times that a router can set for its link, in ticks (RFC 4861 §6.3.2).
#[derive(Debug, Clone, Copy)]
pub(crate) struct NeighborTimes {
    /// How long a neighbour counts as reachable that has answered.
    pub(crate) reachable: u32,
    /// Between two solicitations.
    pub(crate) retransmit: u32,
}

impl NeighborTimes {
    pub(crate) const DEFAULT: NeighborTimes =
        NeighborTimes { reachable: config::NEIGHBOR_REACHABLE, retransmit: config::NEIGHBOR_RETRANSMIT };
}

#[cfg(feature = "iface-slaac")]
impl NeighborCache<'_> {
    pub(crate) fn times(&self) -> NeighborTimes {
        self.times
    }

    pub(crate) fn set_times(&mut self, times: NeighborTimes) {
        self.times = times;
    }
}

#[cfg(not(feature = "iface-slaac"))]
impl NeighborCache<'_> {
    pub(crate) fn times(&self) -> NeighborTimes {
        NeighborTimes::DEFAULT
    }
}

pub(crate) struct NeighborCache<'a> {
    #[cfg(feature = "iface-slaac")]
    times: NeighborTimes,
    entries: ManagedSlice<'a, Neighbor>,
    /// Where the last lookup hit: a burst goes to one neighbour.
    last: usize,
    /// The earliest `due` of the timed entries, so that a poll need not look at them all.
    due: Option<Ticks>,
}

impl<'a> NeighborCache<'a> {
    pub(crate) fn new(entries: ManagedSlice<'a, Neighbor>) -> NeighborCache<'a> {
        NeighborCache {
            #[cfg(feature = "iface-slaac")]
            times: NeighborTimes::DEFAULT,
            entries,
            last: 0,
            due: None,
        }
    }

    fn find(&mut self, addr: &Addr) -> Option<usize> {
        let hit = |entry: &Neighbor| entry.addr == *addr && entry.state != State::Free;
        if self.entries.get(self.last).is_some_and(hit) {
            return Some(self.last);
        }
        let index = self.entries.iter().position(hit)?;
        self.last = index;
        Some(index)
    }

    /// What is known of `addr`, which somebody is about to send to, its hardware address included; `None`
    /// calls for [`start`](Self::start).
    pub(crate) fn lookup(&mut self, addr: &Addr, now: Ticks, hardware: &mut Hardware) -> Option<Resolution> {
        let index = self.find(addr)?;
        let entry = self.entries.get_mut(index)?;
        entry.used = now;
        if entry.state == State::Incomplete {
            return Some(Resolution::Pending(index));
        }
        let is_expired = entry.state == State::Reachable && entry.due.is_due(now);
        if !config::HAS_NUD && is_expired {
            entry.enter(State::Incomplete, now);
            self.due_by(now);
            return Some(Resolution::Pending(index));
        }
        *hardware = entry.hardware;
        if config::HAS_NUD && (is_expired || entry.state == State::Stale) {
            let due = now.after(config::NEIGHBOR_DELAY);
            entry.enter(State::Delay, due);
            self.due_by(due);
        }
        Some(Resolution::Known)
    }

    /// The same for the one that was looked up last, if its state stays as it is by that.
    #[cfg(feature = "iface-forward")]
    #[inline(always)]
    pub(crate) fn lookup_last(&mut self, addr: &Addr, now: Ticks) -> Option<Hardware> {
        let entry = self.entries.get_mut(self.last).filter(|entry| entry.addr == *addr)?;
        let stays = match entry.state {
            State::Reachable => !entry.due.is_due(now),
            state => state >= State::Delay || state == State::Static,
        };
        if !stays {
            return None;
        }
        entry.used = now;
        Some(entry.hardware)
    }

    /// A neighbour does not answer what goes by it: it is to be probed, though it was confirmed lately.
    #[cfg(all(feature = "socket-tcp", feature = "iface-nud"))]
    pub(crate) fn doubt(&mut self, addr: &Addr) {
        let entry = self.find(addr).and_then(|index| self.entries.get_mut(index));
        if let Some(entry) = entry.filter(|entry| entry.state == State::Reachable) {
            entry.state = State::Stale;
        }
    }

    /// The hardware address, if it is known, without asking or keeping it alive.
    pub(crate) fn known(&self, addr: &Addr) -> Option<Hardware> {
        let entry = self.entries.iter().find(|e| e.addr == *addr && e.state != State::Free)?;
        (entry.state != State::Incomplete).then_some(entry.hardware)
    }

    /// Begins to ask for an address that is unknown.
    pub(crate) fn start(&mut self, addr: &Addr, now: Ticks) -> Resolution {
        self.claim(addr, now, State::Incomplete).map_or(Resolution::Full, Resolution::Pending)
    }

    /// Gives a new neighbour an entry.
    #[inline(never)]
    fn claim(&mut self, addr: &Addr, now: Ticks, state: State) -> Option<usize> {
        let index = self.victim(now, state == State::Incomplete)?;
        let entry = self.entries.get_mut(index)?;
        entry.addr = *addr;
        entry.used = now;
        entry.enter(state, now);
        self.due = self.earliest();
        Some(index)
    }

    fn due_by(&mut self, at: Ticks) {
        if self.due.is_none_or(|due| at.is_before(due)) {
            self.due = Some(at);
        }
    }

    /// An entry for a new neighbour: a free one, else the stalest that nobody waits for.
    ///
    /// One that is confirmed and in use is never given up for one that only might exist, so that
    /// somebody who makes us look for many strangers can't make us forget our friends.
    fn victim(&self, now: Ticks, for_unresolved: bool) -> Option<usize> {
        let mut best = None;
        let mut best_age = -1;
        for (index, entry) in self.entries.iter().enumerate() {
            let is_idle = match entry.state {
                State::Free => return Some(index),
                State::Stale => config::HAS_NUD,
                State::Reachable => entry.due.is_due(now),
                State::Static if config::HAS_NEIGHBOR_TABLE => continue,
                _ => false,
            };
            if !is_idle && (for_unresolved || entry.state == State::Incomplete) {
                continue;
            }
            let age = if is_idle { now.since(entry.used) } else { 0 };
            if age > best_age {
                (best, best_age) = (Some(index), age);
            }
        }
        best
    }

    /// Notes an answer to our question, or word from the neighbour itself (`solicited` or not).
    ///
    /// Returns the entry if it was being waited for. An unknown neighbour is entered only if `create`.
    pub(crate) fn learn(
        &mut self,
        addr: &Addr,
        hardware: &Hardware,
        evidence: Evidence,
        now: Ticks,
    ) -> Option<usize> {
        let reachable = self.times().reachable;
        let index = match self.find(addr) {
            Some(index) => index,
            None if evidence.create => self.claim(addr, now, State::Stale)?,
            None => return None,
        };
        let entry = self.entries.get_mut(index)?;
        if config::HAS_NEIGHBOR_TABLE && entry.state == State::Static {
            return None;
        }
        let was_waited_for = entry.state == State::Incomplete;
        let was_timed = entry.is_timed();
        let changed = entry.hardware != *hardware;
        // RFC 4861 §7.2.5: a differing address without the override flag only casts doubt.
        let is_doubt = config::HAS_NUD && changed && !was_waited_for && !evidence.override_;
        if is_doubt && entry.state != State::Reachable {
            return None;
        }
        if !is_doubt {
            entry.hardware = *hardware;
        }
        if !config::HAS_NUD || (evidence.solicited && !is_doubt) {
            entry.enter(State::Reachable, now.after(reachable));
        } else if changed || was_waited_for {
            entry.enter(State::Stale, now);
        }
        if was_timed {
            self.due = self.earliest();
        }
        was_waited_for.then_some(index)
    }

    /// An entry that was given out by this cache.
    pub(crate) fn entry_mut(&mut self, index: usize) -> Option<&mut Neighbor> {
        self.entries.get_mut(index)
    }

    /// Whose entry it is.
    pub(crate) fn addr_of(&self, index: usize) -> Option<Addr> {
        self.entries.get(index).map(|entry| entry.addr)
    }

    /// Frees an entry that nobody waits for any more.
    pub(crate) fn forget(&mut self, index: usize) {
        if let Some(entry) = self.entries.get_mut(index) {
            entry.state = State::Free;
        }
        self.due = self.earliest();
    }

    /// The next thing that is due, if anything is.
    #[inline]
    pub(crate) fn next_action(&mut self, now: Ticks) -> Option<Action> {
        if self.is_due(now) { self.act(now) } else { None }
    }

    /// Whether [`next_action`](Self::next_action) has something to do now.
    #[inline]
    pub(crate) fn is_due(&self, now: Ticks) -> bool {
        self.due.is_some_and(|due| due.is_due(now))
    }

    #[inline(never)]
    fn act(&mut self, now: Ticks) -> Option<Action> {
        let action = self.due_action(now);
        self.due = self.earliest();
        action
    }

    fn due_action(&mut self, now: Ticks) -> Option<Action> {
        let is_due = |entry: &Neighbor| entry.is_timed() && entry.due.is_due(now);
        let index = self.entries.iter().position(is_due)?;
        let retransmit = self.times().retransmit;
        let entry = self.entries.get_mut(index)?;
        if config::HAS_NUD && entry.state == State::Delay {
            entry.enter(State::Probe, now);
        }
        if entry.tries >= config::NEIGHBOR_SOLICITATIONS {
            return Some(Action::Fail(index));
        }
        entry.tries += 1;
        entry.due = now.after(retransmit);
        let to = if config::HAS_NUD && entry.state == State::Probe { entry.hardware } else { EVERYBODY };
        Some(Action::Solicit { addr: entry.addr, to })
    }

    /// When [`next_action`](Self::next_action) has something to do.
    pub(crate) fn poll_at(&self) -> Option<Ticks> {
        self.due
    }

    #[inline(never)]
    fn earliest(&self) -> Option<Ticks> {
        let timed = self.entries.iter().filter(|entry| entry.is_timed());
        timed.fold(None, |at, entry| Ticks::earlier(at, Some(entry.due)))
    }

    /// Forgets everything, as when the link went down; the waiters of each entry go to `release`.
    pub(crate) fn clear(&mut self, mut release: impl FnMut(usize, &mut List)) {
        for (index, entry) in self.entries.iter_mut().enumerate() {
            release(index, &mut entry.waiting);
            if !config::HAS_NEIGHBOR_TABLE || entry.state != State::Static {
                entry.state = State::Free;
            }
        }
        self.due = None;
    }

    /// How many neighbours are known or being asked for.
    pub(crate) fn len(&self) -> usize {
        self.entries.iter().filter(|entry| entry.state != State::Free).count()
    }
}

/// What the application sees and decides.
#[cfg(feature = "iface-neighbors")]
impl NeighborCache<'_> {
    /// Address, hardware address and state of each entry.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Addr, &Hardware, State)> {
        self.entries.iter().map(|entry| (&entry.addr, &entry.hardware, entry.state))
    }

    /// Makes a static entry, or one static, and says where it is.
    pub(super) fn set(&mut self, addr: &Addr, hardware: &Hardware, now: Ticks) -> Option<usize> {
        let index = self.find(addr).or_else(|| self.claim(addr, now, State::Static))?;
        let entry = self.entries.get_mut(index)?;
        entry.hardware = *hardware;
        entry.enter(State::Static, now);
        self.due = self.earliest();
        Some(index)
    }

    /// Forgets a neighbour that is known, and says whether there was one.
    pub(super) fn remove(&mut self, addr: &Addr) -> bool {
        let known = self.find(addr).and_then(|index| self.entries.get_mut(index));
        let Some(entry) = known.filter(|entry| entry.state != State::Incomplete) else { return false };
        entry.state = State::Free;
        self.due = self.earliest();
        true
    }

    /// Forgets those that are known and not static.
    pub(super) fn flush(&mut self) {
        for entry in self.entries.iter_mut() {
            if !matches!(entry.state, State::Static | State::Incomplete) {
                entry.state = State::Free;
            }
        }
        self.due = self.earliest();
    }
}

/// What a message tells about the neighbour that it speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// It answers a question of ours: the path works both ways.
    pub(crate) solicited: bool,
    /// It may replace an address that differs.
    pub(crate) override_: bool,
    /// It is worth an entry for somebody unknown.
    pub(crate) create: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Hardware = [2, 0, 0, 0, 0, 1];
    const ANSWER: Evidence = Evidence { solicited: true, override_: true, create: false };

    #[cfg(feature = "proto-ipv4")]
    fn addr(last: u8) -> Addr {
        Addr::v4([10, 0, 0, last])
    }
    #[cfg(not(feature = "proto-ipv4"))]
    fn addr(last: u8) -> Addr {
        Addr::v6([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last])
    }

    /// What the cache says, and the hardware address if there is one.
    fn resolve(cache: &mut NeighborCache<'_>, addr: &Addr, now: Ticks) -> (Resolution, Hardware) {
        let mut hardware = [0; 6];
        let known = cache.lookup(addr, now, &mut hardware);
        (known.unwrap_or_else(|| cache.start(addr, now)), hardware)
    }

    fn with_cache(count: usize, test: impl FnOnce(&mut NeighborCache<'_>)) {
        let mut entries = [const { Neighbor::EMPTY }; 8];
        test(&mut NeighborCache::new(ManagedSlice::Borrowed(&mut entries[..count])));
    }

    #[test]
    fn an_unknown_neighbor_is_asked_for_three_times_and_then_given_up() {
        with_cache(2, |cache| {
            assert_eq!(resolve(cache, &addr(1), Ticks(0)).0, Resolution::Pending(0));
            let mut now = Ticks(0);
            for _ in 0..config::NEIGHBOR_SOLICITATIONS {
                assert_eq!(cache.next_action(now), Some(Action::Solicit { addr: addr(1), to: EVERYBODY }));
                assert_eq!(cache.next_action(now), None);
                now = cache.poll_at().unwrap();
            }
            assert_eq!(cache.next_action(now), Some(Action::Fail(0)));
            cache.forget(0);
            assert_eq!(cache.poll_at(), None);
        });
    }

    /// Where it has an answer, it is [`NeighborCache::lookup`]'s, and that changes nothing but when it was used.
    #[test]
    #[cfg(feature = "iface-forward")]
    fn the_last_neighbor_is_found_without_a_search_while_its_state_lasts() {
        let times = [0, 1, config::NEIGHBOR_REACHABLE - 1, config::NEIGHBOR_REACHABLE].map(Ticks);
        for evidence in [ANSWER, Evidence { solicited: false, create: true, ..ANSWER }] {
            for now in times {
                let [mut in_short, mut in_full] = [(); 2].map(|()| {
                    let entries = [(); 2].map(|()| Neighbor::EMPTY);
                    let mut cache = NeighborCache::new(ManagedSlice::Owned(Vec::from(entries)));
                    assert_eq!(cache.lookup_last(&addr(1), now), None);
                    resolve(&mut cache, &addr(1), Ticks(0));
                    assert_eq!(cache.lookup_last(&addr(1), now), None, "nobody has answered");
                    cache.learn(&addr(1), &MAC, evidence, Ticks(0));
                    cache
                });
                for used in [now, now.after(1)] {
                    assert_eq!(in_short.lookup_last(&addr(2), used), None);
                    let found = in_short.lookup_last(&addr(1), used);
                    if found.is_none() {
                        resolve(&mut in_short, &addr(1), used);
                    }
                    let expected = resolve(&mut in_full, &addr(1), used);
                    assert!(found.is_none_or(|found| expected == (Resolution::Known, found)));
                    assert_eq!(format!("{:?}", in_short.entries), format!("{:?}", in_full.entries));
                    assert_eq!(in_short.poll_at(), in_full.poll_at());
                }
                let found = in_short.lookup_last(&addr(1), now.after(1));
                assert_eq!(found.is_some(), in_short.entries[0].state != State::Incomplete);
            }
        }
    }

    #[test]
    #[cfg(feature = "iface-nud")]
    fn a_confirmed_neighbor_is_probed_only_when_it_is_used_again() {
        with_cache(2, |cache| {
            resolve(cache, &addr(1), Ticks(0));
            assert_eq!(cache.learn(&addr(1), &MAC, ANSWER, Ticks(0)), Some(0));
            assert_eq!(resolve(cache, &addr(1), Ticks(1)), (Resolution::Known, MAC));
            assert_eq!(cache.poll_at(), None, "an idle neighbour wakes nobody");
            let later = Ticks(config::NEIGHBOR_REACHABLE + 1);
            assert_eq!(resolve(cache, &addr(1), later), (Resolution::Known, MAC));
            let probe_at = cache.poll_at().unwrap();
            assert_eq!(probe_at, later.after(config::NEIGHBOR_DELAY));
            let probe = Action::Solicit { addr: addr(1), to: MAC };
            assert_eq!(cache.next_action(probe_at), Some(probe));
            cache.learn(&addr(1), &MAC, ANSWER, probe_at);
            assert_eq!(cache.poll_at(), None);
        });
    }

    #[test]
    #[cfg(not(feature = "iface-nud"))]
    fn without_probes_a_neighbor_is_asked_for_anew_when_its_time_is_over() {
        with_cache(1, |cache| {
            resolve(cache, &addr(1), Ticks(0));
            assert_eq!(cache.learn(&addr(1), &MAC, ANSWER, Ticks(0)), Some(0));
            let last = Ticks(config::NEIGHBOR_REACHABLE - 1);
            assert_eq!(resolve(cache, &addr(1), last), (Resolution::Known, MAC));
            assert_eq!(cache.poll_at(), None, "an idle neighbour wakes nobody");
            let over = Ticks(config::NEIGHBOR_REACHABLE);
            assert_eq!(resolve(cache, &addr(1), over).0, Resolution::Pending(0));
            assert_eq!(cache.poll_at(), Some(over));
            assert_eq!(cache.next_action(over), Some(Action::Solicit { addr: addr(1), to: EVERYBODY }));
            assert_eq!(cache.learn(&addr(1), &[6; 6], ANSWER, over), Some(0));
            assert_eq!(resolve(cache, &addr(1), over), (Resolution::Known, [6; 6]));
            assert_eq!(cache.poll_at(), None);
        });
    }

    #[test]
    #[cfg(feature = "iface-nud")]
    fn a_silent_neighbor_is_forgotten_after_three_probes() {
        with_cache(1, |cache| {
            resolve(cache, &addr(1), Ticks(0));
            cache.learn(&addr(1), &MAC, ANSWER, Ticks(0));
            resolve(cache, &addr(1), Ticks(config::NEIGHBOR_REACHABLE + 1));
            let mut probes = 0;
            let failed = loop {
                match cache.next_action(cache.poll_at().unwrap()).unwrap() {
                    Action::Solicit { to, .. } => {
                        assert_eq!(to, MAC);
                        probes += 1;
                    }
                    Action::Fail(index) => break index,
                }
            };
            assert_eq!((failed, probes), (0, config::NEIGHBOR_SOLICITATIONS));
        });
    }

    #[test]
    fn strangers_do_not_push_out_a_confirmed_neighbor() {
        with_cache(2, |cache| {
            resolve(cache, &addr(1), Ticks(0));
            cache.learn(&addr(1), &MAC, ANSWER, Ticks(0));
            for stranger in 2..100 {
                resolve(cache, &addr(stranger), Ticks(1));
            }
            assert_eq!(resolve(cache, &addr(1), Ticks(2)), (Resolution::Known, MAC));
            assert_eq!(resolve(cache, &addr(77), Ticks(2)).0, Resolution::Full);
        });
    }

    #[test]
    #[cfg(feature = "iface-nud")]
    fn a_differing_address_without_override_only_casts_doubt() {
        with_cache(1, |cache| {
            resolve(cache, &addr(1), Ticks(0));
            cache.learn(&addr(1), &MAC, ANSWER, Ticks(0));
            let claim = Evidence { solicited: false, override_: false, create: true };
            cache.learn(&addr(1), &[6; 6], claim, Ticks(1));
            assert_eq!(cache.known(&addr(1)), Some(MAC));
        });
    }

    #[test]
    fn word_from_an_unknown_neighbor_is_kept_only_when_asked_to() {
        with_cache(1, |cache| {
            assert_eq!(cache.learn(&addr(1), &MAC, ANSWER, Ticks(0)), None);
            assert_eq!(cache.len(), 0);
            let request = Evidence { solicited: false, override_: true, create: true };
            cache.learn(&addr(1), &MAC, request, Ticks(0));
            assert_eq!(cache.known(&addr(1)), Some(MAC));
        });
    }

    const STALE: Evidence = Evidence { solicited: false, override_: true, create: true };

    /// An entry for each state that a neighbour which is heard of can be in.
    fn in_state(cache: &mut NeighborCache<'_>, state: State) {
        resolve(cache, &addr(1), Ticks(0));
        if state != State::Incomplete {
            cache.learn(&addr(1), &MAC, if state == State::Stale { STALE } else { ANSWER }, Ticks(0));
        }
        assert_eq!(cache.entries[0].state, state);
    }

    #[test]
    fn the_idle_neighbor_that_was_used_longest_ago_makes_room() {
        let expired = Ticks(config::NEIGHBOR_REACHABLE);
        let cases = [(State::Reachable, expired), (State::Stale, Ticks(0)), (State::Stale, Ticks(1))];
        for (state, now) in
            cases.into_iter().filter(|(state, _)| *state == State::Reachable || config::HAS_NUD)
        {
            with_cache(1, |cache| {
                in_state(cache, state);
                assert_eq!(resolve(cache, &addr(2), now).0, Resolution::Pending(0), "{state:?}");
                assert_eq!((cache.known(&addr(1)), cache.len()), (None, 1));
            });
        }
        with_cache(3, |cache| {
            for (last, used) in [(1, 5), (2, 3), (3, 4)] {
                cache.start(&addr(last), Ticks(used));
                cache.learn(&addr(last), &MAC, ANSWER, Ticks(used));
            }
            assert_eq!(cache.start(&addr(4), expired.after(9)), Resolution::Pending(1));
            assert_eq!(cache.start(&addr(5), expired.after(9)), Resolution::Pending(2));
            assert_eq!(cache.known(&addr(1)), Some(MAC));
        });
    }

    #[test]
    fn one_that_speaks_takes_the_place_of_a_confirmed_one_but_of_none_that_is_waited_for() {
        for (state, has_room) in [(State::Reachable, true), (State::Incomplete, false)] {
            with_cache(1, |cache| {
                in_state(cache, state);
                cache.learn(&addr(2), &[6; 6], STALE, Ticks(1));
                assert_eq!(cache.known(&addr(2)), has_room.then_some([6; 6]), "{state:?}");
                assert_eq!(cache.find(&addr(1)).is_some(), !has_room);
                assert_eq!(cache.known(&addr(3)), None);
            });
        }
    }

    /// Covers: RFC 4861 §7.2.5, RFC 4861 §7.2.3
    #[test]
    #[cfg(feature = "iface-nud")]
    fn an_answer_does_to_an_entry_what_its_flags_say() {
        use State::{Incomplete, Reachable, Stale};
        const OTHER: Hardware = [6; 6];
        let cases = [
            // Before; solicited, override; hardware address; after, with which.
            (Incomplete, true, true, MAC, Reachable, MAC),
            (Incomplete, true, false, MAC, Reachable, MAC),
            (Incomplete, false, true, MAC, Stale, MAC),
            (Incomplete, false, false, MAC, Stale, MAC),
            (Stale, true, false, MAC, Reachable, MAC),
            (Stale, true, true, OTHER, Reachable, OTHER),
            (Stale, true, false, OTHER, Stale, MAC),
            (Stale, false, false, OTHER, Stale, MAC),
            (Stale, false, true, OTHER, Stale, OTHER),
            (Stale, false, false, MAC, Stale, MAC),
            (Reachable, true, false, OTHER, Stale, MAC),
            (Reachable, false, false, OTHER, Stale, MAC),
            (Reachable, false, true, OTHER, Stale, OTHER),
            (Reachable, false, true, MAC, Reachable, MAC),
            (Reachable, false, false, MAC, Reachable, MAC),
        ];
        for case @ (before, solicited, override_, hardware, after, expected) in cases {
            with_cache(1, |cache| {
                in_state(cache, before);
                let waited_for = cache.learn(
                    &addr(1),
                    &hardware,
                    Evidence { solicited, override_, create: false },
                    Ticks(1),
                );
                assert_eq!(waited_for.is_some(), before == Incomplete, "{case:?}");
                assert_eq!(
                    (cache.entries[0].state, cache.known(&addr(1))),
                    (after, Some(expected)),
                    "{case:?}"
                );
            });
        }
    }
}
