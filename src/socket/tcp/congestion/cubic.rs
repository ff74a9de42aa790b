//! CUBIC (RFC 9438): how the window grows in congestion avoidance. The rest is Reno's.
//!
//! ```text
//!   W_cubic(t) = C (t - K)^3 + W_max       C = 0.4 segments/s^3, K = cbrt((W_max - cwnd_epoch) / C)
//!
//!   W_max -------------____----/           concave up to t = K, then convex
//!                 _,--'
//!              ,-'
//!   cwnd_epoch |______________ t
//! ```
//!
//! All in whole numbers: windows in octets, times in ticks of 1,024 us. A division has 32 bits, since many a small
//! processor has no other, and the cube root, found bit by bit, is taken once an epoch.

use crate::time::Ticks;

/// The largest window (RFC 7323 §2.3).
const MOST: u32 = 1 << 30;

/// Times from the plateau count up to here, 18 minutes; by then the curve is beyond any window.
const LONGEST: u32 = 1 << 20;

/// C in segments a cubic tick, times 2^63: 0.4 * 0.001024^3.
const C: u64 = 3_961_408_125;

/// 1 / C in cubic ticks a segment.
const PER_C: u64 = 2_328_306_437;

/// 3 (1 - beta) / (1 + beta) with beta = 0.7, times 2^16 (RFC 9438 §4.3).
const ALPHA: u64 = 34_695;

#[derive(Debug, Clone)]
pub(super) struct Cubic {
    /// The plateau of the curve, octets.
    w_max: u32,
    /// The window when it was last reduced, octets.
    cwnd_prior: u32,
    /// When the plateau is reached, in ticks from the epoch's begin.
    k: u32,
    /// What Reno's window would be, octets.
    w_est: u32,
    /// Octets acknowledged towards the next segment of it.
    credit: u32,
    /// When congestion avoidance began, later by all times in which it rested.
    epoch_at: Ticks,
    /// When the window last grew.
    acked_at: Ticks,
    /// Whether it has begun.
    is_on: bool,
}

impl Cubic {
    pub(super) const fn new() -> Cubic {
        Cubic {
            w_max: 0,
            cwnd_prior: 0,
            k: 0,
            w_est: 0,
            credit: 0,
            epoch_at: Ticks(0),
            acked_at: Ticks(0),
            is_on: false,
        }
    }

    /// The window after an ACK of `acked` octets in congestion avoidance; `srtt` in ticks.
    #[inline(never)]
    pub(super) fn on_ack(&mut self, cwnd: u32, acked: u32, mss: u32, now: Ticks, srtt: u32) -> u32 {
        if !self.is_on {
            self.begin(cwnd, mss, now);
        }
        self.rest(now, srtt);
        self.grow_estimate(cwnd, acked, mss);
        let t = now.since(self.epoch_at).max(0) as u32;
        // RFC 9438 §4.3: where Reno would be faster, on short paths and small windows, it is as fast.
        if self.at(t, mss) < self.w_est {
            return cwnd.max(self.w_est);
        }
        // RFC 9438 §4.2, §4.4, §4.5: in one round trip to where the curve is then.
        let target = self.at(t.saturating_add(srtt), mss).clamp(cwnd, cwnd + cwnd / 2);
        cwnd + share(target - cwnd, acked, cwnd)
    }

    /// RFC 9438 §4.2, §4.8: congestion avoidance begins; after a timeout nothing is known of a plateau.
    #[cold]
    fn begin(&mut self, cwnd: u32, mss: u32, now: Ticks) {
        self.is_on = true;
        self.w_max = self.w_max.max(cwnd);
        self.k = time_to(self.w_max - cwnd, mss);
        self.w_est = cwnd;
        self.credit = 0;
        self.epoch_at = now;
        self.acked_at = now;
    }

    /// RFC 9438 §4.2, §5.8: a time without anything to send, or too little to fill the window, does not count.
    fn rest(&mut self, now: Ticks, srtt: u32) {
        let gap = now.since(self.acked_at).max(0) as u32;
        self.acked_at = now;
        // While the window is in use, something is acknowledged in each round trip.
        if gap > 2 * srtt {
            self.epoch_at = self.epoch_at.after(gap - srtt);
        }
    }

