//! Without options of TCP segments that the handler makes and checks.

#[cfg(feature = "socket-tcp")]
use core::marker::PhantomData;

use super::handler::Hooks;
#[cfg(feature = "socket-tcp")]
use super::ingress::{Ingress, Taken};
use super::output::Packet;
#[cfg(feature = "socket-tcp")]
use super::tcp_set::SocketSlots;
use crate::phy::TxSlot;
#[cfg(feature = "socket-tcp")]
use crate::socket::{Room, Tuple};
#[cfg(feature = "socket-tcp")]
use crate::stats::DropReason;

#[cfg(feature = "socket-tcp")]
#[derive(Clone, Copy)]
pub(crate) struct Octets<'f>(PhantomData<&'f ()>);

#[cfg(feature = "socket-tcp")]
#[inline]
pub(crate) fn octets_of(_segment: &[u8]) -> Octets<'_> {
    Octets(PhantomData)
}

pub(crate) struct Sealed<'s>(&'s mut dyn TxSlot);

impl Sealed<'_> {
    #[inline]
    pub(crate) fn get(&mut self) -> &mut dyn TxSlot {
        self.0
    }
}

#[inline]
pub(crate) fn sealed<'s>(slot: &'s mut dyn TxSlot, _hooks: &mut Hooks<'_>, _packet: &Packet) -> Sealed<'s> {
    Sealed(slot)
}

#[cfg(feature = "socket-tcp")]
#[inline]
pub(crate) fn share_room(_slots: &mut SocketSlots<'_>, _listener: u32, _ix: u32) {}

#[cfg(feature = "socket-tcp")]
impl Ingress<'_, '_, '_, '_, '_> {
    #[inline]
    pub(crate) fn check_segment(&mut self, _ix: u32, _tuple: &Tuple, _segment: Octets<'_>) -> Taken {
        Ok(())
    }

    #[inline]
    pub(crate) fn check_stray(
        &mut self,
        _hash: u32,
        _tuple: &Tuple,
        _listener: Option<u32>,
        _segment: Octets<'_>,
    ) -> Result<Room, DropReason> {
        Ok(Room::NONE)
    }
}
