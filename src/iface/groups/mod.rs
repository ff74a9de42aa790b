//! Multicast groups of an interface, and how routers hear of them: IGMPv3 (RFC 3376) and MLDv2
//! (RFC 3810), with the versions before for routers that speak them (RFC 1112, 2236, 2710).
//!
//! | file | what |
//! | --- | --- |
//! | `mod` | who wants a group, and its life |
//! | `querier` | what is known of the link's router: its version, its timers |
//! | `query` | queries, and other hosts' reports |
//! | `report` | which reports are due, and how they are written |
//!
//! ```text
//!   free --wanted--> joined: report now, repeat --nobody wants it--> left: tell so now, repeat --> free
//! ```
//!
//! A group is wanted by calls on the interface, which are counted, by sockets, and by own IPv6 addresses
//! (their solicited-node groups). All sources are listened to: there are no source filters.

mod querier;
mod query;
mod report;

use core::fmt;

use managed::ManagedSlice;

use self::querier::{Mode, Querier};
use super::interface::Interface;
use super::links::Links;
use super::socket_set::SocketSet;
use crate::config;
use crate::phy::HardwareAddress;
use crate::rand::{Domain, Keys};
use crate::time::Ticks;
use crate::wire::{Addr, IpAddress};

pub(crate) use query::{igmp, mld};
pub(crate) use report::send;

/// Where a group is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    Joined,
    /// Nobody wants it any more, and that is still to be told.
    Left,
}

/// Storage for one group.
#[derive(Debug, Clone)]
pub struct Group {
    addr: Addr,
    state: State,
    /// How often the interface was asked for it.
    joins: u16,
    /// A socket or an own address wants it.
    is_wanted: bool,
    /// Reports of the last change that are still to come.
    repeats: u8,
    /// When the next of them is due.
    change_at: Option<Ticks>,
    /// When a query about it is to be answered.
    answer_at: Option<Ticks>,
    /// We were the last on the link to report it (RFC 2236 §3).
    was_last_reporter: bool,
}

impl Group {
    /// An unused entry.
    pub const EMPTY: Group = Group {
        addr: Addr::UNSPECIFIED,
        state: State::Free,
        joins: 0,
        is_wanted: false,
        repeats: 0,
        change_at: None,
        answer_at: None,
        was_last_reporter: false,
    };

    fn new(addr: Addr) -> Group {
        Group { addr, ..Group::EMPTY }
    }

    fn is_in_use(&self) -> bool {
        self.state != State::Free || self.joins > 0 || self.is_wanted
    }

    /// Whether routers hear of it: not of the groups that everybody is in, nor of those that never leave
    /// the host (RFC 3376 §5, RFC 3810 §6).
    fn is_reported(&self) -> bool {
        match (self.addr.as_v4(), self.addr.as_v6()) {
            (Some(octets), _) => octets != [224, 0, 0, 1],
            (_, Some(octets)) => octets[1] & 0xf > 1 && !is_all_nodes(octets),
            _ => false,
        }
    }

    /// Begins to tell of a change.
    fn enter(&mut self, state: State, repeats: u8, now: Ticks) {
        self.state = state;
        self.answer_at = None;
        let is_told = self.is_reported() && repeats > 0;
        self.repeats = if is_told { repeats } else { 0 };
        self.change_at = is_told.then_some(now);
    }
}

fn is_all_nodes(octets: &[u8; 16]) -> bool {
    *octets == [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
}

/// What has to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Change {
    None,
    /// Who wants which group.
    Wants,
    /// That, and routers hear of all groups anew: the link is new.
    Link,
}

/// The groups of one interface.
pub(crate) struct Groups<'a> {
    table: ManagedSlice<'a, Group>,
    v4: Querier,
    v6: Querier,
    change: Change,
    /// When the next report is due, as of the last [`Groups::note_times`].
    next_at: Option<Ticks>,
    /// The device is to be told which link-layer groups are wanted.
    is_filter_old: bool,
    /// Varies the delays.
    draws: u32,
}

