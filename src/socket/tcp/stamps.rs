//! Timestamps (RFC 7323): round trips measured though segments went twice, and protection against segments of
//! numbers that have come round again (PAWS).
//!
//! The clock is the stack's, in ticks of 1,024 µs, which differs for any two ends by a keyed offset; it is the
//! same for all connections between these, so that a later one has later stamps (RFC 7323 §7.1). An ACK's stamp makes
//! a round trip only where the clock that runs without it was stopped: after something was sent again.
//!
//! ```text
//!  +------+------+------+------+-------------------+-------------------+
//!  | nop  | nop  |  8   |  10  | our clock         | the peer's clock  |
//!  +------+------+------+------+-------------------+-------------------+
//! ```

use super::connection::Connection;
use super::segment::Segment;
use super::{Listener, Outcome, Socket};
use crate::config;
use crate::rand::{Domain, Keys};
use crate::socket::{Context, Room, Tuple};
use crate::time::Ticks;
use crate::wire::checksum::{self, Sum};
use crate::wire::tcp::Options;
use crate::wire::tcpopt::{self, NOP, TcpOption, kind};
use crate::wire::{Addr, Error};

/// Octets of the option, with the padding before it.
const LEN: usize = 12;

/// RFC 7323 §5.5: what the peer's clock showed so long ago says nothing: 24 days, in 2^16 ticks.
const OUTDATED: u16 = ((24 * 24 * 3_600 * crate::time::TICKS_PER_SEC) >> 16) as u16;

/// Ticks of a round trip beyond which it tells nothing: half a minute.
const LONGEST: i32 = 30 * crate::time::TICKS_PER_SEC as i32;

/// A time to within 67 s.
#[inline]
fn coarse(at: Ticks) -> u16 {
    (at.0 >> 16) as u16
}

/// Whether timestamps are wanted at all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice(bool);

impl Choice {
    pub(super) const DEFAULT: Choice = Choice(true);

    /// The same beside options of the application's own.
    #[inline]
    pub(super) fn beside(self, room: Room) -> Choice {
        Choice(self.0 && room.leaves_stamps())
    }

    /// The stamp of a SYN, if the connection that it asks for is to have some.
    pub(super) fn granted(self, syn: &Stamp) -> Stamp {
        if self.0 { *syn } else { Stamp::NONE }
    }

    #[inline]
    pub(super) fn is_wanted(self) -> bool {
        self.0
    }
}

/// A segment's option, if it has one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The sender's clock (TSval).
    pub(super) value: u32,
    /// The receiver's, as the sender last saw it (TSecr).
    pub(super) echo: u32,
    pub(super) is_there: bool,
}

impl Stamp {
    pub(crate) const NONE: Stamp = Stamp { value: 0, echo: 0, is_there: false };

    #[inline]
    pub(super) fn new(value: u32, echo: u32) -> Stamp {
        Stamp { value, echo, is_there: true }
    }

    /// Takes the option off the front of an options area, where it most often is.
    #[inline]
    pub(crate) fn strip<'f>(&mut self, area: &'f [u8]) -> &'f [u8] {
        let Some((&[NOP, NOP, kind::TIMESTAMPS, 10, a, b, c, d, e, f, g, h], rest)) =
            area.split_first_chunk()
        else {
            return area;
        };
        *self = Stamp::new(u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
        rest
    }

    /// Reads what [`strip`](Self::strip) has left of an options area, with a timestamp that stands elsewhere.
    #[cold]
    #[inline(never)]
    pub(crate) fn parse(&mut self, area: &[u8], options: &mut Options) -> Result<(), Error> {
        options.parse(area)?;
        for option in tcpopt::Options::parse(area).into_iter().flatten() {
            if let TcpOption::Timestamps { value, echo } = option {
                *self = Stamp::new(value, echo);
            }
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn buffer_len(&self) -> usize {
        if self.is_there { LEN } else { 0 }
    }

    /// Writes the option, if it is there, to the front of an options area, and returns its sum.
    #[inline]
    pub(crate) fn emit(&self, area: &mut [u8]) -> Sum {
        let Some(out) = area.first_chunk_mut::<LEN>().filter(|_| self.is_there) else { return Sum::ZERO };
        let ([a, b, c, d], [e, f, g, h]) = (self.value.to_be_bytes(), self.echo.to_be_bytes());
        *out = [NOP, NOP, kind::TIMESTAMPS, 10, a, b, c, d, e, f, g, h];
        checksum::sum_header(out)
    }

    /// The stamp of an answer to a segment that has one, where nothing is known of the connection.
    pub(crate) fn answer(&self, keys: &Keys, tuple: &Tuple, now: Ticks) -> Stamp {
        if !self.is_there {
            return Stamp::NONE;
        }
        Stamp::new(now.0.wrapping_add(offset(keys, tuple)), self.value)
    }
}

/// How far the clock that a peer sees is from ours.
#[inline(never)]
fn offset(keys: &Keys, tuple: &Tuple) -> u32 {
    let [a, b, c, d] = tuple.local.words();
    let [e, f, g, h] = tuple.remote.words();
    keys.hash(Domain::Stamp, &[a, b, c, d, e, f, g, h]) as u32
}

/// What a half-open connection keeps: the peer's clock, if both ends want stamps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Half {
    value: u32,
}

