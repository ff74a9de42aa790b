//! A listening endpoint with half-open connections as records (RFC 9293 §3.10.7.2, RFC 4987 §3.4).
//!
//! A SYN costs a record of at most 64 octets and no buffers. When the last ACK of the handshake comes, the
//! engine takes a socket and lets it go on from the record. If it has none, the ACK is ignored, the
//! record is kept, and the SYN-ACK goes out again, so that nothing the client has sent is lost.
//!
//! The table is searched from end to end: it is meant for tens of records, not for thousands.

use managed::ManagedSlice;

#[cfg(feature = "alloc")]
use super::autotune::BufferMemory;
use super::connection::path_mss;
use super::cookie::Cookies;
use super::ecn;
use super::error::ListenError;
use super::fast_open::Gate;
use super::listen_key::ListenKey;
use super::listen_range::{self, ListenRange};
use super::listener_settings::Template;
#[cfg(feature = "tcp-traffic-class")]
use super::look::Look;
use super::segment::{Kind, Plan, Segment, Verdict};
use super::stamps::{self, Stamp};
use super::syn_wait::Waits;
use super::tally::Tally;
use super::{isn, recv, ticks_of_ms};
use crate::config;
use crate::socket::{Bound, Context, Room, Tuple};
use crate::stats::DropReason;
use crate::storage::Line;
#[cfg(feature = "alloc")]
use crate::storage::SocketBuffer;
use crate::time::Ticks;
use crate::wire::tcp::{Flags, Options, SeqNum};
use crate::wire::{Addr, IpListenEndpoint};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Free,
    /// The SYN-ACK is out.
    Answered,
    /// The last ACK has come, and no socket was free.
    Acked,
    /// The application has yet to decide; nothing was sent.
    #[cfg(feature = "tcp-syn-wait")]
    Waiting,
    /// It has, and the SYN-ACK is to go.
    #[cfg(feature = "tcp-syn-wait")]
    Granted,
    /// It has, and a reset is to go.
    #[cfg(feature = "tcp-syn-wait")]
    Refused,
}

bitflags::bitflags! {
    /// What both ends want.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Agreed: u8 {
        const SACK = 1;
        const STAMPS = 1 << 1;
        const ECN = 1 << 2;
    }
}

/// A connection that is not yet complete.
#[derive(Debug, Clone, Copy)]
pub struct HalfOpen {
    pub(super) tuple: Tuple,
    pub(super) iss: SeqNum,
    pub(super) irs: SeqNum,
    pub(super) created_at: Ticks,
    /// The window of the SYN.
    pub(super) window: u16,
    mss: u16,
    /// How often the SYN-ACK was repeated, or could have been while nobody polled; says when it goes again.
    pub(super) tries: u8,
    /// Our shift in the high half, the peer's in the low one; 0xff if windows are not scaled.
    shifts: u8,
    pub(super) stage: Stage,
    agreed: Agreed,
    clock: stamps::Half,
}

const _: () = assert!(size_of::<HalfOpen>() <= 64);

impl HalfOpen {
    /// No connection.
    pub const EMPTY: HalfOpen = HalfOpen {
        tuple: Tuple {
            local: Addr::UNSPECIFIED,
            remote: Addr::UNSPECIFIED,
            local_port: 0,
            remote_port: 0,
            zone: 0,
        },
        iss: SeqNum(0),
        irs: SeqNum(0),
        created_at: Ticks(0),
        window: 0,
        mss: 0,
        tries: 0,
        shifts: 0xff,
        stage: Stage::Free,
        agreed: Agreed::empty(),
        clock: stamps::Half::NONE,
    };

    /// The options that count of the peer's SYN.
    pub(super) fn options(&self) -> Options {
        let window_scale = if self.shifts == 0xff { 0xff } else { self.shifts & 0xf };
        Options { mss: self.mss, window_scale, sack_permitted: self.has_sack() }
    }

    fn has_sack(&self) -> bool {
        config::HAS_TCP_SACK && self.agreed.contains(Agreed::SACK)
    }

    pub(super) fn has_ecn(&self) -> bool {
        config::HAS_TCP_ECN && self.agreed.contains(Agreed::ECN)
    }

    /// The timestamp of the peer's SYN, if the connection has some.
    pub(super) fn stamp(&self) -> Stamp {
        self.clock.stamp(self.agreed.contains(Agreed::STAMPS))
    }

