//! Which ranges a receiver tells of (RFC 2018 §4), and what came twice (RFC 2883).

use super::super::connection::Connection;
use super::super::segment::Plan;
use crate::config;
use crate::storage::Assembler;
use crate::wire::tcp::{HEADER_LEN, SeqNum};
use crate::wire::tcpopt::{NOP, SackBlock, TcpOption};

/// Blocks that an acknowledgment has room for beside no other option.
const MAX_BLOCKS: usize = 4;

/// Ranges of which it is known in what order they have grown. Where there are few, nearly all are told of in any order.
const RECENT: usize = if config::HAS_FAST_PATHS { MAX_BLOCKS } else { 2 };

/// What is to be told.
#[derive(Debug, Clone)]
pub(super) struct Report {
    /// An octet of each of the ranges that have grown last, the latest first; other numbers mean nothing.
    recent: [SeqNum; RECENT],
    /// What came twice, to be told once; empty if nothing has.
    twice: (SeqNum, SeqNum),
}

impl Report {
    pub(super) const fn new() -> Report {
        let zero = SeqNum(0);
        Report { recent: [zero; RECENT], twice: (zero, zero) }
    }

    /// A segment came ahead of what is expected, and is part of the range `start..end` now.
    pub(super) fn on_ahead(&mut self, start: SeqNum, end: SeqNum) {
        let is_same = |seq: &SeqNum| seq.ge(start) && seq.lt(end);
        let place = self.recent.iter().position(is_same).unwrap_or(RECENT - 1);
        if let Some(moved) = self.recent.get_mut(..=place) {
            moved.rotate_right(1);
            moved[0] = start;
        }
    }

    /// These octets had come before.
    pub(super) fn on_twice(&mut self, start: SeqNum, end: SeqNum) {
        self.twice = (start, end);
    }

    #[inline]
    pub(super) fn has_twice(&self) -> bool {
        self.twice.0 != self.twice.1
    }

    /// An acknowledgment has told of it.
    pub(super) fn on_told(&mut self) {
        self.twice.0 = self.twice.1;
    }

    /// Writes the blocks to tell of, and returns how many there are: first what came twice, then the range
    /// that the last segment is in, those of the segments before it, then others. `nxt` is where `ahead` begins.
    pub(super) fn blocks(
        &self,
        nxt: SeqNum,
        ahead: &Assembler,
        blocks: &mut [SackBlock; MAX_BLOCKS],
    ) -> usize {
        let mut count = 0;
        if self.has_twice() {
            blocks[0] = block(self.twice.0, self.twice.1);
            count = 1;
        }
        let first = count;
        let recent = self.recent.iter().filter_map(|seq| {
            let offset = seq.since(nxt);
            ahead.iter().find(|&(at, len)| offset >= at as i32 && offset < at.wrapping_add(len) as i32)
        });
        for (at, len) in recent.chain(ahead.iter()) {
            let new = block(nxt + at, nxt + at + len);
            let is_told = blocks.get(first..count).unwrap_or_default().contains(&new);
            if let Some(place) = blocks.get_mut(count).filter(|_| !is_told) {
                *place = new;
                count += 1;
            }
        }
        count
    }
}

fn block(start: SeqNum, end: SeqNum) -> SackBlock {
    [start.0.to_be_bytes(), end.0.to_be_bytes()]
}

/// Octets of the blocks that a plan's segment has room for, with the option's head and the padding before it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Blocks(u8);

impl Blocks {
    pub(crate) const NONE: Blocks = Blocks(0);

    fn new(count: usize) -> Blocks {
        Blocks(if count == 0 { 0 } else { (4 + count * size_of::<SackBlock>()) as u8 })
    }

    fn count(self) -> usize {
        usize::from(self.0) / size_of::<SackBlock>()
    }

    #[inline]
    pub(crate) fn buffer_len(self) -> usize {
        self.0.into()
    }
}

impl Connection {
    /// A segment with `len` octets begins `skip` octets before what is expected, or `offset` behind.
    #[cold]
    #[inline(never)]
    pub(in crate::socket::tcp) fn note_order(&mut self, skip: u32, offset: u32, len: u32) {
        let nxt = self.rcv.nxt;
        let report = &mut self.sack.report;
        if skip > 0 && len > 0 {
            report.on_twice(nxt - skip, nxt - skip + skip.min(len));
        }
        if offset > 0 && len > 0 {
            let mut range = (offset, offset + len);
            for (at, len) in self.rcv.assembler.iter() {
                let is_touched = at <= range.1 && at + len >= offset;
                if at <= offset && at + len >= range.1 {
                    report.on_twice(nxt + offset, nxt + range.1);
                }
                if is_touched {
                    range = (range.0.min(at), range.1.max(at + len));
                }
            }
            report.on_ahead(nxt + range.0, nxt + range.1);
        }
    }

