//! What the application may know of an interface's neighbours, and decide about them: entries that it makes, and
//! announcements of our own addresses.

use super::interface::Interface;
use super::links::Out;
use super::neighbor::State;
use super::socket_set::SocketSet;
use super::{arp, ndisc};
use crate::time::Ticks;
use crate::wire::{Addr, IpAddress};

/// A neighbour, as [`Interface::neighbors`] shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NeighborInfo {
    /// Its address.
    pub addr: IpAddress,
    /// Its hardware address; `None` while it is asked for.
    pub hardware_addr: Option<[u8; 6]>,
    /// What is known of it.
    pub state: NeighborState,
}

/// What is known of a neighbour (RFC 4861 §7.3.2, for IPv4 as well).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NeighborState {
    /// The application has said so, and nothing that comes changes it.
    Static,
    /// It is being asked for.
    Incomplete,
    /// It was heard lately, and hears us.
    Reachable,
    /// It was not heard for a while; with the next packet that goes to it, that is found out.
    Stale,
    /// A packet has gone to it, and it has some time to be heard.
    Delay,
    /// It is asked whether it is still there.
    Probe,
}

/// Why an entry can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NeighborError {
    /// The medium has no hardware addresses.
    NotEthernet,
    /// It is no host's address, or one of our own.
    NotAHost,
    /// The hardware address is that of a group, or of all.
    NotUnicast,
    /// All entries are static, or belong to neighbours in use: lend more to the interface.
    Full,
}

impl core::fmt::Display for NeighborError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            NeighborError::NotEthernet => "the medium has no hardware addresses",
            NeighborError::NotAHost => "no other host can have this address",
            NeighborError::NotUnicast => "the hardware address is not that of one station",
            NeighborError::Full => "no entry is free: lend more to the interface",
        })
    }
}

impl core::error::Error for NeighborError {}

impl State {
    fn shown(self) -> Option<NeighborState> {
        Some(match self {
            State::Free => return None,
            State::Static => NeighborState::Static,
            State::Incomplete => NeighborState::Incomplete,
            State::Reachable => NeighborState::Reachable,
            State::Stale => NeighborState::Stale,
            State::Delay => NeighborState::Delay,
            State::Probe => NeighborState::Probe,
        })
    }
}

impl Interface<'_> {
    /// The neighbours that are known or being asked for.
    pub fn neighbors(&self) -> impl Iterator<Item = NeighborInfo> + '_ {
        self.neighbors.entries().filter_map(|(addr, hardware, state)| {
            let hardware_addr = (state != State::Incomplete).then_some(*hardware);
            Some(NeighborInfo { addr: (*addr).into(), hardware_addr, state: state.shown()? })
        })
    }

    /// Says once and for all which hardware address a neighbour has: nothing that is received changes it, and it is not
    /// probed. What waits for it goes with the next poll. An entry that the address has is replaced.
    ///
    /// It stays when the link goes, and until [`remove_neighbor`](Self::remove_neighbor).
    pub fn set_neighbor(
        &mut self,
        addr: impl Into<IpAddress>,
        hardware_addr: [u8; 6],
        sockets: &mut SocketSet<'_>,
    ) -> Result<(), NeighborError> {
        if !self.is_ethernet() {
            return Err(NeighborError::NotEthernet);
        }
        if hardware_addr[0] & 1 != 0 {
            return Err(NeighborError::NotUnicast);
        }
        let host = Addr::try_from(addr.into()).ok();
        let can_be = |addr: &Addr| self.is_host(addr) && !self.has_address(addr);
        let addr = host.filter(can_be).ok_or(NeighborError::NotAHost)?;
        let index = self.neighbors.set(&addr, &hardware_addr, Ticks(0)).ok_or(NeighborError::Full)?;
        if let Some(entry) = self.neighbors.entry_mut(index) {
            sockets.wake_all(&mut entry.waiting);
        }
        self.release_packets(index, &hardware_addr);
        self.resume(&addr);
        Ok(())
    }

    /// Forgets a neighbour whose hardware address is known, static or not, and says whether there was one. The next packet
    /// to it asks anew.
    pub fn remove_neighbor(&mut self, addr: impl Into<IpAddress>) -> bool {
        Addr::try_from(addr.into()).is_ok_and(|addr| self.neighbors.remove(&addr))
    }

    /// Forgets all neighbours but the static ones and those that are being asked for.
    pub fn flush_neighbors(&mut self) {
        self.neighbors.flush();
    }

    /// Tells everybody on the link, with the next poll, which hardware address our addresses have: an ARP announcement
    /// (RFC 5227 §2.3, also known as gratuitous ARP) and an unsolicited neighbour advertisement (RFC 4861 §7.2.6) for each.
    ///
    /// For when the link has come, an address was added, or this host has taken over from another. They may get lost: RFC
    /// 5227 has two of them, two seconds apart. While the link is down they wait for it.
    pub fn announce(&mut self) {
        self.announcing = Announcing(true);
    }

    /// Whether an announcement can go.
    pub(crate) fn is_announcing(&self) -> bool {
        self.announcing.0 && self.link.up && self.is_ethernet()
    }

    /// Sends the announcements. One that finds no room is lost, and counted.
    pub(crate) fn send_announcements(&mut self, out: &mut Out<'_>) {
        if !self.is_announcing() {
            return;
        }
        self.announcing = Announcing(false);
        for index in 0..self.own().count() {
            let Some(own) = self.own().nth(index).map(|own| own.addr) else { return };
            match (own.as_v4(), own.as_v6()) {
                (Some(own), _) => arp::announce(self, out.slot, &own),
                (_, Some(own)) => ndisc::announce(self, out, own),
                _ => false,
            };
        }
    }
}

/// Whether our addresses are to be announced.
#[derive(Debug)]
pub(crate) struct Announcing(bool);

impl Announcing {
    pub(crate) const NONE: Announcing = Announcing(false);
}
