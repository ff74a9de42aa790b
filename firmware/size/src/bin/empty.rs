//! The device without a stack, every frame sent back: what of the other images is not the stack.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use goldcrest::phy::{Device, RxToken, TxToken};
use size::{Dummy, Frames};

#[entry]
fn main() -> ! {
    static mut FRAMES: Frames = Frames::new();
    let mut device = Dummy::new(FRAMES);
    loop {
        if let Some((rx, Some(tx))) = device.receive(size::now()) {
            rx.consume(|frame| tx.consume(frame.len(), |answer| answer.copy_from_slice(frame)));
        }
    }
}
