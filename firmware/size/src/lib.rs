//! What the weighed images share: a device that the compiler knows nothing about.
//!
//! Frames and the clock go through volatile registers at made-up addresses, so nothing of the stack can be
//! optimized away. The images are complete, with start-up code and panic handler, but not meant to run.
#![no_std]

use core::ptr::with_exposed_provenance_mut;

use goldcrest::phy::{Device, DeviceCapabilities, HardwareAddress, Medium, RxToken, TxToken};
use goldcrest::time::Instant;

/// Octets of the next received frame, 0 if there is none; a write lets it go.
const RX_LEN: usize = 0x4000_0000;
/// The next four octets of the received frame.
const RX_DATA: usize = 0x4000_0004;
/// Octets of the frame to be sent; 0 when it has left.
const TX_LEN: usize = 0x4000_0008;
/// The next four octets of the frame to be sent.
const TX_DATA: usize = 0x4000_000c;
/// Units of 1,024 µs; what is written raises an interrupt when it is reached.
const CLOCK: usize = 0x4000_0010;

/// Octets of the largest Ethernet frame, in whole words.
const FRAME_LEN: usize = 1_516;
const MAX_FRAME_LEN: usize = 1_514;

fn read(register: usize) -> u32 {
    // SAFETY: never run; a chip with such registers would be at these addresses.
    unsafe { with_exposed_provenance_mut::<u32>(register).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: as in `read`.
    unsafe { with_exposed_provenance_mut::<u32>(register).write_volatile(value) }
}

/// The time.
pub fn now() -> Instant {
    Instant::from_micros(i64::from(read(CLOCK)) << 10)
}

/// Sleeps until an interrupt, or until the timer that is set to `deadline` raises one.
pub fn sleep_until(deadline: Option<Instant>) {
    if let Some(deadline) = deadline {
        write(CLOCK, (deadline.total_micros() >> 10) as u32);
    }
    cortex_m::asm::wfi();
}

/// Frames of the driver.
pub struct Frames {
    rx: [u8; FRAME_LEN],
    tx: [u8; FRAME_LEN],
}

impl Frames {
    /// Empty frames.
    pub const fn new() -> Frames {
        Frames { rx: [0; FRAME_LEN], tx: [0; FRAME_LEN] }
    }
}

impl Default for Frames {
    fn default() -> Frames {
        Frames::new()
    }
}

/// The device.
pub struct Dummy<'a> {
    frames: &'a mut Frames,
}

impl<'a> Dummy<'a> {
    /// A device with the given frames.
    pub fn new(frames: &'a mut Frames) -> Dummy<'a> {
        Dummy { frames }
    }
}

/// A received frame.
pub struct RxFrame<'a>(&'a [u8]);

impl RxToken for RxFrame<'_> {
    fn consume<R, F>(self, f: F) -> R
    where
        F: FnOnce(&[u8]) -> R,
    {
        f(self.0)
    }
}

/// Room for a frame.
pub struct TxFrame<'a>(&'a mut [u8; FRAME_LEN]);

impl TxToken for TxFrame<'_> {
    fn consume<R, F>(self, len: usize, f: F) -> R
    where
        F: FnOnce(&mut [u8]) -> R,
    {
        let len = len.min(MAX_FRAME_LEN);
        let result = f(&mut self.0[..len]);
        for word in self.0.as_chunks::<4>().0.iter().take(len.div_ceil(4)) {
            write(TX_DATA, u32::from_ne_bytes(*word));
        }
        write(TX_LEN, len as u32);
        result
    }
}

impl Device for Dummy<'_> {
    type RxToken<'b>
        = RxFrame<'b>
    where
        Self: 'b;
    type TxToken<'b>
        = TxFrame<'b>
    where
        Self: 'b;

    fn receive(&mut self, now: Instant) -> Option<(RxFrame<'_>, Option<TxFrame<'_>>)> {
        let len = read(RX_LEN) as usize;
        if len == 0 || len > MAX_FRAME_LEN {
            return None;
        }
        for word in self.frames.rx.as_chunks_mut::<4>().0.iter_mut().take(len.div_ceil(4)) {
            *word = read(RX_DATA).to_ne_bytes();
        }
        write(RX_LEN, 0);
        let has_room = self.transmit(now).is_some();
        let Frames { rx, tx } = &mut *self.frames;
        Some((RxFrame(rx.get(..len)?), has_room.then_some(TxFrame(tx))))
    }

    fn transmit(&mut self, _now: Instant) -> Option<TxFrame<'_>> {
        (read(TX_LEN) == 0).then_some(TxFrame(&mut self.frames.tx))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        DeviceCapabilities::new(Medium::Ethernet, MAX_FRAME_LEN)
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet([2, 0, 0, 0, 0, 1])
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        cortex_m::asm::udf();
    }
}
