//! How large segments may be on the path (RFC 1191, RFC 8201), by what routers report and without them (RFC 4821).
//!
//! A report is believed if it quotes what is in flight. When nothing so large has arrived yet it counts at once; else it
//! waits, and counts if the timer runs out before what it quotes is acknowledged (RFC 5927 §7.2). Where reports stay away,
//! timeouts in a row of full segments mean a black hole. Later single larger segments, the probes, tell how much passes;
//! that such a one is lost says nothing of congestion.
//!
//! Each connection learns for itself: nothing is shared between those to one destination, so one that was deceived
//! harms no other. Sizes are those of an MSS: the options of TCP are in them.

use super::connection::{Connection, Marks};
use super::segment::{Kind, Plan};
use super::{Phase, Side, Socket, ticks_of_ms};
use crate::config;
use crate::socket::Context;
use crate::stats::DropReason;
use crate::time::Ticks;
use crate::wire::tcp::SeqNum;

const RAISE: u32 = ticks_of_ms(config::TCP_PMTU_RAISE);

/// RFC 8899 §5.1.2: probes of one size that have to be lost until it counts as too large.
const MAX_PROBES: u8 = 3;
/// Closer than this to what is too large nothing larger is looked for.
const CLOSE_ENOUGH: u16 = 16;
/// Full segments that have to follow a probe, so that its loss is seen soon (RFC 4821 §7.4).
const FOLLOWERS: u32 = 3;
/// Reports in a row that count at once; no path has so many steps.
const MAX_REPORTS: u8 = 8;
/// Timeouts in a row that mean a black hole, and how many if segments of that size have arrived before: then bad luck
/// or an outage is more likely.
const BLACK_HOLE: (u8, u8) = (2, 4);
/// Timeouts in a row after which routers are left to cut what is sent.
const LAST_RESORT: u8 = 6;
/// RFC 1191 §7.1: sizes of links, for reports from routers that don't say theirs.
const PLATEAUS: [u32; 10] = [32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 508, 296, 68];

/// When segments larger than those that arrive are tried (RFC 4821).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MtuProbing {
    /// Never: only reports make segments smaller, and after ten minutes the full size is used again.
    Off,
    /// When the path was found to take less than the full size, and when timeouts say that it may be a black hole.
    #[default]
    OnBlackHole,
    /// A connection begins with small segments, and looks for larger ones at once.
    Always,
}

bitflags::bitflags! {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Flags: u8 {
        /// A full segment has arrived since the size was last changed.
        const PASSED = 1;
        /// `size` is that of a probe.
        const PROBE = 1 << 1;
        /// `size` is from a report that waits.
        const REPORT = 1 << 2;
        /// Larger sizes are tried.
        const SEARCH = 1 << 3;
        /// The largest one that may pass is the next.
        const TOP = 1 << 4;
        /// Routers may cut what is sent (RFC 1191 §3).
        const CUT = 1 << 5;
    }
}

/// What a connection knows of the path.
#[derive(Debug, Clone)]
pub(super) struct Pmtu {
    /// The peer's MSS while that in use is smaller; else 0.
    peer: u16,
    /// Nothing larger passes, as far as is known.
    high: u16,
    /// Of the probe that is out, or of a report that waits; 0 if there is neither.
    size: u16,
    flags: Flags,
    /// Probes of this size that were lost, or reports that counted since something arrived.
    tries: u8,
    /// Where the probe begins, or what the report quotes.
    seq: SeqNum,
    /// When larger sizes are tried again.
    at: Ticks,
}

impl Pmtu {
    pub(super) const fn new() -> Pmtu {
        Pmtu { peer: 0, high: 0, size: 0, flags: Flags::empty(), tries: 0, seq: SeqNum(0), at: Ticks(0) }
    }

    /// Whether acknowledgments of something new are of interest.
    #[inline]
    pub(super) fn is_watching(&self) -> bool {
        self.peer | self.size != 0 || !self.flags.contains(Flags::PASSED)
    }