    /// Is that of this request from now on, whose SYN-ACK is about to go; `window` is that of the socket to come.
    #[inline]
    pub(super) fn begin(
        &mut self,
        cx: &Context<'_>,
        tuple: &Tuple,
        seg: &Segment<'_>,
        window: u32,
        stamps: stamps::Choice,
        wants_sack: bool,
    ) {
        self.tuple = *tuple;
        self.iss = isn::isn(cx.keys, tuple, cx.now);
        self.irs = seg.seq;
        self.created_at = cx.ticks;
        self.window = seg.window;
        self.tries = 0;
        self.stage = Stage::Answered;
        self.agree(&seg.options, window, stamps, wants_sack, &seg.stamp);
    }

    /// What the peer's SYN says; `window` is that of the socket to come.
    fn agree(
        &mut self,
        options: &Options,
        window: u32,
        choice: stamps::Choice,
        wants_sack: bool,
        stamp: &Stamp,
    ) {
        self.mss = options.mss;
        let has_sack = config::HAS_TCP_SACK && options.sack_permitted && wants_sack;
        let sack = if has_sack { Agreed::SACK } else { Agreed::empty() };
        let stamps = if self.clock.begin(choice, stamp) { Agreed::STAMPS } else { Agreed::empty() };
        self.agreed = sack | stamps;
        self.shifts = match options.window_scale {
            0xff => 0xff,
            shift => recv::shift_for(window as usize) << 4 | shift,
        };
    }

    /// Whether both ends use explicit congestion notification.
    pub(super) fn grant(&mut self, is_granted: bool) {
        if config::HAS_TCP_ECN {
            self.agreed.set(Agreed::ECN, is_granted);
        }
    }

    /// How far our windows are shifted.
    pub(super) fn our_shift(&self) -> u8 {
        if self.shifts == 0xff { 0 } else { self.shifts >> 4 }
    }

    pub(super) fn is_for(&self, tuple: &Tuple) -> bool {
        // The remote port differs most and is compared first.
        self.tuple.remote_port == tuple.remote_port && self.stage != Stage::Free && self.tuple == *tuple
    }

    /// The SYN-ACK; `window` is that of the socket to come.
    #[inline(never)]
    pub(super) fn plan_syn_ack(&self, cx: &Context<'_>, window: u32, is_again: bool, plan: &mut Plan) {
        let kind = if is_again { Kind::SynAckRetransmit } else { Kind::New };
        plan.begin(kind, self.iss, self.irs + 1, Flags::SYN.union(Flags::ACK));
        plan.flags |= ecn::setup_of(self.has_ecn());
        plan.window = window.min(0xffff) as u16;
        plan.options.mss = path_mss(cx, &self.tuple);
        if self.shifts != 0xff {
            plan.options.window_scale = self.our_shift();
        }
        plan.options.sack_permitted = self.has_sack();
        plan.stamp = self.stamp().answer(cx.keys, &self.tuple, cx.ticks);
    }

    /// When the SYN-ACK goes again: after ever longer times, counted from the SYN (RFC 6298 §5.5). One that waits for
    /// a socket is asked again soon. One that waits for the application goes then.
    pub(super) fn again_at(&self) -> Ticks {
        const FIRST: u32 = ticks_of_ms(config::TCP_INITIAL_RTO);
        let span = match self.stage {
            stage if stage.is_unanswered() => ticks_of_ms(config::TCP_SYN_WAIT),
            Stage::Acked => (u32::from(self.tries) + 1) * (FIRST << 2),
            _ => (FIRST << (self.tries + 1)) - FIRST,
        };
        self.created_at.after(span)
    }
}

impl Default for HalfOpen {
    fn default() -> HalfOpen {
        HalfOpen::EMPTY
    }
}

/// The index of the connection whose cookie has come back.
const RETURNED: u16 = u16::MAX;

