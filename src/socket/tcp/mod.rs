//! TCP (RFC 9293): one connection, or a port that takes many.
//!
//! [`Socket`] is a connection with its buffers. [`Listener`] takes connections for a port without a
//! buffer for each that is only begun. Urgent data is ordinary data (RFC 6093).
//!
//! How the engine uses a socket: [`Socket::process`] for what comes, [`Socket::plan`],
//! [`Socket::emit`] and [`Socket::on_sent`] for what goes, [`Socket::on_timer`] when a deadline has come
//! or the application has touched the socket.

mod api;
#[cfg_attr(not(all(feature = "tcp-grow", target_has_atomic = "ptr")), path = "no_autotune.rs")]
mod autotune;
#[cfg_attr(not(feature = "tcp-burst"), path = "no_burst.rs")]
mod burst;
mod congestion;
#[cfg_attr(not(feature = "tcp-connect"), path = "no_connect.rs")]
mod connect;
mod connection;
#[cfg_attr(not(feature = "tcp-cookies"), path = "no_cookie.rs")]
mod cookie;
#[cfg_attr(not(feature = "tcp-bbr"), path = "no_delivery.rs")]
mod delivery;
#[cfg_attr(not(feature = "tcp-ecn"), path = "no_ecn.rs")]
mod ecn;
mod error;
#[cfg_attr(not(feature = "tcp-abort-queue"), path = "no_farewell.rs")]
mod farewell;
#[cfg_attr(not(feature = "tcp-fastopen"), path = "no_fast_open.rs")]
mod fast_open;
#[cfg_attr(not(feature = "tcp-info"), path = "no_info.rs")]
mod info;
mod input;
#[cfg(feature = "socket-interface")]
mod interface;
mod isn;
#[cfg_attr(not(feature = "tcp-keep-alive"), path = "no_keep_alive.rs")]
mod keep_alive;
#[cfg_attr(not(feature = "tcp-linger"), path = "no_linger.rs")]
mod linger;
mod listen_key;
#[cfg_attr(not(feature = "tcp-listen-once"), path = "no_listen_once.rs")]
mod listen_once;
#[cfg_attr(not(feature = "tcp-listen-range"), path = "no_listen_range.rs")]
mod listen_range;
mod listener;
#[cfg_attr(not(feature = "tcp-listener-settings"), path = "no_listener_settings.rs")]
mod listener_settings;
mod look;
#[cfg_attr(not(feature = "tcp-options"), path = "no_options.rs")]
mod options;
mod output;
#[cfg_attr(not(feature = "tcp-pacing"), path = "no_pace.rs")]
mod pace;
#[doc(hidden)]
pub mod parts;
#[cfg_attr(not(feature = "tcp-pmtu"), path = "no_pmtu.rs")]
mod pmtu;
mod recovery;
mod recv;
mod rtt;
#[cfg_attr(not(feature = "tcp-sack"), path = "no_sack.rs")]
mod sack;
mod segment;
mod send;
#[cfg_attr(not(feature = "tcp-send-ref"), path = "no_send_ref.rs")]
mod send_ref;
#[cfg_attr(not(feature = "tcp-timestamps"), path = "no_stamps.rs")]
mod stamps;
mod state;
#[cfg_attr(not(feature = "tcp-syn-wait"), path = "no_syn_wait.rs")]
mod syn_wait;
#[cfg_attr(not(feature = "stats-mib"), path = "no_tally.rs")]
mod tally;
mod time_wait;
mod timers;
#[cfg_attr(not(feature = "tcp-icmp"), path = "no_trouble.rs")]
mod trouble;
#[cfg_attr(not(feature = "tcp-user-timeout"), path = "no_user_timeout.rs")]
mod user_timeout;
#[cfg_attr(not(feature = "tcp-uto"), path = "no_uto.rs")]
mod uto;
#[cfg_attr(not(feature = "tcp-validation"), path = "no_validation.rs")]
mod validation;

#[cfg(all(
    test,
    feature = "tcp-connect",
    feature = "tcp-listen-once",
    feature = "tcp-keep-alive",
    feature = "tcp-user-timeout",
    feature = "tcp-icmp",
    feature = "tcp-linger",
    feature = "tcp-sack",
    feature = "tcp-cubic",
    feature = "tcp-hystart",
    feature = "tcp-pacing",
    feature = "tcp-validation",
    feature = "tcp-send-ref",
    feature = "tcp-timestamps",
    feature = "tcp-traffic-class",
    feature = "tcp-pmtu",
    feature = "tcp-burst",
    feature = "tcp-grow",
    feature = "tcp-syn-wait",
    feature = "tcp-listen-range",
    feature = "tcp-listener-settings",
    feature = "tcp-ecn"
))]
mod tests;

