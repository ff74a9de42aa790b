//! One socket in any state and a peer that is written by hand, for the table of states and events.

use super::family::*;
use super::net::*;
use crate::iface::SocketHandle;
use crate::socket::Events;
use crate::socket::tcp::{self, Error, State};
use crate::storage::SocketBuffer;
use crate::time::Duration;
use crate::wire::tcp::{Flags, Packet, SeqNum};

/// A state; SYN-RECEIVED comes from a passive or from an active OPEN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum At {
    Closed,
    Listen,
    SynSent,
    Passive,
    Active,
    /// Ten octets are sent and not acknowledged; likewise in CLOSE-WAIT.
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
}

pub(super) const STATES: [At; 12] = [
    At::Closed,
    At::Listen,
    At::SynSent,
    At::Passive,
    At::Active,
    At::Established,
    At::FinWait1,
    At::FinWait2,
    At::CloseWait,
    At::Closing,
    At::LastAck,
    At::TimeWait,
];

/// An event. Segments stand at RCV.NXT and acknowledge SND.UNA unless their name says otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum On {
    OpenActive,
    OpenPassive,
    Send,
    Receive,
    Close,
    Abort,
    Status,
    SynIn,
    /// One before RCV.NXT: the SYN once more.
    SynOld,
    SynAck,
    SynAckSame,
    AckNew,
    AckSame,
    AckFuture,
    AckAncient,
    RstExact,
    RstIn,
    RstOut,
    RstAck,
    /// With an ACK of what was never sent.
    RstFuture,
    NoAck,
    Data,
    DataAck,
    DataAhead,
    DataBeyond,
    DataOld,
    Urgent,
    FinIn,
    FinAck,
    FinBeyond,
    FinOld,
    Retransmission,
    UserTimeout,
    TimeWaitTimeout,
}

const EVENTS: [On; 33] = [
    On::OpenActive,
    On::OpenPassive,
    On::Send,
    On::Receive,
    On::Close,
    On::Abort,
    On::Status,
    On::SynIn,
    On::SynOld,
    On::SynAck,
    On::SynAckSame,
    On::AckNew,
    On::AckSame,
    On::AckFuture,
    On::AckAncient,
    On::RstExact,
    On::RstIn,
    On::RstOut,
    On::RstAck,
    On::RstFuture,
    On::NoAck,
    On::Data,
    On::DataAck,
    On::DataAhead,
    On::DataBeyond,
    On::DataOld,
    On::Urgent,
    On::FinIn,
    On::FinAck,
    On::FinBeyond,
    On::FinOld,
    On::Retransmission,
    On::UserTimeout,
];

/// A segment that was sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Out {
    Syn,
    /// The SYN-ACK for the segment that came.
    SynAckFor,
    SynAckAgain,
    /// Of so many octets more than were acknowledged before; a FIN is one.
    Ack(u32),
    /// Of the SYN that came.
    AckFor,
    Data4,
    Data10,
    Fin,
    /// Of ours: <SEQ=SND.NXT>.
    Reset,
    /// <SEQ=SEG.ACK>
    Rst,
    /// <SEQ=0><ACK=SEG.SEQ+SEG.LEN>
    RstBack,
    /// None of these.
    Other(Flags, i32, i32, usize),
}

/// What the application is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Told {
    Nothing,
    Tells(Events),
    Failed(Error),
    Ok,
    Refused,
}

/// What a segment acknowledges.
#[derive(Clone, Copy)]
enum Acks {
    None,
    New,
    Same,
    Future,
    Ancient,
}

#[derive(Clone, Copy)]
struct Seg {
    seq: SeqNum,
    ack: SeqNum,
    flags: Flags,
    len: u32,
}

/// The socket, the peer, and where they stand.
pub(super) struct Desk {
    family: Family,
    net: Net,
    handle: SocketHandle,
    at: At,
    una: SeqNum,
    nxt: SeqNum,
    /// RCV.NXT, the peer's next number.
    peer: SeqNum,
}

pub(super) const PORT: u16 = 80;
pub(super) const PEER_PORT: u16 = 4_000;

