//! The reset of a connection that was aborted, once its socket goes or begins something else before it was sent.

use super::connection::Marks;
use super::look::Look;
use super::segment::{Kind, Plan};
use super::{Phase, Socket};
use crate::socket::{Room, Tuple};
use crate::wire::tcp::{Flags, SeqNum};

/// All that a reset says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reset {
    pub(crate) tuple: Tuple,
    pub(crate) look: Look,
    seq: SeqNum,
    ack: SeqNum,
    room: Room,
}

impl Reset {
    pub(crate) fn plan(&self) -> Plan {
        let mut plan = Plan::none();
        plan.room = self.room;
        plan.begin(Kind::Reset, self.seq, self.ack, Flags::RST.union(Flags::ACK));
        plan
    }
}

/// What the peer of an earlier connection is still to get.
#[derive(Debug)]
pub(super) struct Farewell(Option<Reset>);

impl Farewell {
    pub(super) const NONE: Farewell = Farewell(None);
}

impl Socket<'_> {
    /// The connection gives way to another: its reset, if it is still to be sent, is kept apart.
    pub(super) fn keep_farewell(&mut self) {
        if let Phase::Connection(connection) = &mut self.phase
            && connection.marks.contains(Marks::RESET)
        {
            connection.marks -= Marks::RESET;
            self.side.farewell = Farewell(Some(Reset {
                tuple: connection.tuple,
                look: self.side.config.look,
                seq: connection.snd.ack_seq(),
                ack: connection.rcv.nxt,
                room: connection.room,
            }));
        }
    }

    /// The reset that was kept.
    pub(crate) fn take_farewell(&mut self) -> Option<Reset> {
        self.side.farewell.0.take()
    }

    /// Ends a connection for good; its reset, if the peer is to get one, is kept.
    pub(crate) fn cut(&mut self) {
        if let Phase::Connection(connection) = &mut self.phase {
            connection.abort();
        }
        self.note();
        self.keep_farewell();
    }
}
