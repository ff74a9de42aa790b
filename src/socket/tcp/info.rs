//! What a connection knows of itself and its path, with the names and the meaning of Linux's TCP_INFO (RFC 4898 has
//! many of the same).
//!
//! Most of it is there anyhow; what is counted for it alone is in [`Counts`] and [`Oddities`], which are
//! empty without the feature `tcp-info`. What Linux has and is not here has no field: the rate of pacing, what was delivered with
//! marks, fast open.

use super::connection::{Connection, Marks, header_len};
use super::segment::{Kind, Plan, Segment};
use super::{Phase, Side, Socket, State};
use crate::time::{Instant, Ticks};
use crate::wire::tcp::{Flags, SeqNum};

/// How the sender judges its path (Linux: `tcpi_ca_state`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaState {
    /// All is well.
    Open,
    /// Something has arrived out of order, or was lost.
    Disorder,
    /// A router has told of congestion, and the window was reduced (`TCP_CA_CWR`).
    Reduced,
    /// Something was lost and is repaired.
    Recovery,
    /// The timer ran out.
    Loss,
}

bitflags::bitflags! {
    /// What both ends have agreed on, with Linux's numbers (`tcpi_options`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct InfoOptions: u8 {
        /// Timestamps.
        const TIMESTAMPS = 1;
        /// Selective acknowledgments.
        const SACK = 2;
        /// Scaled windows.
        const WSCALE = 4;
        /// Explicit congestion notification.
        const ECN = 8;
        /// Data has come from a peer that heeds marks.
        const ECN_SEEN = 16;
    }
}

/// What [`Socket::info`] says. Each field is Linux's `tcpi_` of the same name.
///
/// Spans are in microseconds, to within a tick of 1,024 µs, but for those that say milliseconds. What Linux counts in
/// segments, and this stack in octets, is divided by `snd_mss` and rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// Where the connection stands.
    pub state: State,
    /// How the sender judges its path.
    pub ca_state: CaState,
    /// Timeouts in a row without an acknowledgment; a tail loss probe is none.
    pub retransmits: u8,
    /// Probes of a closed window in a row without an answer.
    pub probes: u8,
    /// How often the timeout was doubled, or the interval of the probes.
    pub backoff: u8,
    /// What both ends have agreed on.
    pub options: InfoOptions,
    /// How many bits the windows are shifted that the peer announces.
    pub snd_wscale: u8,
    /// How many bits those are that we announce.
    pub rcv_wscale: u8,
    /// The retransmission timeout, backed off.
    pub rto: u32,
    /// How long an acknowledgment may wait.
    pub ato: u32,
    /// Payload of a full segment that we send, octets.
    pub snd_mss: u32,
    /// The largest payload that has come, octets.
    pub rcv_mss: u32,
    /// Segments sent and not acknowledged.
    pub unacked: u32,
    /// Of these, what has arrived.
    pub sacked: u32,
    /// Of these, what is held to be lost, be it sent again since. Told with SACK and after a timeout.
    pub lost: u32,
    /// Of these, what was sent again and is not held to be lost again. Likewise.
    pub retrans: u32,
    /// Milliseconds since data was last sent; since the connection began if none was.
    pub last_data_sent: u32,
    /// Milliseconds since data last came, likewise.
    pub last_data_recv: u32,
    /// Milliseconds since an acknowledgment last came, likewise.
    pub last_ack_recv: u32,
    /// The largest packet that the path takes, octets.
    pub pmtu: u32,
    /// The largest window that can be announced, octets.
    pub rcv_ssthresh: u32,
    /// The smoothed round trip; 0 before the first.
    pub rtt: u32,
    /// Its variation.
    pub rttvar: u32,
    /// Where slow start ends, segments; 0x7fff_ffff before the first loss, as on Linux.
    pub snd_ssthresh: u32,
    /// The congestion window, segments.
    pub snd_cwnd: u32,
    /// Payload of a full segment that the peer may send, octets.
    pub advmss: u32,
    /// Segments out of order that mean a loss.
    pub reordering: u32,
    /// Octets of the receive buffer that are free.
    pub rcv_space: u32,
    /// Segments that were sent again, tail loss probes among them.
    pub total_retrans: u32,
    /// Octets of data that the peer has acknowledged.
    pub bytes_acked: u64,
    /// Octets of data that have come in order.
    pub bytes_received: u64,
    /// Segments sent, those without data and those sent again among them. A listener's SYN-ACK is not, as on Linux.
    pub segs_out: u32,
    /// Segments received.
    pub segs_in: u32,
    /// Octets queued and not sent.
    pub notsent_bytes: u32,
    /// The shortest round trip; 0 before the first.
    pub min_rtt: u32,
    /// Segments with data received.
    pub data_segs_in: u32,
    /// Segments with data sent.
    pub data_segs_out: u32,
    /// For how long there was something to send or to be acknowledged.
    pub busy_time: u64,
    /// For how long of it the peer's window was what it waited for.
    pub rwnd_limited: u64,
    /// For how long of it the send buffer was: full, and all of it sent.
    pub sndbuf_limited: u64,
    /// Octets of data sent, those sent again among them.
    pub bytes_sent: u64,
    /// Octets of data sent again.
    pub bytes_retrans: u64,
    /// How often the peer has said that something came twice (RFC 2883), up to 65,535.
    pub dsack_dups: u32,
    /// How often packets were seen to have overtaken each other, up to 65,535.
    pub reord_seen: u32,
    /// The peer's window, octets.
    pub snd_wnd: u32,
    /// Our window as last announced, octets.
    pub rcv_wnd: u32,
}

