//! How fast the window shrinks while losses are repaired: proportional rate reduction (RFC 9937).
//!
//! For what is delivered in a recovery, a part is sent anew, so that in one round trip the flight comes down to
//! what congestion control wants, without a pause and without a burst.

/// The counts of one recovery; octets.
#[derive(Debug, Clone)]
pub(super) struct Prr {
    /// In flight when it began.
    recover_fs: u32,
    delivered: u32,
    out: u32,
}

impl Prr {
    /// A recovery begins with `flight` octets out.
    pub(super) const fn new(flight: u32) -> Prr {
        Prr { recover_fs: flight, delivered: 0, out: 0 }
    }

    pub(super) fn on_sent(&mut self, len: u32) {
        self.out = self.out.saturating_add(len);
    }

    /// The congestion window after an acknowledgment that tells of `delivered` more octets, with `pipe` in
    /// flight; `is_safe` if it acknowledges in order, so that nothing more seems lost.
    pub(super) fn on_delivered(
        &mut self,
        delivered: u32,
        pipe: u32,
        ssthresh: u32,
        mss: u32,
        is_safe: bool,
    ) -> u32 {
        self.delivered = self.delivered.saturating_add(delivered);
        let count = if pipe > ssthresh {
            share(self.delivered, ssthresh, self.recover_fs).saturating_sub(self.out)
        } else {
            let most = self.delivered.saturating_sub(self.out).max(delivered);
            (ssthresh - pipe).min(most + if is_safe { mss } else { 0 })
        };
        // The first of the lost segments goes in any case.
        let count = if self.out == 0 { count.max(mss) } else { count };
        pipe.saturating_add(count)
    }
}

/// `a * b / c`, by as many bits as fit into a product of 32.
fn share(a: u32, b: u32, c: u32) -> u32 {
    let shift = 16u32.saturating_sub((a | b | c).leading_zeros());
    let scaled = (a >> shift) * (b >> shift) / (c >> shift).max(1);
    // No more than can be shifted back.
    scaled.min(u32::MAX >> shift) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1_000;

    /// Covers: RFC 9937 §6
    #[test]
    fn in_a_round_trip_the_flight_comes_down_to_half() {
        let (flight, ssthresh) = (20 * MSS, 10 * MSS);
        let mut prr = Prr::new(flight);
        let (mut pipe, mut sent) = (19 * MSS, 0);
        for _ in 0..19 {
            pipe -= MSS;
            let window = prr.on_delivered(MSS, pipe, ssthresh, MSS, false);
            while window >= pipe + MSS {
                prr.on_sent(MSS);
                pipe += MSS;
                sent += 1;
            }
        }
        assert!((9..=10).contains(&(pipe / MSS)), "{pipe}");
        assert!((9..=10).contains(&sent), "one for two: {sent}");
    }

    #[test]
    fn below_the_threshold_no_more_goes_than_has_come() {
        let mut prr = Prr::new(20 * MSS);
        prr.on_sent(MSS);
        assert_eq!(prr.on_delivered(3 * MSS, 2 * MSS, 10 * MSS, MSS, false), 5 * MSS);
        assert_eq!(prr.on_delivered(0, 5 * MSS, 10 * MSS, MSS, true), 8 * MSS);
    }

    #[test]
    fn the_share_of_large_windows_does_not_overflow() {
        assert_eq!(share(1_000, 500, 1_000), 500);
        let big = share(1 << 29, 1 << 28, 1 << 29);
        assert!((1 << 28) - big < 1 << 15, "{big}");
        assert_eq!(share(5, 5, 0), 25);
        assert!(share(1 << 30, 1 << 30, 1) > 0xffff_0000, "as much as there can be");
    }
}
