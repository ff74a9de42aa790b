//! The ports that a packet may leave by, as the engine sees them.
//!
//! One port is the current one: the frame that is being handled came in by it, and its slot is the
//! frame's own answer token. The others, if there are any, are reached through their devices.

#[cfg(feature = "iface-router")]
use super::forward::LastWay;
use super::handler::Hooks;
use super::interface::Interface;
use super::route::Match;
#[cfg(feature = "iface-router")]
use super::router::Port;
use crate::phy::{DynTransmit, TxMeta, TxSlot};
use crate::socket::Tuple;
use crate::time::{Instant, Ticks};
use crate::wire::Addr;

/// A way out: the port's number and the next hop there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) port: usize,
    pub(crate) next_hop: Addr,
}

/// Where a port's frames go, and when, and who is asked about them.
pub(crate) struct Out<'l> {
    pub(crate) now: Ticks,
    pub(crate) slot: &'l mut dyn TxSlot,
    pub(crate) hooks: Hooks<'l>,
}

/// The current port and all others.
pub(crate) struct Links<'l, 'p, 'a> {
    pub(crate) now: Instant,
    pub(crate) iface: &'l mut Interface<'a>,
    pub(crate) out: Out<'l>,
    pub(crate) others: Others<'l, 'p, 'a>,
}

impl<'l, 'p, 'a> Links<'l, 'p, 'a> {
    pub(crate) fn new(
        now: Instant,
        iface: &'l mut Interface<'a>,
        slot: &'l mut dyn TxSlot,
        hooks: Hooks<'l>,
        others: Others<'l, 'p, 'a>,
    ) -> Links<'l, 'p, 'a> {
        Links { now, iface, out: Out { now: Ticks::from_instant(now), slot, hooks }, others }
    }

    /// The current port's number.
    pub(crate) fn port(&self) -> usize {
        self.others.current()
    }

    /// The best way to `dst`: the longest prefix over all ports, then the smallest metric, then the
    /// current port. A zone, which is a port's number plus one, leaves no choice.
    pub(crate) fn route(&self, dst: &Addr, zone: u8) -> Option<Route> {
        let allowed = |port: usize| zone == 0 || usize::from(zone) == port + 1;
        let mut best: Option<(u32, Route)> = None;
        let as_route =
            |port: usize, found: Match<'_>| (found.rank, Route { port, next_hop: *found.next_hop });
        if allowed(self.port()) {
            best = self.iface.route(dst, self.now).map(|found| as_route(self.port(), found));
        }
        self.others.for_each(&mut |port, iface| {
            let found = iface.route(dst, self.now).filter(|_| allowed(port));
            if let Some(found) = found
                && best.is_none_or(|(rank, _)| found.rank > rank)
            {
                best = Some(as_route(port, found));
            }
        });
        best.map(|(_, route)| route)
    }

    /// Calls `f` with a port's interface and where its frames go.
    pub(crate) fn with_port<R>(
        &mut self,
        port: usize,
        f: impl FnOnce(&mut Interface<'a>, &mut Out<'_>) -> R,
    ) -> Option<R> {
        if self.others.is_current(port) {
            return Some(f(self.iface, &mut self.out));
        }
        self.others.with_port(port, self.now, &mut self.out, f)
    }

    /// The interface of a port.
    pub(crate) fn iface(&self, port: usize) -> Option<&Interface<'a>> {
        if self.others.is_current(port) {
            return Some(self.iface);
        }
        self.others.iface(port)
    }

    /// Whether it holds for any port.
    #[inline]
    pub(crate) fn any(&self, is_so: impl Fn(&Interface<'a>) -> bool) -> bool {
        is_so(self.iface) || self.others.any(&is_so)
    }

    /// How many ports there are.
    pub(crate) fn count(&self) -> usize {
        1 + self.others.count()
    }

    /// The way to a flow's peer.
    pub(crate) fn route_of(&self, tuple: &Tuple) -> Option<Route> {
        self.route(&tuple.remote, tuple.zone)
    }
}

/// A device as a slot that takes any number of frames, as long as there is room.
pub(crate) struct DeviceSlot<'d, T: DynTransmit + ?Sized> {
    pub(crate) device: &'d mut T,
    pub(crate) now: Instant,
}

impl<T: DynTransmit + ?Sized> TxSlot for DeviceSlot<'_, T> {
    fn send(&mut self, len: usize, meta: TxMeta, f: &mut dyn FnMut(&mut [u8])) -> bool {
        self.device.send_dyn(self.now, len, meta, f)
    }
}

/// A slot without room, for a frame that may only be taken in.
pub(crate) struct NoSlot;

impl TxSlot for NoSlot {
    fn send(&mut self, _len: usize, _meta: TxMeta, _f: &mut dyn FnMut(&mut [u8])) -> bool {
        false
    }
}

#[cfg(feature = "iface-router")]
pub(crate) use many::Others;
#[cfg(not(feature = "iface-router"))]
pub(crate) use none::Others;

#[cfg(feature = "iface-router")]
mod many {
    use super::*;
    #[cfg(feature = "iface-forward")]
    use crate::phy::DynDevice;

