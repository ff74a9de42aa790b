//! TCP in the engine: segments in and out. `tcp_set` has what concerns the set of sockets.

use super::egress::Step;
use super::engine::context;
use super::handler::SynVerdict;
use super::icmp::zone_of;
use super::ingress::{Ingress, Received, Taken};
use super::interface::Interface;
use super::links::{Links, Out};
use super::neighbor::Hardware;
use super::options::{Octets, octets_of};
use super::output::{Packet, Sent, TrafficClass};
use super::socket_set::{Flags, SocketSet};
use super::tcp_set::{listener_in, tcp_in};
use super::unusual::Unusual;
use crate::config;
use crate::phy::TxChecksum;
use crate::socket::tcp::{self, Burst, Kind, Look, Mark, Pieces, Plan, Segment, Stamp, Verdict};
use crate::socket::{Events, Room, Socket, Tuple};
use crate::stats::{Count, DropReason};
use crate::storage::{Class, list_of, lists};
use crate::time::{Instant, Ticks};
use crate::wire::tcp::Options;
use crate::wire::{Addr, IpEndpoint, IpProtocol, checksum};

impl Ingress<'_, '_, '_, '_, '_> {
    pub(crate) fn tcp(&mut self, received: &Received<'_>) -> Taken {
        self.links.iface.stats.counters.add(Count::TcpIn, 1);
        let (header, options, payload) = crate::wire::tcp::parse(received.payload)?;
        // RFC 9293 §3.1 (MUST-3): the checksum is checked, by the device or here.
        if !self.meta.checksum_ok {
            let len = received.payload.len() as u32;
            let pseudo = checksum::pseudo_header(&received.src, &received.dst, IpProtocol::TCP.0, len);
            if !pseudo.add(checksum::sum(received.payload)).is_valid() {
                return Err(DropReason::Checksum);
            }
        }
        // RFC 9293 §3.9.2.3 (MUST-57, MUST-63): nothing but one host talks to one host; sources that are none
        // have not come so far, but for the unspecified one.
        if !received.unicast {
            return Err(DropReason::BadSource);
        }
        let mut stamp = Stamp::NONE;
        let area = stamp.strip(options);
        let mut segment = Segment {
            seq: header.seq(),
            ack: header.ack(),
            flags: header.flags(),
            window: header.window(),
            options: Options::NONE,
            stamp,
            mark: Mark::of(received.packet),
            #[cfg(any(feature = "tcp-sack", feature = "tcp-uto", feature = "tcp-fastopen"))]
            area,
            payload,
        };
        // RFC 9293 §3.1 (MUST-5): in any segment.
        if !area.is_empty() {
            segment.stamp.parse(area, &mut segment.options)?;
        }
        let tuple = Tuple {
            local: received.dst,
            remote: received.src,
            local_port: header.dst_port(),
            remote_port: header.src_port(),
            zone: zone_of(self, &received.src),
        };
        self.segment(&tuple, &segment, octets_of(received.payload))
    }

    fn segment(&mut self, tuple: &Tuple, segment: &Segment<'_>, octets: Octets<'_>) -> Taken {
        // Segments come in a row.
        let latest = self.sockets.latest;
        if config::HAS_FAST_PATHS && self.sockets.is_connection(latest, tuple) {
            self.check_segment(latest, tuple, octets)?;
            return self.give_segment(latest, tuple, segment);
        }
        let hash = self.sockets.hash_of(tuple);
        match self.sockets.find_connection(hash, tuple) {
            Some(ix) => {
                if config::HAS_FAST_PATHS {
                    self.sockets.latest = ix;
                }
                self.check_segment(ix, tuple, octets)?;
                self.give_segment(ix, tuple, segment)
            }
            None => self.without_connection(hash, tuple, segment, octets),
        }
    }

    /// A segment of a connection that has a socket.
    fn give_segment(&mut self, ix: u32, tuple: &Tuple, segment: &Segment<'_>) -> Taken {
        let handle = if config::HAS_HOOKS { self.sockets.slots.handle_at(ix) } else { None };
        let SocketSet { slots, keys, .. } = &mut *self.sockets;
        let Some(socket) = tcp_in(slots, ix) else { return Err(DropReason::NoSocket) };
        let cx = context(keys, self.links.now, self.links.iface.ip_mtu());
        let handler = &mut self.links.out.hooks;
        let mut in_place = |data: &[u8]| handle.map_or(0, |handle| handler.payload(handle, data));
        let in_place: Option<tcp::InPlace<'_>> = if config::HAS_HOOKS { Some(&mut in_place) } else { None };
        let room = socket.room();
        let outcome = socket.process(&cx, segment, in_place);
        // A request may follow at once. All other keys move at the end of its turn.
        let listens_again = socket.listen_key().is_some();
        self.sockets.touch(ix);
        self.sockets.notify(ix, outcome.events);
        self.sockets.learn_fast_open(ix, tuple, segment, outcome.events, self.links.out.now);
        if listens_again {
            self.sockets.listen_again(ix);
        }
        match outcome.verdict {
            Verdict::Taken => Ok(()),
            verdict => self.conclude_in(room, tuple, segment, verdict),
        }
    }

    /// The same as [`conclude`](Self::conclude), where a socket has no answer but a reset.
    pub(super) fn conclude_in(
        &mut self,
        room: Room,
        tuple: &Tuple,
        segment: &Segment<'_>,
        verdict: Verdict,
    ) -> Taken {
        let mut reply = Plan::none();
        reply.room = room;
        self.conclude(tuple, segment, verdict, &mut reply)
    }

    /// A segment for which there is no socket: TIME-WAIT, a listener, or a reset.
    #[inline(never)]
    fn without_connection(
        &mut self,
        hash: u32,
        tuple: &Tuple,
        segment: &Segment<'_>,
        octets: Octets<'_>,
    ) -> Taken {
        let interface = self.links.port();
        let tied = self.sockets.tied(hash, tuple, interface);
        let tuple = tied.as_ref().unwrap_or(tuple);
        if tied.is_some()
            && let Some(ix) = self.sockets.find_connection(hash, tuple)
        {
            self.check_segment(ix, tuple, octets)?;
            return self.give_segment(ix, tuple, segment);
        }
        let mut reply = Plan::none();
        let now = self.links.out.now;
        let listener = self.sockets.find_listener(tuple, interface);
        reply.room = self.check_stray(hash, tuple, listener, octets)?;
        let granted = listener.map(|ix| self.sockets.granted_stamp(ix, &segment.stamp));
        let verdict = self.sockets.time_wait.process(hash, tuple, now, segment, granted, &mut reply);
        if !matches!(verdict, Verdict::Reopen) {
            reply.stamp = segment.stamp.answer(&self.sockets.keys, tuple, now);
            return self.conclude(tuple, segment, verdict, &mut reply);
        }
        let Some(ix) = listener else {
            return self.conclude(tuple, segment, Verdict::Refuse(DropReason::NoSocket), &mut reply);
        };
        if segment.is_request()
            && let Some(taken) = self.ask_handler(ix, tuple, segment, &mut reply)
        {
            return taken;
        }
        let asked = self.ask_fast_open(ix, tuple, segment);
        if self.open_fast(ix, tuple, segment, asked) {
            return Ok(());
        }
        let SocketSet { slots, keys, .. } = &mut *self.sockets;
        let cx = context(keys, self.links.now, self.links.iface.ip_mtu());
        let mut look = Look::DEFAULT;
        let verdict = match slots.get_mut(ix).map(|entry| &mut entry.0.socket) {
            Some(Socket::Tcp(socket)) => socket.accept_syn(&cx, tuple, segment).verdict,
            Some(Socket::TcpListener(listener)) => {
                look = listener.look();
                let verdict = listener.process(&cx, tuple, segment, &mut reply);
                asked.offer(&cx, tuple, &mut reply);
                verdict
            }
            _ => return Err(DropReason::NoSocket),
        };
        if config::HAS_TCP_LOOK && verdict == Verdict::Reply {
            self.sockets.touch(ix);
            send_control(self.links, tuple, &reply, look);
            return Ok(());
        }
        // Its timer is set in its turn; but what has become a connection is one at once.
        self.sockets.touch(ix);
        if config::HAS_TCP_OPENING {
            self.sockets.refile_tcp(ix);
        }
        let Verdict::Complete(index) = verdict else {
            return self.conclude(tuple, segment, verdict, &mut reply);
        };
        let (now, ip_mtu) = (self.links.now, self.links.iface.ip_mtu());
        match self.sockets.open_half(ix, usize::from(index), false, now, ip_mtu) {
            Some(socket) => self.give_segment(socket, tuple, segment),
            None => Err(DropReason::NoSlot),
        }
    }

    /// Does what a socket, a record or a listener has said of a segment; `reply` is its answer, if there
    /// is one.
    #[inline(never)]
    pub(super) fn conclude(
        &mut self,
        tuple: &Tuple,
        segment: &Segment<'_>,
        verdict: Verdict,
        reply: &mut Plan,
    ) -> Taken {
        let is_answered = match verdict {
            Verdict::Reply => true,
            Verdict::Refuse(_) => tcp::plan_reset(segment, reply),
            _ => false,
        };
        if is_answered {
            send_control(self.links, tuple, reply, Look::DEFAULT);
        }
        match verdict {
            Verdict::Drop(reason) | Verdict::Refuse(reason) => Err(reason),
            _ => Ok(()),
        }
    }

    /// What comes of a request by the handler's word; nothing if it is the listener's.
    fn ask_handler(
        &mut self,
        ix: u32,
        tuple: &Tuple,
        segment: &Segment<'_>,
        reply: &mut Plan,
    ) -> Option<Taken> {
        let handle = self.sockets.slots.handle_at(ix)?;
        let mut remote = IpEndpoint::new(tuple.remote.into(), tuple.remote_port);
        remote.zone = tuple.zone.checked_sub(1);
        let local = IpEndpoint::new(tuple.local.into(), tuple.local_port);
        let known = self.sockets.verdict_on(ix, tuple, segment);
        match known.unwrap_or_else(|| self.links.out.hooks.syn(handle, remote, local)) {
            SynVerdict::Accept => None,
            SynVerdict::Ignore => Some(Err(DropReason::Filtered)),
            SynVerdict::Reset => {
                let refused = Verdict::Refuse(DropReason::Filtered);
                Some(self.conclude(tuple, segment, refused, reply))
            }
            #[cfg(feature = "tcp-syn-wait")]
            SynVerdict::Wait => Some(self.keep_waiting(ix, tuple, segment)),
        }
    }
}

