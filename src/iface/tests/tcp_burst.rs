//! Bursts, in packets: what is planned at once leaves as full segments, or as what the device cuts into them.

use super::net::*;
use crate::config::PACKETS_PER_TURN;
use crate::iface::{Budget, Config, Handler, Hook, HookSet, NoHandler, SocketHandle, Verdict};
use crate::phy::{HardwareAddress, TxChecksum, TxMeta};
use crate::socket::tcp::{Socket, State};
use crate::stats::DropReason;
use crate::storage::SocketBuffer;
use crate::time::Duration;
use crate::wire::checksum::{pseudo_header, sum};
use crate::wire::tcp::Flags;
use crate::wire::{Addr, IpAddress, IpCidr};

/// Octets of payload in a full segment.
const MSS: usize = 1_460;
/// Nearly what the first window has, and no multiple of a segment.
const LEN: usize = 9 * MSS + 700;
const ACK: Flags = Flags::ACK;
/// Of the last octets of the send buffer.
const PUSH: Flags = Flags::ACK.union(Flags::PSH);

fn word(octets: &[u8]) -> u32 {
    u32::from_be_bytes(octets[..4].try_into().unwrap())
}

/// What is sent; most tests send its beginning.
fn data() -> Vec<u8> {
    (0..30 * MSS).map(|i| ((i * i) >> 7) as u8).collect()
}

/// A connection with a window of ten segments, that sent nothing yet.
struct Bench {
    net: Net,
    handle: SocketHandle,
    /// The number of the first octet.
    first: u32,
}

impl Bench {
    fn new(max_segmentation_len: usize, tx_checksum: TxChecksum) -> Bench {
        Bench::on(Net::ip(), max_segmentation_len, tx_checksum)
    }

    fn on(mut net: Net, max_segmentation_len: usize, tx_checksum: TxChecksum) -> Bench {
        net.iface.capabilities.max_segmentation_len = max_segmentation_len;
        net.iface.capabilities.tx_checksum = tx_checksum;
        let buffer = || SocketBuffer::new(vec![0; 60_000]);
        let handle = net.sockets.add(Socket::new(buffer(), buffer()));
        net.sockets.get_mut::<Socket>(handle).connect((IpAddress::v4(10, 0, 0, 2), 4_000), 80).unwrap();
        net.poll();
        let first = word(&net.sent()[0][24..]).wrapping_add(1);
        let (flags, options) = (Flags::SYN | Flags::ACK, [2, 4, 5, 0xb4]);
        net.exchange(tcp4(PEER_IP, OUR_IP, (4_000, 80), (99, first), flags, &options, &[]));
        net.wire.asked.clear();
        Bench { net, handle, first }
    }

    fn socket(&mut self) -> &mut Socket<'static> {
        self.net.sockets.get_mut(self.handle)
    }

    /// Polls, and says where in the data the packets begin that left, how long their payloads are, and their flags.
    fn sent(&mut self) -> Vec<(usize, usize, Flags)> {
        self.net.poll();
        self.net.sent().iter().map(|packet| self.look(packet)).collect()
    }

    fn sent_count(&mut self) -> usize {
        self.net.poll();
        self.net.sent().len()
    }

    fn look(&self, packet: &[u8]) -> (usize, usize, Flags) {
        assert!(sum(&packet[..20]).is_valid());
        let (at, payload) = (word(&packet[24..]).wrapping_sub(self.first) as usize, &packet[40..]);
        assert_eq!(payload, &data()[at..at + payload.len()]);
        (at, payload.len(), Flags::from_bits_retain(packet[33]))
    }

    fn acknowledge(&mut self, at: usize) {
        let numbers = (100, self.first.wrapping_add(at as u32));
        let segment = tcp4(PEER_IP, OUR_IP, (4_000, 80), numbers, ACK, &[], &[]);
        self.net.wire.to_stack.push_back(segment);
    }
}

fn full(count: usize) -> Vec<(usize, usize, Flags)> {
    (0..count).map(|i| (i * MSS, MSS, ACK)).collect()
}

