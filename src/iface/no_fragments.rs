//! In place of the fragments where `iface-fragments` is not built in: none are put together, none are made.

use core::marker::PhantomData;

#[cfg(feature = "iface-loopback")]
use super::engine::Progress;
use super::ingress::{Ingress, Received, Taken};
use super::interface::Interface;
use super::links::{Links, Out};
use super::output::{Packet, Sent};
#[cfg(feature = "iface-loopback")]
use super::socket_set::SocketSet;
use crate::rand::Keys;
use crate::stats::DropReason;
use crate::time::Ticks;
use crate::wire::{Addr, ipv6ext};

/// No place for datagrams in fragments: enable the feature `iface-fragments`.
#[derive(Debug)]
pub struct FragmentPlace<'a>(PhantomData<&'a mut [u8]>);

impl<'a> FragmentPlace<'a> {
    /// A place that makes no use of what is lent to it: enable the feature `iface-fragments`.
    pub fn new(_memory: &'a mut [u8]) -> FragmentPlace<'a> {
        FragmentPlace(PhantomData)
    }
}

/// No places for datagrams in fragments: enable the feature `iface-fragments`.
#[derive(Debug, Default)]
pub struct Fragments<'a>(PhantomData<&'a mut [u8]>);

impl<'a> Fragments<'a> {
    /// Makes no use of the places: enable the feature `iface-fragments`.
    pub fn new(_places: impl Into<managed::ManagedSlice<'a, FragmentPlace<'a>>>) -> Fragments<'a> {
        Fragments(PhantomData)
    }

    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        true
    }

    pub(crate) fn is_unseeded(&self) -> bool {
        false
    }

    pub(crate) fn poll_at(&self, _now: Ticks) -> Option<Ticks> {
        None
    }

    #[cfg(feature = "iface-loopback")]
    pub(crate) fn own_count(&self) -> usize {
        0
    }
}

/// There is nothing to take in.
#[cfg(feature = "iface-loopback")]
#[inline]
pub(crate) fn take_own(
    _links: &mut Links<'_, '_, '_>,
    _sockets: &mut SocketSet<'_>,
    _progress: &mut Progress,
) {
}

/// The numbers of IPv4 packets: they are counted.
#[derive(Debug, Clone)]
pub(crate) struct Idents(u16);

impl Idents {
    pub(crate) const fn new() -> Idents {
        Idents(0)
    }

    #[inline]
    pub(crate) fn next(&self) -> u16 {
        self.0
    }
}

impl Interface<'_> {
    #[inline]
    pub(crate) fn use_ident(&mut self) {
        self.idents.0 = self.idents.0.wrapping_add(1);
    }

    /// What is too large is refused where it is sent.
    #[inline]
    pub(crate) fn must_cut(&self, _packet: &Packet, _next_hop: &Addr, _now: Ticks) -> bool {
        false
    }

    #[cfg(feature = "socket-raw")]
    pub(crate) fn largest_whole(&self, _dst: &Addr, _next_hop: &Addr, _now: Ticks) -> usize {
        self.ip_mtu()
    }

    #[inline]
    pub(crate) fn send_cut(
        &mut self,
        _out: &mut Out<'_>,
        _packet: &Packet,
        _next_hop: &Addr,
        _header: [u8; 8],
        _data: &[u8],
    ) -> Sent {
        Sent::Never
    }

    /// What is too large is refused.
    #[cfg(feature = "socket-raw")]
    pub(crate) fn send_in_pieces(
        &mut self,
        _out: &mut Out<'_>,
        src: &Addr,
        _next_hop: &Addr,
        _packet: &[u8],
        _cut: &mut Option<crate::socket::raw::Cut>,
    ) -> Sent {
        self.never(src.is_v4(), DropReason::TooBig)
    }

    #[cfg(feature = "socket-raw")]
    pub(crate) fn lose_pieces(&mut self, _is_v4: bool, _reason: DropReason) -> Sent {
        Sent::Never
    }

    #[inline]
    pub(crate) fn resume(&mut self, _next_hop: &Addr) {}

    #[inline]
    pub(crate) fn abandon(&mut self, _next_hop: &Addr) -> usize {
        0
    }

    #[inline]
    pub(crate) fn send_rest(&mut self, _out: &mut Out<'_>) -> bool {
        true
    }
}

impl Ingress<'_, '_, '_, '_, '_> {
    #[cfg(feature = "proto-ipv4")]
    #[inline]
    pub(crate) fn fragment_v4(&mut self, _received: &Received<'_>) -> Taken {
        Err(self.refuse(true, DropReason::Fragment))
    }

    #[cfg(feature = "proto-ipv6")]
    #[inline]
    pub(crate) fn fragment_v6(&mut self, _received: &Received<'_>, _fragment: &ipv6ext::Fragment) -> Taken {
        Err(self.refuse(false, DropReason::Fragment))
    }
}

/// Why a packet was not cut, or not to its end: no other reason comes up here.
#[cfg(feature = "iface-forward")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "routers know all reasons")]
pub(crate) enum CutError {
    Refused,
    NoRoom { sent: usize },
}

/// Sends one of the packets.
#[cfg(feature = "iface-forward")]
type SendPacket<'s> = dyn FnMut(usize, &mut dyn FnMut(&mut [u8])) -> bool + 's;

/// No packet is cut.
#[cfg(feature = "iface-forward")]
pub(crate) fn cut_v4(
    _packet: &[u8],
    _mtu: usize,
    _hop_limit: u8,
    _send: &mut SendPacket<'_>,
) -> Result<usize, CutError> {
    Err(CutError::Refused)
}

#[inline]
pub(crate) fn seed(_links: &mut Links<'_, '_, '_>, _keys: &Keys) {}

#[inline]
pub(crate) fn expire(_links: &mut Links<'_, '_, '_>, _port: usize) {}
