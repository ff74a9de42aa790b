//! The groups that a UDP socket has joined (feature `iface-multicast`).

use managed::ManagedSlice;

use super::Socket;
use crate::wire::{Addr, IpAddress};

/// A group that a socket has joined. Lend an array of [`Membership::EMPTY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// `None`: free.
    group: Option<Addr>,
    /// The interface's place in the `Router`.
    interface: u8,
}

impl Membership {
    /// An unused place.
    pub const EMPTY: Membership = Membership { group: None, interface: 0 };
}

/// Why a socket does not join or leave a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MembershipError {
    /// It is no multicast address.
    NotAGroup,
    /// No place: lend the socket more memberships, or leave a group.
    Full,
    /// The socket has not joined it.
    NotJoined,
    /// Its family is not built in: enable `proto-ipv4` or `proto-ipv6`.
    FamilyNotBuiltIn,
}

error_texts!(MembershipError:
    NotAGroup => "not a multicast address",
    Full => "no place for another group: lend the socket more memberships",
    NotJoined => "the socket has not joined the group",
    FamilyNotBuiltIn => "address family not built in: enable `proto-ipv4` or `proto-ipv6`");

/// The memberships of a socket.
pub(crate) struct Members<'a> {
    entries: ManagedSlice<'a, Membership>,
    /// The interfaces have not been asked for them yet.
    changed: bool,
    has_failed: bool,
}

impl<'a> Members<'a> {
    pub(super) const fn none() -> Members<'a> {
        Members { entries: ManagedSlice::Borrowed(&mut []), changed: false, has_failed: false }
    }

    pub(super) fn clear(&mut self) {
        self.changed |= self.entries.iter().any(|entry| entry.group.is_some());
        self.entries.fill(Membership::EMPTY);
    }
}

impl<'a> Socket<'a> {
    /// The same socket with room for so many groups.
    pub fn with_memberships(mut self, entries: impl Into<ManagedSlice<'a, Membership>>) -> Socket<'a> {
        self.members.entries = entries.into();
        self.members.clear();
        self
    }

    /// Joins a group on an interface, named by its place in the `Router`; 0 where there is only one.
    ///
    /// The interface joins at the next poll, and leaves when its last member does, or is closed or removed. If it
    /// has no room that shows as `Events::ERROR`, and [`has_membership_failed`](Self::has_membership_failed)
    /// says so. A socket with memberships hears of no other groups, be it connected or not; one without hears
    /// whatever the interface is in.
    pub fn join_multicast_group(
        &mut self,
        group: impl Into<IpAddress>,
        interface: u8,
    ) -> Result<(), MembershipError> {
        let group = group_of(group.into())?;
        if self.place_of(&group, interface).is_some() {
            return Ok(());
        }
        let free = self.members.entries.iter_mut().find(|entry| entry.group.is_none());
        *free.ok_or(MembershipError::Full)? = Membership { group: Some(group), interface };
        self.members.changed = true;
        Ok(())
    }

    /// Leaves a group.
    pub fn leave_multicast_group(
        &mut self,
        group: impl Into<IpAddress>,
        interface: u8,
    ) -> Result<(), MembershipError> {
        let group = group_of(group.into())?;
        let place = self.place_of(&group, interface).ok_or(MembershipError::NotJoined)?;
        if let Some(entry) = self.members.entries.get_mut(place) {
            *entry = Membership::EMPTY;
        }
        self.members.changed = true;
        Ok(())
    }

    /// Whether an interface had no room for a group that was joined last.
    pub fn has_membership_failed(&self) -> bool {
        self.members.has_failed
    }

    fn place_of(&self, group: &Addr, interface: u8) -> Option<usize> {
        let wanted = Membership { group: Some(*group), interface };
        self.members.entries.iter().position(|entry| *entry == wanted)
    }

    /// Whether what comes to a group by an interface is for this socket.
    pub(crate) fn hears(&self, group: &Addr, interface: usize) -> bool {
        let has_any = self.members.entries.iter().any(|entry| entry.group.is_some());
        !group.is_multicast() || !has_any || self.place_of(group, interface as u8).is_some()
    }

    pub(crate) fn have_members_changed(&self) -> bool {
        self.members.changed
    }

    /// The interfaces are about to be asked.
    pub(crate) fn members_are_settled(&mut self) {
        self.members.changed = false;
        self.members.has_failed = false;
    }

    pub(crate) fn has_members(&self) -> bool {
        self.members.entries.iter().any(|entry| entry.group.is_some())
    }

    /// Calls `want` with every group that is joined on an interface; says whether one found no room.
    pub(crate) fn for_each_group(&mut self, interface: usize, want: &mut dyn FnMut(&Addr) -> bool) -> bool {
        let mut failed = false;
        for entry in self.members.entries.iter().filter(|entry| usize::from(entry.interface) == interface) {
            failed |= entry.group.is_some_and(|group| !want(&group));
        }
        let is_news = failed && !self.members.has_failed;
        self.members.has_failed |= failed;
        is_news
    }
}

fn group_of(addr: IpAddress) -> Result<Addr, MembershipError> {
    let addr = Addr::try_from(addr).map_err(|_| MembershipError::FamilyNotBuiltIn)?;
    if addr.is_multicast() { Ok(addr) } else { Err(MembershipError::NotAGroup) }
}