pub(crate) use burst::{Burst, Pieces};
#[cfg(feature = "tcp-cubic")]
pub use congestion::CongestionControl;
pub(crate) use connect::Wish;
use connection::{Connection, Marks};
#[cfg(feature = "tcp-ecn")]
pub use ecn::EcnMode;
pub(crate) use ecn::Mark;
pub use error::{ConnectError, Error, ListenError, RecvError, SendError};
#[cfg(feature = "tcp-abort-queue")]
pub(crate) use farewell::Reset;
#[cfg(all(feature = "tcp-fastopen", feature = "tcp-connect"))]
pub use fast_open::FastOpenCookie;
#[cfg(feature = "tcp-fastopen")]
pub(crate) use fast_open::Request as FastOpenRequest;
#[cfg(feature = "tcp-info")]
pub use info::{CaState, Info, InfoOptions};
pub(crate) use input::InPlace;
pub(crate) use listen_key::ListenKey;
use listen_once::Listening;
#[cfg(feature = "tcp-listen-range")]
pub use listen_range::ListenRange;
#[cfg(not(feature = "tcp-listen-range"))]
pub(crate) use listen_range::ListenRange;
pub(crate) use listen_range::single;
pub use listener::{HalfOpen, Listener};
#[cfg(feature = "tcp-options")]
pub use options::TooLong;
#[cfg(feature = "tcp-pmtu")]
pub use pmtu::MtuProbing;
pub(crate) use segment::{Kind, Outcome, Plan, Segment, Verdict, emit_control, plan_reset};
use send_ref::SendQueue;
#[cfg(feature = "tcp-send-ref")]
pub use send_ref::{SendRef, Source};
pub(crate) use stamps::Stamp;
pub use state::State;
#[cfg(feature = "tcp-syn-wait")]
pub(crate) use syn_wait::{Decision, Known};
#[cfg(feature = "stats-mib")]
pub(crate) use tally::Tally;
pub use time_wait::TimeWait;

use farewell::Farewell;
use keep_alive::KeepAlive;
use linger::Linger;
pub(crate) use look::Look;
use trouble::Trouble;
use user_timeout::UserTimeout;

use super::{Context, Events, Room, Tuple};
use crate::config;
use crate::socket::Bound;
use crate::storage::SocketBuffer;
use crate::time::{Duration, Ticks};
use crate::wire::checksum::Sum;
use crate::wire::{Addr, IpAddress, IpEndpoint};

/// Milliseconds in ticks of 1,024 µs, rounded up; for constants up to 4,000 s.
pub(crate) const fn ticks_of_ms(ms: u32) -> u32 {
    (ms * 1_000).div_ceil(1_024)
}

fn to_addr(addr: IpAddress) -> Option<Addr> {
    Addr::try_from(addr).ok()
}

fn to_endpoint(addr: Addr, port: u16) -> IpEndpoint {
    IpEndpoint::new(IpAddress::from(addr), port)
}

/// What the application has set. Times are in ticks; 0 is none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Config {
    timeout: UserTimeout,
    keep_alive: KeepAlive,
    ack_delay: u16,
    look: Look,
    linger: Linger,
    control: congestion::Choice,
    sack: sack::Choice,
    stamps: stamps::Choice,
    ecn: ecn::Choice,
    #[cfg_attr(not(feature = "tcp-uto"), allow(dead_code, reason = "there is nothing to choose"))]
    uto: uto::Choice,
    #[cfg_attr(
        not(all(feature = "tcp-fastopen", feature = "tcp-connect")),
        allow(dead_code, reason = "there is nothing to choose")
    )]
    fast_open: fast_open::Choice,
    room: Room,
    probing: pmtu::MtuProbing,
    pacing: pace::Choice,
    #[cfg_attr(not(feature = "tcp-validation"), allow(dead_code, reason = "there is nothing to choose"))]
    idle: validation::Choice,
    is_nodelay: bool,
    is_in_place: bool,
}

