//! Without requests that wait for the application: each is answered, or not, as it comes.

use super::listener::{Listener, Stage};
use super::segment::Plan;
use crate::socket::{Context, Tuple};
use crate::stats::DropReason;

#[derive(Debug)]
pub(super) struct Waits;

impl Waits {
    pub(super) const NONE: Waits = Waits;

    #[inline]
    pub(super) fn on_lost(&mut self, _stage: Stage) {}
}

impl Stage {
    #[inline]
    pub(super) fn is_unanswered(self) -> bool {
        false
    }

    #[inline]
    pub(super) fn counts_as(self, other: Stage) -> bool {
        self == other
    }
}

impl Listener<'_> {
    #[inline]
    pub(crate) fn has_decided(&self) -> bool {
        false
    }

    #[inline]
    pub(crate) fn next_decided(&mut self, _cx: &Context<'_>, _plan: &mut Plan) -> Option<&Tuple> {
        None
    }

    #[inline]
    pub(crate) fn next_lost(&mut self) -> Option<DropReason> {
        None
    }
}
