//! Ping, and an echo server on port 7, over IPv4 and IPv6, on static addresses.
//!
//! A superloop: it polls, and sleeps until the Ethernet chip raises its interrupt or a deadline has come.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use echo::{Server, Storage};
use goldcrest::phy::mcu::lan9118::Frames;
use goldcrest::wire::{IpAddress, IpCidr};
use mps2::Clock;

const ADDRESS: [u8; 6] = [0x02, 0, 0, 0, 0x86, 1];
const ADDRESSES: [IpCidr; 2] = [
    IpCidr::new(IpAddress::v4(192, 168, 69, 1), 24),
    IpCidr::new(IpAddress::v6(0xfd00, 0x69, 0, 0, 0, 0, 0, 1), 64),
];
/// The board has no source of randomness. A product takes 32 octets of its own from one at each start.
const SECRET: [u8; 32] = *b"every board needs one of its own";

#[entry]
fn main() -> ! {
    static mut FRAMES: Frames = Frames::new();
    static mut STORAGE: Storage<'static> = Storage::new();
    let Some(peripherals) = cortex_m::Peripherals::take() else { mps2::fail("peripherals are taken") };
    let mut clock = Clock::start(peripherals.SYST);
    // SAFETY: `main` runs once.
    let Ok(mut device) = (unsafe { mps2::ethernet(FRAMES, ADDRESS) }) else { mps2::fail("no Ethernet chip") };
    let Some(mut server) = Server::new(STORAGE, &device, &ADDRESSES, SECRET) else { mps2::fail("no server") };
    device.enable_interrupts();
    mps2::print("ready");
    loop {
        let deadline = server.poll(clock.now(), &mut device);
        clock.sleep_until(deadline);
    }
}
