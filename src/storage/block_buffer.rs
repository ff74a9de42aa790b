//! One datagram that is put together from pieces.
//!
//! Its octets stand behind room for a header, so that the whole is contiguous. A map has two bits for each
//! block of 8 octets: whether it has arrived, and whether a piece begins with it. So an overlap is told from
//! an exact duplicate whatever the order and the number of pieces, at a cost that follows the piece's length.
//!
//! The assembler of TCP does not serve here: it joins ranges, and keeps track of only a few of them.

use managed::ManagedSlice;

/// Octets before the payload that a header may take: an IPv6 header and 88 of extension headers, or an IPv4
/// header with all its options.
pub(crate) const HEADROOM: usize = 128;
/// Octets of a block: what offsets of fragments count in.
const BLOCK: usize = 8;
/// Octets of payload that an octet of the map stands for.
const MAPPED: usize = 4 * BLOCK;
/// The most octets of payload that there can be.
pub(crate) const MAX_CAPACITY: usize = 65_536;

const ARRIVED: u8 = 1;
const BEGINS: u8 = 2;

/// What came of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is there now.
    New,
    /// The same piece was there already.
    Duplicate,
    /// It covers octets of another piece, or contradicts itself.
    Overlap,
}

/// Memory for one datagram: lent, or owned and growing.
#[derive(Debug)]
pub(crate) struct BlockBuffer<'a> {
    octets: ManagedSlice<'a, u8>,
    map: ManagedSlice<'a, u8>,
}

impl<'a> BlockBuffer<'a> {
    /// Without any memory.
    pub(crate) const fn empty() -> BlockBuffer<'a> {
        BlockBuffer { octets: ManagedSlice::Borrowed(&mut []), map: ManagedSlice::Borrowed(&mut []) }
    }

    /// In lent memory: [`HEADROOM`], then 32 parts of 33 for the payload.
    pub(crate) fn lent(memory: &'a mut [u8]) -> BlockBuffer<'a> {
        let map_len = memory.len().saturating_sub(HEADROOM) / (MAPPED + 1); // too short for anything: none
        let map_len = map_len.min(MAX_CAPACITY / MAPPED);
        let (map, octets) = memory.split_at_mut(map_len);
        BlockBuffer { octets: octets.into(), map: map.into() }
    }

    /// Octets of payload that there is room for.
    pub(crate) fn capacity(&self) -> usize {
        self.map.len() * MAPPED
    }

    /// Whether its memory grows with need.
    pub(crate) fn grows(&self) -> bool {
        !matches!(self.octets, ManagedSlice::Borrowed(_))
    }

    /// Octets of memory that it owns.
    pub(crate) fn owned_len(&self) -> usize {
        match self.octets {
            ManagedSlice::Borrowed(_) => 0,
            #[cfg(feature = "alloc")]
            ManagedSlice::Owned(ref octets) => octets.len() + self.map.len(),
        }
    }

    /// Forgets what has arrived.
    pub(crate) fn begin(&mut self) {
        self.map.fill(0);
    }

    fn state(&self, block: usize) -> u8 {
        let octet = self.map.get(block / 4).copied().unwrap_or_default(); // beyond the end nothing is there
        octet >> (block % 4 * 2) & 3
    }

    fn set(&mut self, block: usize, state: u8) {
        if let Some(octet) = self.map.get_mut(block / 4) {
            *octet |= state << (block % 4 * 2);
        }
    }

    /// Adds the piece that begins at `offset`, a multiple of 8, and ends within the capacity.
    pub(crate) fn add(&mut self, offset: usize, data: &[u8]) -> Added {
        let (first, last) = (offset / BLOCK, (offset + data.len()).div_ceil(BLOCK));
        if (first..last).all(|block| self.state(block) == 0) {
            self.write(offset, data);
            self.set(first, BEGINS);
            (first..last).for_each(|block| self.set(block, ARRIVED));
            return Added::New;
        }
        if self.is_piece(first, last) && self.read(offset, data.len()) == data {
            Added::Duplicate
        } else {
            Added::Overlap
        }
    }

    /// Whether these blocks are one piece.
    fn is_piece(&self, first: usize, last: usize) -> bool {
        self.state(first) == ARRIVED | BEGINS
            && (first + 1..last).all(|block| self.state(block) == ARRIVED)
            && self.state(last) != ARRIVED
    }

    /// Writes octets of the payload, as far as there is room.
    pub(crate) fn write(&mut self, offset: usize, data: &[u8]) {
        let start = HEADROOM + offset;
        if let Some(place) = self.octets.get_mut(start..start + data.len()) {
            place.copy_from_slice(data);
        }
    }

    /// `len` octets of the payload.
    pub(crate) fn read(&self, offset: usize, len: usize) -> &[u8] {
        let start = HEADROOM + offset;
        self.octets.get(start..start + len).unwrap_or_default()
    }

    /// Writes a header in front of the payload, and says whether there is room.
    pub(crate) fn write_header(&mut self, header: &[u8]) -> bool {
        let place = HEADROOM.checked_sub(header.len()).and_then(|start| self.octets.get_mut(start..HEADROOM));
        if let Some(place) = place {
            place.copy_from_slice(header);
            return true;
        }
        false
    }

    /// The last `header_len` octets before the payload, and `len` octets of that.
    pub(crate) fn whole(&self, header_len: usize, len: usize) -> &[u8] {
        let start = HEADROOM.saturating_sub(header_len); // no longer header was written
        self.octets.get(start..HEADROOM + len).unwrap_or_default()
    }

    /// The same, to be changed.
    pub(crate) fn whole_mut(&mut self, header_len: usize, len: usize) -> &mut [u8] {
        let start = HEADROOM.saturating_sub(header_len); // no longer header was written
        self.octets.get_mut(start..HEADROOM + len).unwrap_or_default()
    }
}