    /// Makes room in an acknowledgment for what there is to tell.
    #[inline]
    pub(in crate::socket::tcp) fn note_blocks(&self, plan: &mut Plan) {
        if self.sack.is_on && (!self.rcv.assembler.is_empty() || self.sack.report.has_twice()) {
            let most = if plan.stamp.buffer_len() > 0 { 3 } else { MAX_BLOCKS };
            let most = plan.room.blocks_beside(plan.stamp.buffer_len(), most);
            plan.blocks = Blocks::new(self.blocks().1.min(most));
        }
    }

    #[cold]
    #[inline(never)]
    fn blocks(&self) -> ([SackBlock; MAX_BLOCKS], usize) {
        let mut blocks = [[[0; 4]; 2]; MAX_BLOCKS];
        let count = self.sack.report.blocks(self.rcv.nxt, &self.rcv.assembler, &mut blocks);
        (blocks, count)
    }

    /// Writes a plan's blocks behind its other options.
    #[cold]
    #[inline(never)]
    pub(in crate::socket::tcp) fn emit_blocks(&self, plan: &Plan, header: &mut [u8]) {
        let Some(area) = header.get_mut(HEADER_LEN + plan.stamp.buffer_len()..) else { return };
        area.fill(NOP);
        let (blocks, count) = self.blocks();
        let count = count.min(plan.blocks.count());
        let (Some(option), Some(blocks)) = (area.get_mut(2..), blocks.get(..count)) else { return };
        let option_len = TcpOption::Sack(blocks).buffer_len();
        if count > 0 && option.len() >= option_len {
            TcpOption::Sack(blocks).emit(option);
        }
    }

    /// An acknowledgment was sent.
    #[inline]
    pub(in crate::socket::tcp) fn on_sent_blocks(&mut self, plan: &Plan) {
        if plan.blocks != Blocks::NONE {
            self.sack.report.on_told();
        }
    }

    /// One more segment has come ahead of what is expected. One duplicate ACK will do: its blocks say the rest.
    #[inline]
    pub(in crate::socket::tcp) fn owe_dup_ack(&mut self) {
        self.dup_acks = if self.sack.is_on { 1 } else { self.dup_acks.saturating_add(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NXT: SeqNum = SeqNum(u32::MAX - 5);

    fn told(report: &Report, ahead: &Assembler) -> Vec<(i32, i32)> {
        let mut blocks = [[[0; 4]; 2]; MAX_BLOCKS];
        let count = report.blocks(NXT, ahead, &mut blocks);
        let offset = |octets: [u8; 4]| SeqNum(u32::from_be_bytes(octets)).since(NXT);
        blocks[..count].iter().map(|&[start, end]| (offset(start), offset(end))).collect()
    }

    /// Covers: RFC 2018 §4
    #[test]
    fn the_range_of_the_last_segment_comes_first() {
        let (mut report, mut ahead) = (Report::new(), Assembler::new());
        for at in [10, 30, 50, 20] {
            ahead.add(at, 5).unwrap();
            report.on_ahead(NXT + at, NXT + at + 5);
        }
        assert_eq!(told(&report, &ahead), [(20, 25), (50, 55), (30, 35), (10, 15)]);
        ahead.add(15, 5).unwrap();
        report.on_ahead(NXT + 10, NXT + 25);
        assert_eq!(told(&report, &ahead), [(10, 25), (50, 55), (30, 35)]);
    }

    #[test]
    fn a_range_that_grows_does_not_hide_the_others() {
        let (mut report, mut ahead) = (Report::new(), Assembler::new());
        for (at, range) in [(10, 10), (40, 40), (45, 40), (50, 40), (55, 40), (60, 40)] {
            ahead.add(at, 5).unwrap();
            report.on_ahead(NXT + range, NXT + at + 5);
        }
        assert_eq!(told(&report, &ahead), [(40, 65), (10, 15)]);
    }

    /// Covers: RFC 2883 §4
    #[test]
    fn what_came_twice_is_told_once_and_first() {
        let (mut report, mut ahead) = (Report::new(), Assembler::new());
        ahead.add(10, 20).unwrap();
        report.on_ahead(NXT + 10, NXT + 30);
        report.on_twice(NXT + 12, NXT + 14);
        assert_eq!(told(&report, &ahead), [(12, 14), (10, 30)]);
        report.on_told();
        assert_eq!(told(&report, &ahead), [(10, 30)]);
    }
}
