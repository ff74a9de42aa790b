//! The bridge as the device of the stack on it.

use super::{Bridge, Core};
use crate::config;
use crate::iface::engine::Progress;
use crate::phy::{Device, DeviceCapabilities, HardwareAddress, LinkState, Medium, RxMeta, RxToken, TxToken};
use crate::stats::DropReason;
use crate::storage::PacketBuffer;
use crate::time::Instant;

/// It receives frames for the bridge's own address, for groups and for what static entries say; on the way to such a frame
/// at most [`BRIDGE_BURST`](config::BRIDGE_BURST) others pass from port to port. Groups are not filtered.
impl<'b, 'p> Device for Bridge<'b, 'p> {
    type RxToken<'t>
        = BridgeRxToken<'t>
    where
        Self: 't;
    type TxToken<'t>
        = BridgeTxToken<'t, 'b, 'p>
    where
        Self: 't;

    fn receive(&mut self, now: Instant) -> Option<(BridgeRxToken<'_>, Option<BridgeTxToken<'_, 'b, 'p>>)> {
        if self.up.is_empty() {
            self.begin(now);
            let (mut progress, mut any) = (Progress::default(), true);
            while any && progress.frames < config::BRIDGE_BURST && self.up.is_empty() {
                any = self.core.receive(now, &mut self.up, &mut progress);
            }
            self.core.more = any;
        }
        let (meta, octets) = self.up.dequeue().ok()?;
        let has_room = self.down.fits(self.core.max_transmission_unit).is_ok();
        let token = BridgeTxToken { core: &mut self.core, down: &mut self.down, now };
        Some((BridgeRxToken { meta, octets }, has_room.then_some(token)))
    }

    fn transmit(&mut self, now: Instant) -> Option<BridgeTxToken<'_, 'b, 'p>> {
        let Bridge { core, down, .. } = self;
        core.flush(now, down);
        let has_room = down.fits(core.max_transmission_unit).is_ok();
        has_room.then_some(BridgeTxToken { core, down, now })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        DeviceCapabilities::new(Medium::Ethernet, self.core.max_transmission_unit)
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.core.hardware.0)
    }

    /// Up as long as any port is.
    fn link(&self) -> LinkState {
        if self.core.ports.iter().any(|port| port.is_up()) { LinkState::UP } else { LinkState::DOWN }
    }

    fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        if self.up.is_empty() { Bridge::poll_at(self, now) } else { Some(now) }
    }
}

/// A frame for the stack on the bridge.
#[derive(Debug)]
pub struct BridgeRxToken<'t> {
    meta: RxMeta,
    octets: &'t [u8],
}

impl RxToken for BridgeRxToken<'_> {
    fn meta(&self) -> RxMeta {
        self.meta
    }

    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.octets)
    }
}

/// Room for a frame of the stack on the bridge.
pub struct BridgeTxToken<'t, 'b, 'p> {
    core: &'t mut Core<'b, 'p>,
    down: &'t mut PacketBuffer<'b, Instant>,
    now: Instant,
}

impl TxToken for BridgeTxToken<'_, '_, '_> {
    /// A frame longer than the bridge's MTU that finds no room is lost: `f` gets no octets.
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let BridgeTxToken { core, down, now } = self;
        let Ok(place) = down.enqueue(len, now) else {
            core.local.on_frame_received(None, len);
            core.local.on_drop(DropReason::TooBig);
            return f(&mut []);
        };
        let result = f(place);
        core.local.on_frame_received(place.first_chunk(), len);
        core.flush(now, down);
        result
    }
}
