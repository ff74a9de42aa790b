//! Options of TCP segments that the handler makes and checks (feature `tcp-options`).

use super::handler::{Handler, Hooks, Verdict};
use super::ingress::{Ingress, Taken};
use super::output::Packet;
use super::socket_set::SocketSet;
use super::tcp_set::{SocketSlots, listener_in, tcp_in};
use crate::phy::{TxMeta, TxSlot};
use crate::socket::{Room, Socket, Tuple};
use crate::stats::DropReason;
use crate::wire::checksum;
use crate::wire::{Addr, IpEndpoint};

/// A whole segment, for who is asked about it.
pub(crate) type Octets<'f> = &'f [u8];

pub(crate) fn octets_of(segment: &[u8]) -> Octets<'_> {
    segment
}

/// A slot whose segments get their options, and with these their checksum, just before they leave.
pub(crate) struct Sealed<'s, 'h> {
    slot: &'s mut dyn TxSlot,
    handler: &'s mut (dyn Handler + 'h),
    packet: Packet,
}

/// The slot, as `packet` needs it.
#[inline]
pub(crate) fn sealed<'s, 'h>(
    slot: &'s mut dyn TxSlot,
    hooks: &'s mut Hooks<'h>,
    packet: &Packet,
) -> Sealed<'s, 'h> {
    Sealed { slot, handler: &mut *hooks.handler, packet: *packet }
}

impl Sealed<'_, '_> {
    #[inline]
    pub(crate) fn get(&mut self) -> &mut dyn TxSlot {
        self
    }
}

impl TxSlot for Sealed<'_, '_> {
    fn send(&mut self, len: usize, meta: TxMeta, f: &mut dyn FnMut(&mut [u8])) -> bool {
        let Sealed { slot, handler, packet } = self;
        if packet.room.is_none() {
            return slot.send(len, meta, f);
        }
        slot.send(len, meta, &mut |frame| {
            f(frame);
            let at = frame.len().saturating_sub(packet.len); // it is the end
            if let Some(segment) = frame.get_mut(at..) {
                seal(&mut **handler, packet, segment, meta.checksum_start != 0);
            }
        })
    }
}

/// Fills the room in a segment and makes its checksum, unless that is left to the device.
fn seal(handler: &mut dyn Handler, packet: &Packet, segment: &mut [u8], is_offloaded: bool) {
    let Some(&[a, b, c, d, .., offset, _, _, _, e, f]) = segment.first_chunk::<18>() else { return };
    let end = usize::from(offset >> 4) * 4;
    let room = end.saturating_sub(packet.room.len())..end; // it is part of the header
    if end > segment.len() {
        return;
    }
    set_checksum(segment, [0; 2]);
    let (local, remote) = (endpoint(packet.src, [a, b]), endpoint(packet.dst, [c, d]));
    handler.fill_options(remote, local, segment, room);
    let pseudo = checksum::pseudo_header(&packet.src, &packet.dst, packet.protocol.0, segment.len() as u32);
    // What the device begins with does not depend on the options.
    let sum = if is_offloaded { [e, f] } else { pseudo.add(checksum::sum(segment)).finish() };
    set_checksum(segment, sum);
}

fn set_checksum(segment: &mut [u8], sum: [u8; 2]) {
    if let Some(place) = segment.get_mut(16..18) {
        place.copy_from_slice(&sum);
    }
}

fn endpoint(addr: Addr, port: [u8; 2]) -> IpEndpoint {
    IpEndpoint::new(addr.into(), u16::from_be_bytes(port))
}

impl Ingress<'_, '_, '_, '_, '_> {
    /// A segment of the connection at `ix`: may it go on?
    #[inline]
    pub(crate) fn check_segment(&mut self, ix: u32, tuple: &Tuple, segment: Octets<'_>) -> Taken {
        let room = tcp_in(&mut self.sockets.slots, ix).map_or(Room::NONE, |socket| socket.room());
        self.ask(room, tuple, segment)
    }

    /// A segment for which there is no connection, but perhaps a record of one or a listener: may it go on, and what
    /// room do answers have?
    pub(crate) fn check_stray(
        &mut self,
        hash: u32,
        tuple: &Tuple,
        listener: Option<u32>,
        segment: Octets<'_>,
    ) -> Result<Room, DropReason> {
        let mut room = self.sockets.time_wait.room(hash, tuple);
        if let Some(ix) = listener.filter(|_| room.is_none()) {
            room = self.sockets.listener_room(ix);
        }
        self.ask(room, tuple, segment)?;
        Ok(room)
    }

    fn ask(&mut self, room: Room, tuple: &Tuple, segment: &[u8]) -> Taken {
        if room.is_none() {
            return Ok(());
        }
        let local = IpEndpoint::new(tuple.local.into(), tuple.local_port);
        let remote = IpEndpoint::new(tuple.remote.into(), tuple.remote_port);
        match self.links.out.hooks.handler.segment_received(remote, local, segment) {
            Verdict::Accept => Ok(()),
            Verdict::Drop => Err(DropReason::OptionRefused),
        }
    }
}

/// A connection has the room of the listener that took it.
pub(crate) fn share_room(slots: &mut SocketSlots<'_>, listener: u32, ix: u32) {
    let room = listener_in(slots, listener).map_or(Room::NONE, |listener| listener.room);
    if let Some(socket) = tcp_in(slots, ix) {
        socket.set_room(room);
    }
}

impl SocketSet<'_> {
    /// The room in what is sent by who listens at `ix`.
    pub(crate) fn listener_room(&self, ix: u32) -> Room {
        match self.entry(ix).map(|entry| &entry.socket) {
            Some(Socket::Tcp(socket)) => socket.room(),
            Some(Socket::TcpListener(listener)) => listener.room,
            _ => Room::NONE,
        }
    }
}
