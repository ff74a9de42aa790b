//! One end of the link with an observer on it.

use std::cell::RefCell;

use goldcrest::phy::{
    Device, DeviceCapabilities, HardwareAddress, LinkState, RxToken, SimPort, SimRxToken, SimTxToken, TxToken,
};
use goldcrest::time::Instant;

use crate::memory;
use crate::observer::Observer;

/// A device that an observer looks over the shoulder of.
pub(crate) struct ObservedPort {
    pub(crate) port: SimPort,
    pub(crate) observer: RefCell<Observer>,
}

pub(crate) struct ObservedRx<'a> {
    token: SimRxToken<'a>,
    observer: &'a RefCell<Observer>,
    now: Instant,
}

pub(crate) struct ObservedTx<'a> {
    token: SimTxToken<'a>,
    observer: &'a RefCell<Observer>,
    now: Instant,
}

impl RxToken for ObservedRx<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        let ObservedRx { token, observer, now } = self;
        token.consume(|frame| {
            memory::outside(|| observer.borrow_mut().on_received(now, frame));
            f(frame)
        })
    }
}

impl TxToken for ObservedTx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let ObservedTx { token, observer, now } = self;
        memory::outside(|| {
            token.consume(len, |frame| {
                // What the stack does not write shall show.
                frame.fill(0xa5);
                let result = memory::in_stack(|| f(frame));
                observer.borrow_mut().on_sent(now, frame);
                result
            })
        })
    }
}

impl Device for ObservedPort {
    type RxToken<'a> = ObservedRx<'a>;
    type TxToken<'a> = ObservedTx<'a>;

    fn receive(&mut self, now: Instant) -> Option<(ObservedRx<'_>, Option<ObservedTx<'_>>)> {
        let (rx, tx) = memory::outside(|| self.port.receive(now))?;
        let observer = &self.observer;
        Some((ObservedRx { token: rx, observer, now }, tx.map(|token| ObservedTx { token, observer, now })))
    }

    fn transmit(&mut self, now: Instant) -> Option<ObservedTx<'_>> {
        let token = memory::outside(|| self.port.transmit(now))?;
        Some(ObservedTx { token, observer: &self.observer, now })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.port.capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.port.hardware_address()
    }

    fn link(&self) -> LinkState {
        self.port.link()
    }

    fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        memory::outside(|| self.port.poll_at(now))
    }
}
