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
    "part Connection": goldcrest::socket::tcp::parts::Connection,
    "part Send": goldcrest::socket::tcp::parts::Send,
    "part Recv": goldcrest::socket::tcp::parts::Recv,
    "part Holes": goldcrest::socket::tcp::parts::Holes,
    "part Control": goldcrest::socket::tcp::parts::Control,
    "part Model": goldcrest::socket::tcp::parts::Model,
    "part Recovery": goldcrest::socket::tcp::parts::Recovery,
    "part Timers": goldcrest::socket::tcp::parts::Timers,
    "part Rtt": goldcrest::socket::tcp::parts::Rtt,
    "part Sack": goldcrest::socket::tcp::parts::Sack,
    "part Scoreboard": goldcrest::socket::tcp::parts::Scoreboard,
    "part Report": goldcrest::socket::tcp::parts::Report,
    "part Rack": goldcrest::socket::tcp::parts::Rack,
    "part Prr": goldcrest::socket::tcp::parts::Prr,
    "part Stamps": goldcrest::socket::tcp::parts::Stamps,
    "part Pace": goldcrest::socket::tcp::parts::Pace,
    "part Validation": goldcrest::socket::tcp::parts::Validation,
    "part Ecn": goldcrest::socket::tcp::parts::Ecn,
    "part Pmtu": goldcrest::socket::tcp::parts::Pmtu,
    "part Silence": goldcrest::socket::tcp::parts::Silence,
    "part Patience": goldcrest::socket::tcp::parts::Patience,
    "part Counts": goldcrest::socket::tcp::parts::Counts,
    "part Tuple": goldcrest::socket::tcp::parts::Tuple,
    "part Config": goldcrest::socket::tcp::parts::Config,
    "part Buffers": goldcrest::socket::tcp::parts::Buffers,
    "part Look": goldcrest::socket::tcp::parts::Look,
    "part Trouble": goldcrest::socket::tcp::parts::Trouble,
    "part Farewell": goldcrest::socket::tcp::parts::Farewell,
    "part Watch": goldcrest::socket::tcp::parts::Watch,
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