impl Desk {
    /// All that can meet.
    pub(super) fn cases() -> impl Iterator<Item = (At, On)> {
        let pairs = STATES.into_iter().flat_map(|at| EVENTS.into_iter().map(move |on| (at, on)));
        pairs.chain([(At::TimeWait, On::TimeWaitTimeout)])
    }

    /// A socket that has come to this state, over IPv4.
    pub(super) fn at(at: At) -> Desk {
        Desk::over(FAMILIES[0], at)
    }

    /// The same over either family.
    pub(super) fn over(family: Family, at: At) -> Desk {
        let mut net = Net::ip();
        let buffer = || SocketBuffer::new(vec![0; 1_000]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_ack_delay(None);
        socket.set_nagle_enabled(false);
        let handle = net.sockets.add(socket);
        let zero = SeqNum(0);
        let mut desk = Desk { family, net, handle, at, una: zero, nxt: zero, peer: SeqNum(u32::MAX - 2_000) };
        desk.arrive();
        while desk.net.sockets.next_ready().is_some() {}
        assert_eq!(desk.state(), at);
        desk
    }

    fn arrive(&mut self) {
        match self.at {
            At::Closed => {}
            At::Listen => self.socket().listen(PORT).unwrap(),
            At::Passive => {
                self.socket().listen(PORT).unwrap();
                self.open_by(Flags::SYN);
            }
            At::SynSent | At::Active => {
                self.connect();
                if self.at == At::Active {
                    self.open_by(Flags::SYN);
                }
            }
            _ => {
                self.connect();
                self.open_by(Flags::SYN | Flags::ACK);
                self.go_on();
            }
        }
        self.net.poll();
        self.net.sent();
    }

    fn connect(&mut self) {
        let peer = self.peer();
        self.socket().connect(peer, PORT).unwrap();
        self.net.poll();
        self.una = parse(&self.net.sent()[0]).seq;
        self.nxt = self.una + 1;
    }

    /// The peer's SYN, with or without an ACK.
    fn open_by(&mut self, flags: Flags) {
        let sent = self.give(Seg { seq: self.peer, ack: self.nxt, flags, len: 0 });
        self.peer = self.peer + 1;
        if flags.contains(Flags::ACK) {
            self.una = self.nxt;
        } else {
            self.una = sent[0].seq;
            self.nxt = self.una + 1;
        }
    }

    /// From ESTABLISHED to where the desk shall be.
    fn go_on(&mut self) {
        if matches!(self.at, At::CloseWait | At::LastAck) {
            self.fin();
        }
        if matches!(self.at, At::Established | At::CloseWait) {
            self.socket().send_slice(&[7; 10]).unwrap();
            self.nxt = self.nxt + 10;
            return self.net.poll();
        }
        self.socket().close();
        self.net.poll();
        self.nxt = self.nxt + 1;
        if matches!(self.at, At::FinWait2 | At::TimeWait) {
            self.give(Seg { seq: self.peer, ack: self.nxt, flags: Flags::ACK, len: 0 });
            self.una = self.nxt;
        }
        if matches!(self.at, At::Closing | At::TimeWait) {
            self.fin();
        }
    }

    fn fin(&mut self) {
        self.give(Seg { seq: self.peer, ack: self.una, flags: Flags::FIN | Flags::ACK, len: 0 });
        self.peer = self.peer + 1;
    }

    /// The peer's end.
    fn peer(&self) -> (crate::wire::IpAddress, u16) {
        (self.family.peer(), PEER_PORT)
    }

    fn socket(&mut self) -> &mut tcp::Socket<'static> {
        self.net.sockets.get_mut(self.handle)
    }

    fn give(&mut self, seg: Seg) -> Vec<Seg> {
        let (ports, data) = ((PEER_PORT, PORT), vec![5; seg.len as usize]);
        let packet = self.family.tcp(ports, (seg.seq.0, seg.ack.0), seg.flags, &[], &data);
        self.net.exchange(packet).iter().map(|packet| parse(packet)).collect()
    }

    /// SND.UNA, SND.NXT and RCV.NXT.
    pub(super) fn numbers(&self) -> [SeqNum; 3] {
        [self.una, self.nxt, self.peer]
    }