/// Lets a connection send what it has, up to `quota` segments.
pub(crate) fn dispatch(
    links: &mut Links<'_, '_, '_>,
    sockets: &mut SocketSet<'_>,
    ix: u32,
    quota: usize,
    sent: &mut usize,
) -> Step {
    let now = links.now;
    let SocketSet { slots, keys, fast_open, .. } = &mut *sockets;
    let Some(socket) = tcp_in(slots, ix) else { return Step::Idle };
    let Some(&tuple) = socket.tuple() else { return Step::Idle };
    let Some(route) = links.route_of(&tuple) else {
        let ip_mtu = links.iface.ip_mtu();
        if lose_packet(sockets, ix, now, ip_mtu) {
            links.iface.drop_packet(tuple.remote.is_v4(), DropReason::NoRoute);
        }
        return Step::Idle;
    };
    let step = links.with_port(route.port, |iface, out| {
        let mut cx = context(keys, now, iface.ip_mtu());
        // What the application has to see whole, no device cuts.
        let cut_len = if socket.room().is_none() { cut_len(iface, out, &route.next_hop) } else { 0 };
        cx.burst_len = Pieces::plan_len(cut_len, cx.ip_mtu);
        let pieces = socket.pieces(&cx, cut_len);
        let mut plan = Plan::none();
        let (port, next_hop) = (route.port, &route.next_hop);
        let packet = Packet { room: socket.room(), ..packet_for(&tuple, 0, socket.look()) };
        let mut turn = Turn { packet, port, next_hop, known: None, left: quota, sent };
        while turn.left > 0 {
            if !socket.plan(&cx, &mut plan) {
                return Step::Idle;
            }
            fast_open.fill(&cx, &tuple, socket.send_queue(), &mut plan);
            let burst = Burst::begin(&mut plan, pieces);
            let halt = turn.send(iface, out, socket, burst, &mut plan);
            if burst.end(&mut plan, halt.is_none()) {
                socket.on_sent(&cx, &plan);
            }
            if let Some(step) = halt {
                return step;
            }
        }
        Step::More
    });
    step.unwrap_or(Step::Idle)
}