    /// Whether a larger segment may be due.
    #[inline]
    pub(super) fn is_searching(&self) -> bool {
        self.flags.contains(Flags::SEARCH)
    }

    /// Whether the probe is all of `len` octets that are lost from `seq` on (RFC 4821 §7.6.2).
    pub(super) fn is_probe(&self, seq: SeqNum, len: u32) -> bool {
        self.is_probe_at(seq) && len <= u32::from(self.size)
    }

    pub(super) fn is_probe_at(&self, seq: SeqNum) -> bool {
        self.flags.contains(Flags::PROBE) && seq == self.seq
    }

    fn set(&mut self, size: u16, seq: SeqNum, flag: Flags) {
        self.flags.remove(Flags::PROBE | Flags::REPORT);
        self.flags.insert(flag);
        (self.size, self.seq) = (size, seq);
    }

    fn clear(&mut self) {
        self.set(0, self.seq, Flags::empty());
    }

    /// Sizes up to `high` are looked for, that one first.
    fn search(&mut self, high: u16) {
        self.high = high;
        self.tries = 0;
        self.flags |= Flags::SEARCH | Flags::TOP;
    }

    /// The size is good for the time being.
    fn rest(&mut self, now: Ticks) {
        self.flags -= Flags::SEARCH;
        self.at = now.after(RAISE);
    }

    /// What to try above `low`.
    fn target(&self, low: u16) -> u16 {
        let gap = self.high.saturating_sub(low); // none is left
        if self.flags.contains(Flags::TOP) { self.high } else { self.high - gap / 2 }
    }
}

/// Sizes for who knows nothing: what passes nearly anywhere, and what is sent at the least.
fn base_and_floor(is_v4: bool) -> (u16, u16) {
    if is_v4 {
        (config::TCP_BASE_MSS_V4, config::TCP_PMTU_FLOOR_V4 - 40)
    } else {
        (config::TCP_DEFAULT_MSS_V6, config::TCP_DEFAULT_MSS_V6)
    }
}

/// The sizes.
impl Connection {
    fn is_v4(&self) -> bool {
        self.tuple.local.is_v4()
    }

    /// The size in use.
    fn size(&self, cx: &Context<'_>) -> u16 {
        self.snd.mss.min(self.path_mss(cx))
    }

    /// The largest one that link and peer take.
    fn full_size(&self, cx: &Context<'_>) -> u16 {
        self.snd.mss.max(self.pmtu.peer).min(self.path_mss(cx))
    }

    fn lower(&mut self, mss: u16) {
        if self.pmtu.peer == 0 {
            self.pmtu.peer = self.snd.mss;
        }
        self.snd.mss = mss;
        self.pmtu.clear();
        self.pmtu.flags -= Flags::PASSED;
    }

    fn raise(&mut self, cx: &Context<'_>, mss: u16) {
        self.pmtu.clear();
        self.pmtu.flags -= Flags::CUT | Flags::TOP;
        self.pmtu.tries = 0;
        self.snd.mss = mss;
        if mss >= self.full_size(cx) {
            self.snd.mss = self.pmtu.peer.max(mss);
            self.pmtu.peer = 0;
            self.pmtu.flags -= Flags::SEARCH;
        }
    }

    /// Both SYNs are acknowledged.
    #[cold]
    #[inline(never)]
    pub(super) fn begin_pmtu(&mut self, cx: &Context<'_>, side: &Side<'_>) {
        let (base, _) = base_and_floor(self.is_v4());
        let full = self.full_size(cx);
        if side.config.probing == MtuProbing::Always && full > base {
            self.lower(base);
            self.pmtu.search(full);
        }
    }