impl<'a> Groups<'a> {
    pub(crate) fn new(table: ManagedSlice<'a, Group>) -> Groups<'a> {
        let (v4, v6) = (Querier::new(), Querier::new());
        Groups { table, v4, v6, change: Change::Wants, next_at: None, is_filter_old: true, draws: 0 }
    }

    /// Who wants which group may have changed.
    pub(crate) fn on_change(&mut self) {
        self.change = if self.change == Change::Link { Change::Link } else { Change::Wants };
    }

    #[inline]
    pub(crate) fn have_changed(&self) -> bool {
        self.change != Change::None
    }

    /// The link has come up.
    pub(crate) fn on_link(&mut self) {
        self.change = Change::Link;
    }

    pub(crate) fn contains(&self, group: &Addr) -> bool {
        self.table.iter().any(|entry| entry.state == State::Joined && entry.addr == *group)
    }

    fn querier(&self, is_v4: bool) -> &Querier {
        if is_v4 { &self.v4 } else { &self.v6 }
    }

    fn querier_mut(&mut self, is_v4: bool) -> &mut Querier {
        if is_v4 { &mut self.v4 } else { &mut self.v6 }
    }

    fn entry_mut(&mut self, group: &Addr) -> Option<&mut Group> {
        self.table.iter_mut().find(|entry| entry.is_in_use() && entry.addr == *group)
    }

    /// The entry of a group, a new one if there is none yet; `None` if the table is full.
    fn entry_for(&mut self, group: &Addr) -> Option<&mut Group> {
        let known = |entry: &Group| entry.is_in_use() && entry.addr == *group;
        if let Some(index) = self.table.iter().position(known) {
            return self.table.get_mut(index);
        }
        let limit = config::MAX_GROUPS;
        let free = self.table.iter().take(limit).position(|entry| !entry.is_in_use());
        // One that was left gives way: its routers find out by themselves.
        let is_left = |entry: &Group| entry.state == State::Left && entry.joins == 0 && !entry.is_wanted;
        let index = free.or_else(|| self.table.iter().take(limit).position(is_left));
        let index = index.or_else(|| self.grow())?;
        let entry = self.table.get_mut(index)?;
        *entry = Group::new(*group);
        Some(entry)
    }

    #[cfg(feature = "alloc")]
    fn grow(&mut self) -> Option<usize> {
        let ManagedSlice::Owned(table) = &mut self.table else { return None };
        // A table that was lent no room stays without.
        if table.is_empty() || table.len() >= config::MAX_GROUPS || table.try_reserve(1).is_err() {
            return None;
        }
        table.push(Group::EMPTY);
        Some(table.len() - 1)
    }

    #[cfg(not(feature = "alloc"))]
    fn grow(&mut self) -> Option<usize> {
        None
    }

    /// A time up to `span` ticks from now, which nobody can foretell.
    fn some_time(&mut self, keys: &Keys, now: Ticks, span: u32) -> Ticks {
        self.draws = self.draws.wrapping_add(1);
        let chance = keys.hash(Domain::Group, &[self.draws, now.0]) as u32;
        now.after(((u64::from(chance) * u64::from(span)) >> 32) as u32)
    }

    /// Brings every group to where those who want it want it to be.
    fn settle(&mut self, now: Ticks) {
        let is_new_link = self.change == Change::Link;
        self.change = Change::None;
        let plans = [self.v4.plan(), self.v6.plan()];
        for entry in self.table.iter_mut() {
            let plan = if entry.addr.is_v4() { &plans[0] } else { &plans[1] };
            let is_wanted = entry.joins > 0 || entry.is_wanted;
            match (entry.state, is_wanted) {
                (State::Joined, true) if !is_new_link => {}
                (_, true) => {
                    entry.enter(State::Joined, plan.reports, now);
                    self.is_filter_old = true;
                }
                (State::Joined, false) => {
                    let is_told =
                        plan.mode == Mode::Newest || (plan.mode == Mode::Previous && entry.was_last_reporter);
                    entry.enter(State::Left, if is_told { plan.leaves } else { 0 }, now);
                    self.is_filter_old = true;
                }
                (State::Left, false) if is_new_link => entry.repeats = 0,
                _ => {}
            }
            if entry.state == State::Left && entry.repeats == 0 {
                *entry = Group::EMPTY;
            }
        }
        self.note_times();
    }

    /// When something has to be sent.
    #[inline]
    pub(crate) fn poll_at(&self, now: Ticks) -> Option<Ticks> {
        if self.change == Change::None { self.next_at } else { Some(now) }
    }

    /// Times may have been set or met: polls look at the earliest only.
    fn note_times(&mut self) {
        let mut at = Ticks::earlier(self.v4.general_at, self.v6.general_at);
        for entry in self.table.iter() {
            at = Ticks::earlier(at, Ticks::earlier(entry.change_at, entry.answer_at));
        }
        self.next_at = at;
    }

    /// What is due and was not sent found no room in the device: it is tried again soon, but not at once.
    fn put_off(&mut self, now: Ticks) {
        if self.next_at.is_some_and(|at| at.is_due(now)) {
            self.next_at = Some(now.after(config::PORT_RETRY));
        }
    }

    /// The link-layer groups that are wanted, if the device has not been told yet: so many of `filter`.
    #[inline(never)]
    fn filter(&mut self, filter: &mut [HardwareAddress; FILTER_LEN]) -> usize {
        self.is_filter_old = false;
        let mut count = 0;
        // All hosts and all nodes are everybody's.
        let everybody = [[1, 0, 0x5e, 0, 0, 1], [0x33, 0x33, 0, 0, 0, 1]].into_iter();
        let joined = self.table.iter().filter(|entry| entry.state == State::Joined);
        let wanted = everybody.chain(joined.map(|entry| super::output::multicast_hardware(&entry.addr)));
        for (place, octets) in filter.iter_mut().zip(wanted) {
            *place = HardwareAddress::Ethernet(octets);
            count += 1;
        }
        count
    }
}

/// Places for all groups of an interface and the two that everybody is in.
const FILTER_LEN: usize = config::MAX_GROUPS + 2;

/// Why a group is not joined or left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupError {
    /// It is no multicast address.
    NotAGroup,
    /// The table is full: lend more room for groups, or leave one.
    Full,
    /// It was not joined.
    NotJoined,
    /// Its family is not built in: enable `proto-ipv4` or `proto-ipv6`.
    FamilyNotBuiltIn,
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GroupError::NotAGroup => "not a multicast address",
            GroupError::Full => "group table full: lend more room or leave a group",
            GroupError::NotJoined => "the group was not joined",
            GroupError::FamilyNotBuiltIn => {
                "address family not built in: enable `proto-ipv4` or `proto-ipv6`"
            }
        })
    }
}