    /// The ports before and behind the current one, which has the number of those before it.
    pub(crate) struct Others<'l, 'p, 'a> {
        pub(crate) before: &'l mut [Port<'p, 'a>],
        pub(crate) after: &'l mut [Port<'p, 'a>],
        /// The port whose device takes what goes into the current slot: the current port or, if that is
        /// on another's device, the other.
        pub(crate) device: usize,
        /// Nothing outside of a row of frames that one device gives.
        pub(crate) last_way: Option<&'l mut LastWay>,
    }

    impl<'l, 'p, 'a> Others<'l, 'p, 'a> {
        /// There are none.
        pub(crate) fn none() -> Others<'l, 'p, 'a> {
            Others { before: &mut [], after: &mut [], device: 0, last_way: None }
        }

        /// What is known of ways may have changed.
        pub(crate) fn forget_way(&mut self) {
            if let Some(way) = &mut self.last_way {
                way.forget();
            }
        }

        pub(super) fn current(&self) -> usize {
            self.before.len()
        }

        pub(super) fn is_current(&self, port: usize) -> bool {
            port == self.current()
        }

        pub(super) fn count(&self) -> usize {
            self.before.len() + self.after.len()
        }

        pub(crate) fn for_each(&self, f: &mut dyn FnMut(usize, &Interface<'a>)) {
            for (index, port) in self.before.iter().enumerate() {
                f(index, port.iface);
            }
            for (index, port) in self.after.iter().enumerate() {
                f(self.current() + 1 + index, port.iface);
            }
        }

        #[inline]
        pub(crate) fn any(&self, is_so: &impl Fn(&Interface<'a>) -> bool) -> bool {
            let is_so = |port: &Port<'p, 'a>| is_so(port.iface);
            self.before.iter().any(is_so) || self.after.iter().any(is_so)
        }

        pub(super) fn iface(&self, port: usize) -> Option<&Interface<'a>> {
            let port = match port.checked_sub(self.current() + 1) {
                Some(index) => self.after.get(index)?,
                None => self.before.get(port)?,
            };
            Some(&*port.iface)
        }

        /// Another port than the current one, and a slot of the device that it has for itself.
        #[cfg(feature = "iface-forward")]
        #[inline(always)]
        pub(crate) fn on_own_device(
            &mut self,
            port: usize,
            now: Instant,
        ) -> Option<(&mut Interface<'a>, DeviceSlot<'_, dyn DynDevice + Send + 'p>)> {
            match self.port_mut(port)? {
                Port { iface, device: Some(device), leader: None } => {
                    Some((iface, DeviceSlot { device: &mut **device, now }))
                }
                _ => None,
            }
        }

        pub(super) fn with_port<R>(
            &mut self,
            port: usize,
            now: Instant,
            out: &mut Out<'_>,
            f: impl FnOnce(&mut Interface<'a>, &mut Out<'_>) -> R,
        ) -> Option<R> {
            let leader = self.port_mut(port)?.leader.unwrap_or(port);
            if leader == self.device {
                let before = out.hooks.turn_to(port);
                let result = self.port_mut(port).map(|port| f(port.iface, out));
                out.hooks.turn_to(before);
                return result;
            }
            let device = self.port_mut(leader)?.device.take()?;
            let slot = &mut DeviceSlot { device: &mut *device, now };
            let mut out = Out { now: out.now, slot, hooks: out.hooks.again(port) };
            let result = self.port_mut(port).map(|port| f(port.iface, &mut out));
            self.port_mut(leader)?.device = Some(device);
            result
        }

        fn port_mut(&mut self, port: usize) -> Option<&mut Port<'p, 'a>> {
            match port.checked_sub(self.current() + 1) {
                Some(index) => self.after.get_mut(index),
                None => self.before.get_mut(port),
            }
        }
    }
}

#[cfg(not(feature = "iface-router"))]
mod none {
    use core::marker::PhantomData;

    use super::*;

    /// No other ports: the router is not built in.
    pub(crate) struct Others<'l, 'p, 'a>(pub(crate) PhantomData<(&'l &'p (), &'a ())>);

    impl<'l, 'p, 'a> Others<'l, 'p, 'a> {
        /// There are none.
        pub(crate) fn none() -> Others<'l, 'p, 'a> {
            Others(PhantomData)
        }

        pub(crate) fn forget_way(&mut self) {}

        pub(super) fn current(&self) -> usize {
            0
        }

        pub(super) fn is_current(&self, _port: usize) -> bool {
            true
        }

        pub(super) fn count(&self) -> usize {
            0
        }

        pub(crate) fn for_each(&self, _f: &mut dyn FnMut(usize, &Interface<'a>)) {}

        pub(crate) fn any(&self, _is_so: &impl Fn(&Interface<'a>) -> bool) -> bool {
            false
        }

        pub(super) fn iface(&self, _port: usize) -> Option<&Interface<'a>> {
            None
        }

        pub(super) fn with_port<R>(
            &mut self,
            _port: usize,
            _now: Instant,
            _out: &mut Out<'_>,
            _f: impl FnOnce(&mut Interface<'a>, &mut Out<'_>) -> R,
        ) -> Option<R> {
            None
        }
    }
}
