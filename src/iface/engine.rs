//! The steps of a poll, compiled once whatever devices there are.
//!
//! 1. *settle*: sockets that the application has touched get their port, source address and place in the
//!    demultiplexing table.
//!
//!    Where a device cuts segments, what applications have queued goes out now.
//! 2. *ingress*: frames are received one by one; sockets take what is theirs and are marked.
//! 3. *send*: due timers act, then everybody on the work list sends, then neighbours are asked for.

use core::ops::AddAssign;

use super::egress;
use super::fragments;
use super::groups;
use super::ingress::Ingress;
use super::interface::Interface;
use super::links::Links;
use super::socket_set::{Flags, SocketSet};
use crate::config;
use crate::phy::RxMeta;
use crate::socket::{Context, Socket};
use crate::time::{Instant, Ticks};

/// How much a poll may do before it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Frames received from each port, and frames sent in all.
    pub frames: usize,
    /// Octets of the frames received from each port.
    pub octets: usize,
}

impl Default for Budget {
    /// Bounded, but generous: 1,024 frames or 1 MiB.
    fn default() -> Budget {
        Budget { frames: config::POLL_FRAMES, octets: config::POLL_OCTETS }
    }
}

impl Budget {
    /// What is left after so many packets.
    pub(crate) fn without(self, sent: usize) -> Budget {
        Budget { frames: self.frames.saturating_sub(sent), ..self }
    }
}

/// What a poll did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Frames received, and packets that we sent to ourselves.
    pub frames: usize,
    /// Octets of those.
    pub octets: usize,
    /// Packets that sockets sent.
    pub sent: usize,
    /// The budget is used up and there is more to do: poll again.
    pub more: bool,
}

impl Progress {
    pub(crate) fn has_used(&self, budget: Budget) -> bool {
        self.frames >= budget.frames || self.octets >= budget.octets || self.sent >= budget.frames
    }
}

impl AddAssign for Progress {
    fn add_assign(&mut self, other: Progress) {
        self.frames += other.frames;
        self.octets += other.octets;
        self.sent += other.sent;
        self.more |= other.more;
    }
}

/// Settles all sockets that the application has touched.
pub(crate) fn settle(links: &mut Links<'_, '_, '_>, sockets: &mut SocketSet<'_>) {
    sockets.reclaim_if_short(links.out.now);
    let mut next = sockets.touched.first();
    while let Some(ix) = next {
        next = sockets.touched.next(&sockets.slots, ix);
        settle_one(links, sockets, ix);
    }
    if sockets.have_groups_changed() || links.any(Interface::is_unsettled) {
        settle_ports(links, sockets);
    }
}

#[inline(never)]
fn settle_ports(links: &mut Links<'_, '_, '_>, sockets: &mut SocketSet<'_>) {
    fragments::seed(links, &sockets.keys);
    groups::settle(links, sockets);
}

/// Settles a socket, if the application has touched it. What it has to say goes to its events.
pub(crate) fn settle_one(links: &mut Links<'_, '_, '_>, sockets: &mut SocketSet<'_>, ix: u32) {
    let Some(entry) = sockets.entry_mut(ix) else { return };
    if !entry.flags.contains(Flags::UNSETTLED) {
        return;
    }
    entry.flags.remove(Flags::UNSETTLED);
    match &entry.socket {
        #[cfg(feature = "socket-udp")]
        Socket::Udp(_) => {
            // The error is kept in the socket, and its event was noted.
            let _ = sockets.settle_udp(ix);
            sockets.note_members(ix);
        }
        #[cfg(feature = "socket-icmp")]
        Socket::Icmp(_) => sockets.settle_icmp(ix),
        #[cfg(feature = "socket-raw")]
        Socket::Raw(_) => sockets.settle_raw(ix),
        #[cfg(feature = "socket-tcp")]
        Socket::Tcp(_) => {
            let _ = sockets.settle_tcp(ix, links);
        }
        #[cfg(feature = "socket-tcp")]
        Socket::TcpListener(_) => {
            let _ = sockets.settle_listener(ix);
        }
        Socket::Vacant(_) => {}
    }
    sockets.update_timer(ix, links.out.now);
}