    /// No larger than this, says who is to be believed.
    fn take_report(&mut self, cx: &Context<'_>, mss: u16) {
        let (_, floor) = base_and_floor(self.is_v4());
        // RFC 1191 §3: a host need not send less if it lets routers cut instead.
        let is_cut = mss < floor;
        self.lower(mss.max(floor).min(self.size(cx)));
        self.pmtu.flags |= if is_cut { Flags::CUT } else { Flags::empty() };
        self.pmtu.tries = self.pmtu.tries.saturating_add(1); // bounded by who asks
        self.pmtu.rest(cx.ticks);
    }

    /// All that is out goes again (RFC 1191 §6.4), which is no sign of congestion (RFC 8201 §5.4).
    fn send_all_again(&mut self) {
        self.recovery.on_timeout(self.snd.max);
        self.marks -= Marks::RETRANSMIT | Marks::PARTIAL;
        if !self.repair_all(false) {
            self.snd.nxt = self.snd.una;
        }
    }
}

/// What routers say.
impl Connection {
    /// The size that a report allows, if that is one to believe: smaller than what it quotes, and no smaller than any
    /// link carries (RFC 791 §3.2, RFC 8201 §4).
    fn reported(&self, cx: &Context<'_>, mtu: u32, quoted_len: usize) -> Option<u16> {
        let (least, header_len) = if self.is_v4() { (68, 40) } else { (1_280, 60) };
        let quoted_len = quoted_len as u32;
        let mtu = if self.is_v4() && mtu == 0 {
            let most = quoted_len.min(u32::from(self.size(cx).max(self.pmtu.size)) + header_len);
            // RFC 1191 §5: who says nothing knows no more than that it was too large.
            PLATEAUS.into_iter().find(|&plateau| plateau < most).unwrap_or(0) // is refused
        } else {
            mtu
        };
        (mtu >= least && mtu < quoted_len).then(|| (mtu - header_len).min(0xffff) as u16)
    }

    fn on_too_big(&mut self, cx: &Context<'_>, seq: SeqNum, mtu: u32, quoted_len: usize) -> Option<()> {
        let mss = self.reported(cx, mtu, quoted_len)?;
        let size = self.size(cx);
        if self.pmtu.is_probe_at(seq) && mss >= size {
            // RFC 4821 §7.6.2: the search goes on from there. Nothing is believed to pass that has not.
            (mss < self.pmtu.size && mss < self.pmtu.high).then_some(())?;
            self.pmtu.high = mss;
            self.pmtu.flags |= Flags::TOP;
            return Some(());
        }
        // RFC 8201 §4: it never makes segments larger; nor does it say twice what is known.
        let (_, floor) = base_and_floor(self.is_v4());
        let is_cut_anew = mss < floor && !self.pmtu.flags.contains(Flags::CUT);
        (mss < size && (size > floor || is_cut_anew)).then_some(())?;
        if self.pmtu.flags.contains(Flags::PASSED) || self.pmtu.tries >= MAX_REPORTS {
            self.pmtu.set(mss, seq, Flags::REPORT);
            return Some(());
        }
        self.take_report(cx, mss);
        self.send_all_again();
        Some(())
    }
}

/// What acknowledgments and timeouts say.
impl Connection {
    /// SND.UNA has moved by `acked` octets.
    #[cold]
    #[inline(never)]
    pub(super) fn on_pmtu_ack(&mut self, cx: &Context<'_>, acked: u32, mss: u32, side: &Side<'_>) {
        if acked >= mss && !self.pmtu.flags.contains(Flags::PASSED) {
            self.pmtu.flags |= Flags::PASSED;
            self.pmtu.tries = 0;
        }
        let Pmtu { size, seq, flags, .. } = self.pmtu;
        // RFC 5927 §7.2: what the report is about has arrived.
        if flags.contains(Flags::REPORT) && self.snd.una.gt(seq) {
            self.pmtu.clear();
        }
        // RFC 4821 §7.6.1.
        if flags.contains(Flags::PROBE) && self.snd.una.ge(seq + u32::from(size - self.options_len())) {
            self.raise(cx, size);
            self.settle_search(cx);
        }
        let is_lowered = self.pmtu.peer != 0 && self.pmtu.size == 0;
        if is_lowered && !self.pmtu.is_searching() && self.pmtu.at.is_due(cx.ticks) {
            self.try_larger(cx, side);
        }
    }

