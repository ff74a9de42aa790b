//! What ICMP says of a connection (RFC 9293 §3.9.2.2, RFC 5461, RFC 5927).
//!
//! No error ends what is established: anybody on the way could send one. An attempt ends when the peer's host
//! itself refuses it; all else the application hears of, and the attempt goes on.

use super::connection::Connection;
use super::error::Error;
use super::{Phase, Socket};
use crate::socket::Events;
use crate::socket::icmp_error::Unreachable;
use crate::wire::tcp::SeqNum;

/// The last error, until the application has taken it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trouble(Option<Unreachable>);

impl Trouble {
    pub(super) const NONE: Trouble = Trouble(None);
}

impl Socket<'_> {
    /// What the network last said of why something did not arrive, once. It came with [`Events::ERROR`].
    ///
    /// A connection goes on in spite of it; who rather gives up may [`abort`](Socket::abort) it.
    pub fn take_icmp_error(&mut self) -> Option<Unreachable> {
        self.side.trouble.0.take()
    }

    /// An ICMP error that quotes the sequence number `seq`; `None` if that is not in flight.
    pub(crate) fn on_icmp_error(&mut self, seq: SeqNum, reason: Unreachable) -> Option<Events> {
        let Phase::Connection(connection) = &mut self.phase else { return None };
        if !connection.is_in_flight(seq) {
            return None;
        }
        // RFC 9293 §3.9.2.2 (MUST-56): unreachable networks and hosts, hop limits and headers end nothing.
        let error = match reason {
            // For the discovery of the path's MTU (`pmtu`), if there is one.
            Unreachable::TooBig(_) => return Some(Events::empty()),
            Unreachable::Port => Some(Error::Refused),
            Unreachable::Protocol => Some(Error::Unreachable),
            _ => None,
        };
        // RFC 9293 §3.9.1.8 (MUST-47): the application hears of it.
        self.side.trouble.0 = Some(reason);
        let events = match error {
            // RFC 5927 §5.2: hard errors, too, once there is a connection.
            Some(error) if connection.state.is_opening() => connection.fail(error, &mut self.side),
            _ => Events::ERROR,
        };
        self.listen_again();
        self.note();
        Some(events)
    }
}

impl Connection {
    /// RFC 5927 §4.1: whether an octet of this number was sent and is not acknowledged.
    pub(super) fn is_in_flight(&self, seq: SeqNum) -> bool {
        self.snd.una.le(seq) && seq.lt(self.snd.max)
    }
}