/// What sending waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// The network.
    Network,
    /// The peer's window.
    Window,
    /// Room in the send buffer.
    Buffer,
    /// There is nothing to send.
    Idle,
}

/// What is counted for [`Info`] alone, in as few octets as it takes: what follows from the sequence numbers is not here.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    /// Octets acknowledged, received in order, and sent again: the lower 32 bits.
    octets: [u32; 3],
    segs_in: u32,
    segs_out: u32,
    data_segs_in: u32,
    data_segs_out: u32,
    total_retrans: u32,
    data_sent_at: Ticks,
    data_received_at: Ticks,
    /// Ticks for which sending has waited for the network, the window and the buffer; of the current, less the
    /// time at which that began.
    spans: [u32; 3],
    /// What is above the lower 32 bits of `octets`.
    high: [u16; 3],
    /// The largest payload that the path takes, without options.
    path_mss: u16,
    limit: Limit,
}

/// The places in [`Counts::octets`].
const ACKED: usize = 0;
const RECEIVED: usize = 1;
const AGAIN: usize = 2;

impl Counts {
    pub(super) const fn new(now: Ticks) -> Counts {
        Counts {
            octets: [0; 3],
            segs_in: 0,
            segs_out: 0,
            data_segs_in: 0,
            data_segs_out: 0,
            total_retrans: 0,
            data_sent_at: now,
            data_received_at: now,
            spans: [0; 3],
            high: [0; 3],
            path_mss: 0,
            limit: Limit::Idle,
        }
    }

    #[inline]
    fn add<const PLACE: usize>(&mut self, len: u32) {
        let (low, is_over) = self.octets[PLACE].overflowing_add(len);
        self.octets[PLACE] = low;
        if is_over {
            self.high[PLACE] = self.high[PLACE].wrapping_add(1);
        }
    }

    fn octets<const PLACE: usize>(&self) -> u64 {
        u64::from(self.high[PLACE]) << 32 | u64::from(self.octets[PLACE])
    }

    /// A segment has come, or several that are together; alone it would be `mss` octets at most.
    #[inline]
    pub(super) fn on_segment(&mut self, seg: &Segment<'_>, mss: u16, now: Ticks) {
        let count = seg.payload.len().div_ceil(mss.max(1).into()) as u32;
        self.segs_in = self.segs_in.wrapping_add(count.max(1));
        if count > 0 {
            self.data_segs_in = self.data_segs_in.wrapping_add(count);
            self.data_received_at = now;
        }
    }

    /// So many octets of data were acknowledged.
    #[inline]
    pub(super) fn on_acked(&mut self, len: u32) {
        self.add::<ACKED>(len);
    }

    /// So many octets of data have come in order.
    #[inline]
    pub(super) fn on_received(&mut self, len: u32) {
        self.add::<RECEIVED>(len);
    }

