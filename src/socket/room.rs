//! Room in the options of each TCP segment, which the application fills.

use crate::wire::tcpopt::NOP;

/// Octets of it, a multiple of four.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room(u8);

impl Room {
    pub(crate) const NONE: Room = Room(0);

    /// The most that there can be beside the other options of a SYN but for timestamps.
    pub(crate) const MAX_LEN: usize = 28;

    /// Beside timestamps too.
    const STAMPED_LEN: u8 = 16;

    /// For `len` octets, if there is as much.
    pub(crate) fn new(len: usize) -> Option<Room> {
        (len <= Room::MAX_LEN).then_some(Room(len.next_multiple_of(4) as u8))
    }

    #[inline]
    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub(crate) fn len(self) -> usize {
        self.0.into()
    }

    /// Whether a SYN can have a timestamp too.
    pub(crate) fn leaves_stamps(self) -> bool {
        self.0 <= Room::STAMPED_LEN
    }

    /// How many blocks of a selective acknowledgment there can be beside other options of so many octets; at most
    /// `most`.
    #[inline]
    pub(crate) fn blocks_beside(self, others: usize, most: usize) -> usize {
        if self.is_none() { most } else { most.min((36 - others.min(36)).saturating_sub(self.len()) / 8) }
    }

    /// Fills it with padding at the end of an options area, and returns what is before it.
    pub(crate) fn pad(self, area: &mut [u8]) -> &mut [u8] {
        let at = area.len().saturating_sub(self.len()); // it is there
        let (others, room) = area.split_at_mut(at);
        room.fill(NOP);
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 40 octets of options are all that there are (RFC 9293 §3.1); two blocks of padding begin a list of SACK's.
    #[test]
    fn blocks_of_sack_take_what_is_left_beside_the_room() {
        let room = |len| Room::new(len).unwrap();
        for (room, others, most, expected) in [
            (Room::NONE, 40, 3, 3),
            (room(4), 0, 9, 4),
            (room(12), 0, 9, 3),
            (room(12), 0, 2, 2),
            (room(12), 12, 9, 1),
            (room(16), 12, 9, 1),
            (room(20), 12, 9, 0),
            (room(28), 12, 9, 0),
            (room(28), 36, 9, 0),
            (room(4), 40, 9, 0),
        ] {
            assert_eq!(room.blocks_beside(others, most), expected, "{room:?} {others} {most}");
        }
    }
}