    /// RFC 9438 §4.3, equation 4: by `alpha` segments for each window that is acknowledged.
    fn grow_estimate(&mut self, cwnd: u32, acked: u32, mss: u32) {
        let alpha = if self.w_est < self.cwnd_prior { ALPHA } else { 1 << 16 };
        self.credit += ((u64::from(acked.min(MOST)) * alpha) >> 16) as u32;
        if self.credit >= cwnd {
            // One ACK is of one window at most, whatever was acknowledged.
            self.credit = (self.credit - cwnd).min(cwnd);
            self.w_est = (self.w_est + mss).min(MOST);
        }
    }

    /// The curve at a time, in octets.
    fn at(&self, t: u32, mss: u32) -> u32 {
        match t.checked_sub(self.k) {
            None => self.w_max.saturating_sub(cube(self.k - t, mss)), // it begins at the window, K is rounded
            Some(t) => self.w_max + cube(t, mss),
        }
    }

    /// RFC 9438 §4.6, §4.7: the window is too large; if it has not come to the old plateau, others want a share.
    pub(super) fn on_loss(&mut self, cwnd: u32) {
        self.is_on = false;
        self.cwnd_prior = cwnd;
        self.w_max = if cwnd < self.w_max { cwnd - cwnd / 20 * 3 } else { cwnd };
    }

    /// RFC 9438 §4.8.
    pub(super) fn on_timeout(&mut self, cwnd: u32, is_first: bool) {
        self.is_on = false;
        self.w_max = 0;
        if is_first {
            self.cwnd_prior = cwnd;
        }
    }

    /// The window is small after a silence: a new epoch begins where slow start ends.
    pub(super) fn on_restart(&mut self) {
        self.is_on = false;
    }

    /// What a reduction that is about to come changes, sooner or later.
    pub(super) fn save(&self) -> Epoch {
        let &Cubic { w_max, cwnd_prior, k, w_est, epoch_at, is_on, .. } = self;
        Epoch { w_max, cwnd_prior, k, w_est, epoch_at, is_on }
    }

    /// RFC 9438 §4.9: the reduction was not called for. Returns the window that it began with.
    pub(super) fn restore(&mut self, saved: &Epoch) -> u32 {
        let cwnd = self.cwnd_prior;
        let Epoch { w_max, cwnd_prior, k, w_est, epoch_at, is_on } = *saved;
        *self = Cubic { w_max, cwnd_prior, k, w_est, epoch_at, is_on, ..*self };
        cwnd
    }
}

/// An epoch as it was before a reduction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epoch {
    w_max: u32,
    cwnd_prior: u32,
    k: u32,
    w_est: u32,
    epoch_at: Ticks,
    is_on: bool,
}

/// C t^3 in octets, at most 2^30, rounded down.
fn cube(t: u32, mss: u32) -> u32 {
    let t = u64::from(t.min(LONGEST));
    let cube = t * t * t;
    let shift = 32u32.saturating_sub(cube.leading_zeros());
    let segments = ((cube >> shift) * C) >> 32; // times 2^(31 - shift)
    ((segments * u64::from(mss)) >> (31 - shift)).min(MOST.into()) as u32
}

/// cbrt(gap / C) in ticks, rounded down, for a gap in octets of up to 2^30.
fn time_to(gap: u32, mss: u32) -> u32 {
    // In 256ths of a segment; an MSS has 16 bits.
    let mss = mss.clamp(64, 0xffff);
    let segments = (u64::from(gap / mss) << 8) + u64::from(((gap % mss) << 8) / mss);
    cube_root((segments * PER_C) >> 8)
}

/// The cube root, rounded down: by digits from the highest.
fn cube_root(x: u64) -> u32 {
    let (mut rest, mut root) = (x, 0u64);
    for place in (0..=21).rev() {
        let shift = place * 3;
        root *= 2;
        let digit = 3 * root * (root + 1) + 1;
        if rest >> shift >= digit {
            rest -= digit << shift;
            root += 1;
        }
    }
    root as u32
}

