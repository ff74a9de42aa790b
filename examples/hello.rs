//! A server on a TAP that greets whoever connects. As root: `cargo run --example hello`, and
//! `nc 192.168.69.2 7777` in another window.

use std::{error::Error, os::fd::AsRawFd};

use goldcrest::iface::{Config, Interface, SocketSet};
use goldcrest::phy::{Device, Medium, TunTapInterface, wait};
use goldcrest::socket::tcp::{HalfOpen, Listener, Socket};
use goldcrest::{rand::Keys, time::Instant, wire::IpAddress, wire::IpCidr};

fn main() -> Result<(), Box<dyn Error>> {
    let mut tap = TunTapInterface::new("tap0", Medium::Ethernet)?;
    tap.kernel().set_up()?;
    tap.kernel().add_address("192.168.69.1".parse()?, 24)?;
    let mut iface = Interface::new(Config::new(tap.hardware_address()), &mut tap, Instant::now());
    iface.add_address(IpCidr::new(IpAddress::v4(192, 168, 69, 2), 24))?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let mut sockets = SocketSet::with_capacity(16, Keys::new(secret));
    let listener = sockets.add(Listener::new(vec![HalfOpen::EMPTY; 8]));
    sockets.get_mut::<Listener>(listener).set_buffers(4_096, 4_096, 16);
    sockets.listen(listener, 7777)?;
    loop {
        iface.poll(Instant::now(), &mut tap, &mut sockets);
        while let Some(connection) = sockets.accept(listener) {
            sockets.get_mut::<Socket>(connection).send_slice(b"Hello from Goldcrest\n")?;
            sockets.release(connection)?;
        }
        wait(tap.as_raw_fd(), iface.poll_delay(Instant::now(), &mut sockets))?;
    }
}
