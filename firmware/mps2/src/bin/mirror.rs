//! The Ethernet driver alone, without the stack: every frame goes back to its sender.
//!
//! Both addresses are swapped and nothing else changes, so that the host can compare octet by octet.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use goldcrest::phy::mcu::lan9118::Frames;
use goldcrest::phy::{Device, RxToken, TxToken};
use mps2::Clock;

const ADDRESS: [u8; 6] = [0x02, 0, 0, 0, 0x86, 1];

#[entry]
fn main() -> ! {
    static mut FRAMES: Frames = Frames::new();
    let Some(peripherals) = cortex_m::Peripherals::take() else { mps2::fail("peripherals are taken") };
    let mut clock = Clock::start(peripherals.SYST);
    // SAFETY: `main` runs once.
    let Ok(mut device) = (unsafe { mps2::ethernet(FRAMES, ADDRESS) }) else { mps2::fail("no Ethernet chip") };
    device.enable_interrupts();
    mps2::print("ready");
    loop {
        let now = clock.now();
        while let Some((rx, tx)) = device.receive(now) {
            let Some(tx) = tx else { continue };
            rx.consume(|frame| {
                tx.consume(frame.len(), |answer| {
                    answer.copy_from_slice(frame);
                    if let Some((addresses, _)) = answer.split_first_chunk_mut::<12>() {
                        addresses.rotate_left(6);
                    }
                });
            });
        }
        clock.sleep_until(None);
    }
}