    /// A segment was sent, or several in one; SND.MAX is not moved yet.
    #[inline]
    pub(super) fn on_sent(&mut self, plan: &Plan, max: SeqNum, (path_mss, mss): (u16, u32), now: Ticks) {
        self.path_mss = path_mss;
        let count = if plan.len <= mss { 1 } else { plan.len.div_ceil(mss.max(1)) };
        self.segs_out = self.segs_out.wrapping_add(count);
        if plan.len > 0 {
            self.data_segs_out = self.data_segs_out.wrapping_add(count);
            self.data_sent_at = now;
        }
        // That of a connection which has begun with data lies behind SND.MAX from the beginning.
        let is_first_syn = plan.kind == Kind::New && plan.flags.contains(Flags::SYN);
        if plan.seq_len() > 0 && plan.seq != max && !is_first_syn {
            self.on_sent_again(plan, max, count);
        }
    }

    /// What was sent before is at the beginning of `plan`. To ask for a window is not to repeat.
    #[cold]
    #[inline(never)]
    fn on_sent_again(&mut self, plan: &Plan, max: SeqNum, count: u32) {
        if plan.kind == Kind::ZeroWindowProbe {
            return;
        }
        if (plan.seq + plan.seq_len()).le(max) {
            self.total_retrans = self.total_retrans.wrapping_add(count);
        }
        self.add::<AGAIN>(plan.len.min(max.since(plan.seq).max(0) as u32));
    }

    /// The listener has repeated its SYN-ACK, as on Linux for the connection.
    pub(super) fn on_syn_lost(&mut self, tries: u8) {
        self.total_retrans = tries.into();
    }

    #[inline]
    fn is_idle(&self) -> bool {
        self.limit == Limit::Idle
    }

    /// Sending waits for something else from now on.
    #[inline]
    fn set_limit(&mut self, limit: Limit, now: Ticks) {
        if limit != self.limit {
            self.spans = self.spans_at(now);
            self.limit = limit;
            if let Some(span) = self.spans.get_mut(limit as usize) {
                *span = span.wrapping_sub(now.0);
            }
        }
    }

    fn spans_at(&self, now: Ticks) -> [u32; 3] {
        let mut spans = self.spans;
        if let Some(span) = spans.get_mut(self.limit as usize) {
            *span = span.wrapping_add(now.0);
        }
        spans
    }
}

/// What the peer's selective acknowledgments have told of.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Oddities {
    twice: u16,
    overtaken: u16,
}

impl Oddities {
    pub(super) const NONE: Oddities = Oddities { twice: 0, overtaken: 0 };

    pub(super) fn on_twice(&mut self) {
        self.twice = self.twice.saturating_add(1);
    }

    pub(super) fn on_overtaken(&mut self) {
        self.overtaken = self.overtaken.saturating_add(1);
    }
}

impl Connection {
    /// What sending waits for from now on.
    #[inline]
    pub(super) fn note_limit(&mut self, side: &Side<'_>, now: Ticks) {
        if !side.tx.is_empty() || !self.info.is_idle() {
            self.set_limit(side, now);
        }
    }

    #[inline(never)]
    fn set_limit(&mut self, side: &Side<'_>, now: Ticks) {
        let (queued, out) = (side.tx.len() as u32, self.snd.outstanding());
        let unsent = queued.saturating_sub(out); // less if the FIN is out
        let window = self.snd.wnd.saturating_sub(out); // less if it has shrunk
        let limit = match unsent {
            _ if queued == 0 || self.state.is_opening() => Limit::Idle,
            0 if !side.tx.has_room() => Limit::Buffer,
            0 => Limit::Network,
            _ if window < unsent.min(self.snd.mss.into()) && self.control.window() >= self.snd.wnd => {
                Limit::Window
            }
            _ => Limit::Network,
        };
        self.info.set_limit(limit, now);
    }

    /// All that was sent is sent again, for want of SACK. (A probe that the window did not take stays to be sent
    /// without being lost.)
    fn is_going_back(&self) -> bool {
        self.snd.nxt.lt(self.snd.max) && self.persist == 0
    }

    fn ca_state(&self) -> CaState {
        if self.sack.is_after_timeout() || self.is_going_back() {
            CaState::Loss
        } else if self.recovery.is_active() {
            CaState::Recovery
        } else if self.ecn.is_reduced() {
            CaState::Reduced
        } else if self.sack.arrived() > 0 || self.recovery.limited_transmit() > 0 {
            CaState::Disorder
        } else {
            CaState::Open
        }
    }

    fn info_options(&self) -> InfoOptions {
        let mut options = InfoOptions::empty();
        options.set(InfoOptions::TIMESTAMPS, self.stamps.len() > 0);
        options.set(InfoOptions::SACK, self.sack.is_on());
        options.set(InfoOptions::WSCALE, self.marks.contains(Marks::SCALES));
        options.set(InfoOptions::ECN, self.ecn.is_on());
        options.set(InfoOptions::ECN_SEEN, self.ecn.is_seen());
        options
    }

