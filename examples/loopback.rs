//! Two sockets of one stack talk over a device that receives what it sends. Needs no network and no root:
//! `cargo run --example loopback`.
//!
//! What a stack sends to an address of its own never meets a device. So neither address here is its own: it takes
//! packets to any (`set_any_ip`), as a proxy does, and the device brings back what the default route gave it.

use std::error::Error;

use clap::Parser;
use goldcrest::iface::{Config, Interface, SocketSet};
use goldcrest::phy::{Device, Loopback, Medium, TracedFrame, Tracer};
use goldcrest::rand::Keys;
use goldcrest::socket::tcp::{HalfOpen, Listener, Socket};
use goldcrest::storage::SocketBuffer;
use goldcrest::time::Instant;
use goldcrest::wire::{IpAddress, IpEndpoint, IpListenEndpoint, Ipv4Address, Ipv6Address};

const PORT: u16 = 7;

/// Two sockets of one stack talk over a device that receives what it sends; each packet is shown. It needs no network and
/// no rights.
#[derive(Parser)]
#[command(name = "loopback")]
struct Arguments {
    /// Over IPv6
    #[arg(long)]
    ipv6: bool,
}

/// An address of the networks that are kept for examples, in either family.
fn address(is_ipv6: bool, host: u8) -> IpAddress {
    match is_ipv6 {
        false => Ipv4Address::new(192, 0, 2, host).into(),
        true => Ipv6Address::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host.into()).into(),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { ipv6 } = Arguments::parse();
    let [client_addr, server_addr] = [1, 2].map(|host| address(ipv6, host));
    // Nothing here takes time, so it is always the same: each run is like the others but for the secret.
    let now = Instant::from_secs(1);
    let show = |_: Instant, frame: TracedFrame<'_>| println!("{frame}");
    let mut device = Tracer::new(Loopback::new(Medium::Ip), show);
    let mut iface = Interface::new(Config::new(device.hardware_address()), &mut device, now);
    iface.set_any_ip(true);
    match address(ipv6, 254) {
        IpAddress::Ipv4(router) => iface.add_default_ipv4_route(router)?,
        IpAddress::Ipv6(router) => iface.add_default_ipv6_route(router)?,
    };
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let mut sockets = SocketSet::with_capacity(4, Keys::new(secret));

    let listener = sockets.add(Listener::new(vec![HalfOpen::EMPTY; 1]));
    sockets.get_mut::<Listener>(listener).set_buffers(4_096, 4_096, 1);
    sockets.listen(listener, PORT)?;
    let buffer = || SocketBuffer::new(vec![0; 4_096]);
    let client = sockets.add(Socket::new(buffer(), buffer()));
    let local = IpListenEndpoint { addr: Some(client_addr), port: 0 };
    iface.connect(now, &mut sockets, client, IpEndpoint::new(server_addr, PORT), local)?;
    sockets.get_mut::<Socket>(client).send_slice(b"Is anybody there?")?;

    let (mut server, mut said) = (None, [0; 64]);
    let len = loop {
        iface.poll(now, &mut device, &mut sockets);
        server = server.or_else(|| sockets.accept(listener));
        if let Some(server) = server {
            let server = sockets.get_mut::<Socket>(server);
            if let Ok(len @ 1..) = server.recv_slice(&mut said) {
                println!("The server hears: {}", String::from_utf8_lossy(&said[..len]));
                server.send_slice(b"Only you and I.")?;
            }
        }
        if let Ok(len @ 1..) = sockets.get_mut::<Socket>(client).recv_slice(&mut said) {
            break len;
        }
    };
    println!("The client hears: {}", String::from_utf8_lossy(&said[..len]));
    Ok(())
}
