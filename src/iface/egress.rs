//! The way out: sockets with something to do, frames that wait, neighbours to ask.

use super::autoconf;
use super::engine::{Budget, Progress};
use super::fragments;
use super::groups;
use super::links::Links;
use super::neighbor::Action;
use super::socket_set::SocketSet;
use super::{arp, ndisc, raw_socket, resets};
use crate::config;
use crate::socket::Socket;
use crate::stats::{DropReason, IpCount};
use crate::time::Instant;
use crate::wire::IpAddress;

/// What became of a socket's turn to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It has nothing more to send.
    Idle,
    /// It has had its turn, and may have more.
    More,
    /// The port's device has no room.
    NoRoom { port: usize },
    /// The neighbour of this entry at this port is being asked for.
    Unresolved { port: usize, neighbor: usize },
}

/// Lets everybody send who has something, as far as budget and devices allow.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(crate) fn send(links: &mut Links<'_, '_, '_>, sockets: &mut SocketSet<'_>, budget: Budget) -> Progress {
    let mut progress = Progress::default();
    let now = links.out.now;
    if !config::HAS_FAST_PATHS || links.any(|iface| iface.has_chores(now)) {
        do_chores(links, sockets);
    }
    if sockets.has_resets() {
        resets::send(links, sockets);
    }
    while !sockets.touched.is_empty() {
        if progress.has_used(budget) {
            progress.more = true;
            break;
        }
        let Some(ix) = sockets.touched.pop_front(&mut sockets.slots) else { break };
        take_turn(links, sockets, ix, &mut progress);
    }
    // Of connections that gave way to others in their turn.
    if sockets.has_resets() {
        resets::send(links, sockets);
    }
    if !config::HAS_FAST_PATHS || links.any(|iface| iface.neighbors.is_due(now)) {
        for port in 0..links.count() {
            ask_neighbors(links, sockets, port);
        }
    }
    progress
}

/// Lets those connections send whose applications have queued something, before anything is received: where a device cuts
/// segments. Says how many packets went.
///
/// The fewer and larger such segments are the less they cost. What is received makes room in send buffers, which only the
/// application can fill; if what it has filled before went out after that, it would forever leave in parts.
#[inline(never)]
pub(crate) fn send_queued(
    links: &mut Links<'_, '_, '_>,
    sockets: &mut SocketSet<'_>,
    budget: Budget,
) -> usize {
    let mut progress = Progress::default();
    let mut next = sockets.touched.first();
    while let Some(ix) = next.filter(|_| !progress.has_used(budget)) {
        // Whose turn it was comes last, if more is left.
        next = sockets.touched.next(&sockets.slots, ix);
        if sockets.entry(ix).is_some_and(|entry| entry.socket.has_unsent()) {
            sockets.touched.remove(&mut sockets.slots, ix);
            take_turn(links, sockets, ix, &mut progress);
        }
    }
    progress.sent
}

/// What comes before the sockets: reports of groups, questions about addresses, what waits for room in a device, fragments.
#[cfg_attr(target_pointer_width = "64", inline(never))]
fn do_chores(links: &mut Links<'_, '_, '_>, sockets: &mut SocketSet<'_>) {
    groups::send(links, &sockets.keys);
    autoconf::act(links, &sockets.keys);
    for port in 0..links.count() {
        let has_fragments = links.with_port(port, |iface, out| {
            iface.send_announcements(out);
            let is_idle = iface.fragments.is_idle();
            if iface.flush_queue(out.slot) && (is_idle || iface.send_rest(out)) {
                sockets.wake_all(&mut iface.blocked);
            }
            !is_idle
        });
        if has_fragments == Some(true) {
            fragments::expire(links, port);
        }
    }
}

/// One socket's turn: a few packets, then the next is served.
#[cfg_attr(target_pointer_width = "64", inline(always))]
fn take_turn(links: &mut Links<'_, '_, '_>, sockets: &mut SocketSet<'_>, ix: u32, progress: &mut Progress) {
    super::engine::settle_one(links, sockets, ix);
    let sent_before = progress.sent;
    let step = dispatch(links, sockets, ix, config::PACKETS_PER_TURN, &mut progress.sent);
    sockets.end_turn(ix, links.out.now);
    match step {
        Step::Idle => {}
        // It took the last room there was: when there is some again, the others come first.
        Step::NoRoom { .. } if progress.sent > sent_before => sockets.touch(ix),
        Step::More => sockets.touch(ix),
        Step::NoRoom { port } => {
            links.with_port(port, |iface, _| iface.blocked.push_back(&mut sockets.slots, ix));
        }
        Step::Unresolved { port, neighbor } => {
            links.with_port(port, |iface, _| {
                let entry = iface.neighbors.entry_mut(neighbor);
                entry.is_some_and(|entry| entry.waiting.push_back(&mut sockets.slots, ix))
            });
        }
    }
}

