//! Without `iface-neighbors` nobody asks about neighbours, and nothing is announced.

use super::interface::Interface;
use super::links::Out;

#[derive(Debug)]
pub(crate) struct Announcing;

impl Announcing {
    pub(crate) const NONE: Announcing = Announcing;
}

impl Interface<'_> {
    #[inline]
    pub(crate) fn is_announcing(&self) -> bool {
        false
    }

    #[inline]
    pub(crate) fn send_announcements(&mut self, _out: &mut Out<'_>) {}
}