#[cfg(feature = "alloc")]
impl BlockBuffer<'_> {
    /// Without any memory yet; grows when asked to.
    pub(crate) fn growing() -> BlockBuffer<'static> {
        BlockBuffer { octets: alloc::vec::Vec::new().into(), map: alloc::vec::Vec::new().into() }
    }

    /// Makes room for `capacity` octets of payload, if the memory is owned and there is some.
    pub(crate) fn grow_to(&mut self, capacity: usize) -> bool {
        let (ManagedSlice::Owned(octets), ManagedSlice::Owned(map)) = (&mut self.octets, &mut self.map)
        else {
            return false;
        };
        let map_len = capacity.div_ceil(MAPPED);
        let octets_len = HEADROOM + map_len * MAPPED;
        let more = |vec: &mut alloc::vec::Vec<u8>, len: usize| {
            vec.try_reserve_exact(len.saturating_sub(vec.len())).is_ok() // it is not to shrink
        };
        if !more(octets, octets_len) || !more(map, map_len) {
            return false;
        }
        octets.resize(octets_len, 0);
        map.resize(map_len, 0);
        true
    }

    /// Gives owned memory back.
    pub(crate) fn release(&mut self) {
        if let ManagedSlice::Owned(_) = self.octets {
            *self = BlockBuffer::growing();
        }
    }
}

/// Memory that is lent neither grows nor goes.
#[cfg(not(feature = "alloc"))]
impl BlockBuffer<'_> {
    pub(crate) fn grow_to(&mut self, _capacity: usize) -> bool {
        false
    }

    pub(crate) fn release(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::super::testing::XorShift;
    use super::*;

    #[test]
    fn an_exact_duplicate_is_told_from_an_overlap() {
        let mut memory = [0; HEADROOM + 33 * 4];
        let mut buffer = BlockBuffer::lent(&mut memory);
        assert_eq!(buffer.capacity(), 128);
        assert_eq!(buffer.add(16, &[1; 16]), Added::New);
        assert_eq!(buffer.add(32, &[2; 8]), Added::New);
        assert_eq!(buffer.add(16, &[1; 16]), Added::Duplicate);
        assert_eq!(buffer.add(32, &[2; 8]), Added::Duplicate);
        assert_eq!(buffer.add(16, &[9; 16]), Added::Overlap, "other content");
        assert_eq!(buffer.add(16, &[1; 8]), Added::Overlap, "a part");
        assert_eq!(buffer.add(24, &[1; 8]), Added::Overlap, "the other part");
        let both = [[1; 16].as_slice(), &[2; 8]].concat();
        assert_eq!(buffer.add(16, &both), Added::Overlap, "two pieces in one");
        assert_eq!(buffer.add(8, &[0; 16]), Added::Overlap);
        assert_eq!(buffer.read(16, 24), both);
    }

    #[test]
    fn memory_that_is_too_short_has_no_capacity() {
        for len in [0, 1, HEADROOM, HEADROOM + 32] {
            assert_eq!(BlockBuffer::lent(&mut vec![0; len]).capacity(), 0);
        }
        assert_eq!(BlockBuffer::empty().capacity(), 0);
        let mut buffer = BlockBuffer::empty();
        assert!(!buffer.write_header(&[1]) && !buffer.grow_to(8));
    }

    #[test]
    fn a_header_stands_right_before_the_payload() {
        let mut memory = [0; HEADROOM + 33];
        let mut buffer = BlockBuffer::lent(&mut memory);
        assert_eq!(buffer.add(0, b"payload."), Added::New);
        assert!(buffer.write_header(b"header "));
        assert_eq!(buffer.whole(7, 8), b"header payload.");
        assert!(!buffer.write_header(&[0; HEADROOM + 1]));
    }

    #[test]
    #[cfg(feature = "alloc")]
    fn growing_keeps_what_has_arrived() {
        let mut buffer = BlockBuffer::growing();
        assert!(buffer.grow_to(33));
        assert_eq!(buffer.capacity(), 64);
        assert_eq!(buffer.add(8, b"12345678"), Added::New);
        assert!(buffer.write_header(b"head"));
        assert!(buffer.grow_to(MAX_CAPACITY));
        assert_eq!(buffer.add(8, b"12345678"), Added::Duplicate);
        assert_eq!(buffer.whole(4, 0), b"head");
        buffer.release();
        assert_eq!(buffer.owned_len(), 0);
    }

    #[test]
    fn random_pieces_agree_with_a_map_of_octets() {
        let mut random = XorShift(0xf4a6);
        let mut memory = [0; HEADROOM + 33 * 8];
        let mut buffer = BlockBuffer::lent(&mut memory);
        for _ in 0..2_000 {
            buffer.begin();
            let mut pieces: Vec<(usize, usize)> = Vec::new();
            for _ in 0..12 {
                let (offset, len) = (8 * random.below(28) as usize, 8 + 8 * random.below(4) as usize);
                let overlaps = |&(at, size): &(usize, usize)| at < offset + len && offset < at + size;
                let expected = match pieces.iter().any(overlaps) {
                    _ if pieces.contains(&(offset, len)) => Added::Duplicate,
                    true => Added::Overlap,
                    false => Added::New,
                };
                assert_eq!(buffer.add(offset, &vec![7; len]), expected);
                if expected == Added::New {
                    pieces.push((offset, len));
                }
            }
        }
    }
}
