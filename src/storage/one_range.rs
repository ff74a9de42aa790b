//! In place of the assembler where `tcp-many-holes` is not built in: one range beyond the hole is kept, and
//! what comes beyond a second hole is left for the peer to send again.

use super::assembler::TooManyHoles;

/// The range that has arrived; offsets count from the next octet expected.
#[derive(Debug, Clone)]
pub(crate) struct Assembler {
    start: u32,
    /// 0 if there is none.
    end: u32,
}

impl Assembler {
    pub(crate) const fn new() -> Assembler {
        Assembler { start: 0, end: 0 }
    }

    /// Whether nothing is known to have arrived.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// Notes that `len` octets have arrived at `offset`, and takes what is there without a hole before it;
    /// the offsets count from its end afterwards. Returns how many octets that is.
    ///
    /// What comes at offset 0 is always taken.
    pub(crate) fn add_then_remove_front(&mut self, offset: u32, len: u32) -> Result<u32, TooManyHoles> {
        let end = offset.saturating_add(len);
        if offset > 0 {
            self.add(offset, end)?;
            return Ok(0);
        }
        let mut front = end;
        if self.start <= end {
            front = end.max(self.end);
            *self = Assembler::new();
        } else {
            self.start -= front;
            self.end -= front;
        }
        Ok(front)
    }

    /// Makes what it overlaps or touches one with it.
    fn add(&mut self, start: u32, end: u32) -> Result<(), TooManyHoles> {
        if start == end {
            return Ok(());
        }
        if self.is_empty() {
            *self = Assembler { start, end };
        } else if start > self.end || end < self.start {
            return Err(TooManyHoles);
        }
        self.start = self.start.min(start);
        self.end = self.end.max(end);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::XorShift;
    use super::*;

    #[test]
    fn a_second_hole_changes_nothing() {
        let mut a = Assembler::new();
        assert_eq!(a.add_then_remove_front(10, 5), Ok(0));
        assert_eq!(a.add_then_remove_front(16, 5), Err(TooManyHoles));
        assert_eq!(a.add_then_remove_front(2, 7), Err(TooManyHoles));
        assert_eq!(a.add_then_remove_front(15, 5), Ok(0));
        assert_eq!(a.add_then_remove_front(0, 4), Ok(4));
        assert_eq!(a.add_then_remove_front(0, 6), Ok(16));
        assert!(a.is_empty());
    }

    #[test]
    fn random_use_agrees_with_a_map_of_octets() {
        const WINDOW: usize = 64;
        let mut random = XorShift(0x0ace_0fba);
        let mut a = Assembler::new();
        let mut map = [false; WINDOW];
        let (mut taken, mut refused) = (0, 0);
        for _ in 0..100_000 {
            let offset = random.below(3) * random.below(WINDOW as u32 / 2);
            let len = random.below(12).min(WINDOW as u32 - offset);
            let mut next = map;
            next[offset as usize..][..len as usize].fill(true);
            let runs = next.chunk_by(|a, b| a == b).filter(|run| run[0]).count();
            if offset > 0 && runs > 1 {
                assert_eq!(a.add_then_remove_front(offset, len), Err(TooManyHoles));
                refused += 1;
            } else {
                let front = next.iter().take_while(|&&there| there).count();
                assert_eq!(a.add_then_remove_front(offset, len), Ok(front as u32));
                map = [false; WINDOW];
                map[..WINDOW - front].copy_from_slice(&next[front..]);
                taken += front;
            }
            assert_eq!(a.is_empty(), map == [false; WINDOW]);
        }
        assert!(taken > 10_000 && refused > 1_000, "{taken} octets taken, {refused} refused");
    }
}