/// What the packets of a connection's turn have in common.
struct Turn<'t> {
    packet: Packet,
    port: usize,
    next_hop: &'t Addr,
    /// Its hardware address, once it was looked up.
    known: Option<Hardware>,
    /// How many packets more may leave.
    left: usize,
    /// How many have.
    sent: &'t mut usize,
}

impl Turn<'_> {
    /// Sends a burst piece by piece, from that which `plan` has on; says why it ends if that piece did not leave.
    #[inline(never)]
    fn send(
        &mut self,
        iface: &mut Interface<'_>,
        out: &mut Out<'_>,
        socket: &tcp::Socket<'_>,
        burst: Burst,
        plan: &mut Plan,
    ) -> Option<Step> {
        if config::HAS_TCP_ECN {
            self.packet.traffic_class.set_ecn(socket.mark_for(plan).bits());
        }
        loop {
            self.packet.len = plan.total_len();
            self.packet.segment_len = burst.cut(plan);
            if socket.may_be_cut() {
                self.packet.unusual = Unusual::forbidden_if(plan.kind == Kind::MtuProbe);
            }
            let mut fill = |payload: &mut [u8], sum: bool| socket.emit(plan, sum, payload);
            match iface.send(out, &self.packet, self.next_hop, &mut self.known, &mut fill) {
                Sent::Yes => {
                    count_sent(iface, plan);
                    *self.sent += 1;
                }
                Sent::NoRoom => return Some(Step::NoRoom { port: self.port }),
                Sent::Unresolved(neighbor) => return Some(Step::Unresolved { port: self.port, neighbor }),
                Sent::Never => {}
            }
            self.left -= 1;
            if self.left == 0 || !burst.advance(plan) {
                return None;
            }
        }
    }
}

