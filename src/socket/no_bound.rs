//! Without `socket-interface` sockets are for what comes by any interface.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound;

impl Bound {
    pub(crate) const ANY: Bound = Bound;

    #[inline]
    pub(crate) fn admits(self, _port: usize) -> bool {
        true
    }

    #[inline]
    pub(crate) fn overlaps(self, _other: Bound) -> bool {
        true
    }

    #[inline]
    pub(crate) fn zone(self, wanted: u8) -> Option<u8> {
        Some(wanted)
    }
}