/// Covers: RFC 9293 MUST-61
#[test]
fn a_burst_leaves_as_full_segments_and_only_the_last_pushes_and_finishes() {
    let mut bench = Bench::new(0, TxChecksum::empty());
    bench.socket().send_slice(&data()[..LEN]).unwrap();
    bench.socket().close();
    bench.net.poll();
    let packets = bench.net.sent();
    packets.iter().for_each(|packet| assert_checksums(packet));
    let mut expected = full(9);
    expected.push((9 * MSS, 700, PUSH | Flags::FIN));
    assert_eq!(packets.iter().map(|packet| bench.look(packet)).collect::<Vec<_>>(), expected);
    let idents: Vec<_> = packets.iter().map(|packet| [packet[4], packet[5]]).collect();
    assert!(idents.windows(2).all(|pair| pair[0] != pair[1]), "{idents:?}");
}

#[test]
fn a_burst_that_the_device_has_no_room_for_goes_on_where_it_ended() {
    for room in 1..12 {
        let mut bench = Bench::new(0, TxChecksum::empty());
        bench.socket().send_slice(&data()[..LEN]).unwrap();
        bench.socket().close();
        let mut sent = Vec::new();
        for _ in 0..12 {
            bench.net.wire.room = room;
            sent.extend(bench.sent());
        }
        let mut expected = full(9);
        expected.push((9 * MSS, 700, PUSH | Flags::FIN));
        assert_eq!(sent, expected, "{room}");
    }
}

#[test]
fn a_turn_ends_within_a_burst() {
    let mut bench = Bench::new(0, TxChecksum::empty());
    bench.socket().send_slice(&data()).unwrap();
    assert_eq!(bench.sent(), full(10));
    bench.acknowledge(10 * MSS);
    let budget = Budget { frames: 2, octets: usize::MAX };
    let Net { now, wire, iface, sockets } = &mut bench.net;
    // Twenty may leave now, and the budget is looked at between turns.
    let progress = iface.poll_with(*now, wire, sockets, &mut NoHandler, budget);
    assert_eq!((progress.sent, progress.more), (PACKETS_PER_TURN, true));
    bench.net.poll();
    let sent: Vec<_> = bench.net.sent().iter().map(|packet| bench.look(packet)).collect();
    assert_eq!((sent.len(), sent[0].0, sent[19].0), (20, 10 * MSS, 29 * MSS));
    assert_eq!(sent[19].2, PUSH);
}

#[test]
fn a_device_that_cuts_gets_whole_numbers_of_segments() {
    let mut bench = Bench::new(5_000, TxChecksum::TCP);
    bench.socket().send_slice(&data()[..LEN]).unwrap();
    let expected =
        [(0, 3 * MSS, ACK), (3 * MSS, 3 * MSS, ACK), (6 * MSS, 3 * MSS, ACK), (9 * MSS, 700, PUSH)];
    assert_eq!(bench.sent(), expected);
    let asked: Vec<_> = bench.net.wire.asked.iter().map(|meta| meta.segment_len).collect();
    assert_eq!(asked, [MSS as u16, MSS as u16, MSS as u16, 0]);
    for meta in &bench.net.wire.asked {
        assert_eq!((meta.checksum_start, meta.checksum_offset), (20, 16));
    }
    bench.acknowledge(LEN);
    bench.net.poll();
    assert_eq!(bench.socket().send_queue(), 0);
}

/// What is in the field of a packet that is to be cut is the pseudo-header's sum.
#[test]
fn a_device_that_cuts_makes_the_sums() {
    let mut bench = Bench::new(65_535, TxChecksum::TCP);
    bench.socket().send_slice(&data()[..LEN]).unwrap();
    bench.net.poll();
    let packet = bench.net.sent().remove(0);
    let pseudo = pseudo_header(&Addr::v4(OUR_IP), &Addr::v4(PEER_IP), 6, packet.len() as u32 - 20);
    assert_eq!(packet[36..38], pseudo.partial());
    assert_eq!(bench.look(&packet), (0, LEN, PUSH));
}

