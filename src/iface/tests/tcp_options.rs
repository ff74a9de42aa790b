//! Options that the handler makes and checks, as the wire sees them: here a secret word.

use core::ops::Range;

use super::net::*;
use crate::iface::{Budget, Handler, NoHandler, SocketHandle, Verdict};
use crate::phy::TxChecksum;
use crate::socket::tcp::{HalfOpen, Listener, Socket, State};
use crate::stats::DropReason;
use crate::storage::SocketBuffer;
use crate::time::Duration;
use crate::wire::tcp::{Flags, Packet};
use crate::wire::{IpAddress, IpEndpoint};

const PORTS: (u16, u16) = (4_000, 80);
const SYN_ACK: Flags = Flags::SYN.union(Flags::ACK);
const RST_ACK: Flags = Flags::RST.union(Flags::ACK);
/// An option for experiments (RFC 4727): the word.
const WORD: [u8; 8] = [253, 8, 1, 2, 3, 4, 5, 6];
const WRONG: [u8; 8] = [253, 8, 6, 5, 4, 3, 2, 1];
const REMOTE: IpEndpoint = IpEndpoint::new(IpAddress::v4(10, 0, 0, 2), PORTS.0);
const LOCAL: IpEndpoint = IpEndpoint::new(IpAddress::v4(10, 0, 0, 1), PORTS.1);

/// Knows the word, and notes what it was asked about.
#[derive(Default)]
struct Word {
    filled: usize,
    checked: usize,
}

impl Handler for Word {
    fn segment_received(&mut self, remote: IpEndpoint, local: IpEndpoint, segment: &[u8]) -> Verdict {
        assert_eq!((remote, local), (REMOTE, LOCAL));
        self.checked += 1;
        let packet = Packet::new_checked(segment).unwrap();
        if packet.options().ends_with(&WORD) { Verdict::Accept } else { Verdict::Drop }
    }

    fn fill_options(
        &mut self,
        remote: IpEndpoint,
        local: IpEndpoint,
        segment: &mut [u8],
        room: Range<usize>,
    ) {
        assert_eq!((remote, local), (REMOTE, LOCAL));
        let packet = Packet::new_checked(&*segment).unwrap();
        assert_eq!((room.len(), room.end), (WORD.len(), segment.len() - packet.payload().len()));
        assert_eq!(
            (&segment[room.clone()], packet.checksum()),
            (&[1; 8][..], 0),
            "padding, and no checksum yet"
        );
        segment[room].copy_from_slice(&WORD);
        self.filled += 1;
    }
}

/// A segment that was sent: flags, sequence and acknowledgment number, octets of payload.
type Sent = (Flags, u32, u32, usize);

struct Desk {
    net: Net,
    word: Word,
}

impl Desk {
    fn new() -> Desk {
        Desk { net: Net::ip(), word: Word::default() }
    }

    fn listener(&mut self) -> SocketHandle {
        let mut listener = Listener::new(vec![HalfOpen::EMPTY; 4]);
        listener.set_buffers(4_000, 20_000, 4);
        listener.set_option_room(WORD.len()).unwrap();
        let handle = self.net.sockets.add(listener);
        self.net.sockets.listen(handle, PORTS.1).unwrap();
        handle
    }

    fn poll(&mut self) -> Vec<Sent> {
        let Net { now, wire, iface, sockets } = &mut self.net;
        iface.poll_with(*now, wire, sockets, &mut self.word, Budget::default());
        self.net.sent().iter().map(|packet| read(packet)).collect()
    }

    /// Gives a segment with this option; each answer has the word.
    fn give(&mut self, option: &[u8], seq: u32, ack: u32, flags: Flags, data: &[u8]) -> Vec<Sent> {
        self.net.wire.to_stack.push_back(tcp4(PEER_IP, OUR_IP, PORTS, (seq, ack), flags, option, data));
        self.poll()
    }

    fn refused(&self) -> u32 {
        self.net.iface.stats().drops(DropReason::OptionRefused)
    }

    /// A connection of the listener's; the peer's next number is 51.
    fn accepted(&mut self) -> (SocketHandle, u32) {
        let listener = self.listener();
        let options = [&[2, 4, 5, 180][..], &WORD].concat();
        let [(SYN_ACK, iss, 51, 0)] = self.give(&options, 50, 0, Flags::SYN, &[])[..] else { panic!() };
        assert_eq!(self.give(&WORD, 51, iss + 1, Flags::ACK, &[]), []);
        (self.net.sockets.accept(listener).unwrap(), iss + 1)
    }

    fn socket(&mut self, handle: SocketHandle) -> &mut Socket<'static> {
        self.net.sockets.get_mut(handle)
    }
}