#[cfg_attr(
    not(any(feature = "socket-udp", feature = "socket-raw", feature = "socket-tcp")),
    allow(unused_variables)
)]
fn dispatch(
    links: &mut Links<'_, '_, '_>,
    sockets: &mut SocketSet<'_>,
    ix: u32,
    quota: usize,
    sent: &mut usize,
) -> Step {
    match sockets.entry(ix).map(|entry| &entry.socket) {
        #[cfg(feature = "socket-udp")]
        Some(Socket::Udp(_)) => super::udp::dispatch(links, sockets, ix, quota, sent),
        #[cfg(feature = "socket-icmp")]
        Some(Socket::Icmp(_)) => super::icmp_socket::dispatch(links, sockets, ix, quota, sent),
        #[cfg(feature = "socket-raw")]
        Some(Socket::Raw(_)) => super::raw_socket::dispatch(links, sockets, ix, quota, sent),
        #[cfg(feature = "socket-tcp")]
        Some(Socket::Tcp(_)) => super::tcp::dispatch(links, sockets, ix, quota, sent),
        #[cfg(feature = "socket-tcp")]
        Some(Socket::TcpListener(_)) => super::tcp::dispatch_listener(links, sockets, ix, quota, sent),
        _ => Step::Idle,
    }
}

/// Sends the solicitations that are due, and gives up neighbours that have not answered.
#[cfg_attr(target_pointer_width = "64", inline(always))]
fn ask_neighbors(links: &mut Links<'_, '_, '_>, sockets: &mut SocketSet<'_>, port: usize) {
    let now = links.out.now;
    while let Some(action) = links.with_port(port, |iface, _| iface.neighbors.next_action(now)).flatten() {
        match action {
            Action::Solicit { addr, to } => {
                links.with_port(port, |iface, out| match (addr.as_v4(), addr.as_v6()) {
                    (Some(target), _) => arp::solicit(iface, out.slot, &target, &to),
                    (_, Some(target)) => ndisc::solicit(iface, out, target, &to),
                    _ => false,
                });
            }
            Action::Fail(index) => give_up(links, sockets, port, index),
        }
    }
}

/// A neighbour does not answer: what waited for it is lost, as if it had been sent.
#[inline(never)]
fn give_up(links: &mut Links<'_, '_, '_>, sockets: &mut SocketSet<'_>, port: usize, index: usize) {
    let now = links.now;
    links.with_port(port, |iface, _| {
        let addr = iface.neighbors.addr_of(index).map(IpAddress::from);
        net_debug!("no answer from neighbor {:?}", addr);
    });
    let waiting_is_v4 = links.with_port(port, |iface, _| iface.waiting_is_v4(index)).flatten();
    let mut lost = super::forward::give_up(links, port, index);
    links.with_port(port, |iface, out| {
        if let Some(is_v4) = waiting_is_v4 {
            iface.stats.counters.add_ip(is_v4, IpCount::OutLost, lost);
            iface.stats.counters.on_lost(DropReason::NeighborUnreachable, lost);
        }
        let ip_mtu = iface.ip_mtu();
        lost += iface.neighbors.addr_of(index).map_or(0, |addr| iface.abandon(&addr));
        if let Some(entry) = iface.neighbors.entry_mut(index) {
            while let Some(ix) = entry.waiting.pop_front(&mut sockets.slots) {
                lost += 1;
                lose_packet(sockets, ix, now, ip_mtu);
                raw_socket::lose_packet(&mut iface.stats, sockets, ix);
                sockets.wake(ix);
                // The turns of this poll are over, and `poll_at` does not know of all that it may have to do in its own.
                sockets.be_due(ix, out.now);
            }
        }
        #[cfg(feature = "iface-nud")]
        if let Some(addr) = iface.neighbors.addr_of(index) {
            iface.routes_mut().avoid(&addr, now);
        }
        if let Some(addr) = iface.neighbors.addr_of(index) {
            iface.routes_mut().detours.forget_hop(&addr);
        }
        iface.neighbors.forget(index);
        for _ in 0..lost {
            iface.stats.on_drop(DropReason::NeighborUnreachable);
        }
    });
}

/// What the socket would have sent to a neighbour that is not there counts as sent, so that its own
/// timers decide how often it tries again.
#[cfg(feature = "socket-tcp")]
fn lose_packet(sockets: &mut SocketSet<'_>, ix: u32, now: Instant, ip_mtu: usize) {
    super::tcp::lose_packet(sockets, ix, now, ip_mtu);
}

#[cfg(not(feature = "socket-tcp"))]
fn lose_packet(_sockets: &mut SocketSet<'_>, _ix: u32, _now: Instant, _ip_mtu: usize) {}
