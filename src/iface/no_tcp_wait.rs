//! Without requests that wait, nothing is remembered of what was said of one.

use super::handler::SynVerdict;
use super::socket_set::SocketSet;
use crate::socket::Tuple;
use crate::socket::tcp::Segment;

impl SocketSet<'_> {
    #[inline]
    pub(super) fn verdict_on(&self, _ix: u32, _tuple: &Tuple, _syn: &Segment<'_>) -> Option<SynVerdict> {
        None
    }
}
