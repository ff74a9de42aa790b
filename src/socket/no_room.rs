//! Without room for the application's options.

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room;

impl Room {
    pub(crate) const NONE: Room = Room;

    #[inline]
    pub(crate) fn is_none(self) -> bool {
        true
    }

    #[inline]
    pub(crate) fn len(self) -> usize {
        0
    }

    #[inline]
    pub(crate) fn leaves_stamps(self) -> bool {
        true
    }

    #[inline]
    pub(crate) fn blocks_beside(self, _others: usize, most: usize) -> usize {
        most
    }

    #[inline]
    pub(crate) fn pad(self, area: &mut [u8]) -> &mut [u8] {
        area
    }
}