/// `gap * acked / cwnd`, at most `gap`, by the upper 16 bits of `gap`, which is not above `cwnd`, and of `acked`: one ACK
/// can be for many segments.
fn share(gap: u32, acked: u32, cwnd: u32) -> u32 {
    let excess = |x: u32| 16u32.saturating_sub(x.leading_zeros());
    if acked >= cwnd {
        return gap;
    }
    let (shift, acked_shift) = (excess(gap), excess(acked));
    // Below 2^16 times below 2^16, and the quotient shifted back is hardly above `gap`.
    let part = (gap >> shift) * (acked >> acked_shift) / (cwnd >> shift).max(1);
    (part << acked_shift).min(gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1_460;
    const TICK: f64 = 0.001_024;

    /// Numbers by chance, the same each time.
    struct Dice(u32);

    impl Dice {
        fn below(&mut self, end: u32) -> u32 {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((u64::from(self.0) * u64::from(end)) >> 32) as u32
        }
    }

    /// RFC 9438 in floating point, in segments and seconds.
    struct Model {
        cwnd: f64,
        w_max: f64,
        prior: f64,
        k: f64,
        w_est: f64,
        start: f64,
    }

    impl Model {
        /// Begins an epoch from where the integers are.
        fn begin(cubic: &Cubic, cwnd: u32, now: f64) -> Model {
            let segments = |octets: u32| f64::from(octets) / f64::from(MSS);
            let cwnd = segments(cwnd);
            let w_max = segments(cubic.w_max).max(cwnd);
            let k = ((w_max - cwnd) / 0.4).cbrt();
            Model { cwnd, w_max, prior: segments(cubic.cwnd_prior), k, w_est: cwnd, start: now }
        }

        fn curve(&self, at: f64) -> f64 {
            0.4 * (at - self.start - self.k).powi(3) + self.w_max
        }

        fn on_ack(&mut self, acked: f64, now: f64, rtt: f64) {
            let alpha = if self.w_est < self.prior { 0.9 / 1.7 } else { 1.0 };
            self.w_est += alpha * acked / self.cwnd;
            if self.curve(now) < self.w_est {
                self.cwnd = self.cwnd.max(self.w_est);
            } else {
                let target = self.curve(now + rtt).clamp(self.cwnd, 1.5 * self.cwnd);
                self.cwnd += (target - self.cwnd) * acked / self.cwnd;
            }
        }
    }

    #[test]
    fn roots_and_cubes_are_exact_to_an_octet() {
        for root in (0..1 << 20).step_by(997).chain([1, 2, 3, 1_625]) {
            let cube = u64::from(root).pow(3);
            assert_eq!((cube_root(cube), cube_root(cube + 3 * u64::from(root))), (root, root));
            assert!(root == 0 || cube_root(cube - 1) == root - 1);
        }
        for t in (0..80_000).step_by(7) {
            let octets = 0.4 * (f64::from(t) * TICK).powi(3) * f64::from(MSS);
            assert!((octets - f64::from(cube(t, MSS))).abs() <= 1.0 + octets * 1e-6, "{t}");
        }
        assert_eq!(cube(u32::MAX, 9_000), MOST);
        assert_eq!(time_to(MOST, 1), time_to(MOST, 64));
        let longest = (f64::from(MOST / 64) / 0.4).cbrt() / TICK;
        assert!((f64::from(time_to(MOST, 64)) - longest).abs() <= 1.0, "{longest}");
    }

    /// Within 1 % and two segments of the model in every epoch, since Reno's window grows by whole ones: 3,000 epochs
    /// on round trips of 2 to 300 ticks, with windows of 2 to 10,000 segments.
    ///
    /// Covers: RFC 9438 §4.2, §4.3, §4.4, §4.5
    #[test]
    fn the_window_is_that_of_floating_point() {
        let mut dice = Dice(1);
        let mut cubic = Cubic::new();
        let (mut cwnd, mut now, mut worst) = (100 * MSS, Ticks(u32::MAX - 100_000), 0.0f64);
        let (mut seconds, mut friendly, mut convex) = (0.0, 0, 0);
        for _ in 0..3_000 {
            let rtt = 2 + dice.below(300);
            if dice.below(20) == 0 {
                cubic.on_timeout(cwnd, true);
            } else {
                cubic.on_loss(cwnd);
            }
            cwnd = (cwnd / 10 * 7).clamp(2 * MSS, 10_000 * MSS);
            let mut model = Model::begin(&cubic, cwnd, seconds);
            for _ in 0..1 + dice.below(60) {
                // The acknowledgments of a round trip, in equal distances, some of them for many segments.
                let count = (cwnd / (2 * MSS)).clamp(1, if dice.below(2) == 0 { 400 } else { 20 });
                let each = cwnd / count;
                for i in 0..count {
                    cwnd = cubic.on_ack(cwnd, each, MSS, now, rtt);
                    model.on_ack(f64::from(each) / f64::from(MSS), seconds, f64::from(rtt) * TICK);
                    let step = rtt * (i + 1) / count - rtt * i / count;
                    now = now.after(step);
                    seconds += f64::from(step) * TICK;
                    let error = (f64::from(cwnd) / f64::from(MSS) - model.cwnd).abs();
                    worst = worst.max((error - 2.0) / model.cwnd);
                }
                friendly += u32::from(cwnd == cubic.w_est);
                convex += u32::from(now.since(cubic.epoch_at) as u32 > cubic.k);
            }
        }
        assert!(friendly > 1_000 && convex > 1_000, "{friendly} {convex}");
        assert!(worst < 0.01, "{worst}");
    }

    /// What a router or a network card makes one ACK of is worth as much as the ACKs were.
    ///
    /// Covers: RFC 9438 §4.3, §4.4
    #[test]
    fn one_ack_for_many_segments_is_worth_as_much_as_many() {
        let grown = |acked: u32| {
            let mut cubic = Cubic::new();
            cubic.on_loss(4_000 * MSS);
            let (mut cwnd, mut left, mut now) = (2_800 * MSS, 0, Ticks(7));
            for _ in 0..1_000 {
                now = now.after(2);
                left += 56 * MSS;
                while left >= acked {
                    left -= acked;
                    cwnd = cubic.on_ack(cwnd, acked, MSS, now, 100);
                }
            }
            cwnd - 2_800 * MSS
        };
        let (one, many) = (grown(MSS), grown(560 * MSS));
        assert!(one > 400 * MSS && one.abs_diff(many) < one / 50, "{one} {many}");
    }

    #[test]
    fn shares_are_exact_to_some_fifteen_bits() {
        let mut dice = Dice(3);
        for _ in 0..100_000 {
            let bits = dice.below(31);
            let cwnd = 1 + dice.below(1 << bits);
            let (gap, acked) = (dice.below(cwnd / 2 + 2).min(cwnd), dice.below(cwnd + cwnd / 2 + 2));
            let exact = u64::from(gap) * u64::from(acked.min(cwnd)) / u64::from(cwnd);
            let got = u64::from(share(gap, acked, cwnd));
            assert!(
                got.abs_diff(exact) <= (exact >> 13) + u64::from(acked >> 15) + 1,
                "{gap} {acked} {cwnd}: {got} {exact}"
            );
        }
        for (gap, cwnd) in [(1 << 29, 1 << 30), (1, 1), (0xffff, 0xffff), (0x1_ffff, 0x1_ffff)] {
            assert_eq!(share(gap, u32::MAX, cwnd), gap);
            assert_eq!(share(gap, 0, cwnd), 0);
        }
    }

    /// Covers: RFC 9438 §4.3
    #[test]
    fn on_a_short_path_it_is_as_fast_as_reno() {
        let mut cubic = Cubic::new();
        cubic.on_loss(20 * MSS);
        let mut cwnd = 14 * MSS;
        let mut grown = [0; 60];
        for (rounds, grown) in grown.iter_mut().enumerate() {
            for _ in 0..cwnd / MSS {
                cwnd = cubic.on_ack(cwnd, MSS, MSS, Ticks(rounds as u32), 1);
            }
            *grown = cwnd / MSS;
        }
        // 9 segments in 17 round trips up to the old window, then one in each.
        assert!((18..=20).contains(&grown[10]), "{grown:?}");
        assert!(grown[59] > 20 + 40, "{grown:?}");
    }

    /// Covers: RFC 9438 §4.7
    #[test]
    fn who_loses_below_the_old_plateau_makes_room() {
        let mut cubic = Cubic::new();
        cubic.on_loss(100_000);
        assert_eq!(cubic.w_max, 100_000);
        cubic.on_loss(90_000);
        assert_eq!(cubic.w_max, 76_500);
        cubic.on_loss(80_000);
        assert_eq!(cubic.w_max, 80_000);
    }

    /// As large as at the last loss is not smaller.
    ///
    /// Covers: RFC 9438 §4.7
    #[test]
    fn who_loses_at_the_old_plateau_makes_no_room() {
        let mut cubic = Cubic::new();
        cubic.on_loss(100_000);
        cubic.on_loss(100_000);
        assert_eq!(cubic.w_max, 100_000);
    }

    /// Reno's window grows by half a segment for a window up to that of the last loss, and by a whole one from there;
    /// what is acknowledged beyond a window counts for the next segment.
    ///
    /// Covers: RFC 9438 §4.3
    #[test]
    fn the_estimate_grows_as_reno_does_from_the_old_window_on() {
        let cwnd = 10 * MSS;
        let mut cubic = Cubic { w_est: cwnd, cwnd_prior: cwnd, ..Cubic::new() };
        cubic.grow_estimate(cwnd, cwnd + cwnd / 2, MSS);
        assert_eq!(cubic.w_est, 11 * MSS);
        cubic.grow_estimate(cwnd, cwnd / 2, MSS);
        assert_eq!(cubic.w_est, 12 * MSS);
        let mut cubic = Cubic { w_est: cwnd, cwnd_prior: cwnd + 1, ..Cubic::new() };
        cubic.grow_estimate(cwnd, cwnd, MSS);
        assert_eq!(cubic.w_est, cwnd);
    }

    /// Covers: RFC 9438 §4.2, §5.8
    #[test]
    fn up_to_two_round_trips_between_acknowledgments_are_no_rest() {
        for (gap, epoch_at) in [(150, 0), (200, 0), (201, 101), (1_000, 900)] {
            let mut cubic = Cubic { is_on: true, ..Cubic::new() };
            cubic.rest(Ticks(gap), 100);
            assert_eq!(cubic.epoch_at, Ticks(epoch_at), "after {gap} ticks");
        }
    }

    #[test]
    fn after_a_silence_an_epoch_begins() {
        let mut cubic = Cubic::new();
        cubic.on_loss(100 * MSS);
        cubic.on_ack(70 * MSS, MSS, MSS, Ticks(9), 100);
        cubic.on_restart();
        cubic.on_ack(50 * MSS, MSS, MSS, Ticks(5_000), 100);
        assert_eq!((cubic.epoch_at, cubic.w_max), (Ticks(5_000), 100 * MSS));
        assert_eq!(cubic.k, time_to(50 * MSS, MSS));
    }

    /// Covers: RFC 9438 §4.9
    #[test]
    fn a_reduction_that_is_taken_back_leaves_the_epoch_as_it_was() {
        let mut cubic = Cubic::new();
        cubic.on_loss(100 * MSS);
        for now in 0..500 {
            cubic.on_ack(70 * MSS, 10 * MSS, MSS, Ticks(now), 100);
        }
        let parts = |it: &Cubic| (it.w_max, it.cwnd_prior, it.k, it.w_est, it.epoch_at, it.is_on);
        let (before, saved) = (parts(&cubic), cubic.save());
        cubic.on_loss(80 * MSS);
        assert!(!cubic.is_on);
        cubic.on_ack(56 * MSS, MSS, MSS, Ticks(600), 100);
        assert_eq!(cubic.restore(&saved), 80 * MSS);
        assert_eq!(parts(&cubic), before);
        let saved = Cubic::new().save();
        cubic.restore(&saved);
        assert_eq!(parts(&cubic), parts(&Cubic::new()));
    }

    /// Covers: RFC 9438 §4.8
    #[test]
    fn after_a_timeout_the_plateau_is_where_avoidance_begins() {
        let mut cubic = Cubic::new();
        cubic.on_loss(100 * MSS);
        cubic.on_timeout(90 * MSS, true);
        cubic.on_timeout(MSS, false);
        cubic.on_ack(63 * MSS, MSS, MSS, Ticks(9), 100);
        assert_eq!((cubic.w_max, cubic.k, cubic.cwnd_prior), (63 * MSS, 0, 90 * MSS));
    }

    /// Covers: RFC 9438 §4.2, §5.8
    #[test]
    fn a_time_without_a_full_window_does_not_count() {
        let grow = |pause: u32| {
            let mut cubic = Cubic::new();
            cubic.on_loss(100 * MSS);
            let (mut cwnd, mut now) = (70 * MSS, Ticks(0));
            for i in 0..2_000 {
                now = now.after(if i == 1_000 { pause } else { 2 });
                cwnd = cubic.on_ack(cwnd, 2 * MSS, MSS, now, 100);
            }
            cwnd
        };
        let without = grow(2);
        assert!(grow(60_000) >= without && grow(60_000) < without + without / 20, "{}", grow(60_000));
    }

    #[test]
    fn nothing_overflows() {
        let mut dice = Dice(2);
        for _ in 0..20_000 {
            let mut cubic = Cubic::new();
            let mut cwnd = 1 + dice.below(MOST);
            cubic.on_loss(1 + dice.below(MOST));
            for _ in 0..5 {
                let next = cubic.on_ack(
                    cwnd,
                    dice.below(u32::MAX),
                    1 + dice.below(0xffff),
                    Ticks(dice.below(u32::MAX)),
                    dice.below(70_000),
                );
                assert!(next >= cwnd && next <= MOST + MOST / 2);
                cwnd = next.min(MOST);
            }
        }
    }
}