    /// RFC 1191 §6.3, RFC 8201 §5.3: the path may have become larger.
    fn try_larger(&mut self, cx: &Context<'_>, side: &Side<'_>) {
        let full = self.full_size(cx);
        if side.config.probing == MtuProbing::Off {
            self.raise(cx, full);
        } else {
            self.pmtu.search(full);
        }
    }

    /// Ends the search if nothing is left to try.
    fn settle_search(&mut self, cx: &Context<'_>) {
        let is_open = self.pmtu.high >= self.size(cx).saturating_add(CLOSE_ENOUGH); // it is over
        if !is_open {
            self.pmtu.rest(cx.ticks);
        }
    }

    /// The probe has not arrived.
    #[cold]
    pub(super) fn on_probe_lost(&mut self, cx: &Context<'_>) {
        let pmtu = &mut self.pmtu;
        pmtu.tries += 1;
        if pmtu.size > pmtu.high {
            // A router has said more.
            pmtu.tries = 0;
        } else if pmtu.tries >= MAX_PROBES {
            pmtu.tries = 0;
            pmtu.high = pmtu.size - 1;
            pmtu.flags -= Flags::TOP;
        }
        pmtu.clear();
        self.settle_search(cx);
    }

    /// A timeout, the n-th in a row. If a report explains it, it is no sign of congestion, and the repair has begun.
    #[cold]
    #[inline(never)]
    pub(super) fn on_full_stop(&mut self, cx: &Context<'_>, side: &Side<'_>) -> bool {
        if self.pmtu.flags.contains(Flags::REPORT) {
            // RFC 5927 §7.2: nothing has spoken against it.
            self.take_report(cx, self.pmtu.size);
            self.send_all_again();
            return true;
        }
        if self.pmtu.flags.contains(Flags::PROBE) {
            self.on_probe_lost(cx);
        }
        if side.config.probing != MtuProbing::Off && self.snd.outstanding() >= self.mss(cx) {
            self.suspect_black_hole(cx);
        }
        false
    }

    /// RFC 4821 §7.7.
    fn suspect_black_hole(&mut self, cx: &Context<'_>) {
        let (base, floor) = base_and_floor(self.is_v4());
        let (size, full) = (self.size(cx), self.full_size(cx));
        let has_passed = self.pmtu.flags.contains(Flags::PASSED);
        let most = if has_passed { BLACK_HOLE.1 } else { BLACK_HOLE.0 };
        if size > base && self.tries >= most {
            self.lower(base);
            self.pmtu.search(full);
        } else if self.is_v4() && self.tries >= LAST_RESORT && !self.pmtu.flags.contains(Flags::CUT) {
            self.lower(size.min(floor));
            self.pmtu.search(full);
            self.pmtu.flags |= Flags::CUT;
        }
    }
}

/// Probes.
impl Connection {
    /// Plans a probe if one is due; `Some(false)` if it waits for room (RFC 4821 §7.4).
    #[cold]
    #[inline(never)]
    pub(super) fn decide_mtu_probe(
        &self,
        cx: &Context<'_>,
        side: &Side<'_>,
        plan: &mut Plan,
    ) -> Option<bool> {
        let (pmtu, snd) = (&self.pmtu, &self.snd);
        let is_ready = pmtu.size == 0 && pmtu.flags.contains(Flags::PASSED);
        let is_calm =
            !self.recovery.is_active() && snd.nxt == snd.max && side.config.probing != MtuProbing::Off;
        // The link may have shrunk since.
        let size = pmtu.target(self.size(cx)).min(self.full_size(cx));
        if !is_ready || !is_calm || size <= self.size(cx) {
            return None;
        }
        let len = u32::from(size - self.options_len());
        let all = len + FOLLOWERS * self.mss(cx);
        let flight = snd.flight();
        let unsent = (side.tx.len() as u32).checked_sub(flight)?;
        let most = self.control.window().min(snd.wnd);
        if unsent < all || most < all {
            return None;
        }
        if most.saturating_sub(flight) < len {
            // More is out than three segments, so that something will be acknowledged.
            return Some(false);
        }
        plan.kind = Kind::MtuProbe;
        plan.carry(snd.nxt, flight, len, false, false);
        Some(true)
    }