/// Takes one frame in.
#[inline(never)]
pub(crate) fn ingress(
    links: &mut Links<'_, '_, '_>,
    sockets: &mut SocketSet<'_>,
    meta: RxMeta,
    frame: &[u8],
) {
    ingress_inlined(links, sockets, meta, frame);
}

/// The same where the caller is compiled once.
#[inline(always)]
pub(crate) fn ingress_inlined(
    links: &mut Links<'_, '_, '_>,
    sockets: &mut SocketSet<'_>,
    meta: RxMeta,
    frame: &[u8],
) {
    Ingress {
        links,
        sockets,
        meta,
        #[cfg(feature = "iface-loopback")]
        is_looped: false,
    }
    .frame(frame);
}

/// Acts on what is due, and lets everybody send who has something.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(crate) fn send(links: &mut Links<'_, '_, '_>, sockets: &mut SocketSet<'_>, budget: Budget) -> Progress {
    expire(links, sockets);
    egress::send(links, sockets, budget)
}

/// Lets the sockets act whose deadline has come.
#[cfg_attr(target_pointer_width = "64", inline(always))]
fn expire(links: &mut Links<'_, '_, '_>, sockets: &mut SocketSet<'_>) {
    let (now, ticks, ip_mtu) = (links.now, links.out.now, links.iface.ip_mtu());
    while let Some(ix) = sockets.timers.expired(&mut sockets.slots, ticks) {
        let cx = context(&sockets.keys, now, ip_mtu);
        let events = sockets.slots.get_mut(ix).map(|entry| entry.0.socket.on_timer(&cx));
        sockets.notify(ix, events.unwrap_or_default());
        #[cfg(all(feature = "socket-tcp", feature = "iface-nud"))]
        super::tcp::doubt_way(links, sockets, ix);
        // Its turn comes in this poll, and with it its next deadline.
        sockets.touch(ix);
    }
}

/// What a socket is told of the world.
#[cfg_attr(all(target_pointer_width = "32", feature = "socket-tcp"), inline(never))]
pub(crate) fn context(keys: &crate::rand::Keys, now: Instant, ip_mtu: usize) -> Context<'_> {
    Context {
        now,
        ticks: Ticks::from_instant(now),
        ip_mtu: ip_mtu.clamp(config::MIN_PATH_MTU, 0xffff) as u16,
        burst_len: 0,
        keys,
    }
}

/// When something has to happen next, but for what the devices want, and what interfaces want to find out of their links.
pub(crate) fn poll_at(links: &mut Links<'_, '_, '_>, sockets: &mut SocketSet<'_>) -> Option<Instant> {
    let (now, ticks) = (links.now, links.out.now);
    if sockets.have_groups_changed() || sockets.has_resets() {
        return Some(now);
    }
    let mut at = touched_poll_at(sockets, now, links.iface.ip_mtu());
    at = Ticks::earlier(at, sockets.timer_bound());
    at = Ticks::earlier(at, sockets.reclaim_at(ticks));
    for port in 0..links.count() {
        let Some(iface) = links.iface(port) else { continue };
        at = Ticks::earlier(at, iface.neighbors.poll_at());
        if iface.has_looped() || iface.is_announcing() {
            return Some(now);
        }
        if iface.link.up {
            at = Ticks::earlier(at, iface.groups.poll_at(ticks));
        }
        at = Ticks::earlier(at, iface.fragments.poll_at(ticks));
        if iface.is_blocked() {
            at = Ticks::earlier(at, Some(ticks.after(config::PORT_RETRY)));
        }
    }
    // The start of a tick that has begun lies before `now`.
    at.map(|at| at.to_instant(now).max(now))
}

/// When a touched socket has something to do; a mark alone does not say so.
fn touched_poll_at(sockets: &SocketSet<'_>, now: Instant, ip_mtu: usize) -> Option<Ticks> {
    let cx = context(&sockets.keys, now, ip_mtu);
    let mut at = None;
    let mut next = sockets.touched.first();
    while let Some(ix) = next {
        let Some(entry) = sockets.entry(ix) else { break };
        let has_work = entry.socket.has_work(&cx) || entry.flags.contains(Flags::ORPHAN);
        if has_work || sockets.is_unfiled(ix) {
            return Some(cx.ticks);
        }
        at = Ticks::earlier(at, entry.socket.deadline(cx.ticks));
        next = sockets.touched.next(&sockets.slots, ix);
    }
    at
}