fn read(packet: &[u8]) -> Sent {
    assert_checksums(packet);
    let segment = Packet::new_checked(&packet[20..]).unwrap();
    assert!(segment.options().ends_with(&WORD), "{:?}", segment.options());
    let numbers = (segment.seq_number().0, segment.ack_number().0);
    (segment.flags(), numbers.0, numbers.1, segment.payload().len())
}

/// Covers: RFC 2385 §4.1, RFC 5925 §7.4
#[test]
fn every_segment_of_a_connection_has_the_option() {
    let mut desk = Desk::new();
    let (server, seq) = desk.accepted();
    desk.socket(server).send_slice(&[7; 3_000]).unwrap();
    desk.socket(server).close();
    let sent = desk.poll();
    let full = 1_460 - WORD.len();
    let lens: Vec<_> = sent.iter().map(|sent| sent.3).collect();
    assert_eq!(lens, [full, full, 3_000 - 2 * full], "segments are shorter by the room");
    desk.net.advance(Duration::from_secs(2));
    let again = desk.poll();
    assert_eq!(again[0].1, seq, "sent again");
    assert_eq!(desk.give(&WORD, 51, seq + 3_001, Flags::ACK, b"data"), []);
    desk.net.advance(Duration::from_millis(50));
    assert_eq!(desk.poll(), [(Flags::ACK, seq + 3_001, 55, 0)]);
    assert_eq!(desk.socket(server).recv_slice(&mut [0; 9]), Ok(4));
    assert_eq!(desk.give(&WORD, 55, seq + 3_001, Flags::ACK | Flags::FIN, &[])[0].2, 56);
    assert_eq!(desk.net.sockets.time_wait_count(), 1);
    // The record answers with it, too.
    assert_eq!(desk.give(&WORD, 55, seq + 3_001, Flags::ACK | Flags::FIN, &[])[0].2, 56);
    assert_eq!(desk.refused(), 0);
}

/// Covers: RFC 2385 §4.1, RFC 5925 §7.4
#[test]
fn resets_have_the_option() {
    let mut desk = Desk::new();
    let (server, seq) = desk.accepted();
    desk.socket(server).abort();
    assert_eq!(desk.poll(), [(RST_ACK, seq, 51, 0)]);
    // Of a connection that its socket has left.
    let mut desk = Desk::new();
    let (server, seq) = desk.accepted();
    desk.net.sockets.remove(server);
    assert_eq!(desk.poll(), [(RST_ACK, seq, 51, 0)]);
    // Of what the listener does not know, and of an orphan's data.
    assert_eq!(desk.give(&WORD, 70, 900, Flags::ACK, &[]), [(Flags::RST, 900, 0, 0)]);
    let mut desk = Desk::new();
    let (server, seq) = desk.accepted();
    desk.net.sockets.release(server).unwrap();
    desk.poll();
    assert_eq!(desk.give(&WORD, 51, seq + 1, Flags::ACK, b"late")[0].0, Flags::RST);
}

/// Covers: RFC 2385 §2.0, RFC 5925 §7.3, §7.5
#[test]
fn what_the_handler_refuses_has_never_come() {
    let mut desk = Desk::new();
    let listener = desk.listener();
    for option in [&WRONG[..], &[]] {
        for flags in [Flags::SYN, Flags::ACK, Flags::RST, SYN_ACK] {
            assert_eq!(desk.give(option, 50, 9, flags, &[]), [], "{flags:?}");
        }
    }
    assert_eq!(desk.refused(), 8);
    assert_eq!(desk.net.sockets.get::<Listener>(listener).half_open_count(), 0);
    // Half-open: neither a reset nor an ACK counts.
    let [(SYN_ACK, iss, 51, 0)] = desk.give(&WORD, 50, 0, Flags::SYN, &[])[..] else { panic!() };
    for flags in [Flags::RST, Flags::ACK, Flags::SYN] {
        assert_eq!(desk.give(&WRONG, 51, iss + 1, flags, &[]), []);
    }
    assert_eq!(desk.net.sockets.get::<Listener>(listener).half_open_count(), 1);
    assert_eq!(desk.net.sockets.accept(listener), None);
    // Established: neither data nor a reset of the exact number.
    desk.give(&WORD, 51, iss + 1, Flags::ACK, &[]);
    let server = desk.net.sockets.accept(listener).unwrap();
    for (seq, flags) in [(51, Flags::RST), (51, Flags::ACK), (51, Flags::ACK | Flags::FIN), (99, Flags::SYN)]
    {
        assert_eq!(desk.give(&WRONG, seq, iss + 1, flags, b"forged"), []);
        assert_eq!(desk.socket(server).state(), State::Established);
        assert_eq!(desk.socket(server).recv_queue(), 0);
    }
    // TIME-WAIT.
    desk.socket(server).close();
    desk.poll();
    desk.give(&WORD, 51, iss + 2, Flags::ACK | Flags::FIN, &[]);
    assert_eq!(desk.net.sockets.time_wait_count(), 1);
    desk.net.sockets.remove(listener);
    for flags in [Flags::SYN, Flags::ACK | Flags::FIN] {
        assert_eq!(desk.give(&WRONG, 51, iss + 2, flags, &[]), []);
        assert_eq!(desk.give(&WORD, 51, iss + 2, flags, &[])[0].0, Flags::ACK);
    }
    assert_eq!(desk.net.sockets.time_wait_count(), 1);
}

