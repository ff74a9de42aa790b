//! Passive opens of a socket (RFC 9293 §3.10.7.2): it listens for one connection and becomes it.
//!
//! A [`Listener`](super::Listener) takes many, and keeps no buffers for those that are only begun.

use super::connection::{Connection, Marks};
use super::error::ListenError;
use super::listen_range::Ports;
use super::segment::{Outcome, Segment};
use super::state::State;
use super::{ListenKey, Phase, Side, Socket};
use crate::socket::{Context, Tuple};
use crate::wire::tcp::Flags;
use crate::wire::{Addr, IpListenEndpoint};

/// Where a socket listens.
pub(super) type Listening = ListenKey;

impl Socket<'_> {
    /// Takes one connection at `endpoint`: at one of our addresses, or any.
    ///
    /// For more than one at a time there is [`Listener`].
    pub fn listen(&mut self, endpoint: impl Into<IpListenEndpoint>) -> Result<(), ListenError> {
        if self.state() != State::Closed {
            return Err(ListenError::InvalidState);
        }
        let endpoint = endpoint.into();
        let port = endpoint.is_specified().then(|| Ports::one(endpoint.port));
        let key = ListenKey::new(port, endpoint.addr, self.side.bound)?;
        self.restart(Phase::Listen(key));
        self.note();
        Ok(())
    }

    /// Where it listens.
    pub fn listen_endpoint(&self) -> Option<IpListenEndpoint> {
        self.listen_key().map(ListenKey::endpoint)
    }

    /// Where it listens, for demultiplexing.
    pub(crate) fn listen_key(&self) -> Option<&ListenKey> {
        match &self.phase {
            Phase::Listen(key) => Some(key),
            _ => None,
        }
    }

    /// A segment for a listening socket.
    #[inline(never)]
    pub(crate) fn accept_syn(&mut self, cx: &Context<'_>, tuple: &Tuple, seg: &Segment<'_>) -> Outcome {
        let Phase::Listen(key) = self.phase else { return Outcome::REFUSED };
        if seg.flags.contains(Flags::RST) {
            return Outcome::DROPPED;
        }
        // RFC 9293 §3.10.7.2: an ACK belongs to something that is no more.
        if seg.flags.contains(Flags::ACK) {
            return Outcome::REFUSED;
        }
        if !seg.flags.contains(Flags::SYN) || seg.flags.contains(Flags::FIN) {
            return Outcome::DROPPED;
        }
        let mut connection = Connection::passive(cx, *tuple, seg, &self.side);
        connection.marks |= Marks::PASSIVE;
        if key.is_any() {
            connection.marks |= Marks::LISTEN_ANY;
        }
        self.phase = Phase::Connection(connection);
        self.note();
        Outcome::NONE
    }

    /// A request that came to nothing makes the socket listen again.
    #[inline]
    pub(super) fn listen_again(&mut self) {
        if let Phase::Connection(connection) = &self.phase
            && connection.state == State::Listen
        {
            let is_any = connection.marks.contains(Marks::LISTEN_ANY);
            let addr = if is_any { Addr::UNSPECIFIED } else { connection.tuple.local };
            let ports = Ports::one(connection.tuple.local_port);
            let key = ListenKey { addr, ports, bound: self.side.bound };
            self.restart(Phase::Listen(key));
        }
    }
}

impl Connection {
    /// RFC 9293 §3.10.7.2: a SYN for a listening socket. The SYN-ACK is still to be sent.
    fn passive(cx: &Context<'_>, tuple: Tuple, seg: &Segment<'_>, side: &Side<'_>) -> Connection {
        let iss = super::isn::isn(cx.keys, &tuple, cx.now);
        let mut connection = Connection::new(cx, tuple, State::SynReceived, iss, side);
        connection.on_syn(cx, seg.seq, u32::from(seg.window), &seg.options, &seg.stamp, side);
        connection.ecn.grant(side.config.ecn.grants(seg.flags));
        connection.on_advice(seg);
        connection.arm_rtx(cx.ticks, side);
        connection
    }

    /// RFC 9293 §3.10.7.4: a listening socket survives a request that came to nothing. Says whether this
    /// is one.
    #[inline]
    pub(super) fn give_up_request(&mut self) -> bool {
        let is_request = self.state == State::SynReceived && self.marks.contains(Marks::PASSIVE);
        if is_request {
            self.state = State::Listen;
            self.timers.clear_all();
        }
        is_request
    }
}