impl Half {
    pub(super) const NONE: Half = Half { value: 0 };

    /// The peer's SYN; says whether it asks for stamps.
    pub(super) fn begin(&mut self, wanted: Choice, syn: &Stamp) -> bool {
        self.value = syn.value;
        wanted.0 && syn.is_there
    }

    /// What the SYN said.
    pub(super) fn stamp(self, is_on: bool) -> Stamp {
        Stamp { value: self.value, echo: 0, is_there: is_on }
    }
}

/// What TIME-WAIT keeps: the peer's clock as it was last seen, if the connection had stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Last {
    /// In octets, so that a record is the smaller.
    value: [u8; 4],
    is_on: bool,
}

impl Last {
    pub(super) const NONE: Last = Last::new(0, false);

    pub(super) const fn new(value: u32, is_on: bool) -> Last {
        Last { value: value.to_ne_bytes(), is_on }
    }

    /// RFC 6191 §2: whether a new connection between the same ends may begin, whose SYN has this stamp if both ends
    /// want some, and a number that `is_beyond` those of the old one.
    pub(super) fn gives_way(self, stamp: &Stamp, is_beyond: bool) -> bool {
        let last = u32::from_ne_bytes(self.value);
        match (self.is_on, stamp.value.wrapping_sub(last) as i32) {
            _ if !stamp.is_there => is_beyond,
            (false, _) => true,
            (true, 0) => is_beyond,
            (true, later) => later > 0,
        }
    }
}

/// Our address in a record of TIME-WAIT, in fewer octets to make room for the clock: its words folded into one. Two
/// addresses of ours that fold alike have no business with the same port of the same peer, and nobody else chooses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ours(u32);

impl Ours {
    pub(super) const NONE: Ours = Ours(0);

    pub(super) fn new(addr: &Addr) -> Ours {
        Ours(addr.words().into_iter().fold(0, |a, b| a ^ b))
    }

    /// The address, if it is this one.
    pub(super) fn is(self, addr: &Addr) -> Addr {
        if self == Ours::new(addr) { *addr } else { Addr::UNSPECIFIED }
    }
}

/// What a connection knows of both clocks.
#[derive(Debug, Clone)]
pub(super) struct Stamps {
    /// Added to our clock.
    offset: u32,
    /// The peer's clock (TS.Recent), and when it was seen: the upper half of the ticks.
    recent: u32,
    seen_at: u16,
    /// Both ends send stamps; before the peer has answered, we want to.
    is_on: bool,
    /// The next ACK of something new gives a round trip.
    is_asked: bool,
}

impl Stamps {
    #[inline]
    pub(super) fn new(cx: &Context<'_>, tuple: &Tuple, wanted: Choice) -> Stamps {
        Stamps {
            offset: offset(cx.keys, tuple),
            recent: 0,
            seen_at: coarse(cx.ticks),
            is_on: wanted.0,
            is_asked: false,
        }
    }

    /// RFC 7323 §3.2: the peer's SYN has come, which decides.
    pub(super) fn begin(&mut self, syn: &Stamp, now: Ticks) {
        self.is_on &= syn.is_there;
        (self.recent, self.seen_at) = (syn.value, coarse(now));
    }

    /// What is left of it in TIME-WAIT.
    pub(super) fn last(&self) -> Last {
        Last::new(self.recent, self.is_on)
    }

    /// The listener has granted them.
    pub(super) fn grant(&mut self) {
        self.is_on = true;
    }

    /// Octets that each segment has less for its payload (RFC 6691 §2).
    #[inline]
    pub(super) fn len(&self) -> u16 {
        if self.is_on { LEN as u16 } else { 0 }
    }

