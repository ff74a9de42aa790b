//! The echo server, on the device that the compiler knows nothing about.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use echo::{Server, Storage};
use goldcrest::wire::{IpAddress, IpCidr};
use size::{Dummy, Frames};

#[entry]
fn main() -> ! {
    static mut FRAMES: Frames = Frames::new();
    static mut STORAGE: Storage<'static> = Storage::new();
    let mut device = Dummy::new(FRAMES);
    let address = IpCidr::new(IpAddress::v4(192, 168, 69, 1), 24);
    let Some(mut server) = Server::new(STORAGE, &device, &[address], [0x55; 32]) else { loop {} };
    loop {
        let deadline = server.poll(size::now(), &mut device);
        size::sleep_until(deadline);
    }
}
