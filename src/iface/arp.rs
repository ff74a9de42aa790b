//! ARP (RFC 826) for IPv4 over Ethernet.
//!
//! A request for one of our addresses is answered by the frame's own token, and tells us who asked; an
//! answer is believed only for a neighbour that we know or asked for.

use super::ingress::Taken;
use super::interface::Interface;
use super::links::Links;
use super::neighbor::{Evidence, Hardware};
use super::socket_set::SocketSet;
use crate::phy::TxSlot;
use crate::stats::DropReason;
use crate::wire::{Addr, IpAddress};

#[cfg(all(
    any(feature = "iface-neighbors", feature = "iface-dad"),
    feature = "proto-ipv4",
    feature = "medium-ethernet"
))]
pub(crate) use on_ethernet::announce;
#[cfg(all(feature = "iface-dad", feature = "proto-ipv4", feature = "medium-ethernet"))]
pub(crate) use on_ethernet::probe;
#[cfg(all(feature = "proto-ipv4", feature = "medium-ethernet"))]
pub(crate) use on_ethernet::{process, solicit};

#[cfg(not(all(feature = "proto-ipv4", feature = "medium-ethernet")))]
pub(crate) fn process(
    _links: &mut Links<'_, '_, '_>,
    _sockets: &mut SocketSet<'_>,
    _payload: &[u8],
) -> Taken {
    Err(DropReason::UnknownProtocol)
}

#[cfg(not(all(feature = "proto-ipv4", feature = "medium-ethernet")))]
pub(crate) fn solicit(
    _iface: &mut Interface<'_>,
    _slot: &mut dyn TxSlot,
    _target: &[u8; 4],
    _to: &Hardware,
) -> bool {
    false
}

#[cfg(all(
    any(feature = "iface-neighbors", feature = "iface-dad"),
    not(all(feature = "proto-ipv4", feature = "medium-ethernet"))
))]
pub(crate) fn announce(_iface: &mut Interface<'_>, _slot: &mut dyn TxSlot, _own: &[u8; 4]) -> bool {
    false
}

#[cfg(all(feature = "iface-dad", not(all(feature = "proto-ipv4", feature = "medium-ethernet"))))]
pub(crate) fn probe(_iface: &mut Interface<'_>, _slot: &mut dyn TxSlot, _target: &[u8; 4]) -> bool {
    true
}

/// Notes where a neighbour is, and lets go of what waited for it.
pub(crate) fn learn(
    links: &mut Links<'_, '_, '_>,
    sockets: &mut SocketSet<'_>,
    addr: &Addr,
    hardware: &Hardware,
    evidence: Evidence,
) {
    let (iface, now) = (&mut *links.iface, links.out.now);
    #[cfg(feature = "iface-nud")]
    iface.routes_mut().on_sign_of_life(addr);
    links.others.forget_way();
    let Some(index) = iface.neighbors.learn(addr, hardware, evidence, now) else { return };
    net_debug!("{} is at {:02x?}", IpAddress::from(*addr), hardware);
    if let Some(entry) = iface.neighbors.entry_mut(index) {
        sockets.wake_all(&mut entry.waiting);
    }
    iface.release_packets(index, hardware);
    iface.resume(addr);
}

#[cfg(all(feature = "proto-ipv4", feature = "medium-ethernet"))]
mod on_ethernet {
    use super::*;
    #[cfg(any(feature = "iface-neighbors", feature = "iface-dad"))]
    use crate::iface::neighbor::EVERYBODY;
    use crate::iface::output::write_link_header;
    use crate::stats::Count;
    use crate::storage::Class;
    use crate::wire::arp::{self, Operation};
    use crate::wire::{EtherType, ethernet};

