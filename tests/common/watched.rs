//! A device that notes what passes it.

use std::cell::Cell;
use std::collections::HashSet;

use goldcrest::phy::{Device, DeviceCapabilities, HardwareAddress, LinkState, RxToken, TxMeta, TxToken};
use goldcrest::time::Instant;

/// What passed a device.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) received_together: Cell<u32>,
    pub(crate) received_partial: Cell<u32>,
    pub(crate) sent_together: Cell<u32>,
    pub(crate) sent_partial: Cell<u32>,
    pub(crate) longest_single: Cell<usize>,
    pub(crate) segment_lens: HashSet<u16>,
}

impl Seen {
    fn sent(&self, meta: &TxMeta, len: usize) {
        self.sent_partial.set(self.sent_partial.get() + u32::from(meta.checksum_start > 0));
        if meta.segment_len > 0 {
            self.sent_together.set(self.sent_together.get() + 1);
        } else {
            self.longest_single.set(self.longest_single.get().max(len));
        }
    }
}

/// A device, and what passed it.
pub(crate) struct Watched<D> {
    pub(crate) inner: D,
    pub(crate) seen: Seen,
}

impl<D> Watched<D> {
    pub(crate) fn new(inner: D) -> Watched<D> {
        Watched { inner, seen: Seen::default() }
    }
}

pub(crate) struct Watching<'a, T> {
    inner: T,
    meta: TxMeta,
    seen: &'a Seen,
}

impl<T: TxToken> TxToken for Watching<'_, T> {
    fn set_meta(&mut self, meta: TxMeta) {
        self.meta = meta;
        self.inner.set_meta(meta);
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        self.seen.sent(&self.meta, len);
        self.inner.consume(len, f)
    }
}

impl<D: Device> Device for Watched<D> {
    type RxToken<'a>
        = D::RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Watching<'a, D::TxToken<'a>>
    where
        Self: 'a;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Option<Self::TxToken<'_>>)> {
        let (rx, tx) = self.inner.receive(now)?;
        let (seen, meta) = (&mut self.seen, rx.meta());
        seen.received_partial.set(seen.received_partial.get() + u32::from(meta.checksum_partial));
        if meta.segment_len > 0 {
            seen.received_together.set(seen.received_together.get() + 1);
            seen.segment_lens.insert(meta.segment_len);
        }
        let seen = &self.seen;
        Some((rx, tx.map(|inner| Watching { inner, meta: TxMeta::default(), seen })))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        let inner = self.inner.transmit(now)?;
        Some(Watching { inner, meta: TxMeta::default(), seen: &self.seen })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.inner.capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.inner.hardware_address()
    }

    fn link(&self) -> LinkState {
        self.inner.link()
    }
}