/// Octets of the longest IP packet that the device cuts into segments on its way to `next_hop`; 0 if it cuts none.
fn cut_len(iface: &Interface<'_>, out: &Out<'_>, next_hop: &Addr) -> usize {
    let device = &iface.capabilities;
    // Who cuts segments makes their checksums, too. Links are that carry less than is asked of one: nothing is cut for them,
    // so that each segment is found to be too long.
    let cuts = device.tx_checksum.contains(TxChecksum::TCP) && iface.ip_mtu() >= config::MIN_PATH_MTU;
    // What is watched or for ourselves goes by way of the pool, which neither has room for more nor says what is to be cut.
    let is_pooled = || out.hooks.watches_output() || iface.is_looped(next_hop);
    if cuts && !is_pooled() { device.max_segmentation_len } else { 0 }
}

/// A packet with a segment of `len` octets.
fn packet_for(tuple: &Tuple, len: usize, look: Look) -> Packet {
    Packet {
        src: tuple.local,
        dst: tuple.remote,
        protocol: IpProtocol::TCP,
        hop_limit: look.hop_limit,
        traffic_class: TrafficClass::new(look.traffic_class()),
        len,
        unusual: Unusual::forbidden_if(true),
        segment_len: 0,
        room: Room::NONE,
    }
}

#[inline]
fn count_sent(iface: &mut Interface<'_>, plan: &Plan) {
    let counters = &mut iface.stats.counters;
    counters.add(Count::TcpOut, 1);
    match plan.kind {
        Kind::Reset => counters.add(Count::TcpOutRsts, 1),
        Kind::RtoRetransmit
        | Kind::FastRetransmit
        | Kind::PartialAckRetransmit
        | Kind::SackRetransmit
        | Kind::TailLossProbe
        | Kind::SynRetransmit
        | Kind::SynAckRetransmit
        | Kind::FinRetransmit => counters.add(Count::TcpRetransSegs, 1),
        _ => {}
    }
}

/// RFC 9293 §3.8.3 (MUST-20): if so much stays unanswered that the way may be dead, the neighbour by whom it
/// goes has to prove itself.
#[cfg(feature = "iface-nud")]
pub(crate) fn doubt_way(links: &mut Links<'_, '_, '_>, sockets: &SocketSet<'_>, ix: u32) {
    let Some(Socket::Tcp(socket)) = sockets.entry(ix).map(|entry| &entry.socket) else { return };
    let Some(tuple) = socket.tuple().filter(|_| socket.is_in_doubt()) else { return };
    if let Some(route) = links.route_of(tuple) {
        links.with_port(route.port, |iface, _| iface.neighbors.doubt(&route.next_hop));
    }
}

