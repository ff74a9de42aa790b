//! Without TCP Fast Open.

use core::marker::PhantomData;

use super::ingress::Ingress;
use super::socket_set::SocketSet;
use crate::socket::tcp::{Plan, Segment};
use crate::socket::{Context, Events, Tuple};
use crate::time::Ticks;

pub(crate) struct State<'a>(PhantomData<&'a ()>);

impl State<'_> {
    pub(super) const fn new() -> Self {
        State(PhantomData)
    }

    #[inline(always)]
    pub(super) fn fill(&mut self, _: &Context<'_>, _: &Tuple, _: usize, _: &mut Plan) {}
}

/// No request asks for anything.
#[derive(Clone, Copy)]
pub(super) struct Request;

impl Request {
    #[inline(always)]
    pub(super) fn offer(self, _: &Context<'_>, _: &Tuple, _: &mut Plan) {}
}

impl Ingress<'_, '_, '_, '_, '_> {
    #[inline(always)]
    pub(super) fn ask_fast_open(&mut self, _: u32, _: &Tuple, _: &Segment<'_>) -> Request {
        Request
    }

    #[inline(always)]
    pub(super) fn open_fast(&mut self, _: u32, _: &Tuple, _: &Segment<'_>, _: Request) -> bool {
        false
    }
}

impl SocketSet<'_> {
    #[inline(always)]
    pub(super) fn learn_fast_open(&mut self, _: u32, _: &Tuple, _: &Segment<'_>, _: Events, _: Ticks) {}

    #[inline(always)]
    pub(super) fn end_fast_open(&mut self, _: u32, _: Ticks) {}

    #[inline(always)]
    pub(super) fn forget_fast_open(&mut self, _: u32) {}
}