/// What a connection works on and does not own.
#[derive(Debug)]
pub(crate) struct Side<'a> {
    rx: SocketBuffer<'a>,
    tx: SendQueue<'a>,
    config: Config,
    error: Option<Error>,
    trouble: Trouble,
    farewell: Farewell,
    watch: tally::Watch,
    bound: Bound,
}

/// As many variants as there are shapes of data.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a socket is made to hold a connection")]
enum Phase {
    Closed,
    Listen(Listening),
    Connecting(Wish),
    Connection(Connection),
}

/// A TCP connection and its buffers.
///
/// Room in the receive buffer is the window that the peer sees; what is in the send buffer is not yet
/// acknowledged.
#[derive(Debug)]
pub struct Socket<'a> {
    phase: Phase,
    side: Side<'a>,
}

impl<'a> Socket<'a> {
    /// A closed socket with a receive and a send buffer.
    pub fn new(rx: SocketBuffer<'a>, tx: SocketBuffer<'a>) -> Socket<'a> {
        let config = Config {
            timeout: UserTimeout::NONE,
            keep_alive: KeepAlive::NONE,
            ack_delay: ticks_of_ms(config::TCP_ACK_DELAY) as u16,
            look: Look::DEFAULT,
            linger: Linger::NONE,
            control: congestion::Choice::DEFAULT,
            sack: sack::Choice::DEFAULT,
            stamps: stamps::Choice::DEFAULT,
            ecn: ecn::Choice::DEFAULT,
            uto: uto::Choice::DEFAULT,
            fast_open: fast_open::Choice::DEFAULT,
            room: Room::NONE,
            probing: Default::default(),
            pacing: pace::Choice::DEFAULT,
            idle: validation::Choice::DEFAULT,
            is_nodelay: false,
            is_in_place: false,
        };
        let (trouble, farewell) = (Trouble::NONE, Farewell::NONE);
        let watch = tally::Watch::NONE;
        let tx = SendQueue::from(tx);
        Socket {
            phase: Phase::Closed,
            side: Side { rx, tx, config, error: None, trouble, farewell, watch, bound: Bound::ANY },
        }
    }

    fn restart(&mut self, phase: Phase) {
        self.keep_farewell();
        self.forget_left();
        self.side.error = None;
        self.side.trouble = Trouble::NONE;
        self.phase = phase;
    }

    /// What the last connection has left in the buffers goes, and the memory of those that grow.
    pub(crate) fn forget_left(&mut self) {
        self.side.rx.clear();
        self.side.rx.give_back();
        self.side.tx.clear();
        self.side.tx.give_back();
    }

    /// Sends what is queued, then a FIN. The peer may still send.
    pub fn close(&mut self) {
        match &mut self.phase {
            Phase::Connection(connection) if self.side.config.linger.is_zero() => connection.abort(),
            Phase::Connection(connection) => connection.close(),
            _ => self.phase = Phase::Closed,
        }
        self.note();
    }

    /// Ends the connection at once, with a reset for the peer. What is queued is lost.
    ///
    /// The next poll sends the reset, whatever becomes of the socket until then: it may connect or listen anew,
    /// or be removed (feature `tcp-abort-queue`; without it that loses the reset). Of sockets that were, at most
    /// [`TCP_RESETS`](crate::config::TCP_RESETS) resets wait; further ones are counted as
    /// [`DropReason::QueueFull`](crate::stats::DropReason::QueueFull), and their peers hear when they send next.
    pub fn abort(&mut self) {
        match &mut self.phase {
            Phase::Connection(connection) => connection.abort(),
            _ => self.phase = Phase::Closed,
        }
        self.note();
    }

    /// Where the connection stands.
    pub fn state(&self) -> State {
        match &self.phase {
            Phase::Closed => State::Closed,
            Phase::Listen(_) => State::Listen,
            Phase::Connecting(_) => State::SynSent,
            Phase::Connection(connection) => connection.state,
        }
    }

    /// Why the last connection ended, if it did not end in order.
    pub fn error(&self) -> Option<Error> {
        self.side.error
    }

    /// Our end, once there is a connection.
    pub fn local_endpoint(&self) -> Option<IpEndpoint> {
        self.tuple().map(|tuple| to_endpoint(tuple.local, tuple.local_port))
    }

    /// The peer's end, once there is a connection. Its zone is the interface that a link-local peer is behind, or that the
    /// connection is tied to.
    pub fn remote_endpoint(&self) -> Option<IpEndpoint> {
        let tuple = self.tuple()?;
        let zone = tuple.zone.checked_sub(1);
        Some(IpEndpoint { zone, ..to_endpoint(tuple.remote, tuple.remote_port) })
    }

    /// How long an acknowledgment may wait for data to go with; `None` for not at all. Less than 500 ms.
    pub fn set_ack_delay(&mut self, delay: Option<Duration>) {
        // RFC 9293 §3.8.6.3 (MUST-40): less than half a second.
        const MOST: u32 = ticks_of_ms(500) - 2;
        self.side.config.ack_delay = to_ticks(delay).min(MOST) as u16;
    }

    /// How long an acknowledgment may wait, in steps of 1.024 ms.
    pub fn ack_delay(&self) -> Option<Duration> {
        from_ticks(u32::from(self.side.config.ack_delay))
    }

    /// Whether a short segment waits until all before it is acknowledged (RFC 9293 §3.7.4). On at first.
    pub fn set_nagle_enabled(&mut self, is_enabled: bool) {
        // RFC 9293 §3.7.4 (MUST-17): the application may have it off.
        self.side.config.is_nodelay = !is_enabled;
    }

    /// Whether short segments wait.
    pub fn nagle_enabled(&self) -> bool {
        !self.side.config.is_nodelay
    }

    /// Whether the poll's handler sees payload in the driver's memory before it is copied.
    pub fn set_in_place(&mut self, is_enabled: bool) {
        self.side.config.is_in_place = is_enabled;
    }

    /// The smoothed round-trip time, once it was measured, in steps of 1.024 ms.
    pub fn round_trip_time(&self) -> Option<Duration> {
        let Phase::Connection(connection) = &self.phase else { return None };
        connection.rtt.srtt().map(|ticks| Duration::from_micros(u64::from(ticks) << 10))
    }

    fn rearm(&mut self) {
        if let Phase::Connection(connection) = &mut self.phase {
            connection.marks |= Marks::REARM;
        }
    }
}