/// What is received ends the connection, so that nothing leaves after it.
#[test]
fn what_is_queued_leaves_before_anything_is_received_where_the_device_cuts() {
    for (max_segmentation_len, count) in [(65_535, 1), (0, 0)] {
        let mut bench = Bench::new(max_segmentation_len, TxChecksum::TCP);
        bench.socket().send_slice(&data()[..LEN]).unwrap();
        let numbers = (100, bench.first);
        let reset = tcp4(PEER_IP, OUR_IP, (4_000, 80), numbers, Flags::RST, &[], &[]);
        bench.net.wire.to_stack.push_back(reset);
        assert_eq!(bench.sent().len(), count);
        assert_eq!(bench.socket().state(), State::Closed);
    }
}

/// Who has nothing new to send waits: its acknowledgment may tell more.
#[test]
fn what_is_received_is_acknowledged_once_where_the_device_cuts() {
    let mut bench = Bench::new(65_535, TxChecksum::TCP);
    let segment = |at: u32, first| {
        let numbers = (100 + at * MSS as u32, first);
        tcp4(PEER_IP, OUR_IP, (4_000, 80), numbers, ACK, &[], &data()[..MSS])
    };
    for at in [0, 25] {
        (at..at + 25).for_each(|at| bench.net.wire.to_stack.push_back(segment(at, bench.first)));
        assert_eq!(bench.sent_count(), 1, "from the segment {at} on");
        // Room for as many more, which the peer is not told of before they come.
        bench.socket().recv(|octets| (octets.len(), ())).unwrap();
    }
}

/// It shares the budget with what leaves after that.
#[test]
fn what_leaves_first_is_within_the_budget() {
    let mut bench = Bench::new(MSS + 40, TxChecksum::TCP);
    bench.socket().send_slice(&data()[..10 * MSS]).unwrap();
    bench.net.poll();
    bench.acknowledge(10 * MSS);
    bench.net.poll();
    // Twenty may leave now.
    bench.socket().send_slice(&data()[10 * MSS..]).unwrap();
    let budget = Budget { frames: 1, octets: usize::MAX };
    let Net { now, wire, iface, sockets } = &mut bench.net;
    let progress = iface.poll_with(*now, wire, sockets, &mut NoHandler, budget);
    assert_eq!((progress.sent, progress.more), (PACKETS_PER_TURN, true));
}

#[test]
fn a_device_that_does_not_sum_does_not_cut() {
    let mut bench = Bench::new(5_000, TxChecksum::UDP);
    bench.socket().send_slice(&data()[..LEN]).unwrap();
    assert_eq!(bench.sent().len(), 10);
    assert!(bench.net.wire.asked.iter().all(|meta| meta.segment_len == 0));
}

/// Who watches what leaves sees it in the pool, where nobody would say what is to be cut.
#[test]
fn a_device_that_cuts_gets_segments_if_the_handler_watches_what_leaves() {
    struct Watcher(Vec<usize>);
    impl Handler for Watcher {
        fn packet(&mut self, _hook: Hook, _interface: u8, packet: &[u8]) -> Verdict {
            self.0.push(packet.len());
            Verdict::Accept
        }
        fn hooks(&self) -> HookSet {
            HookSet::POST_ROUTE
        }
    }
    let mut bench = Bench::new(65_535, TxChecksum::TCP);
    bench.socket().send_slice(&data()[..2 * MSS]).unwrap();
    let mut watcher = Watcher(Vec::new());
    let Net { now, wire, iface, sockets } = &mut bench.net;
    iface.poll_with(*now, wire, sockets, &mut watcher, Budget::default());
    assert_eq!(watcher.0, [MSS + 40; 2]);
    assert_eq!(bench.net.wire.asked, [TxMeta::default(); 2]);
    assert_eq!(bench.sent(), [(0, MSS, ACK), (MSS, MSS, PUSH)]);
}