impl core::error::Error for GroupError {}

fn group_of(addr: IpAddress) -> Result<Addr, GroupError> {
    let addr = Addr::try_from(addr).map_err(|_| GroupError::FamilyNotBuiltIn)?;
    if addr.is_multicast() { Ok(addr) } else { Err(GroupError::NotAGroup) }
}

impl Interface<'_> {
    /// Takes packets to a group, and tells routers so at the next poll. Joins are counted: a group is left when
    /// it has been left as often as it was joined, and no socket wants it.
    pub fn join_multicast_group(&mut self, group: impl Into<IpAddress>) -> Result<(), GroupError> {
        let group = group_of(group.into())?;
        let entry = self.groups.entry_for(&group).ok_or(GroupError::Full)?;
        entry.joins = entry.joins.checked_add(1).ok_or(GroupError::Full)?;
        self.groups.on_change();
        Ok(())
    }

    /// Takes one join back.
    pub fn leave_multicast_group(&mut self, group: impl Into<IpAddress>) -> Result<(), GroupError> {
        let group = group_of(group.into())?;
        let entry = self.groups.entry_mut(&group).filter(|entry| entry.joins > 0);
        entry.ok_or(GroupError::NotJoined)?.joins -= 1;
        self.groups.on_change();
        Ok(())
    }

    /// Whether packets to a group are taken.
    pub fn has_multicast_group(&self, group: impl Into<IpAddress>) -> bool {
        Addr::try_from(group.into()).is_ok_and(|group| group.is_multicast() && self.is_in_group(&group))
    }

    /// Asks for what own addresses and sockets want; the sockets whose groups find no room are told.
    fn sync_groups(&mut self, sockets: &mut SocketSet<'_>, port: usize, now: Ticks) {
        self.groups.table.iter_mut().for_each(|entry| entry.is_wanted = false);
        for own in self.addresses.iter().flatten() {
            if let Some(group) = own.addr.solicited_group()
                && let Some(entry) = self.groups.entry_for(&group)
            {
                entry.is_wanted = true;
            }
        }
        for group in self.autoconf.probed().filter_map(Addr::solicited_group) {
            if let Some(entry) = self.groups.entry_for(&group) {
                entry.is_wanted = true;
            }
        }
        let groups = &mut self.groups;
        sockets.for_each_membership(port, &mut |group| {
            groups.entry_for(group).map(|entry| entry.is_wanted = true).is_some()
        });
        self.groups.settle(now);
    }

    /// Tells a device which link-layer groups to receive, if that has changed.
    #[inline]
    pub(crate) fn update_filter(&mut self, tell: &mut dyn FnMut(&[HardwareAddress])) {
        if self.groups.is_filter_old && self.is_ethernet() {
            self.tell_filter(tell);
        }
    }

    #[inline(never)]
    fn tell_filter(&mut self, tell: &mut dyn FnMut(&[HardwareAddress])) {
        let mut filter = [HardwareAddress::Ip; FILTER_LEN];
        let count = self.groups.filter(&mut filter);
        tell(filter.get(..count).unwrap_or(&filter));
    }
}

/// Looks at who wants which group, if that may have changed.
#[inline]
pub(crate) fn settle(links: &mut Links<'_, '_, '_>, sockets: &mut SocketSet<'_>) {
    let all = sockets.have_groups_changed();
    for port in 0..links.count() {
        if all || links.iface(port).is_some_and(|iface| iface.groups.have_changed()) {
            let now = links.out.now;
            links.with_port(port, |iface, _| iface.sync_groups(sockets, port, now));
        }
    }
    if all {
        sockets.groups_are_settled();
    }
}