    /// What a segment says that is sent now.
    #[inline]
    pub(super) fn stamp(&self, now: Ticks) -> Stamp {
        Stamp { value: now.0.wrapping_add(self.offset), echo: self.recent, is_there: self.is_on }
    }

    /// RFC 7323 §5.3 (R1), §3.2: whether a segment is from long ago, or was not sent by the peer.
    #[inline]
    pub(super) fn is_stale(&self, stamp: &Stamp, now: Ticks) -> bool {
        self.is_on && (!stamp.is_there || (self.is_past(stamp.value) && !self.is_outdated(now)))
    }

    #[inline]
    fn is_past(&self, value: u32) -> bool {
        (value.wrapping_sub(self.recent) as i32) < 0
    }

    #[cold]
    fn is_outdated(&self, now: Ticks) -> bool {
        coarse(now).wrapping_sub(self.seen_at) > OUTDATED
    }

    /// RFC 7323 §4.3: the clock that is echoed is that of the first segment which the next ACK is for.
    #[inline]
    pub(super) fn on_segment(&mut self, stamp: &Stamp, is_first: bool, now: Ticks) {
        // One that was not stale.
        if is_first && self.is_on {
            (self.recent, self.seen_at) = (stamp.value, coarse(now));
        }
    }

    /// When that was sent which called a segment forth, if it says.
    pub(super) fn echoed(&self, stamp: &Stamp, now: Ticks) -> Option<Ticks> {
        let span = now.0.wrapping_add(self.offset).wrapping_sub(stamp.echo);
        // Else the peer echoes what we have not said.
        const MOST: u32 = super::ticks_of_ms(config::TCP_MAX_RTO);
        let is_sane = self.is_on && stamp.is_there && span <= MOST;
        is_sane.then(|| Ticks(now.0.wrapping_sub(span)))
    }

    /// The clock of the segment that is being timed was stopped.
    pub(super) fn on_retransmit(&mut self) {
        self.is_asked = true;
    }

    /// The round trip in ticks that an ACK tells of, if that was asked for.
    fn round_trip(&mut self, stamp: &Stamp, now: Ticks) -> Option<u32> {
        self.is_asked = false;
        self.echoed(stamp, now).map(|echo| (now.since(echo) as u32).max(1))
    }
}

impl Connection {
    /// RFC 7323 §4.1: an ACK of something new makes a round trip, if there is no other measure.
    #[inline]
    pub(super) fn measure(&mut self, cx: &Context<'_>, seg: &Segment<'_>) {
        if self.stamps.is_asked
            && let Some(rtt) = self.stamps.round_trip(&seg.stamp, cx.ticks)
        {
            self.rtt.sample(rtt);
        }
    }

    /// RFC 7323 §5.3 (R1): it is answered with where we are, and goes no further.
    #[cold]
    #[inline(never)]
    pub(super) fn process_stale(&mut self, cx: &Context<'_>, seg: &Segment<'_>) -> Outcome {
        if seg.stamp.is_there {
            self.challenge(cx.ticks);
        }
        Outcome::DROPPED
    }
}

/// How a SYN-ACK whose record travels as a cookie says what else was agreed: the last six bits of its stamp.
///
/// ```text
///   5     4      3                 0
/// +-----+------+-------------------+
/// | ECN | SACK | shift, 15 if none |
/// +-----+------+-------------------+
/// ```
const HIDDEN: u32 = 0x3f;

impl Stamp {
    /// The same, with what the SYN asks for; at most 64 ticks older.
    pub(super) fn hide(mut self, options: &Options, has_ecn: bool) -> Stamp {
        // A shift is at most 14.
        let shift = u32::from(options.window_scale).min(15);
        let bits = u32::from(has_ecn) << 5 | u32::from(options.sack_permitted) << 4 | shift;
        let value = self.value & !HIDDEN | bits;
        // It must not lie ahead.
        let is_ahead = (value.wrapping_sub(self.value) as i32) > 0;
        self.value = if is_ahead { value.wrapping_sub(HIDDEN + 1) } else { value };
        self
    }

    /// What the SYN asked for, from the ACK that brings the cookie back.
    pub(super) fn hidden(&self, mss: u16, wanted: Choice) -> Options {
        if !wanted.0 || !self.is_there {
            return Options { mss, ..Options::NONE };
        }
        let shift = (self.echo & 15) as u8;
        Options {
            mss,
            window_scale: if shift <= 14 { shift } else { 0xff },
            sack_permitted: self.echo & 0x10 != 0,
        }
    }