    /// Takes a packet of any kind, and says how many segments answer it.
    pub(super) fn take(&mut self, packet: Vec<u8>) -> usize {
        self.net.exchange(packet).iter().map(|packet| assert_checksums(packet)).count()
    }

    /// Where the connection is.
    pub(super) fn state(&self) -> At {
        match self.net.sockets.get::<tcp::Socket>(self.handle).state() {
            State::Closed if self.net.sockets.time_wait_count() > 0 => At::TimeWait,
            State::Closed => At::Closed,
            State::Listen => At::Listen,
            State::SynSent => At::SynSent,
            State::SynReceived if matches!(self.at, At::Listen | At::Passive) => At::Passive,
            State::SynReceived => At::Active,
            State::Established => At::Established,
            State::FinWait1 => At::FinWait1,
            State::FinWait2 => At::FinWait2,
            State::CloseWait => At::CloseWait,
            State::Closing => At::Closing,
            State::LastAck => At::LastAck,
            State::TimeWait => panic!("the last ACK was sent, so a record has taken over"),
        }
    }

    /// What the event leads to.
    pub(super) fn see(&mut self, on: On) -> (At, Vec<Out>, Told) {
        let (seg, sent, answer) = match self.segment(on) {
            Some(seg) => (seg, self.give(seg), None),
            None => self.act(on),
        };
        let sent = sent.iter().map(|out| self.name(&seg, out)).collect();
        let mut events = Events::empty();
        while let Some((_, more)) = self.net.sockets.next_ready() {
            events |= more;
        }
        let told = match (answer, self.socket().error()) {
            (Some(told), _) => told,
            (None, Some(error)) if events == Events::CLOSED | Events::ERROR => Told::Failed(error),
            _ if events.is_empty() => Told::Nothing,
            _ => Told::Tells(events),
        };
        (self.state(), sent, told)
    }

    /// A call or a timeout.
    fn act(&mut self, on: On) -> (Seg, Vec<Seg>, Option<Told>) {
        let late = Seg { seq: self.peer, ack: self.nxt, flags: Flags::ACK, len: 0 };
        let peer = self.peer();
        let is_ok = match on {
            On::OpenActive => Some(self.socket().connect(peer, PORT).is_ok()),
            On::OpenPassive => Some(self.socket().listen(PORT).is_ok()),
            On::Send => Some(self.socket().send_slice(&[7; 4]) == Ok(4)),
            On::Receive => Some(self.socket().recv_slice(&mut [0; 4]) == Ok(0)),
            On::Close => {
                self.socket().close();
                Some(true)
            }
            On::Abort => {
                self.socket().abort();
                Some(true)
            }
            On::Status => Some(self.state() == self.at),
            On::UserTimeout => {
                self.socket().set_timeout(Some(Duration::from_millis(500)));
                None
            }
            _ => None,
        };
        match on {
            On::UserTimeout | On::Retransmission => self.net.advance(Duration::from_millis(1_600)),
            On::TimeWaitTimeout => {
                self.net.advance(Duration::from_secs(70));
                return (late, self.give(late), None);
            }
            _ => {}
        }
        self.net.poll();
        let sent = self.net.sent().iter().map(|packet| parse(packet)).collect();
        (late, sent, is_ok.map(|is_ok| if is_ok { Told::Ok } else { Told::Refused }))
    }

