//! No cookies of servers are kept: nobody connects.

use core::marker::PhantomData;

use super::socket_set::SocketSet;
use crate::socket::tcp::{Plan, Segment};
use crate::socket::{Context, Events, Tuple};
use crate::time::Ticks;

pub(super) struct Cache<'a>(PhantomData<&'a ()>);

impl Cache<'_> {
    pub(super) const fn new() -> Self {
        Cache(PhantomData)
    }

    #[inline]
    pub(super) fn fill(&mut self, _: &Context<'_>, _: &Tuple, _: usize, _: &mut Plan) {}
}

impl SocketSet<'_> {
    #[inline]
    pub(super) fn learn_fast_open(&mut self, _: u32, _: &Tuple, _: &Segment<'_>, _: Events, _: Ticks) {}

    #[inline]
    pub(super) fn note_loss(&mut self, _: u32, _: Ticks) {}
}