    pub(crate) fn process(
        links: &mut Links<'_, '_, '_>,
        sockets: &mut SocketSet<'_>,
        payload: &[u8],
    ) -> Taken {
        let Ok(header) = arp::Header::parse(payload) else { return refuse(links.iface) };
        let (sender, target) = (Addr::v4(*header.source_protocol()), Addr::v4(*header.target_protocol()));
        let iface = &mut *links.iface;
        // RFC 5227 §1.1: a probe has no sender address; it is answered, but teaches nothing.
        let is_probe = sender.is_unspecified();
        if header.source_hardware()[0] & 1 != 0 {
            return refuse(iface);
        }
        // Before it is refused since we have its address ourselves.
        iface.hear_arp(&sender, &target, header.source_hardware(), links.out.now);
        if !iface.can_come_from(&sender) {
            return refuse(iface);
        }
        let is_request = header.operation() == Operation::REQUEST;
        let count = match header.operation() {
            Operation::REQUEST => Count::ArpInRequests,
            Operation::REPLY => Count::ArpInReplies,
            _ => Count::ArpInErrors,
        };
        iface.stats.counters.add(count, 1);
        let for_us = iface.has_address(&target);
        if !is_probe {
            let evidence =
                Evidence { solicited: !is_request && for_us, override_: true, create: is_request && for_us };
            learn(links, sockets, &sender, header.source_hardware(), evidence);
        }
        if !is_request || !for_us {
            return Ok(());
        }
        let theirs = (header.source_hardware(), header.source_protocol());
        let Links { iface, out, .. } = links;
        let hardware = iface.hardware;
        let ours = (&hardware, header.target_protocol());
        let sent = send(iface, out.slot, Operation::REPLY, theirs.0, ours, theirs);
        if sent { Ok(()) } else { Err(DropReason::DeviceBusy) }
    }

    fn refuse(iface: &mut Interface<'_>) -> Taken {
        iface.stats.counters.add(Count::ArpInErrors, 1);
        Err(DropReason::BadNeighborMessage)
    }

    const FRAME_LEN: usize = ethernet::HEADER_LEN + arp::PACKET_LEN;

    /// Asks who has `target`: everybody, or the one who had it.
    pub(crate) fn solicit(
        iface: &mut Interface<'_>,
        slot: &mut dyn TxSlot,
        target: &[u8; 4],
        to: &Hardware,
    ) -> bool {
        let Some(source) = iface.source_for(&Addr::v4(*target)) else { return false };
        let Some(source) = source.as_v4() else { return false };
        let hardware = iface.hardware;
        send(iface, slot, Operation::REQUEST, to, (&hardware, &source), (&[0; 6], target))
    }

    /// Tells everybody that `own` is ours (RFC 5227 §2.3).
    #[cfg(any(feature = "iface-neighbors", feature = "iface-dad"))]
    pub(crate) fn announce(iface: &mut Interface<'_>, slot: &mut dyn TxSlot, own: &[u8; 4]) -> bool {
        let hardware = iface.hardware;
        send(iface, slot, Operation::REQUEST, &EVERYBODY, (&hardware, own), (&[0; 6], own))
    }

    /// Asks whether somebody has `target`, which is not ours yet (RFC 5227 §2.1.1).
    #[cfg(feature = "iface-dad")]
    pub(crate) fn probe(iface: &mut Interface<'_>, slot: &mut dyn TxSlot, target: &[u8; 4]) -> bool {
        let hardware = iface.hardware;
        send(iface, slot, Operation::REQUEST, &EVERYBODY, (&hardware, &[0; 4]), (&[0; 6], target))
    }

    fn send(
        iface: &mut Interface<'_>,
        slot: &mut dyn TxSlot,
        operation: Operation,
        destination: &Hardware,
        source: arp::Party<'_>,
        target: arp::Party<'_>,
    ) -> bool {
        // An answer may take the reserve: who asks is about to send, and must not be made to wait.
        let (class, count) = match operation {
            Operation::REPLY => (Class::Control, Count::ArpOutReplies),
            _ => (Class::Data, Count::ArpOutRequests),
        };
        // RFC 3927 §2.5: so that conflicts about such an address are found.
        let is_told_to_all = crate::config::HAS_AUTOIP && source.1[..2] == [169, 254];
        let destination = if is_told_to_all { &[0xff; 6] } else { destination };
        let tags = iface.tags;
        let sent = iface.send_link_frame(slot, FRAME_LEN + tags.len(), class, &mut |frame| {
            let rest = write_link_header(frame, source.0, destination, tags, EtherType::ARP);
            if let Some(packet) = rest.and_then(|rest| rest.first_chunk_mut()) {
                arp::emit(packet, operation, source, target);
            }
        });
        if sent {
            iface.stats.counters.add(count, 1);
        }
        sent
    }
}
