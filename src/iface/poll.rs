//! Driving one interface by one device, at once or step by step.

use super::egress;
use super::engine::{self, Budget, Progress};
use super::handler::{Handler, Hooks, NoHandler};
use super::interface::Interface;
use super::links::{DeviceSlot, Links, NoSlot, Others};
use super::loopback;
use super::socket_set::SocketSet;
use crate::config;
use crate::phy::{Device, DynTransmit, RxMeta, RxToken, TxToken};
#[cfg(feature = "tcp-connect")]
use crate::socket::tcp::ConnectError;
#[cfg(feature = "tcp-connect")]
use crate::storage::SocketHandle;
use crate::time::{Duration, Instant};
#[cfg(feature = "tcp-connect")]
use crate::wire::{IpEndpoint, IpListenEndpoint};

/// What came of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollResult {
    /// No socket has anything new.
    None,
    /// [`SocketSet::next_ready`] has something to tell.
    SocketStateChanged,
}

impl Interface<'_> {
    /// Receives what has come and sends what is due, within the default budget.
    pub fn poll<D: Device>(
        &mut self,
        now: Instant,
        device: &mut D,
        sockets: &mut SocketSet<'_>,
    ) -> PollResult {
        self.poll_with(now, device, sockets, &mut NoHandler, Budget::default());
        if sockets.has_ready() { PollResult::SocketStateChanged } else { PollResult::None }
    }

    /// The same within `budget`; says what it did and whether more waits.
    pub fn poll_budget<D: Device>(
        &mut self,
        now: Instant,
        device: &mut D,
        sockets: &mut SocketSet<'_>,
        budget: Budget,
    ) -> Progress {
        self.poll_with(now, device, sockets, &mut NoHandler, budget)
    }

    /// The same with a handler.
    pub fn poll_with<D: Device>(
        &mut self,
        now: Instant,
        device: &mut D,
        sockets: &mut SocketSet<'_>,
        handler: &mut dyn Handler,
        budget: Budget,
    ) -> Progress {
        let link = device.link();
        if link != self.link {
            self.on_link(link, sockets);
        }
        self.poll_settle(now, sockets);
        self.update_filter(&mut |groups| device.set_multicast_filter(groups));
        let mut first = 0;
        if self.cuts() {
            let slot = &mut DeviceSlot { device: &mut *device, now };
            first = egress::send_queued(&mut self.links(now, slot, handler), sockets, budget);
        }
        let mut progress = Progress::default();
        loop {
            progress.more = progress.has_used(budget);
            if progress.more || !self.receive(now, device, sockets, handler, &mut progress) {
                break;
            }
        }
        progress += self.poll_egress(now, device, sockets, handler, budget.without(first));
        progress.sent += first;
        progress
    }

    /// Begins to connect a TCP socket to `remote` and settles it at once: the error is here, not in an
    /// event. Where `local` says nothing, route and chance choose.
    #[cfg(feature = "tcp-connect")]
    pub fn connect(
        &mut self,
        now: Instant,
        sockets: &mut SocketSet<'_>,
        handle: SocketHandle,
        remote: impl Into<IpEndpoint>,
        local: impl Into<IpListenEndpoint>,
    ) -> Result<(), ConnectError> {
        sockets.connect_by(&self.links(now, &mut NoSlot, &mut NoHandler), handle, remote, local)
    }

    /// First step of a poll: sockets that were touched are settled. The other steps take this one's work
    /// as done.
    pub fn poll_settle(&mut self, now: Instant, sockets: &mut SocketSet<'_>) {
        engine::settle(&mut self.links(now, &mut NoSlot, &mut NoHandler), sockets);
    }

    /// Second step: takes in one frame, if there is one, and says whether there was.
    pub fn poll_ingress_single<D: Device>(
        &mut self,
        now: Instant,
        device: &mut D,
        sockets: &mut SocketSet<'_>,
        handler: &mut dyn Handler,
    ) -> bool {
        self.receive(now, device, sockets, handler, &mut Progress::default())
    }

    fn receive<D: Device>(
        &mut self,
        now: Instant,
        device: &mut D,
        sockets: &mut SocketSet<'_>,
        handler: &mut dyn Handler,
        progress: &mut Progress,
    ) -> bool {
        let Some((rx, mut slot)) = device.receive(now) else { return false };
        let meta = rx.meta();
        rx.consume(|frame| {
            progress.frames += 1;
            progress.octets += frame.len();
            engine::ingress(&mut self.links(now, &mut slot, handler), sockets, meta, frame);
        });
        true
    }

    /// Takes in one frame without a device; an answer to it, if there is one, goes out by `out`.
    ///
    /// For who owns the loop and feeds packets: call [`poll_settle`](Self::poll_settle) first when
    /// sockets were touched, and [`poll_egress`](Self::poll_egress) afterwards.
    pub fn process<T: TxToken>(
        &mut self,
        now: Instant,
        frame: &[u8],
        meta: RxMeta,
        mut out: Option<T>,
        sockets: &mut SocketSet<'_>,
        handler: &mut dyn Handler,
    ) {
        engine::ingress(&mut self.links(now, &mut out, handler), sockets, meta, frame);
    }

    /// Whether the device cuts segments.
    #[inline]
    pub(super) fn cuts(&self) -> bool {
        config::HAS_TCP_BURST && self.capabilities.max_segmentation_len > 0
    }

    /// Third step: due timers act, sockets send, neighbours are asked for.
    pub fn poll_egress(
        &mut self,
        now: Instant,
        device: &mut impl DynTransmit,
        sockets: &mut SocketSet<'_>,
        handler: &mut dyn Handler,
        budget: Budget,
    ) -> Progress {
        let mut progress = Progress::default();
        loop {
            let slot = &mut DeviceSlot { device: &mut *device, now };
            progress += engine::send(&mut self.links(now, slot, handler), sockets, budget);
            if !self.has_looped() {
                return progress;
            }
            // What we send to ourselves may have an answer.
            let slot = &mut DeviceSlot { device: &mut *device, now };
            loopback::take(&mut self.links(now, slot, handler), sockets, &mut progress);
            if progress.has_used(budget) {
                progress.more = true;
                return progress;
            }
        }
    }

    /// When to poll next: never later than anything has to happen, `None` for not before a frame comes.
    ///
    /// It may be too early by a wake for each deadline that was put off since it was set.
    pub fn poll_at(&mut self, now: Instant, sockets: &mut SocketSet<'_>) -> Option<Instant> {
        let at = engine::poll_at(&mut self.links(now, &mut NoSlot, &mut NoHandler), sockets);
        if self.autoconf.is_idle() { at } else { self.autoconf.earlier(at, now) }
    }

    /// How long to wait until then.
    pub fn poll_delay(&mut self, now: Instant, sockets: &mut SocketSet<'_>) -> Option<Duration> {
        self.poll_at(now, sockets).map(|at| at.saturating_duration_since(now))
    }
}

impl<'a> Interface<'a> {
    fn links<'l>(
        &'l mut self,
        now: Instant,
        slot: &'l mut dyn crate::phy::TxSlot,
        handler: &'l mut dyn Handler,
    ) -> Links<'l, 'l, 'a> {
        Links::new(now, self, slot, Hooks::new(handler), Others::none())
    }
}
