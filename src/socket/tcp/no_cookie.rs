//! Without SYN cookies: a SYN for which there is no record is dropped, and the client repeats it.

use super::segment::Segment;
use crate::socket::{Context, Tuple};
use crate::wire::tcp::SeqNum;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cookies;

impl Cookies {
    pub(super) const NONE: Cookies = Cookies;

    #[inline]
    pub(super) fn bake(
        &mut self,
        _cx: &Context<'_>,
        _tuple: &Tuple,
        _syn: &Segment<'_>,
        _room: u16,
    ) -> Option<SeqNum> {
        None
    }

    #[inline]
    pub(super) fn read(&self, _cx: &Context<'_>, _tuple: &Tuple, _seg: &Segment<'_>) -> Option<u16> {
        None
    }
}
