//! Without SYN cookies: a SYN for which there is no record is dropped, and the client repeats it.

use super::listener::HalfOpen;
use super::segment::Segment;
use crate::socket::{Context, Tuple};
use crate::wire::tcp::SeqNum;

#[derive(Debug, Clone, Copy)]
pub(super) struct Cookies;

impl Cookies {
    pub(super) const NONE: Cookies = Cookies;

    #[inline]
    pub(super) fn is_on(&self) -> bool {
        false
    }

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
    pub(super) fn keep(&mut self, _record: HalfOpen) {}

    #[inline]
    pub(super) fn returned_mut(&mut self) -> Option<&mut HalfOpen> {
        None
    }

    #[inline]
    pub(super) fn read(&self, _cx: &Context<'_>, _tuple: &Tuple, _seg: &Segment<'_>) -> Option<u16> {
        None
    }
}