    /// The segment of this name.
    fn segment(&self, on: On) -> Option<Seg> {
        let ack = Flags::ACK;
        let (offset, acks, flags, len): (i32, _, _, _) = match on {
            On::SynIn => (500, Acks::None, Flags::SYN, 0),
            On::SynOld => (-1, Acks::None, Flags::SYN, 0),
            On::SynAck => (500, Acks::New, Flags::SYN | ack, 0),
            On::SynAckSame => (500, Acks::Same, Flags::SYN | ack, 0),
            On::AckNew => (0, Acks::New, ack, 0),
            On::AckSame => (0, Acks::Same, ack, 0),
            On::AckFuture => (0, Acks::Future, ack, 0),
            On::AckAncient => (0, Acks::Ancient, ack, 0),
            On::RstExact => (0, Acks::None, Flags::RST, 0),
            On::RstIn => (500, Acks::None, Flags::RST, 0),
            On::RstOut => (5_000, Acks::None, Flags::RST, 0),
            On::RstAck => (0, Acks::New, Flags::RST | ack, 0),
            On::RstFuture => (0, Acks::Future, Flags::RST | ack, 0),
            On::NoAck => (0, Acks::None, Flags::PSH, 4),
            On::Data => (0, Acks::Same, ack, 4),
            On::DataAck => (0, Acks::New, ack, 4),
            On::DataAhead => (100, Acks::Same, ack, 4),
            On::DataBeyond => (5_000, Acks::Same, ack, 4),
            On::DataOld => (-4, Acks::Same, ack, 4),
            On::Urgent => (0, Acks::Same, ack | Flags::URG, 4),
            On::FinIn => (0, Acks::Same, ack | Flags::FIN, 0),
            On::FinAck => (0, Acks::New, ack | Flags::FIN, 0),
            On::FinBeyond => (5_000, Acks::Same, ack | Flags::FIN, 0),
            On::FinOld => (-1, Acks::Same, ack | Flags::FIN, 0),
            _ => return None,
        };
        let ack = match acks {
            Acks::None => SeqNum(0),
            Acks::New => self.nxt,
            Acks::Same => self.una,
            Acks::Future => self.nxt + 1,
            Acks::Ancient => self.una - 200_000,
        };
        Some(Seg { seq: SeqNum(self.peer.0.wrapping_add_signed(offset)), ack, flags, len })
    }

    /// What `out` is, in answer to `seg` or unasked.
    fn name(&self, seg: &Seg, out: &Seg) -> Out {
        const SYN_ACK: Flags = Flags::SYN.union(Flags::ACK);
        let of_syn = seg.flags.contains(Flags::SYN) && out.ack == seg.seq + 1;
        let more = out.ack.since(self.peer);
        let end = seg.seq
            + seg.len
            + u32::from(seg.flags.contains(Flags::SYN))
            + u32::from(seg.flags.contains(Flags::FIN));
        let flags = out.flags - Flags::PSH;
        match (flags, out.len) {
            (Flags::SYN, 0) if self.at != At::SynSent || out.seq == self.una => Out::Syn,
            (SYN_ACK, 0) if of_syn && matches!(self.at, At::Listen | At::SynSent) => Out::SynAckFor,
            (SYN_ACK, 0) if more == 0 && out.seq == self.una => Out::SynAckAgain,
            (Flags::ACK, 0) if of_syn && self.at == At::SynSent && out.seq == self.nxt => Out::AckFor,
            (Flags::ACK, 0) if more >= 0 && out.seq == self.nxt => Out::Ack(more as u32),
            (Flags::ACK, 4) if more == 0 && out.seq == self.nxt => Out::Data4,
            (Flags::ACK, 10) if more == 0 && out.seq == self.una => Out::Data10,
            (_, 0) if flags == Flags::FIN | Flags::ACK && self.nxt.since(out.seq) <= 1 => Out::Fin,
            (Flags::RST, 0) if out.seq == seg.ack => Out::Rst,
            (_, 0) if flags == Flags::RST | Flags::ACK => {
                if out.seq.0 == 0 && out.ack == end && !seg.flags.contains(Flags::ACK) {
                    Out::RstBack
                } else if out.seq == self.nxt && more == 0 {
                    Out::Reset
                } else {
                    Out::Other(out.flags, out.seq.since(self.nxt), more, 0)
                }
            }
            (_, len) => Out::Other(out.flags, out.seq.since(self.nxt), more, len as usize),
        }
    }
}

fn parse(packet: &[u8]) -> Seg {
    assert_checksums(packet);
    let segment = Packet::new_checked(&packet[payload_at(packet)..]).unwrap();
    assert_eq!((segment.src_port(), segment.dst_port()), (PORT, PEER_PORT));
    assert!(segment.flags().contains(Flags::SYN) || segment.options().is_empty(), "options but in a SYN");
    Seg {
        seq: segment.seq_number(),
        ack: segment.ack_number(),
        flags: segment.flags(),
        len: segment.payload().len() as u32,
    }
}
