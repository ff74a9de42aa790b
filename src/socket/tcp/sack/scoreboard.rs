//! What the peer says it has beyond the acknowledgment number (RFC 6675 §3), in a bounded list of ranges.

use crate::config::SACK_RANGES;
use crate::storage::Few;
use crate::wire::tcp::SeqNum;

/// Ranges of which so many mean that what lies below them is lost (RFC 6675 §2).
const DUP_THRESH: usize = 3;

/// Octets that have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: SeqNum,
    end: SeqNum,
}

impl Span {
    fn len(&self) -> u32 {
        self.end.since(self.start) as u32
    }
}

/// The ranges that have arrived beyond SND.UNA.
///
/// When there are more than it has room for, it forgets the shortest: that is sent once more than it need be,
/// and nothing is believed to have arrived that has not.
#[derive(Debug)]
pub(super) struct Scoreboard {
    /// The first `count`, in ascending order, with a hole between any two.
    spans: Few<Span, SACK_RANGES>,
    count: u8,
    /// Octets in all of them.
    sacked: u32,
}

impl Scoreboard {
    pub(super) const fn new() -> Scoreboard {
        let none = Span { start: SeqNum(0), end: SeqNum(0) };
        Scoreboard { spans: Few::new(none), count: 0, sacked: 0 }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn clear(&mut self) {
        (self.count, self.sacked) = (0, 0);
        self.spans.release();
    }

    /// Octets that have arrived.
    #[inline]
    pub(super) fn sacked(&self) -> u32 {
        self.sacked
    }

    fn known(&self) -> &[Span] {
        self.spans.places().get(..usize::from(self.count)).unwrap_or_default()
    }

    /// All before `una` is acknowledged.
    pub(super) fn advance(&mut self, una: SeqNum) {
        let gone = self.known().iter().take_while(|span| span.end.le(una)).count();
        self.remove(0, gone);
        if let Some(first) =
            self.spans.places_mut().first_mut().filter(|span| self.count > 0 && span.start.lt(una))
        {
            self.sacked -= una.since(first.start) as u32;
            first.start = una;
        }
    }

    /// Notes that `start..end` has arrived, which lies beyond SND.UNA and was sent.
    pub(super) fn add(&mut self, start: SeqNum, end: SeqNum) {
        let mut new = Span { start, end };
        // What it overlaps or touches, `first..last`, becomes one with it.
        let first = self.known().iter().take_while(|span| span.end.lt(start)).count();
        let last = self.known().iter().take_while(|span| span.start.le(end)).count();
        if let Some(touched) = self.known().get(first..last).filter(|touched| !touched.is_empty()) {
            new.start = touched.first().map_or(start, |span| span.start.min(start));
            new.end = touched.last().map_or(end, |span| span.end.max(end));
        }
        self.remove(first, last);
        self.insert(first, new);
    }

    /// Puts `new` at the place `at`, or forgets the shortest.
    fn insert(&mut self, mut at: usize, new: Span) {
        if usize::from(self.count) == self.spans.places().len() && !self.spans.grow() {
            let shortest = self.known().iter().map(Span::len).enumerate().min_by_key(|&(_, len)| len);
            let Some((i, _)) = shortest.filter(|&(_, len)| len < new.len()) else { return };
            self.remove(i, i + 1);
            at -= usize::from(i < at);
        }
        let mut carried = new;
        for place in self.spans.places_mut().get_mut(at..=usize::from(self.count)).unwrap_or_default() {
            core::mem::swap(place, &mut carried);
        }
        self.count += 1;
        self.sacked += new.len();
    }

    /// Removes the ranges `from..to`.
    fn remove(&mut self, from: usize, to: usize) {
        let count = usize::from(self.count);
        let gone: u32 = self.known().get(from..to).unwrap_or_default().iter().map(Span::len).sum();
        self.spans.places_mut().get_mut(from..count).unwrap_or_default().rotate_left(to - from);
        self.count -= (to - from) as u8;
        self.sacked -= gone;
        if self.count == 0 {
            self.spans.release();
        }
    }

    /// Whether something is lost (RFC 6675 §4, IsLost), unless packets overtake each other: as many ranges have arrived
    /// beyond it, or as many octets.
    pub(super) fn is_loss(&self, mss: u32) -> bool {
        usize::from(self.count) >= DUP_THRESH || self.sacked > (DUP_THRESH as u32 - 1) * mss
    }

    /// Octets of `from..to` that have not arrived.
    pub(super) fn missing(&self, from: SeqNum, to: SeqNum) -> u32 {
        let all = to.since(from).max(0) as u32;
        let within = |span: &Span| span.end.min(to).since(span.start.max(from)).max(0) as u32;
        all - self.known().iter().map(within).sum::<u32>().min(all)
    }

    /// The first octets of `from..to` that have not arrived: where, and how many up to those that have.
    pub(super) fn hole(&self, mut from: SeqNum, to: SeqNum) -> Option<(SeqNum, u32)> {
        let mut end = to;
        for span in self.known() {
            if from.lt(span.start) {
                end = to.min(span.start);
                break;
            }
            from = from.max(span.end);
        }
        from.lt(end).then(|| (from, end.since(from) as u32))
    }

    /// Where the highest range ends.
    pub(super) fn end(&self) -> Option<SeqNum> {
        self.known().last().map(|span| span.end)
    }

    /// Whether the peer has let go of what it had (RFC 2018 §8): it acknowledges up to a range, and not the
    /// range.
    pub(super) fn is_reneged(&self, una: SeqNum) -> bool {
        self.known().first().is_some_and(|span| span.start.le(una))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNA: SeqNum = SeqNum(u32::MAX - 500);
    const WINDOW: usize = 2_000;

    fn spans(board: &Scoreboard) -> Vec<(u32, u32)> {
        board.known().iter().map(|span| (span.start.since(UNA) as u32, span.end.since(UNA) as u32)).collect()
    }

    fn board_of(ranges: &[(u32, u32)]) -> Scoreboard {
        let mut board = Scoreboard::new();
        ranges.iter().for_each(|&(start, end)| board.add(UNA + start, UNA + end));
        board
    }

    #[test]
    fn ranges_that_touch_become_one() {
        let mut board = board_of(&[(300, 400), (100, 200)]);
        assert_eq!((spans(&board), board.sacked()), (vec![(100, 200), (300, 400)], 200));
        board.add(UNA + 200, UNA + 310);
        assert_eq!((spans(&board), board.sacked()), (vec![(100, 400)], 300));
        board.advance(UNA + 150);
        assert_eq!((spans(&board), board.sacked()), (vec![(150, 400)], 250));
        board.advance(UNA + 400);
        assert!(board.is_empty() && board.sacked() == 0);
    }

    /// Covers: RFC 6675 §4
    #[test]
    fn three_ranges_or_more_than_two_segments_above_mean_a_loss() {
        const MSS: u32 = 100;
        let is_loss = |ranges: &[(u32, u32)]| board_of(ranges).is_loss(MSS);
        assert!(!is_loss(&[(100, 300)]) && is_loss(&[(100, 301)]));
        assert!(!is_loss(&[(100, 110), (120, 130)]) && is_loss(&[(100, 110), (120, 130), (140, 150)]));
    }

    #[test]
    fn holes_are_found_in_their_order() {
        let board = board_of(&[(100, 200), (300, 400)]);
        let hole = |from, to| board.hole(UNA + from, UNA + to).map(|(at, len)| (at.since(UNA), len));
        assert_eq!(hole(0, 500), Some((0, 100)));
        assert_eq!(hole(50, 80), Some((50, 30)));
        assert_eq!(hole(100, 500), Some((200, 100)));
        assert_eq!(hole(250, 300), Some((250, 50)));
        assert_eq!(hole(300, 400), None);
        assert_eq!(hole(300, 500), Some((400, 100)));
        assert_eq!(hole(500, 500), None);
        assert_eq!(board.missing(UNA, UNA + 500), 300);
        assert_eq!(board.missing(UNA + 150, UNA + 350), 100);
    }

    #[test]
    fn the_shortest_gives_way_when_there_is_no_room() {
        let most = SACK_RANGES.max(crate::config::MANY_RANGES);
        let end = 200 * most as u32 + 400;
        let mut board = Scoreboard::new();
        for i in 0..most as u32 {
            board.add(UNA + 200 * i + 10, UNA + 200 * i + 26 + i);
        }
        let before = spans(&board);
        board.add(UNA + end - 10, UNA + end);
        assert_eq!(spans(&board), before, "what is new is the shortest");
        board.add(UNA + end - 100, UNA + end);
        assert_eq!(spans(&board).len(), most);
        assert_eq!(spans(&board).first(), before.get(1));
        assert_eq!(spans(&board).last(), Some(&(end - 100, end)));
    }

    #[test]
    fn random_use_never_believes_more_than_has_arrived() {
        let mut random = crate::phy::SimRng::new(7);
        let mut below = |n: usize| random.below(n as u64) as usize;
        for _ in 0..2_000 {
            let (mut board, mut map) = (Scoreboard::new(), vec![false; WINDOW]);
            let mut una = 0;
            for _ in 0..40 {
                if below(8) == 0 {
                    una += below(60);
                    board.advance(UNA + una as u32);
                } else {
                    let start = una + 1 + below(WINDOW - una - 1);
                    let end = (start + 1 + below(150)).min(WINDOW);
                    board.add(UNA + start as u32, UNA + end as u32);
                    map[start..end].fill(true);
                }
                let known = spans(&board);
                assert!(known.windows(2).all(|pair| pair[0].1 < pair[1].0), "{known:?}");
                assert!(
                    known.iter().all(|&(a, b)| a < b && map[a as usize..b as usize].iter().all(|&is| is))
                );
                let sacked: u32 = known.iter().map(|&(a, b)| b - a).sum();
                assert_eq!(board.sacked(), sacked);
                let missing = board.missing(UNA + una as u32, UNA + WINDOW as u32);
                assert_eq!(missing, (WINDOW - una) as u32 - sacked);
            }
        }
    }

    const MANY: usize = 300;

    /// The shortest gives way to one just before it, and the order stays.
    #[test]
    fn a_full_list_stays_in_order_whichever_range_is_the_shortest() {
        for shortest in [0, 1, 2, 5, MANY] {
            let mut board = Scoreboard::new();
            let mut places = 0;
            // As many as there is room for, of 20 octets each but one.
            while board.known().len() == places && places < MANY {
                let start = UNA + 100 * places as u32 + 50;
                board.add(start, start + if places == shortest { 10 } else { 20 });
                places += 1;
            }
            let count = board.known().len();
            assert!(count < MANY);
            for n in 0..count as u32 {
                let start = UNA + 100 * n + 10;
                board.add(start, start + 30);
                let known = board.known();
                assert!(known.len() == count && known.windows(2).all(|two| two[0].end.lt(two[1].start)));
                let octets: u32 = known.iter().map(Span::len).sum();
                assert_eq!(octets, board.sacked());
            }
        }
    }

    /// Covers: RFC 2018 §8
    #[test]
    fn a_peer_has_let_go_of_a_range_when_it_acknowledges_up_to_it() {
        let mut board = Scoreboard::new();
        assert!(!board.is_reneged(UNA));
        board.add(UNA + 100, UNA + 200);
        assert!(!board.is_reneged(UNA) && !board.is_reneged(UNA + 99));
        assert!(board.is_reneged(UNA + 100));
    }
}