/// A port, or some, that take any number of connections, one after the other or at once.
#[derive(Debug)]
pub struct Listener<'a> {
    pub(super) half_open: ManagedSlice<'a, HalfOpen>,
    cookies: Cookies,
    pub(super) endpoint: Option<ListenKey>,
    pub(super) bound: Bound,
    /// The earliest time at which a SYN-ACK goes again; may be too early.
    due: Option<Ticks>,
    /// The receive buffer of the sockets that connections get, in octets.
    pub(super) window: u32,
    backlog: u16,
    /// The record that was filled last.
    pub(super) latest: u16,
    pub(super) tally: Tally,
    pub(super) waits: Waits,
    pub(super) template: Template,
    #[cfg_attr(not(feature = "tcp-fastopen"), allow(dead_code, reason = "there is nothing in it"))]
    pub(super) fast_open: Gate,
    #[cfg(feature = "tcp-traffic-class")]
    pub(super) look: Look,
    pub(super) stamps: stamps::Choice,
    pub(super) ecn: ecn::Choice,
    pub(crate) room: Room,
    /// Sockets that wait to be given a connection.
    pub(crate) pool: Line,
    /// Connections that wait to be accepted.
    pub(crate) accepted: Line,
    /// Where buffers come from when the pool is empty.
    #[cfg(feature = "alloc")]
    pub(crate) source: Option<BufferSource>,
}

/// Buffers made on demand.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone)]
pub(crate) struct BufferSource {
    pub(crate) rx_len: u32,
    pub(crate) tx_len: u32,
    /// Slices that a connection may have queued.
    pub(crate) refs: u16,
    /// How many more connections may be made.
    pub(crate) left: u32,
    /// Where they have their octets from.
    pub(super) memory: BufferMemory,
}

#[cfg(feature = "alloc")]
impl BufferSource {
    /// Both buffers of a connection, if there is memory.
    pub(crate) fn buffers<'a>(&self) -> Option<[SocketBuffer<'a>; 2]> {
        self.memory.buffers(self.rx_len, self.tx_len)
    }
}

/// A buffer of a fixed size.
#[cfg(feature = "alloc")]
pub(super) fn make_buffer<'a>(len: u32) -> Option<SocketBuffer<'a>> {
    let mut memory = alloc::vec::Vec::new();
    memory.try_reserve_exact(len as usize).ok()?;
    memory.resize(len as usize, 0);
    Some(SocketBuffer::new(memory))
}