    /// Octets that are held to be lost, and those that were sent again.
    fn lost_and_again(&self) -> (u32, u32) {
        if self.is_going_back() && !self.state.is_opening() {
            return (self.snd.outstanding(), self.snd.flight());
        }
        self.sack.lost_and_again(&self.snd)
    }

    fn info(&self, side: &Side<'_>, now: Ticks) -> Info {
        let counts = &self.info;
        let path_mss = if counts.path_mss == 0 { self.snd.mss } else { counts.path_mss };
        let mss = u32::from(self.snd.mss.min(path_mss).saturating_sub(self.options_len()).max(1));
        let segments = |octets: u32| octets.div_ceil(mss);
        let [network, window, buffer] = counts.spans_at(now);
        let micros = |ticks: u32| ticks.saturating_mul(1_024);
        let span = |ticks: u32| u64::from(ticks) << 10;
        let millis = |at: Ticks| ((u64::from(now.since(at).max(0) as u32) << 10) / 1_000) as u32;
        let (lost, again) = self.lost_and_again();
        let (srtt, rttvar, backoff) = self.rtt.parts();
        let out = self.snd.outstanding();
        // Without SYN and FIN.
        let data_out = if self.state.is_opening() { 0 } else { out.min(side.tx.len() as u32) };
        let is_probing = self.persist > 0;
        Info {
            state: self.state,
            ca_state: self.ca_state(),
            retransmits: if is_probing { 0 } else { self.tries },
            probes: if is_probing { self.tries } else { 0 },
            backoff: backoff.max(self.persist),
            options: self.info_options(),
            snd_wscale: self.snd.shift,
            rcv_wscale: self.rcv.shift,
            rto: micros(self.rtt.rto()),
            ato: micros(side.config.ack_delay.into()),
            snd_mss: mss,
            rcv_mss: self.rcv.mss.into(),
            unacked: segments(out),
            sacked: segments(self.sack.arrived()),
            lost: segments(lost),
            retrans: segments(again),
            last_data_sent: millis(counts.data_sent_at),
            last_data_recv: millis(counts.data_received_at),
            last_ack_recv: millis(self.silence.since()),
            pmtu: u32::from(path_mss + header_len(&self.tuple)),
            rcv_ssthresh: (side.rx.capacity() as u32).min(0xffff << self.rcv.shift),
            // Eighths and quarters of ticks.
            rtt: srtt.saturating_mul(128),
            rttvar: rttvar.saturating_mul(256),
            snd_ssthresh: match self.control.threshold() {
                u32::MAX => 0x7fff_ffff,
                octets => segments(octets),
            },
            snd_cwnd: segments(self.control.window()),
            advmss: path_mss.saturating_sub(self.options_len()).into(), // never less than a few
            reordering: 3,
            rcv_space: side.rx.window() as u32,
            total_retrans: counts.total_retrans,
            bytes_acked: counts.octets::<ACKED>(),
            bytes_received: counts.octets::<RECEIVED>(),
            segs_out: counts.segs_out,
            segs_in: counts.segs_in,
            notsent_bytes: side.tx.len() as u32 - data_out,
            min_rtt: if srtt == 0 { 0 } else { micros(self.rtt.least()) },
            data_segs_in: counts.data_segs_in,
            data_segs_out: counts.data_segs_out,
            busy_time: span(network) + span(window) + span(buffer),
            rwnd_limited: span(window),
            sndbuf_limited: span(buffer),
            bytes_sent: counts.octets::<ACKED>() + u64::from(data_out) + counts.octets::<AGAIN>(),
            bytes_retrans: counts.octets::<AGAIN>(),
            dsack_dups: self.sack.oddities().twice.into(),
            reord_seen: self.sack.oddities().overtaken.into(),
            snd_wnd: self.snd.wnd,
            rcv_wnd: self.rcv.adv.since(self.rcv.nxt).max(0) as u32,
        }
    }
}

impl Socket<'_> {
    /// What the connection knows of itself and its path at `now`: Linux's TCP_INFO. `None` without a connection; after
    /// its end, what it was.
    #[cold]
    pub fn info(&self, now: Instant) -> Option<Info> {
        match &self.phase {
            Phase::Connection(connection) => Some(connection.info(&self.side, Ticks::from_instant(now))),
            _ => None,
        }
    }
}