    /// When the SYN-ACK left whose cookie comes back, at most 64 ticks too early: `None` if no stamp says so that could be
    /// ours.
    pub(super) fn hidden_time(&self, wanted: Choice, cx: &Context<'_>, tuple: &Tuple) -> Option<Ticks> {
        if !wanted.0 || !self.is_there {
            return None;
        }
        let sent_at = Ticks(self.echo.wrapping_sub(offset(cx.keys, tuple)));
        (0..=LONGEST).contains(&cx.ticks.since(sent_at)).then_some(sent_at)
    }

    /// Whether explicit congestion notification was granted.
    pub(super) fn hidden_ecn(&self, wanted: Choice) -> bool {
        wanted.0 && self.is_there && self.echo & 0x20 != 0
    }
}

impl Socket<'_> {
    /// Whether the next connection asks for timestamps (RFC 7323), or grants them to a peer who asks. On at first.
    /// They cost 12 octets in each segment; without them a delayed segment from four gigabytes ago is taken for a
    /// new one.
    pub fn set_timestamps_enabled(&mut self, is_enabled: bool) {
        self.side.config.stamps = Choice(is_enabled);
    }

    /// Whether it does.
    pub fn timestamps_enabled(&self) -> bool {
        self.side.config.stamps.is_wanted()
    }
}

impl Listener<'_> {
    /// Whether connections get timestamps (RFC 7323) if the client asks for them; on at first. SYN cookies need
    /// them to keep window scaling and selective acknowledgments.
    pub fn set_timestamps_enabled(&mut self, is_enabled: bool) {
        self.stamps = Choice(is_enabled);
    }

    /// Whether they do.
    pub fn timestamps_enabled(&self) -> bool {
        self.stamps.is_wanted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Instant;

    const WANTED: Choice = Choice(true);
    const UNWANTED: Choice = Choice(false);

    fn tuple() -> Tuple {
        Tuple { local: Addr::UNSPECIFIED, remote: Addr::UNSPECIFIED, local_port: 1, remote_port: 2, zone: 0 }
    }

    /// Calls `test` with a context and the clock that a peer sees.
    fn with_clock(test: impl Fn(&Context<'_>, u32)) {
        let (keys, now) = (Keys::new([5; 32]), Instant::from_secs(1_000));
        let ticks = Ticks::from_instant(now);
        let cx = Context { now, ticks, ip_mtu: 1_500, burst_len: 0, keys: &keys };
        test(&cx, ticks.0.wrapping_add(offset(&keys, &tuple())));
    }

    /// Where stamps were not agreed on, or a segment has none, an echo tells no round trip: who sends it may have made it
    /// up.
    ///
    /// Covers: RFC 7323 §3.2, §4.1
    #[test]
    fn only_a_stamp_that_was_agreed_on_is_an_echo() {
        with_clock(|cx, clock| {
            let echo = Stamp::new(7, clock.wrapping_sub(300));
            let none = Stamp { is_there: false, ..echo };
            let stamps = |wanted| Stamps::new(cx, &tuple(), wanted);
            assert_eq!(stamps(WANTED).echoed(&echo, cx.ticks), Some(Ticks(cx.ticks.0.wrapping_sub(300))));
            assert_eq!(stamps(WANTED).echoed(&none, cx.ticks), None);
            assert_eq!(stamps(UNWANTED).echoed(&echo, cx.ticks), None);
            let ahead = Stamp::new(7, clock.wrapping_add(1));
            assert_eq!(stamps(WANTED).echoed(&ahead, cx.ticks), None);
        });
    }

    #[test]
    fn what_a_cookie_hides_in_a_stamp_is_read_only_where_stamps_are_wanted() {
        with_clock(|cx, clock| {
            let echo = Stamp::new(7, clock.wrapping_sub(300) | 0x20);
            let none = Stamp { is_there: false, ..echo };
            assert!(echo.hidden_time(WANTED, cx, &tuple()).is_some() && echo.hidden_ecn(WANTED));
            for (stamp, wanted) in [(echo, UNWANTED), (none, WANTED), (none, UNWANTED)] {
                assert_eq!(stamp.hidden_time(wanted, cx, &tuple()), None);
                assert!(!stamp.hidden_ecn(wanted));
                assert_eq!(stamp.hidden(1_460, wanted), Options { mss: 1_460, ..Options::NONE });
            }
        });
    }
}