    #[cold]
    pub(super) fn on_probe_sent(&mut self, plan: &Plan) {
        let size = plan.len as u16 + self.options_len();
        self.pmtu.set(size, plan.seq, Flags::PROBE);
    }

    /// Octets of the probe are sent again, in smaller segments: their acknowledgment will say nothing of it.
    #[cold]
    pub(super) fn on_sent_again(&mut self, cx: &Context<'_>, plan: &Plan) {
        let seq = self.pmtu.seq;
        if self.pmtu.flags.contains(Flags::PROBE) && plan.seq.le(seq) && (plan.seq + plan.len).gt(seq) {
            self.on_probe_lost(cx);
        }
    }
}

impl Socket<'_> {
    /// When segments larger than those that arrive are tried; at first when the path takes less than the full size.
    pub fn set_mtu_probing(&mut self, probing: MtuProbing) {
        self.side.config.probing = probing;
    }

    /// What was set.
    pub fn mtu_probing(&self) -> MtuProbing {
        self.side.config.probing
    }

    /// The largest IP packet that the path takes, in octets, where that is known to be less than the peer would take.
    pub fn path_mtu(&self) -> Option<u32> {
        let Phase::Connection(connection) = &self.phase else { return None };
        let header_len = if connection.is_v4() { 40 } else { 60 };
        (connection.pmtu.peer != 0).then(|| u32::from(connection.snd.mss) + header_len)
    }

    /// Whether routers may cut what is sent, but for probes.
    #[inline]
    pub(crate) fn may_be_cut(&self) -> bool {
        matches!(&self.phase, Phase::Connection(it) if it.pmtu.flags.contains(Flags::CUT))
    }

    /// A router says that a packet of `quoted_len` octets, of which it quotes the number `seq`, was larger than `mtu`.
    #[cold]
    pub(crate) fn on_too_big(
        &mut self,
        cx: &Context<'_>,
        seq: SeqNum,
        mtu: u32,
        quoted_len: usize,
    ) -> Result<(), DropReason> {
        let Phase::Connection(connection) = &mut self.phase else { return Err(DropReason::IcmpMismatch) };
        if !connection.is_in_flight(seq) {
            return Err(DropReason::IcmpMismatch);
        }
        connection.on_too_big(cx, seq, mtu, quoted_len).ok_or(DropReason::PathMtu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A loss is that of the probe if it begins there and is no longer, while the probe is out.
    ///
    /// Covers: RFC 4821 §7.6.2
    #[test]
    fn a_probe_is_told_by_where_it_begins_and_how_long_it_is() {
        let mut pmtu = Pmtu::new();
        assert!(!pmtu.is_probe(SeqNum(0), 0));
        pmtu.set(1_400, SeqNum(7), Flags::PROBE);
        assert!(pmtu.is_probe(SeqNum(7), 1_400) && pmtu.is_probe(SeqNum(7), 1));
        assert!(!pmtu.is_probe(SeqNum(7), 1_401), "and what is behind it");
        assert!(!pmtu.is_probe(SeqNum(8), 100) && !pmtu.is_probe_at(SeqNum(8)));
        pmtu.set(1_200, SeqNum(7), Flags::REPORT);
        assert!(!pmtu.is_probe_at(SeqNum(7)), "that is a report");
        pmtu.clear();
        assert!(!pmtu.is_probe_at(SeqNum(7)));
    }
}
