//! Connections that do nothing, each established by the handshake that its peer would do.
//!
//! The peers are behind the gateway. Their SYN and ACK are fed to the stack without a device.

use goldcrest::iface::NoHandler;
use goldcrest::phy::RxMeta;
use goldcrest::socket::tcp::{HalfOpen, Listener, State};
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::IpAddress;

use crate::stack::{Stack, address, hardware};
use crate::wire::{Catch, End, FRAME_LEN, Queue};

const PORT: u16 = 7;
/// Peers at one address.
const PORTS: usize = 50_000;
/// The keep-alive interval of every connection.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(7_200);
const FRAME: usize = 14 + 20 + 20;
const SYN: u8 = 2;
const ACK: u8 = 16;

/// Establishes `count` connections with keep-alive armed, at `now` and later. Returns the time after.
pub(crate) fn establish(stack: &mut Stack, count: usize, mut now: Instant) -> Instant {
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 4]);
    listener.set_buffers(0, 0, count);
    let listener = stack.sockets.add(listener);
    let [from, to] = &mut [Queue::new(), Queue::new()];
    stack.sockets.listen(listener, PORT).expect("the port is free");
    for peer in 0..count {
        now += Duration::from_micros(1);
        let syn_ack = feed(stack, now, &segment(stack.number, peer, SYN, 1_000, 0)).expect("a SYN-ACK");
        let iss = u32::from_be_bytes(syn_ack[38..42].try_into().expect("four octets"));
        feed(stack, now, &segment(stack.number, peer, ACK, 1_001, iss.wrapping_add(1)));
        let handle = stack.sockets.accept(listener).expect("the connection is established");
        assert_eq!(stack.tcp(handle).state(), State::Established);
        stack.tcp(handle).set_keep_alive(Some(KEEP_ALIVE));
        stack.iface.poll(now, &mut End { from, to }, &mut stack.sockets);
        while stack.sockets.next_ready().is_some() {}
    }
    assert_eq!(to.sent, 0, "an idle connection has something to say");
    now
}

/// Gives the stack a frame and returns what it answers at once.
fn feed(stack: &mut Stack, now: Instant, frame: &[u8]) -> Option<Vec<u8>> {
    let mut answer = None;
    let out = Some(Catch(&mut answer));
    stack.iface.process(now, frame, RxMeta::default(), out, &mut stack.sockets, &mut NoHandler);
    answer
}

/// A segment without payload, from a peer to the listener.
fn segment(to: u8, peer: usize, flags: u8, seq: u32, ack: u32) -> [u8; FRAME] {
    const { assert!(FRAME <= FRAME_LEN) }
    let mut frame = [0; FRAME];
    frame[..6].copy_from_slice(&hardware(to));
    frame[6..12].copy_from_slice(&hardware(3 - to));
    frame[12..14].copy_from_slice(&[8, 0]);
    let [high, low] = ((peer / PORTS) as u16).to_be_bytes();
    let IpAddress::Ipv4(destination) = address(to).into() else { unreachable!("an IPv4 address") };
    frame[14..26].copy_from_slice(&[0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0]);
    frame[26..30].copy_from_slice(&[172, 16, high, low]);
    frame[30..34].copy_from_slice(&destination.octets());
    let sum = checksum(&frame[14..34], 0);
    frame[24..26].copy_from_slice(&sum);
    frame[34..36].copy_from_slice(&((1_024 + peer % PORTS) as u16).to_be_bytes());
    frame[36..38].copy_from_slice(&PORT.to_be_bytes());
    frame[38..42].copy_from_slice(&seq.to_be_bytes());
    frame[42..46].copy_from_slice(&ack.to_be_bytes());
    frame[46..50].copy_from_slice(&[0x50, flags, 0x10, 0]);
    // The pseudo-header: both addresses, the protocol, the length.
    let sum = checksum(&frame[26..54], 6 + 20);
    frame[50..52].copy_from_slice(&sum);
    frame
}

/// RFC 1071, of an even number of octets.
fn checksum(octets: &[u8], more: u32) -> [u8; 2] {
    let words = octets.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum = words.sum::<u32>() + more;
    let sum = (sum & 0xffff) + (sum >> 16);
    (!((sum + (sum >> 16)) as u16)).to_be_bytes()
}
