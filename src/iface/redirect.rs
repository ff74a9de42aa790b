//! Redirects that we send: a neighbour is told of a better first hop on its own link (RFC 792, RFC 1812
//! §5.2.7.2, RFC 4861 §8.2). The packet goes on all the same.
//!
//! `redirected` has those that are received.

use super::icmp::{self, Message};
use super::ingress::Received;
use super::links::Links;
use super::{icmpv4, ndisc};
use crate::wire::{Addr, ipv4};

/// RFC 1812 §5.2.7.2: about the one host, never about its network.
const FOR_HOST: u8 = 1;

/// RFC 1122 §3.2.2.2: who does not forward never gets here, so a host sends none.
///
/// Tells the sender of a packet that leaves by the port that it came by, if it is a neighbour there, as is
/// the next hop.
#[inline(never)]
pub(crate) fn advise(links: &mut Links<'_, '_, '_>, received: &Received<'_>, next_hop: &Addr) {
    let iface = &*links.iface;
    let may_hear = iface.is_on_link(&received.src) && received.src != *next_hop;
    if !may_hear || !iface.is_on_link(next_hop) || has_options(received.packet) {
        return;
    }
    if !links.iface.forwarding.redirects_limit.take(links.out.now) {
        icmp::hold_back(links.iface, received.src.is_v4());
        return;
    }
    // If it can't be sent, that is counted where it turns out.
    match next_hop.as_v4() {
        Some(gateway) => redirect_v4(links, received, gateway),
        None => ndisc::redirect(links, received, next_hop),
    }
}

fn redirect_v4(links: &mut Links<'_, '_, '_>, received: &Received<'_>, gateway: [u8; 4]) {
    let message = Message { kind: icmpv4::REDIRECT, code: FOR_HOST, word: u32::from_be_bytes(gateway) };
    let max_len = icmpv4::MAX_ERROR_LEN - icmp::HEADER_LEN;
    let quote = received.packet.get(..max_len).unwrap_or(received.packet);
    let Some(own) = links.iface.source_for(&received.src) else { return };
    icmp::send(links, own, received.src, 0, &message, quote);
}

/// A source route says by itself which way the packet takes; other options are too rare to be told apart.
fn has_options(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| first >> 4 == 4 && usize::from(first & 0xf) * 4 > ipv4::HEADER_LEN)
}
