//! Where there is no network to share with the kernel: two stacks over a simulated link.
//!
//! Time is virtual. It goes on to when something happens next, so that nothing ever waits.

use std::net::IpAddr;
use std::sync::Arc;
use std::time;

use goldcrest::phy::{Device, Medium, PathConfig, RxToken, SimConfig, SimLink, SimPort, TxToken};
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{
    Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv4Packet, Ipv4Repr, Ipv6Packet,
    Ipv6Repr,
};

use crate::report::Report;
use crate::stack::Stack;
use crate::transfer::Data;
use crate::{Capture, Captured, OURS, PEER, PINGS, Result};

/// Our stack, whose frames are written to the file.
type Ours = Stack<Captured<SimPort>>;

/// How far virtual time may get: a transfer takes a second or so.
const END: Instant = Instant::from_secs(60);

/// Pings and transfers.
pub(crate) fn converse(capture: Capture, data: &Arc<Data>, report: &mut Report) -> Result<()> {
    println!("So two Goldcrests talk over a simulated link of 1 Gbit/s and 0.1 ms, in virtual time:");
    let path = PathConfig {
        delay: Duration::from_micros(100),
        rate: 1_000_000_000,
        queue_frames: 1_000,
        ..PathConfig::default()
    };
    let (mut cable, device) = SimLink::pair(SimConfig::symmetric(Medium::Ip, path), 1);
    let mut now = Instant::ZERO;
    let mut ours = Stack::new(capture.of_simulated(device)?, [1; 32], OURS, data, now)?;
    for (from, to) in PEER.into_iter().zip(OURS) {
        let times: Result<Vec<time::Duration>> =
            (1..=PINGS).map(|seq_no| ping(&mut cable, &mut ours, &mut now, (from, to), seq_no)).collect();
        report.pings(to, &times?);
    }
    let mut peer = Stack::new(cable, [2; 32], PEER, data, now)?;
    for (our_address, peer_address) in OURS.into_iter().zip(PEER) {
        peer.send(our_address, now)?;
        let took = run(&mut ours, &mut peer, &mut now)?;
        report.transfer("peer to stack", our_address, data, took);
        ours.send(peer_address, now)?;
        let took = run(&mut ours, &mut peer, &mut now)?;
        report.transfer("stack to peer", our_address, data, took);
    }
    report.counters(&ours.mib(), ours.stats());
    Ok(())
}

/// Drives both stacks until the one that sends is done. How long that took it.
fn run(ours: &mut Ours, peer: &mut Stack<SimPort>, now: &mut Instant) -> Result<time::Duration> {
    loop {
        ours.poll(*now)?;
        peer.poll(*now)?;
        if let Some(took) = ours.take_sent().or(peer.take_sent()) {
            return Ok(took.into());
        }
        let next = ours.poll_at(*now).into_iter().chain(peer.poll_at(*now)).min();
        *now = next.filter(|at| *at < END).ok_or("nothing happens any more")?.max(*now);
    }
}

/// Sends an echo request by the bare end of the link. How long the answer took.
fn ping(
    cable: &mut SimPort,
    ours: &mut Ours,
    now: &mut Instant,
    (from, to): (IpAddr, IpAddr),
    seq_no: u16,
) -> Result<time::Duration> {
    let began_at = *now;
    let packet = echo_request(from, to, seq_no)?;
    let token = cable.transmit(*now).ok_or("the link is full")?;
    token.consume(packet.len(), |frame| frame.copy_from_slice(&packet));
    loop {
        ours.poll(*now)?;
        if let Some((frame, _)) = cable.receive(*now) {
            // It is of the same length, and differs in type, checksum and hop limit alone. What the stack tells
            // routers of its groups may come before.
            if frame.consume(|frame| frame.len() == packet.len() && frame.ends_with(&[0x69; 56])) {
                return Ok((*now - began_at).into());
            }
        }
        let next = ours.poll_at(*now).into_iter().chain(cable.poll_at(*now)).min();
        *now = next.ok_or("the echo request was lost")?.max(*now);
    }
}

/// An IP packet with an echo request.
fn echo_request(from: IpAddr, to: IpAddr, seq_no: u16) -> Result<Vec<u8>> {
    const HOP_LIMIT: u8 = 64;
    let (ident, data) = (1, &[0x69; 56]);
    let len = 8 + data.len();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let header = Ipv4Repr::new(from, to, IpProtocol::ICMP, len as u16, HOP_LIMIT);
            let mut packet = vec![0; header.buffer_len() + len];
            header.emit(&mut Ipv4Packet::new_unchecked(&mut packet));
            let message = &mut packet[header.buffer_len()..];
            Icmpv4Repr::EchoRequest { ident, seq_no, data }.emit(&mut Icmpv4Packet::new_unchecked(message));
            Ok(packet)
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let header = Ipv6Repr::new(from, to, IpProtocol::ICMPV6, len as u16, HOP_LIMIT);
            let mut packet = vec![0; header.buffer_len() + len];
            header.emit(&mut Ipv6Packet::new_unchecked(&mut packet));
            let message = &mut packet[header.buffer_len()..];
            let request = Icmpv6Repr::EchoRequest { ident, seq_no, data };
            request.emit(&from, &to, &mut Icmpv6Packet::new_unchecked(message));
            Ok(packet)
        }
        _ => Err("two families".into()),
    }
}