/// What a turn would send has no way any more: it counts as sent, as far as a turn goes, and is one drop; with nothing
/// to send there is none.
#[test]
#[cfg(feature = "tcp-info")]
fn a_turn_without_a_way_loses_what_it_would_have_sent() {
    let mut bench = Bench::new(0, TxChecksum::empty());
    bench.socket().send_slice(&data()[..10 * MSS]).unwrap();
    assert_eq!(bench.sent_count(), 10);
    bench.acknowledge(10 * MSS);
    assert_eq!(bench.sent_count(), 0);
    assert!(bench.net.iface.remove_address(IpAddress::v4(10, 0, 0, 1)));
    let lost = |bench: &mut Bench| {
        bench.net.poll();
        assert!(bench.net.sent().is_empty());
        let now = bench.net.now;
        let out = bench.socket().info(now).unwrap().unacked;
        (bench.net.iface.stats().drops(DropReason::NoRoute), out as usize)
    };
    bench.socket();
    assert_eq!(lost(&mut bench), (0, 0));
    // Twenty may leave now.
    bench.socket().send_slice(&data()[10 * MSS..]).unwrap();
    assert_eq!(lost(&mut bench), (1, PACKETS_PER_TURN));
}

/// Covers: RFC 6298 §5.4
#[test]
fn what_is_sent_again_is_a_segment() {
    let mut bench = Bench::new(65_535, TxChecksum::TCP);
    bench.socket().send_slice(&data()[..LEN]).unwrap();
    assert_eq!(bench.sent().len(), 1);
    let mut again = Vec::new();
    for _ in 0..40 {
        bench.net.advance(Duration::from_millis(100));
        again.extend(bench.sent());
    }
    assert!(!again.is_empty() && again.iter().all(|&(_, len, _)| len <= MSS), "{again:?}");
}

/// The clock is stopped by what arrives first, not by the last of a burst.
///
/// Covers: RFC 6298 §4
#[test]
fn a_burst_is_timed_by_its_first_segment() {
    let mut bench = Bench::new(0, TxChecksum::empty());
    bench.socket().send_slice(&data()[..LEN]).unwrap();
    assert_eq!(bench.sent().len(), 10);
    let before = bench.socket().round_trip_time();
    bench.net.advance(Duration::from_millis(80));
    bench.acknowledge(MSS);
    bench.net.poll();
    assert!(bench.socket().round_trip_time() > before.map(|before| before + Duration::from_millis(5)));
}

/// A link that carries less than is asked of one; a device that cuts would put longer frames on it.
#[test]
fn nothing_is_cut_for_a_link_that_no_segment_fits() {
    let mut net = Net::ip();
    net.wire.ip_mtu = 100;
    net.iface = interface(Config::new(HardwareAddress::Ip), &net.wire, 0);
    net.iface.add_address(IpCidr::new(IpAddress::v4(10, 0, 0, 1), 24)).unwrap();
    let mut bench = Bench::on(net, 65_535, TxChecksum::TCP);
    bench.socket().send_slice(&data()[..LEN]).unwrap();
    assert_eq!(bench.sent(), []);
    assert!(bench.net.iface.stats().drops(DropReason::TooBig) > 0);
}

/// What a device has put together says nothing of how long the peer's segments are: those that come alone are acknowledged
/// as ever.
///
/// Covers: RFC 9293 MUST-58
#[test]
fn every_second_segment_is_acknowledged_also_after_many_that_came_together() {
    let mut bench = Bench::new(0, TxChecksum::empty());
    let mut seq = 100;
    for (segments, count) in [(20, 1), (2, 1), (1, 0), (1, 1), (3, 1)] {
        let (len, numbers) = (segments * MSS, (seq, bench.first));
        let together = tcp4(PEER_IP, OUR_IP, (4_000, 80), numbers, ACK, &[], &data()[..len]);
        bench.net.wire.to_stack.push_back(together);
        assert_eq!(bench.sent_count(), count, "{segments} together");
        seq += len as u32;
    }
}
