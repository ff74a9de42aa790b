//! Whether routers may cut an IPv4 packet of ours (the DF bit of RFC 791 §3.1); nothing where nobody sets it.

/// What stands in the packet's header.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Cutting(#[cfg(feature = "tcp-pmtu")] bool);

impl Cutting {
    /// Routers may, unless `is_forbidden`.
    #[cfg(feature = "tcp-pmtu")]
    pub(crate) fn forbidden_if(is_forbidden: bool) -> Cutting {
        Cutting(is_forbidden)
    }

    #[cfg(not(feature = "tcp-pmtu"))]
    pub(crate) fn forbidden_if(_is_forbidden: bool) -> Cutting {
        Cutting()
    }

    #[cfg(feature = "tcp-pmtu")]
    pub(crate) fn is_forbidden(self) -> bool {
        self.0
    }

    #[cfg(not(feature = "tcp-pmtu"))]
    pub(crate) fn is_forbidden(self) -> bool {
        false
    }
}
