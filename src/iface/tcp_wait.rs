//! Requests that wait until the application has decided about them (feature `tcp-syn-wait`).

use core::fmt;

use super::engine::context;
use super::handler::SynVerdict;
use super::ingress::{Ingress, Taken};
use super::socket_set::{HandleError, SocketSet};
use super::tcp_set::listener_in;
use crate::socket::tcp::{Decision, Known, Listener, Segment, Verdict};
use crate::socket::{Room, Socket, Tuple};
use crate::stats::DropReason;
use crate::storage::SocketHandle;
use crate::wire::{Addr, IpEndpoint};

/// Why a decision came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerError {
    /// The handle names no listener.
    Handle(HandleError),
    /// No request between these ends waits for a decision, or none does any more: one was made already, the client has
    /// reset it, it has waited too long, it gave way to a newer one, or the listener was closed. What was dialled for it can
    /// be closed.
    NotWaiting,
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnswerError::Handle(error) => error.fmt(f),
            AnswerError::NotWaiting => f.write_str("no such request waits for a decision"),
        }
    }
}

impl core::error::Error for AnswerError {}

impl<'a> SocketSet<'a> {
    /// Decides about a request that was told to [wait](SynVerdict::Wait), with the two ends as
    /// [`Handler::syn`](super::Handler::syn) was told them. The next poll answers it. [`SynVerdict::Wait`] lets it wait on,
    /// though no longer than without.
    ///
    /// # Errors
    /// [`AnswerError::Handle`] if there is no such listener, and [`AnswerError::NotWaiting`] if no such request waits.
    pub fn answer_syn(
        &mut self,
        listener: SocketHandle,
        remote: impl Into<IpEndpoint>,
        local: impl Into<IpEndpoint>,
        verdict: SynVerdict,
    ) -> Result<(), AnswerError> {
        let ix = self.index_of(listener).map_err(AnswerError::Handle)?;
        let tuple = tuple_of(&remote.into(), &local.into()).ok_or(AnswerError::NotWaiting)?;
        let decision = match verdict {
            SynVerdict::Accept => Some(Decision::Accept),
            SynVerdict::Reset => Some(Decision::Reset),
            SynVerdict::Ignore => Some(Decision::Ignore),
            SynVerdict::Wait => None,
        };
        let listener = self.listener_mut(ix).ok_or(AnswerError::Handle(HandleError::WrongKind))?;
        let is_waiting = match decision {
            Some(decision) => listener.decide(&tuple, decision),
            None => listener.is_waiting(&tuple),
        };
        self.touch(ix);
        if is_waiting { Ok(()) } else { Err(AnswerError::NotWaiting) }
    }

    /// Whether a request between these ends waits for a decision.
    pub fn is_syn_waiting(
        &self,
        listener: SocketHandle,
        remote: impl Into<IpEndpoint>,
        local: impl Into<IpEndpoint>,
    ) -> bool {
        let tuple = tuple_of(&remote.into(), &local.into());
        let listener = self.try_get::<Listener<'a>>(listener);
        tuple.is_some_and(|tuple| listener.is_ok_and(|listener| listener.is_waiting(&tuple)))
    }

    /// What was said before of a request that comes again, if it was told to wait.
    pub(super) fn verdict_on(&self, ix: u32, tuple: &Tuple, syn: &Segment<'_>) -> Option<SynVerdict> {
        let Some(Socket::TcpListener(listener)) = self.entry(ix).map(|entry| &entry.socket) else {
            return None;
        };
        match listener.recall(tuple, syn) {
            Known::New => None,
            Known::Waits => Some(SynVerdict::Wait),
            Known::Answered => Some(SynVerdict::Accept),
        }
    }
}

impl Ingress<'_, '_, '_, '_, '_> {
    /// A request that the application will decide about.
    pub(super) fn keep_waiting(&mut self, ix: u32, tuple: &Tuple, syn: &Segment<'_>) -> Taken {
        let SocketSet { slots, keys, .. } = &mut *self.sockets;
        let cx = context(keys, self.links.now, self.links.iface.ip_mtu());
        let mut room = Room::NONE;
        let verdict = match listener_in(slots, ix) {
            Some(listener) => {
                room = listener.room;
                listener.keep_waiting(&cx, tuple, syn)
            }
            // A socket that listens for itself has no records.
            None => Verdict::Drop(DropReason::Filtered),
        };
        // Its timer is set in its turn.
        self.sockets.touch(ix);
        self.conclude_in(room, tuple, syn, verdict)
    }
}

/// The two ends as they are kept; none if an address is of a family that is not built in.
fn tuple_of(remote: &IpEndpoint, local: &IpEndpoint) -> Option<Tuple> {
    Some(Tuple {
        local: Addr::try_from(local.addr).ok()?,
        remote: Addr::try_from(remote.addr).ok()?,
        local_port: local.port,
        remote_port: remote.port,
        zone: remote.zone.map_or(0, |zone| zone.saturating_add(1)),
    })
}
