//! Without `iface-autoip` no IPv4 address is chosen.

use crate::iface::interface::Interface;

impl Interface<'_> {
    #[inline]
    pub(super) fn run_autoip(&mut self) {}
}