/// What the engine calls.
impl Socket<'_> {
    /// The two ends, while segments of them are for this socket.
    pub(crate) fn tuple(&self) -> Option<&Tuple> {
        match &self.phase {
            Phase::Connection(connection)
                if connection.state != State::Closed || connection.marks.contains(Marks::RESET) =>
            {
                Some(&connection.tuple)
            }
            _ => None,
        }
    }

    /// Whether it is closed and has nothing more to send.
    pub(crate) fn is_done(&self) -> bool {
        !self.is_open() && self.tuple().is_none()
    }

    /// Whether a segment between these ends is for this socket.
    #[inline]
    pub(crate) fn is_for(&self, tuple: &Tuple) -> bool {
        match &self.phase {
            Phase::Connection(connection) => {
                connection.tuple.remote_port == tuple.remote_port
                    && connection.tuple == *tuple
                    && connection.state != State::Closed
            }
            _ => false,
        }
    }

    /// The stamp of a SYN, if its connection is to have some.
    #[inline]
    pub(crate) fn granted_stamp(&self, syn: &Stamp) -> Stamp {
        self.side.config.stamps.beside(self.side.config.room).granted(syn)
    }

    /// Goes on from a listener's record, whose SYN-ACK was acknowledged. The segment that did so is then
    /// processed, unless that `was_before` there was a socket.
    pub(crate) fn open_from(&mut self, cx: &Context<'_>, half: &HalfOpen, was_before: bool) -> Events {
        self.restart(Phase::Closed);
        self.phase =
            Phase::Connection(Connection::new(cx, half.tuple, State::SynReceived, half.iss, &self.side));
        let Phase::Connection(connection) = &mut self.phase else { return Events::empty() };
        if was_before {
            // The peer, which has data waiting, is told at once.
            connection.marks |= Marks::ACK;
        }
        let events = connection.go_on_from(cx, half, &self.side);
        self.note();
        events
    }

    /// A segment of this connection.
    pub(crate) fn process(
        &mut self,
        cx: &Context<'_>,
        seg: &Segment<'_>,
        in_place: Option<InPlace<'_>>,
    ) -> Outcome {
        let Phase::Connection(connection) = &mut self.phase else {
            return Outcome::DROPPED;
        };
        let out = connection.process(cx, seg, &mut self.side, in_place);
        self.listen_again();
        self.note();
        out
    }

    /// Whether something is queued that never left.
    pub(crate) fn has_unsent(&self) -> bool {
        let Phase::Connection(connection) = &self.phase else { return false };
        self.side.tx.len() > connection.snd.outstanding() as usize
    }

    /// Plans the segment that should leave now, and says whether there is one. Nothing is changed by it but when to
    /// ask again.
    pub(crate) fn plan(&mut self, cx: &Context<'_>, plan: &mut Plan) -> bool {
        let Phase::Connection(connection) = &mut self.phase else { return false };
        connection.refill(cx, &self.side);
        let is_due = connection.plan(cx, &self.side, plan);
        if !is_due && connection.is_to_wait(cx, &self.side) {
            connection.wait(&self.side);
        }
        is_due
    }

    /// Whether [`plan`](Self::plan) would do something.
    pub(crate) fn has_output(&self, cx: &Context<'_>) -> bool {
        let Phase::Connection(connection) = &self.phase else { return false };
        connection.plan(cx, &self.side, &mut Plan::none()) || connection.is_to_wait(cx, &self.side)
    }

    /// Writes the segment, with a zero checksum, into `out`, which has [`Plan::total_len`] octets, and
    /// returns its sum, of the header alone if not `is_summed`.
    pub(crate) fn emit(&self, plan: &Plan, is_summed: bool, out: &mut [u8]) -> Sum {
        let Phase::Connection(connection) = &self.phase else { return Sum::ZERO };
        let Some((header, payload)) = out.split_at_mut_checked(plan.header_len()) else {
            return Sum::ZERO;
        };
        if plan.blocks != sack::Blocks::NONE {
            connection.emit_blocks(plan, header);
        }
        let tuple = &connection.tuple;
        let sum = emit_control(plan, tuple.local_port, tuple.remote_port, header);
        if payload.is_empty() {
            return sum;
        }
        sum.add(self.side.tx.emit(plan.offset, is_summed, payload))
    }

    /// Whether so much stayed unanswered that the way may be dead.
    #[cfg(feature = "iface-nud")]
    pub(crate) fn is_in_doubt(&self) -> bool {
        matches!(&self.phase, Phase::Connection(it) if it.tries == config::TCP_DOUBT_RETRIES)
    }

    /// The segment was sent.
    pub(crate) fn on_sent(&mut self, cx: &Context<'_>, plan: &Plan) {
        if let Phase::Connection(connection) = &mut self.phase {
            connection.on_sent(cx, plan, &self.side);
        }
    }

    /// When [`on_timer`](Self::on_timer) is to be called at the latest; `now` if the application did
    /// something that a timer depends on.
    pub(crate) fn deadline(&self, now: Ticks) -> Option<Ticks> {
        match &self.phase {
            Phase::Connection(connection) => connection.deadline(now),
            _ => None,
        }
    }

    /// Acts on timers that are due, and on what the application did since. Does nothing otherwise.
    pub(crate) fn on_timer(&mut self, cx: &Context<'_>) -> Events {
        let Phase::Connection(connection) = &mut self.phase else { return Events::empty() };
        let events = connection.on_timer(cx, &mut self.side);
        self.listen_again();
        self.note();
        events
    }

    /// The application has let go of the socket: it closes, and the engine finishes it within a time.
    ///
    /// It is done with when [`is_open`](Self::is_open) is false and `plan` has nothing.
    #[cold]
    pub(crate) fn orphan(&mut self, cx: &Context<'_>) {
        let Phase::Connection(connection) = &mut self.phase else {
            self.phase = Phase::Closed;
            return;
        };
        // RFC 2525 §2.17: a FIN would say that the peer's data was taken.
        if !self.side.rx.is_empty() {
            connection.abort();
            self.note();
        } else if connection.state != State::Closed {
            connection.marks -= Marks::PASSIVE;
            connection.orphan(cx.ticks);
            self.close();
        }
    }

    /// The record for this connection, if it is in TIME-WAIT and has no more to send. The socket is
    /// closed by it.
    pub(crate) fn take_time_wait(&mut self, now: Ticks) -> Option<TimeWait> {
        let Phase::Connection(connection) = &mut self.phase else { return None };
        let record = connection.time_wait(now)?;
        _ = connection.finish();
        self.note();
        Some(record)
    }
}

fn to_ticks(duration: Option<Duration>) -> u32 {
    // Shorter than a tick is a tick, since 0 is none.
    duration.map_or(0, |duration| duration.to_ticks().max(1))
}

fn from_ticks(ticks: u32) -> Option<Duration> {
    (ticks > 0).then(|| Duration::from_micros(u64::from(ticks) << 10))
}