impl<'a> Listener<'a> {
    /// A listener that does not listen yet, with room for as many half-open connections as there are
    /// records ([`HalfOpen::EMPTY`]), but for 65,535 at most.
    pub fn new(half_open: impl Into<ManagedSlice<'a, HalfOpen>>) -> Listener<'a> {
        Listener {
            half_open: half_open.into(),
            cookies: Cookies::NONE,
            endpoint: None,
            bound: Bound::ANY,
            due: None,
            window: 0xffff,
            backlog: u16::MAX,
            latest: 0,
            tally: Tally::NONE,
            waits: Waits::NONE,
            template: Template::NONE,
            fast_open: Gate::NONE,
            #[cfg(feature = "tcp-traffic-class")]
            look: Look::DEFAULT,
            stamps: stamps::Choice::DEFAULT,
            ecn: ecn::Choice::DEFAULT,
            room: Room::NONE,
            pool: Line::EMPTY,
            accepted: Line::EMPTY,
            #[cfg(feature = "alloc")]
            source: None,
        }
    }

    /// Listens at `endpoint`: at one of our addresses or all of them. With the feature `tcp-listen-range` that may be a
    /// range of ports, or all of them: `8_000..=8_999`, `..`, or either in a pair with an address.
    pub fn listen(&mut self, endpoint: impl Into<ListenRange>) -> Result<(), ListenError> {
        if self.endpoint.is_some() {
            return Err(ListenError::InvalidState);
        }
        let endpoint = endpoint.into();
        self.endpoint = Some(ListenKey::new(listen_range::ports(&endpoint), endpoint.addr, self.bound)?);
        Ok(())
    }

    /// Listens no more and forgets what is half-open. Connections that wait to be accepted stay.
    pub fn close(&mut self) {
        self.endpoint = None;
        self.due = None;
        if config::HAS_MIB {
            self.tally.on_fails(self.half_open_count());
        }
        self.half_open.iter_mut().for_each(|record| record.stage = Stage::Free);
    }

    /// Whether it listens.
    pub fn is_listening(&self) -> bool {
        self.endpoint.is_some()
    }

    /// Where it listens; of a range of ports the first.
    pub fn listen_endpoint(&self) -> Option<IpListenEndpoint> {
        self.endpoint.as_ref().map(ListenKey::endpoint)
    }

    /// How many connections may be complete and not yet accepted; more wait half-open.
    pub fn set_backlog(&mut self, connections: u16) {
        self.backlog = connections;
    }

    /// Whether requests beyond the half-open connections that there is room for are answered by cookies
    /// (RFC 4987 §3.6). They are at first. Else the oldest half-open connection gives way, so that under a
    /// flood those get through who complete theirs before as many others ask as there are records.
    #[cfg(feature = "tcp-cookies")]
    pub fn set_cookies(&mut self, is_enabled: bool) {
        self.cookies.set_on(is_enabled);
    }

    /// Makes buffers for connections when they come: of these sizes in octets, for at most so many
    /// connections.
    #[cfg(feature = "alloc")]
    pub fn set_buffers(&mut self, rx_len: usize, tx_len: usize, max_connections: usize) {
        let clamp = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        self.source = Some(BufferSource {
            rx_len: clamp(rx_len),
            tx_len: clamp(tx_len),
            refs: 0,
            left: clamp(max_connections),
            memory: Default::default(),
        });
        self.set_receive_len(rx_len);
    }

    /// Lets each connection whose buffers [`set_buffers`](Self::set_buffers), called before, has made queue
    /// `count` slices at once (see [`Socket::send_ref`](super::Socket::send_ref)).
    #[cfg(all(feature = "alloc", feature = "tcp-send-ref"))]
    pub fn set_send_refs(&mut self, count: u16) {
        if let Some(source) = &mut self.source {
            source.refs = count;
        }
    }

    /// Octets of the receive buffers that connections will get: what is announced before there is one.
    pub(crate) fn set_receive_len(&mut self, len: usize) {
        self.window = len.min(1 << 30) as u32;
    }

    /// How many connections are half-open.
    pub fn half_open_count(&self) -> usize {
        self.half_open.iter().filter(|record| record.stage != Stage::Free).count()
    }

    /// Whether connections get timestamps.
    #[inline]
    pub(super) fn stamp_choice(&self) -> stamps::Choice {
        self.stamps.beside(self.room)
    }

    /// The stamp of a SYN, if its connection is to have some.
    #[inline]
    pub(crate) fn granted_stamp(&self, syn: &Stamp) -> Stamp {
        self.stamp_choice().granted(syn)
    }

    /// Address and port for demultiplexing.
    pub(crate) fn listen_key(&self) -> Option<&ListenKey> {
        self.endpoint.as_ref()
    }

    /// The record at `index`, which is complete, if one more connection may wait to be accepted. It waits
    /// for a socket, and can't be evicted, until it is [forgotten](Self::forget).
    pub(crate) fn complete(&mut self, index: usize) -> Option<HalfOpen> {
        let record = self.half_open.get_mut(index).or_else(|| self.cookies.returned_mut())?;
        if record.stage == Stage::Free {
            return None;
        }
        record.stage = Stage::Acked;
        (self.accepted.count() < self.backlog).then_some(*record)
    }

    /// Whether one more connection may wait to be accepted.
    #[cfg(feature = "tcp-fastopen")]
    pub(super) fn may_complete(&self) -> bool {
        self.accepted.count() < self.backlog
    }

    /// The connection at `index` has a socket now.
    pub(crate) fn forget(&mut self, index: usize) {
        match self.half_open.get_mut(index) {
            Some(record) => record.stage = Stage::Free,
            None => self.tally.on_passive_open(),
        }
    }

    /// The complete connection that has waited longest, for a socket that has become free.
    pub(crate) fn next_acked(&self) -> Option<usize> {
        self.oldest(Stage::Acked)
    }

    /// Those whose index fits a verdict.
    pub(super) fn records(&self) -> impl Iterator<Item = &HalfOpen> {
        self.half_open.iter().take(usize::from(RETURNED))
    }

    /// The oldest record that counts as of this stage; of those of one tick, of which a flood makes many, the one that
    /// comes first behind the latest.
    #[inline(never)]
    fn oldest(&self, stage: Stage) -> Option<usize> {
        let records = self.records().enumerate().filter(|(_, record)| record.stage.counts_as(stage));
        let is_behind = |i: usize| i > usize::from(self.latest);
        let oldest = records.reduce(|a, b| {
            let is_first = a.1.created_at == b.1.created_at && is_behind(b.0) && !is_behind(a.0);
            if is_first || b.1.created_at.is_before(a.1.created_at) { b } else { a }
        });
        oldest.map(|(i, _)| i)
    }

    /// A place for a new record: a free one, or that of the oldest connection not yet acknowledged, once it
    /// has had its time. Without cookies it has none: under a flood whoever is near gets through.
    pub(super) fn place(&self, now: Ticks) -> Option<usize> {
        const GRACE: i32 = ticks_of_ms(config::TCP_HALF_OPEN_GRACE) as i32;
        let is_past = |record: &HalfOpen| now.since(record.created_at) >= GRACE;
        let has_had_time = |&i: &usize| !self.cookies.is_on() || self.half_open.get(i).is_some_and(is_past);
        self.oldest(Stage::Free).or_else(|| self.oldest(Stage::Answered).filter(has_had_time))
    }

    /// A segment for this port of a connection that no socket has.
    pub(crate) fn process(
        &mut self,
        cx: &Context<'_>,
        tuple: &Tuple,
        seg: &Segment<'_>,
        reply: &mut Plan,
    ) -> Verdict {
        let known = self.records().position(|record| record.is_for(tuple));
        if seg.is_request() {
            self.on_syn(cx, tuple, seg, known, reply)
        } else {
            self.on_segment(cx, tuple, seg, known, reply)
        }
    }

    /// The reply is the SYN-ACK.
    #[inline(never)]
    fn on_syn(
        &mut self,
        cx: &Context<'_>,
        tuple: &Tuple,
        seg: &Segment<'_>,
        known: Option<usize>,
        reply: &mut Plan,
    ) -> Verdict {
        // RFC 9293 §3.10.7.2: a SYN with a FIN is no request anybody makes.
        if seg.flags.contains(Flags::FIN) {
            return Verdict::Refuse(DropReason::Unacceptable);
        }
        let stamps = self.stamp_choice();
        let place = known.or_else(|| self.place(cx.ticks));
        let Some((i, record)) = place.and_then(|i| Some((i, self.half_open.get_mut(i)?))) else {
            return self.answer_by_cookie(cx, tuple, seg, reply);
        };
        // The SYN again: the SYN-ACK was lost. One answer for one SYN, and the timer goes on.
        let is_again = known.is_some() && record.irs == seg.seq;
        if !is_again {
            if record.stage != Stage::Free {
                self.tally.on_fails(1);
            }
            self.waits.on_lost(record.stage);
            self.tally.on_passive_open();
            self.latest = i as u16;
            record.begin(cx, tuple, seg, self.window, stamps, self.template.wants_sack());
            record.grant(self.ecn.grants(seg.flags));
        } else if config::HAS_TCP_ECN && !self.ecn.grants(seg.flags) {
            // RFC 3168 §6.1.1: a SYN that does not ask counts, be it the second.
            record.grant(false);
        }
        record.plan_syn_ack(cx, self.window, is_again, reply);
        let again_at = record.again_at();
        self.due_by(again_at);
        Verdict::Reply
    }

    /// There is no room for a record.
    #[cold]
    fn answer_by_cookie(
        &mut self,
        cx: &Context<'_>,
        tuple: &Tuple,
        seg: &Segment<'_>,
        reply: &mut Plan,
    ) -> Verdict {
        let room = self.backlog.saturating_sub(self.accepted.count()); // none, if it was lowered
        let Some(iss) = self.cookies.bake(cx, tuple, seg, room) else {
            return Verdict::Drop(DropReason::BacklogFull);
        };
        let mut record = HalfOpen { tuple: *tuple, iss, irs: seg.seq, ..HalfOpen::EMPTY };
        // What can't be hidden in a stamp can't be agreed on.
        if record.clock.begin(self.stamp_choice(), &seg.stamp) {
            let wants_sack = self.template.wants_sack();
            record.agree(&seg.options, self.window, self.stamp_choice(), wants_sack, &seg.stamp);
            record.grant(self.ecn.grants(seg.flags));
        }
        record.plan_syn_ack(cx, self.window, false, reply);
        reply.stamp = reply.stamp.hide(&record.options(), record.has_ecn());
        Verdict::Reply
    }

    /// A segment of a connection without a record: does it bring a cookie back? It completes the
    /// connection if there is a socket for it; else it is ignored, and the client repeats it.
    #[cold]
    fn on_cookie(&mut self, cx: &Context<'_>, tuple: &Tuple, seg: &Segment<'_>) -> Verdict {
        let Some(mss) = self.cookies.read(cx, tuple, seg) else {
            return Verdict::Refuse(DropReason::NoSocket);
        };
        let stamps = self.stamp_choice();
        let sent_at = seg.stamp.hidden_time(stamps, cx, tuple);
        let mut record = HalfOpen {
            tuple: *tuple,
            iss: seg.ack - 1,
            irs: seg.seq - 1,
            created_at: sent_at.unwrap_or(cx.ticks),
            // Scaled or not, the segment will say it again.
            window: seg.window,
            // Without a stamp the round trip is not known, nor whether this was the first SYN-ACK.
            tries: u8::from(sent_at.is_none()),
            stage: Stage::Acked,
            ..HalfOpen::EMPTY
        };
        let options = seg.stamp.hidden(mss, stamps);
        record.agree(&options, self.window, stamps, self.template.wants_sack(), &seg.stamp);
        record.grant(seg.stamp.hidden_ecn(stamps));
        self.cookies.keep(record);
        Verdict::Complete(RETURNED)
    }

    /// Anything but a SYN.
    #[inline(never)]
    fn on_segment(
        &mut self,
        cx: &Context<'_>,
        tuple: &Tuple,
        seg: &Segment<'_>,
        known: Option<usize>,
        reply: &mut Plan,
    ) -> Verdict {
        // RFC 9293 §3.10.7.2: what neither asks nor acknowledges gets no answer.
        if !seg.flags.intersects(Flags::RST | Flags::ACK) {
            return Verdict::Drop(DropReason::Unacceptable);
        }
        let Some((i, record)) = known.and_then(|i| Some((i, self.half_open.get_mut(i)?))) else {
            return self.on_cookie(cx, tuple, seg);
        };
        let offset = seg.seq.since(record.irs + 1);
        if seg.flags.contains(Flags::RST) {
            // RFC 5961 §3.2.
            if offset == 0 {
                record.stage = Stage::Free;
                self.tally.on_fails(1);
            }
            return Verdict::Drop(DropReason::Unacceptable);
        }
        // RFC 9293 §3.10.7.4, fifth step: an ACK of anything but our SYN is reset.
        if seg.ack != record.iss + 1 || record.stage.is_unanswered() {
            return Verdict::Refuse(DropReason::Unacceptable);
        }
        if offset < 0 || offset as u32 > self.window {
            reply.begin(Kind::DupAck, record.iss + 1, record.irs + 1, Flags::ACK);
            reply.window = self.window.min(0xffff) as u16 >> record.our_shift();
            reply.stamp = record.stamp().answer(cx.keys, tuple, cx.ticks);
            return Verdict::Reply;
        }
        Verdict::Complete(i as u16)
    }

    pub(super) fn due_by(&mut self, at: Ticks) {
        if self.due.is_none_or(|due| at.is_before(due)) {
            self.due = Some(at);
        }
    }

    /// When [`next_retransmit`](Self::next_retransmit) has something to do; may be too early.
    pub(crate) fn deadline(&self) -> Option<Ticks> {
        self.due
    }

    /// Whether a SYN-ACK is due, or a complete connection may be given a socket if there is one.
    pub(crate) fn has_work(&self, now: Ticks) -> bool {
        self.due.is_some_and(|due| due.is_due(now))
            || self.has_decided()
            || (self.accepted.count() < self.backlog && self.next_acked().is_some())
    }

    /// A SYN-ACK whose time has come. Call it while there is room to send, until it has none.
    #[inline(never)]
    pub(crate) fn next_retransmit(&mut self, cx: &Context<'_>, plan: &mut Plan) -> Option<&Tuple> {
        const ACKED_TRIES: u8 = (config::TCP_ACKED_LIFE / config::TCP_INITIAL_RTO / 4) as u8;
        if !self.due?.is_due(cx.ticks) {
            return None;
        }
        self.due = None;
        for i in 0..self.half_open.len() {
            let Some(record) = self.half_open.get_mut(i) else { break };
            if record.stage == Stage::Free {
                continue;
            }
            let at = record.again_at();
            if !at.is_due(cx.ticks) {
                self.due_by(at);
                continue;
            }
            let most = match record.stage {
                Stage::Acked => ACKED_TRIES,
                stage if stage.is_unanswered() => 0,
                _ => config::TCP_SYN_ACK_RETRIES,
            };
            // Those that were missed while nobody polled are not made up for.
            while record.tries < most && record.again_at().is_due(cx.ticks) {
                record.tries += 1;
            }
            if record.again_at().is_due(cx.ticks) {
                self.waits.on_lost(record.stage);
                record.stage = Stage::Free;
                self.tally.on_fails(1);
                continue;
            }
            // Others may be due as well.
            self.due = Some(cx.ticks);
            record.plan_syn_ack(cx, self.window, true, plan);
            return self.half_open.get(i).map(|record| &record.tuple);
        }
        None
    }
}
