//! Without active opens: no SYN of ours has the option.

use crate::socket::Context;
use crate::socket::tcp::Side;
use crate::socket::tcp::connection::Connection;
use crate::socket::tcp::segment::Plan;
use crate::wire::tcp::SeqNum;

impl Connection {
    #[inline]
    pub(in crate::socket::tcp) fn ask_early(&self, _: &mut Plan) {}

    #[inline]
    pub(super) fn on_sent_syn(&mut self, _: &Context<'_>, _: &Plan) {}

    #[inline]
    pub(super) fn on_syn_unanswered(&mut self) {}

    #[inline]
    pub(super) fn take_data_ack(&mut self, _: SeqNum, _: &mut Side<'_>) {}
}
