//! How large the stack's types are on 32 bit: each number is a symbol that `cargo xtask size` reads.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use size as _;

macro_rules! sizes {
    ($($(#[$cfg:meta])* $name:literal: $type:ty),* $(,)?) => {
        fn keep() {
            $($(#[$cfg])* {
                #[unsafe(export_name = concat!("size_of ", $name))]
                static SIZE: u32 = size_of::<$type>() as u32;
                black_box(&SIZE);
            })*
        }
    };
}

sizes! {
    "slot with its socket": goldcrest::iface::SocketSlot<'static>,
    "udp::Socket": goldcrest::socket::udp::Socket<'static>,
    "tcp::Socket": goldcrest::socket::tcp::Socket<'static>,
    "tcp::Listener": goldcrest::socket::tcp::Listener<'static>,
    "tcp::HalfOpen": goldcrest::socket::tcp::HalfOpen,
    "tcp::TimeWait": goldcrest::socket::tcp::TimeWait,
    "iface::Interface": goldcrest::iface::Interface<'static>,
    "iface::SocketSet": goldcrest::iface::SocketSet<'static>,
    "iface::Neighbor": goldcrest::iface::Neighbor,
    "iface::Route": goldcrest::iface::Route,
}

#[entry]
fn main() -> ! {
    keep();
    loop {
        cortex_m::asm::wfi();
    }
}
