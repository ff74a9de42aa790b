//! A bridge's ports, and sets of them.

use super::table::NIL;
use super::{Frame, LOCAL};
use crate::config;
use crate::phy::{DeviceCapabilities, DynDevice, LinkState, TxMeta};
use crate::stats::{DropReason, Stats};
use crate::time::Instant;

/// Ports of a bridge by their places, and the stack on it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct PortSet(pub(super) u64);

impl PortSet {
    /// No port: what is for such an address is dropped.
    pub const NONE: PortSet = PortSet(0);
    /// The stack on the bridge.
    pub const LOCAL: PortSet = PortSet(1 << LOCAL);

    /// The port at `place`.
    ///
    /// # Panics
    /// If `place` is not below [`MAX_BRIDGE_PORTS`](config::MAX_BRIDGE_PORTS).
    pub const fn port(place: usize) -> PortSet {
        assert!(place < config::MAX_BRIDGE_PORTS, "a bridge has no such port");
        PortSet(1 << place)
    }

    /// Those in either.
    pub const fn with(self, other: PortSet) -> PortSet {
        PortSet(self.0 | other.0)
    }

    /// Those that are not in `other`.
    pub const fn without(self, other: PortSet) -> PortSet {
        PortSet(self.0 & !other.0)
    }

    /// Whether the port at `place` is in it.
    pub const fn contains(self, place: usize) -> bool {
        place < config::MAX_BRIDGE_PORTS && self.0 >> place & 1 != 0
    }

    /// Whether the stack on the bridge is in it.
    pub const fn has_local(self) -> bool {
        self.0 >> LOCAL != 0
    }

    /// Whether nobody is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The places of the ports in it, without the stack.
    pub fn places(self) -> impl Iterator<Item = usize> {
        let mut rest = self.without(PortSet::LOCAL).0;
        core::iter::from_fn(move || {
            let place = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
            rest &= rest - 1;
            Some(place)
        })
    }

    /// The one at a place, the stack's included.
    pub(super) const fn at(place: usize) -> PortSet {
        PortSet(1 << place)
    }
}

/// The entries that were learned by a port, in the order in which their stations were heard last.
#[derive(Debug)]
pub(super) struct Learned {
    pub(super) oldest: u32,
    pub(super) newest: u32,
    pub(super) count: usize,
    /// How many there may be; `None` for an equal share.
    pub(super) quota: Option<usize>,
}

/// The place of a port. Lend an array of [`Port::VACANT`].
pub struct Port<'p> {
    /// `None` if the place is vacant, and while a frame of this port is dealt with.
    pub(super) device: Option<&'p mut (dyn DynDevice + Send + 'p)>,
    pub(super) capabilities: DeviceCapabilities,
    pub(super) link: LinkState,
    /// There is a port here.
    pub(super) is_taken: bool,
    pub(super) is_enabled: bool,
    pub(super) learned: Learned,
    pub(super) stats: Stats,
}

impl<'p> Port<'p> {
    /// A place without a port.
    pub const VACANT: Port<'p> = Port {
        device: None,
        capabilities: DeviceCapabilities::new(crate::phy::Medium::Ethernet, 0),
        link: LinkState::DOWN,
        is_taken: false,
        is_enabled: true,
        learned: Learned { oldest: NIL, newest: NIL, count: 0, quota: None },
        stats: Stats::new(),
    };

    /// Whether frames pass: there is a port, its link is up, and it was not shut.
    pub fn is_up(&self) -> bool {
        self.is_taken && self.is_enabled && self.link.up
    }

    /// Whether there is a port at this place.
    pub fn is_taken(&self) -> bool {
        self.is_taken
    }

    /// How many stations it has learned, of which some may have aged.
    pub fn learned_count(&self) -> usize {
        self.learned.count
    }

    /// How many stations it may learn at most, so that forged sources don't fill the table: with one more, the
    /// one that was silent for the longest goes. `None`, as without this call, gives it an equal share of the
    /// table; with 0 nothing is learned, and what is for its stations is flooded.
    pub fn set_quota(&mut self, quota: Option<usize>) {
        self.learned.quota = quota;
    }

    /// What passed this port, and what was dropped: received frames under the port they came by, but for those
    /// that another could not send.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Sends a frame, as those that it becomes. False if the device has no room for it now, and it may wait; all
    /// else is counted here.
    pub(super) fn send(&mut self, now: Instant, frame: &Frame<'_>, may_wait: bool) -> bool {
        let Port { capabilities, stats, .. } = self;
        // IEEE 802.1D §6.3.8: what the other link does not carry is discarded.
        let tag_room = frame.tags_len.min(capabilities.max_tag_len);
        if frame.max_len() > capabilities.max_transmission_unit + tag_room {
            stats.on_frame_lost(DropReason::TooBig);
            return true;
        }
        let Some(device) = self.device.as_mut() else { return true };
        let mut is_done = true;
        frame.for_each(&mut |len, fill| {
            if device.send_dyn(now, len, TxMeta::default(), fill) {
                stats.on_link_frame_sent(frame.hardware(), len);
            } else if may_wait {
                is_done = false;
            } else {
                stats.on_frame_lost(DropReason::DeviceBusy);
            }
        });
        is_done
    }
}
