//! Sockets that are tied to one interface (feature `socket-interface`).

/// The interface that a socket is tied to, as its place in the `Router`, plus one; 0: any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound(u8);

impl Bound {
    pub(crate) const ANY: Bound = Bound(0);

    pub(crate) fn to(interface: Option<u8>) -> Bound {
        Bound(interface.map_or(0, |port| port.saturating_add(1)))
    }

    pub(crate) fn interface(self) -> Option<u8> {
        self.0.checked_sub(1)
    }

    /// Whether what comes by this port is for the socket.
    #[inline]
    pub(crate) fn admits(self, port: usize) -> bool {
        self.0 == 0 || usize::from(self.0) == port + 1
    }

    /// Whether something can come that is for both.
    pub(crate) fn overlaps(self, other: Bound) -> bool {
        self.0 == 0 || other.0 == 0 || self == other
    }

    /// The zone of what goes to an end with this one, where 0 is none; nothing if that lies behind another
    /// interface.
    #[inline]
    pub(crate) fn zone(self, wanted: u8) -> Option<u8> {
        let zone = if self.0 == 0 { wanted } else { self.0 };
        (wanted == 0 || zone == wanted).then_some(zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_tied_to_an_interface_has_its_zone_and_no_other() {
        let (any, first, second) = (Bound::to(None), Bound::to(Some(0)), Bound::to(Some(1)));
        assert_eq!([any, first, second].map(Bound::interface), [None, Some(0), Some(1)]);
        assert_eq!(any, Bound::ANY);
        for (bound, zones) in [
            (any, [Some(0), Some(1), Some(2)]),
            (first, [Some(1), Some(1), None]),
            (second, [Some(2), None, Some(2)]),
        ] {
            assert_eq!([0, 1, 2].map(|zone| bound.zone(zone)), zones, "{bound:?}");
        }
        assert_eq!([any, first, second].map(|bound| bound.admits(0)), [true, true, false]);
        assert_eq!([any, first, second].map(|bound| bound.admits(1)), [true, false, true]);
        assert!(any.overlaps(first) && first.overlaps(any) && first.overlaps(first));
        assert!(!first.overlaps(second));
    }
}
