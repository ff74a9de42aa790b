//! Explicit congestion notification in packets: what the two bits of the IP header do to TCP, and TCP to them.

use super::net::*;
use crate::iface::SocketHandle;
use crate::phy::TxChecksum;
use crate::socket::tcp::{EcnMode, Socket};
use crate::storage::SocketBuffer;
use crate::wire::IpAddress;
use crate::wire::checksum::sum;
use crate::wire::tcp::Flags;

/// Octets of payload in a full segment.
const MSS: usize = 1_460;

fn word(octets: &[u8]) -> u32 {
    u32::from_be_bytes(octets[..4].try_into().unwrap())
}

/// An IPv4 packet with these two bits.
fn marked(mut packet: Vec<u8>, bits: u8) -> Vec<u8> {
    packet[1] |= bits;
    packet[10..12].fill(0);
    let checksum = sum(&packet[..20]).finish();
    packet[10..12].copy_from_slice(&checksum);
    packet
}

/// A connection that has asked for it and was granted it.
struct Bench {
    net: Net,
    handle: SocketHandle,
    /// The number of the first octet that we send, and of the next that the peer does.
    first: u32,
    peer: u32,
}

impl Bench {
    fn new(max_segmentation_len: usize) -> Bench {
        let mut net = Net::ip();
        net.iface.capabilities.max_segmentation_len = max_segmentation_len;
        net.iface.capabilities.tx_checksum = TxChecksum::TCP;
        let buffer = || SocketBuffer::new(vec![0; 60_000]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_ecn(EcnMode::Ask);
        socket.set_traffic_class(0xb8);
        let handle = net.sockets.add(socket);
        net.sockets.get_mut::<Socket>(handle).connect((IpAddress::v4(10, 0, 0, 2), 4_000), 80).unwrap();
        net.poll();
        let syn = net.sent().remove(0);
        assert_eq!((syn[1], syn[33]), (0xb8, (Flags::SYN | Flags::ECE | Flags::CWR).bits()));
        let first = word(&syn[24..]).wrapping_add(1);
        let (flags, options) = (Flags::SYN | Flags::ACK | Flags::ECE, [2, 4, 5, 0xb4]);
        let ack =
            net.exchange(tcp4(PEER_IP, OUR_IP, (4_000, 80), (99, first), flags, &options, &[])).remove(0);
        assert_eq!((ack[1], ack[33]), (0xb8, Flags::ACK.bits()), "a pure ACK can't be marked");
        net.wire.asked.clear();
        Bench { net, handle, first, peer: 100 }
    }

    fn send(&mut self, len: usize) -> Vec<Vec<u8>> {
        self.net.sockets.get_mut::<Socket>(self.handle).send_slice(&vec![5; len]).unwrap();
        self.net.poll();
        self.net.sent()
    }

    /// A segment of the peer, which has our data up to `at`.
    fn segment(&mut self, at: usize, flags: Flags, data: &[u8]) -> Vec<u8> {
        let numbers = (self.peer, self.first.wrapping_add(at as u32));
        self.peer += data.len() as u32;
        tcp4(PEER_IP, OUR_IP, (4_000, 80), numbers, Flags::ACK | flags, &[], data)
    }
}

/// Covers: RFC 3168 §5, §6.1.3
#[test]
fn a_mark_in_the_ip_header_is_told_of_and_no_other_code_point_is() {
    for (bits, is_told) in [(0, false), (1, false), (2, false), (3, true)] {
        let mut bench = Bench::new(0);
        let mut acks = Vec::new();
        for bits in [bits, 2, 2] {
            let segment = marked(bench.segment(0, Flags::empty(), &[1; 1_000]), bits);
            acks.extend(bench.net.exchange(segment));
        }
        let ack = acks.last().expect("two segments call for an ACK");
        assert_eq!(Flags::from_bits_retain(ack[33]).contains(Flags::ECE), is_told, "{bits}");
        assert_eq!(ack[1], 0xb8);
    }
}

/// Covers: RFC 3168 §5, §6.1.2
#[test]
fn of_a_burst_the_first_segment_alone_tells_of_the_reduction() {
    for (max_segmentation_len, pieces) in [(0, None), (5_000, Some([MSS, 3 * MSS]))] {
        let mut bench = Bench::new(max_segmentation_len);
        assert!(bench.send(10 * MSS).iter().all(|packet| packet[1] == 0xba && packet[33] & 0xc0 == 0));
        // All is told of at once, so that several segments may go.
        let told = bench.segment(10 * MSS, Flags::ECE, &[]);
        bench.net.exchange(told);
        bench.net.wire.asked.clear();
        let sent = bench.send(6 * MSS);
        let tells: Vec<_> = sent.iter().map(|packet| packet[33] & Flags::CWR.bits() != 0).collect();
        assert!(sent.len() > 1 && tells[0] && !tells[1..].contains(&true), "{tells:?}");
        assert!(sent.iter().all(|packet| packet[1] == 0xba));
        if let Some([first, second]) = pieces {
            // A device might say it with each segment that it cuts.
            assert_eq!((sent[0].len() - 40, sent[1].len() - 40), (first, second));
            assert_eq!(bench.net.wire.asked[0].segment_len, 0);
        }
    }
}
