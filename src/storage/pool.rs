//! Packets that wait for a neighbour or for a port, in cells of one size.
//!
//! Each packet has a tag, which says what it waits for, and packets of one tag leave in the order they
//! came. All of them are on one list, oldest first, that is searched for a tag: cells are few. A quota
//! bounds what one tag may hold, and a reserve is kept for control traffic, so that no flood of data
//! stops the stack from answering.

use managed::ManagedSlice;

use super::packet_cell::{Class, NIL, PacketCell, PoolError};

/// A bounded store of waiting packets.
#[derive(Debug)]
pub struct PacketPool<'a> {
    memory: ManagedSlice<'a, u8>,
    cells: ManagedSlice<'a, PacketCell>,
    /// Octets of a cell.
    cell_len: usize,
    free: u16,
    free_count: u16,
    /// Cells that only control traffic may take.
    reserve: u16,
    oldest: u16,
    newest: u16,
}

impl<'a> PacketPool<'a> {
    /// An empty pool: `memory` is cut into as many equal cells as `cells` has places (at most 65,534),
    /// of which `reserve` are kept for control traffic.
    pub fn new(
        memory: impl Into<ManagedSlice<'a, u8>>,
        cells: impl Into<ManagedSlice<'a, PacketCell>>,
        reserve: usize,
    ) -> PacketPool<'a> {
        let (memory, mut cells) = (memory.into(), cells.into());
        let count = cells.len().min(usize::from(NIL) - 1);
        let mut free = NIL;
        for (ix, cell) in cells.iter_mut().take(count).enumerate().rev() {
            *cell = PacketCell { next: free, ..PacketCell::EMPTY };
            free = ix as u16;
        }
        let cell_len = memory.len().checked_div(count).unwrap_or(0).min(usize::from(u16::MAX));
        PacketPool {
            memory,
            cells,
            cell_len,
            free,
            free_count: count as u16,
            reserve: reserve.min(count) as u16,
            oldest: NIL,
            newest: NIL,
        }
    }

    /// A pool that owns its memory: so many cells of so many octets, a quarter of them in reserve.
    #[cfg(feature = "alloc")]
    pub fn with_cells(count: usize, cell_len: usize) -> PacketPool<'static> {
        let cells = core::iter::repeat_n(PacketCell::EMPTY, count).collect::<alloc::vec::Vec<_>>();
        PacketPool::new(alloc::vec![0; count * cell_len], cells, count / 4)
    }

    /// Octets of the largest packet that can wait.
    pub fn cell_len(&self) -> usize {
        self.cell_len
    }

    /// How many more packets may wait, the reserve included.
    pub fn free_count(&self) -> usize {
        usize::from(self.free_count)
    }

    /// The waiting cells, oldest first.
    fn waiting(&self) -> impl Iterator<Item = (u16, &PacketCell)> {
        let mut at = self.oldest;
        core::iter::from_fn(move || {
            let ix = at;
            let cell = self.cells.get(usize::from(ix))?;
            at = cell.next;
            Some((ix, cell))
        })
    }

    /// How many packets of `tag` wait.
    pub(crate) fn count(&self, tag: u32) -> usize {
        self.waiting().filter(|(_, cell)| cell.tag == tag).count()
    }

    /// Keeps a packet of `len` octets that `fill` writes, unless `tag` has `quota` packets already.
    pub(crate) fn push(
        &mut self,
        tag: u32,
        len: usize,
        quota: usize,
        class: Class,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), PoolError> {
        if len > self.cell_len {
            return Err(PoolError::TooLarge);
        }
        if self.count(tag) >= quota {
            return Err(PoolError::Quota);
        }
        if class == Class::Data && self.free_count <= self.reserve {
            return Err(PoolError::Full);
        }
        let ix = self.free;
        let cell = self.cells.get_mut(usize::from(ix)).ok_or(PoolError::Full)?;
        let next_free = cell.next;
        *cell = PacketCell::EMPTY;
        (cell.tag, cell.len) = (tag, len as u16);
        self.free = next_free;
        self.free_count -= 1;
        let start = usize::from(ix) * self.cell_len;
        fill(self.memory.get_mut(start..start + len).unwrap_or_default());
        self.link_newest(ix);
        Ok(())
    }

    fn link_newest(&mut self, ix: u16) {
        match self.cells.get_mut(usize::from(self.newest)) {
            Some(cell) => cell.next = ix,
            None => self.oldest = ix,
        }
        self.newest = ix;
    }

    /// Keeps in mind that the newest packet was not made here, but passes through.
    #[cfg(feature = "iface-forward")]
    pub(crate) fn mark_newest_passing(&mut self) {
        if let Some(cell) = self.cells.get_mut(usize::from(self.newest)) {
            cell.is_passing = true;
        }
    }

    /// Whether the oldest packet of `tag` passes through.
    #[cfg(feature = "iface-forward")]
    pub(crate) fn is_passing(&self, tag: u32) -> bool {
        self.waiting().find(|(_, cell)| cell.tag == tag).is_some_and(|(_, cell)| cell.is_passing)
    }

    /// The oldest packet of `tag`.
    pub(crate) fn peek(&self, tag: u32) -> Option<&[u8]> {
        let (ix, cell) = self.waiting().find(|(_, cell)| cell.tag == tag)?;
        let start = usize::from(ix) * self.cell_len;
        self.memory.get(start..start + usize::from(cell.len))
    }

    /// Drops the oldest packet of `tag`, and says whether there was one.
    pub(crate) fn drop_front(&mut self, tag: u32) -> bool {
        let mut before = NIL;
        let mut found = None;
        for (ix, cell) in self.waiting() {
            if cell.tag == tag {
                found = Some((ix, cell.next));
                break;
            }
            before = ix;
        }
        let Some((ix, next)) = found else { return false };
        match self.cells.get_mut(usize::from(before)) {
            Some(cell) => cell.next = next,
            None => self.oldest = next,
        }
        if self.newest == ix {
            self.newest = before;
        }
        if let Some(cell) = self.cells.get_mut(usize::from(ix)) {
            cell.next = self.free;
            self.free = ix;
            self.free_count += 1;
        }
        true
    }

    /// Shows the oldest packet of `tag` to `f` and drops it; says whether there was one.
    pub(crate) fn pop(&mut self, tag: u32, f: &mut dyn FnMut(&[u8])) -> bool {
        if let Some(packet) = self.peek(tag) {
            f(packet);
        }
        self.drop_front(tag)
    }

    /// Gives all packets of `tag` to `new_tag`, after `patch` has had each.
    pub(crate) fn retag(&mut self, tag: u32, new_tag: u32, patch: &mut dyn FnMut(&mut [u8])) {
        let mut at = self.oldest;
        while let Some(cell) = self.cells.get_mut(usize::from(at)) {
            if cell.tag == tag {
                cell.tag = new_tag;
                let start = usize::from(at) * self.cell_len;
                patch(self.memory.get_mut(start..start + usize::from(cell.len)).unwrap_or_default());
            }
            at = cell.next;
        }
    }

    /// Drops all packets of `tag`, and says how many there were.
    pub(crate) fn clear(&mut self, tag: u32) -> usize {
        let mut count = 0;
        while self.drop_front(tag) {
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::XorShift;
    use super::*;

    fn put(
        pool: &mut PacketPool<'_>,
        tag: u32,
        data: &[u8],
        quota: usize,
        class: Class,
    ) -> Result<(), PoolError> {
        pool.push(tag, data.len(), quota, class, &mut |octets| octets.copy_from_slice(data))
    }

    #[test]
    fn packets_of_one_tag_leave_in_order() {
        let (mut memory, mut cells) = ([0; 40], [PacketCell::EMPTY; 4]);
        let mut pool = PacketPool::new(&mut memory[..], &mut cells[..], 0);
        assert_eq!(pool.cell_len(), 10);
        put(&mut pool, 1, b"a", 9, Class::Data).unwrap();
        put(&mut pool, 2, b"bb", 9, Class::Data).unwrap();
        put(&mut pool, 1, b"ccc", 9, Class::Data).unwrap();
        assert_eq!(pool.peek(1), Some(&b"a"[..]));
        assert!(pool.drop_front(1));
        assert_eq!(pool.peek(1), Some(&b"ccc"[..]));
        assert_eq!(pool.peek(2), Some(&b"bb"[..]));
        assert_eq!((pool.clear(1), pool.clear(1), pool.count(2)), (1, 0, 1));
        assert!(pool.pop(2, &mut |packet| assert_eq!(packet, b"bb")));
        assert!(!pool.pop(2, &mut |_| panic!("there is none")));
        assert_eq!(pool.free_count(), 4);
    }

    #[test]
    #[cfg(feature = "iface-forward")]
    fn a_packet_that_passes_through_is_known_as_such_and_its_cell_forgets_it() {
        let (mut memory, mut cells) = ([0; 20], [PacketCell::EMPTY; 2]);
        let mut pool = PacketPool::new(&mut memory[..], &mut cells[..], 0);
        pool.mark_newest_passing();
        put(&mut pool, 1, b"own", 9, Class::Data).unwrap();
        put(&mut pool, 1, b"other", 9, Class::Data).unwrap();
        pool.mark_newest_passing();
        assert!(!pool.is_passing(1) && !pool.is_passing(2));
        pool.drop_front(1);
        assert!(pool.is_passing(1));
        pool.clear(1);
        put(&mut pool, 1, b"own", 9, Class::Data).unwrap();
        put(&mut pool, 2, b"own", 9, Class::Data).unwrap();
        assert!(!pool.is_passing(1) && !pool.is_passing(2));
    }

    #[test]
    fn a_flood_of_data_leaves_the_reserve_to_control_traffic() {
        let (mut memory, mut cells) = ([0; 40], [PacketCell::EMPTY; 4]);
        let mut pool = PacketPool::new(&mut memory[..], &mut cells[..], 1);
        for tag in 0..3 {
            put(&mut pool, tag, b"data", 9, Class::Data).unwrap();
        }
        assert_eq!(put(&mut pool, 7, b"data", 9, Class::Data), Err(PoolError::Full));
        put(&mut pool, 7, b"ack", 9, Class::Control).unwrap();
        assert_eq!(put(&mut pool, 7, b"ack", 9, Class::Control), Err(PoolError::Full));
    }

    #[test]
    fn a_tag_at_its_quota_and_a_packet_too_large_are_refused() {
        let (mut memory, mut cells) = ([0; 40], [PacketCell::EMPTY; 4]);
        let mut pool = PacketPool::new(&mut memory[..], &mut cells[..], 0);
        put(&mut pool, 1, b"a", 1, Class::Data).unwrap();
        assert_eq!(put(&mut pool, 1, b"b", 1, Class::Data), Err(PoolError::Quota));
        assert_eq!(put(&mut pool, 2, &[0; 11], 1, Class::Data), Err(PoolError::TooLarge));
        put(&mut pool, 2, &[0; 10], 1, Class::Data).unwrap();
    }

    #[test]
    fn a_pool_without_cells_keeps_nothing() {
        let mut pool = PacketPool::new(&mut [][..], &mut [][..], 3);
        assert_eq!(put(&mut pool, 1, b"", 1, Class::Control), Err(PoolError::Full));
        assert_eq!(put(&mut pool, 1, b"a", 1, Class::Control), Err(PoolError::TooLarge));
        assert!(pool.peek(1).is_none() && !pool.drop_front(1));
    }

    #[test]
    fn random_use_agrees_with_a_list() {
        let mut random = XorShift(0x5eed);
        let (mut memory, mut cells) = ([0; 6 * 8], [PacketCell::EMPTY; 6]);
        let mut pool = PacketPool::new(&mut memory[..], &mut cells[..], 2);
        let mut model: Vec<(u32, Vec<u8>)> = Vec::new();
        let mut refused = [0; 3];
        for _ in 0..100_000 {
            let tag = random.below(4);
            let count = model.iter().filter(|packet| packet.0 == tag).count();
            match random.below(16) {
                0..8 => {
                    let data: Vec<u8> = (0..random.below(10)).map(|_| random.next() as u8).collect();
                    let class = if random.below(2) == 0 { Class::Data } else { Class::Control };
                    let room = if class == Class::Data { 4 } else { 6 };
                    let expected = match () {
                        () if data.len() > 8 => Err(PoolError::TooLarge),
                        () if count >= 3 => Err(PoolError::Quota),
                        () if model.len() >= room => Err(PoolError::Full),
                        () => Ok(()),
                    };
                    assert_eq!(put(&mut pool, tag, &data, 3, class), expected);
                    match expected {
                        Ok(()) => model.push((tag, data)),
                        Err(error) => refused[error as usize] += 1,
                    }
                }
                8..15 => {
                    let first = model.iter().position(|packet| packet.0 == tag);
                    let expected = first.map(|at| model.remove(at).1);
                    assert_eq!(pool.peek(tag), expected.as_deref());
                    assert_eq!(pool.drop_front(tag), expected.is_some());
                }
                _ => {
                    assert_eq!(pool.clear(tag), count);
                    model.retain(|packet| packet.0 != tag);
                }
            }
            assert_eq!(pool.free_count(), 6 - model.len());
        }
        assert!(refused.iter().all(|&count| count > 100), "{refused:?}");
    }
}