/// What the socket would send now counts as sent and lost, so that its own timers say how often it
/// tries again. Says whether there was anything. Its turn, which follows, sets its timer.
pub(crate) fn lose_packet(sockets: &mut SocketSet<'_>, ix: u32, now: Instant, ip_mtu: usize) -> bool {
    let SocketSet { slots, keys, .. } = &mut *sockets;
    let Some(socket) = tcp_in(slots, ix) else { return false };
    let cx = context(keys, now, ip_mtu);
    let mut plan = Plan::none();
    let mut count = 0;
    while count < config::PACKETS_PER_TURN && socket.plan(&cx, &mut plan) {
        socket.on_sent(&cx, &plan);
        count += 1;
    }
    count > 0
}

/// Answers what was decided, sends the SYN-ACKs whose time has come, and opens complete connections for which there is a socket now.
pub(crate) fn dispatch_listener(
    links: &mut Links<'_, '_, '_>,
    sockets: &mut SocketSet<'_>,
    ix: u32,
    quota: usize,
    sent: &mut usize,
) -> Step {
    let now = links.now;
    sockets.open_waiting(ix, now, links.iface.ip_mtu());
    let SocketSet { slots, keys, .. } = &mut *sockets;
    let Some(listener) = listener_in(slots, ix) else { return Step::Idle };
    let cx = context(keys, now, links.iface.ip_mtu());
    let mut plan = Plan::none();
    let look = listener.look();
    let mut step = Step::More;
    plan.room = listener.room;
    for _ in 0..quota {
        let next = match listener.has_decided() {
            true => listener.next_decided(&cx, &mut plan),
            false => listener.next_retransmit(&cx, &mut plan),
        };
        let Some(tuple) = next else {
            step = Step::Idle;
            break;
        };
        send_control(links, tuple, &plan, look);
        *sent += 1;
    }
    while let Some(reason) = listener.next_lost() {
        links.iface.drop_output(reason);
    }
    step
}

/// Sends a segment without payload for which no socket stands: a reset, a SYN-ACK, a last ACK.
#[inline(never)]
pub(super) fn send_control(links: &mut Links<'_, '_, '_>, tuple: &Tuple, plan: &Plan, look: Look) {
    let Some(route) = links.route_of(tuple) else {
        links.iface.drop_packet(tuple.remote.is_v4(), DropReason::NoRoute);
        return;
    };
    let packet = Packet { room: plan.room, ..packet_for(tuple, plan.total_len(), look) };
    links.with_port(route.port, |iface, out| {
        let mut fill = |payload: &mut [u8], _sum: bool| {
            tcp::emit_control(plan, tuple.local_port, tuple.remote_port, payload)
        };
        if iface.send_or_queue(out, &packet, &route.next_hop, Class::Data, &mut fill) {
            count_sent(iface, plan);
        }
    });
}

/// What the engine does at the end of a socket's turn.
impl SocketSet<'_> {
    /// The connection may have ended: its record is kept, its key goes, and an orphan's slot with it.
    pub(crate) fn end_turn(&mut self, ix: u32, now: Ticks) {
        self.update_timer(ix, now);
        self.end_fast_open(ix, now);
        let is_tcp = self.entry(ix).is_some_and(|entry| matches!(entry.socket, Socket::Tcp(_)));
        if !config::HAS_FAST_PATHS || is_tcp {
            self.settle_end(ix, now);
        }
    }

    #[inline(never)]
    fn settle_end(&mut self, ix: u32, now: Ticks) {
        let Some(entry) = self.slots.get_mut(ix).map(|entry| &mut entry.0) else { return };
        let Socket::Tcp(socket) = &mut entry.socket else { return };
        if socket.state() == tcp::State::Established {
            return;
        }
        let local = socket.tuple().map_or(Addr::UNSPECIFIED, |tuple| tuple.local);
        let record = socket.take_time_wait(now);
        let is_done = entry.flags.contains(Flags::ORPHAN) && socket.is_done();
        if let Some(record) = record {
            let hash = self.hash_of(&record.tuple(&local));
            self.time_wait.insert(hash, &record, now);
            self.notify(ix, Events::CLOSED);
        }
        self.listen_again(ix);
        // On the list of a neighbour or a port it has yet to be woken; its turn then ends here again.
        if is_done && matches!(list_of(&self.slots, ix), 0 | lists::TOUCHED) {
            self.reap(ix);
        }
    }
}