/// A poll without the handler takes and opens nothing.
#[test]
fn without_a_handler_nothing_is_taken() {
    let mut desk = Desk::new();
    desk.listener();
    desk.net.wire.to_stack.push_back(tcp4(PEER_IP, OUR_IP, PORTS, (50, 0), Flags::SYN, &WORD, &[]));
    let Net { now, wire, iface, sockets } = &mut desk.net;
    iface.poll_with(*now, wire, sockets, &mut NoHandler, Budget::default());
    assert!(desk.net.sent().is_empty());
    assert_eq!(desk.refused(), 1);
}

/// Who has not asked for it is not asked.
#[test]
fn other_connections_have_neither_room_nor_checks() {
    let mut desk = Desk::new();
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 4]);
    listener.set_buffers(4_000, 4_000, 4);
    let listener = desk.net.sockets.add(listener);
    desk.net.sockets.listen(listener, PORTS.1).unwrap();
    desk.net.wire.to_stack.push_back(tcp4(PEER_IP, OUR_IP, PORTS, (50, 0), Flags::SYN, &[], &[]));
    let Net { now, wire, iface, sockets } = &mut desk.net;
    iface.poll_with(*now, wire, sockets, &mut desk.word, Budget::default());
    let sent = desk.net.sent();
    assert_eq!(Packet::new_checked(&sent[0][20..]).unwrap().options(), [2, 4, 5, 180]);
    assert_eq!((desk.word.filled, desk.word.checked), (0, 0));
}

/// What a device would cut the handler could not sign.
#[test]
fn devices_that_cut_get_single_segments() {
    let mut desk = Desk::new();
    let (server, _) = desk.accepted();
    let capabilities = &mut desk.net.iface.capabilities;
    capabilities.tx_checksum = TxChecksum::TCP;
    capabilities.max_segmentation_len = 65_535;
    desk.socket(server).send_slice(&[7; 10_000]).unwrap();
    let Net { now, wire, iface, sockets } = &mut desk.net;
    iface.poll_with(*now, wire, sockets, &mut desk.word, Budget::default());
    let sent = desk.net.sent();
    assert_eq!(sent.len(), 7);
    assert!(sent.iter().all(|packet| packet.len() <= 1_500));
    assert!(desk.net.wire.asked.iter().rev().take(7).all(|meta| meta.segment_len == 0));
    assert!(sent.iter().all(|packet| Packet::new_checked(&packet[20..]).unwrap().options().ends_with(&WORD)));
}

/// Covers: RFC 5925 §7.6
#[test]
fn there_is_only_so_much_room_and_timestamps_give_way() {
    let buffer = || SocketBuffer::new(vec![0; 1_000]);
    let mut socket = Socket::new(buffer(), buffer());
    assert!(socket.set_option_room(29).is_err());
    for (asked, room, has_stamps) in
        [(28, 28, false), (17, 20, false), (16, 16, true), (15, 16, true), (0, 0, true)]
    {
        socket.set_option_room(asked).unwrap();
        assert_eq!(socket.option_room(), room);
        let mut net = Net::ip();
        let mut client = Socket::new(buffer(), buffer());
        client.set_option_room(asked).unwrap();
        let handle = net.sockets.add(client);
        net.iface.connect(net.now, &mut net.sockets, handle, (IpAddress::v4(10, 0, 0, 2), 80), 0).unwrap();
        net.poll();
        let syn = net.sent().remove(0);
        let stamp_len = if has_stamps { 12 } else { 0 };
        assert_eq!(syn.len(), 40 + 12 + stamp_len + room, "{asked}");
    }
}

/// A socket that listens by itself has its request checked, too.
#[test]
fn a_socket_that_waits_for_a_connection_takes_no_request_without_the_option() {
    let mut desk = Desk::new();
    let buffer = || SocketBuffer::new(vec![0; 4_000]);
    let mut socket = Socket::new(buffer(), buffer());
    socket.set_option_room(WORD.len()).unwrap();
    let handle = desk.net.sockets.add(socket);
    desk.net.sockets.listen(handle, PORTS.1).unwrap();
    for option in [&WRONG[..], &[]] {
        assert_eq!(desk.give(option, 50, 0, Flags::SYN, &[]), []);
    }
    assert_eq!((desk.refused(), desk.socket(handle).state()), (2, State::Listen));
    let [(SYN_ACK, _, 51, 0)] = desk.give(&WORD, 50, 0, Flags::SYN, &[])[..] else { panic!() };
}
