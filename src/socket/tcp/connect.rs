//! Active opens (RFC 9293 §3.10.1, §3.10.7.3): from the application's wish to the peer's answer.

use super::connection::{Connection, Marks};
use super::error::{ConnectError, Error};
use super::keep_alive::Silence;
use super::segment::{Outcome, Segment};
use super::state::State;
use super::{Phase, Side, Socket, to_addr};
use crate::socket::{Context, Events, Tuple};
use crate::wire::tcp::Flags;
use crate::wire::{Addr, IpEndpoint, IpListenEndpoint};

/// An active open that waits for the engine to choose its local end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) remote: Addr,
    pub(crate) remote_port: u16,
    /// The interface that it goes by, plus one; 0 lets the route decide.
    pub(crate) zone: u8,
    pub(crate) local: Option<Addr>,
    /// 0: any.
    pub(crate) local_port: u16,
}

impl Socket<'_> {
    /// Connects to `remote`, from the `local` address and port or, where these say nothing, from what
    /// the interface chooses at the next poll.
    pub fn connect(
        &mut self,
        remote: impl Into<IpEndpoint>,
        local: impl Into<IpListenEndpoint>,
    ) -> Result<(), ConnectError> {
        if self.state() != State::Closed {
            return Err(ConnectError::InvalidState);
        }
        let mut wish = wish(remote.into(), local.into())?;
        wish.zone = self.side.bound.zone(wish.zone).ok_or(ConnectError::OtherInterface)?;
        self.restart(Phase::Connecting(wish));
        Ok(())
    }

    /// An active open that waits for [`settle`](Self::settle) or [`fail`](Self::fail).
    pub(crate) fn wish(&self) -> Option<Wish> {
        match self.phase {
            Phase::Connecting(wish) => Some(wish),
            _ => None,
        }
    }

    /// The local end of an active open is chosen; the SYN can go.
    pub(crate) fn settle(&mut self, cx: &Context<'_>, local: Addr, local_port: u16) {
        if let Phase::Connecting(wish) = self.phase {
            let Wish { remote, remote_port, zone, .. } = wish;
            let tuple = Tuple { local, remote, local_port, remote_port, zone };
            self.phase = Phase::Connection(Connection::active(cx, tuple, &self.side));
            self.note();
        }
    }

    /// The network says that the peer can't be reached, or settling failed. Ends only what is not yet
    /// established (RFC 5927 §4: for others it is a hint).
    #[cold]
    pub(crate) fn fail(&mut self, error: Error) -> Events {
        match self.state() {
            State::SynSent => {
                self.phase = Phase::Closed;
                self.note();
                self.side.error = Some(error);
                Events::CLOSED | Events::ERROR
            }
            _ => Events::empty(),
        }
    }
}

impl Connection {
    /// RFC 9293 §3.10.1: an active OPEN. The SYN is still to be sent.
    fn active(cx: &Context<'_>, tuple: Tuple, side: &Side<'_>) -> Connection {
        let iss = super::isn::isn(cx.keys, &tuple, cx.now);
        let mut connection = Connection::new(cx, tuple, State::SynSent, iss, side);
        connection.ecn.begin(side.config.ecn);
        connection.fast_open.begin(side.config.fast_open);
        // Runs even if the SYN never leaves, so that the attempt ends.
        connection.arm_rtx(cx.ticks, side);
        connection
    }

    /// RFC 9293 §3.10.7.3.
    #[inline(never)]
    pub(super) fn process_syn_sent(
        &mut self,
        cx: &Context<'_>,
        seg: &Segment<'_>,
        side: &mut Side<'_>,
    ) -> Outcome {
        let has_ack = seg.flags.contains(Flags::ACK);
        if has_ack && !self.is_syn_acked(seg.ack) {
            return Outcome::REFUSED;
        }
        if seg.flags.contains(Flags::RST) {
            if has_ack {
                return Outcome { events: self.fail(Error::Refused, side), ..Outcome::NONE };
            }
            return Outcome::DROPPED;
        }
        if !seg.flags.contains(Flags::SYN) {
            return Outcome::DROPPED;
        }
        // Data that comes with the SYN is not taken; it will come again.
        self.on_syn(cx, seg.seq, u32::from(seg.window), &seg.options, &seg.stamp, side);
        self.silence = Silence::new(cx.ticks);
        self.on_advice(seg);
        let mut out = Outcome::NONE;
        if has_ack {
            self.ecn.on_syn_ack(seg.flags, self.marks.contains(Marks::SYN_LOST));
            let ack = self.take_syn_ack(seg.ack, side);
            out.events = self.establish(cx, ack, side);
            self.marks |= Marks::ACK;
        } else {
            // RFC 9293 §3.5, figure 7: both open at once; ours goes again, with an ACK.
            self.state = State::SynReceived;
            self.snd.nxt = self.snd.una;
            self.rtt.on_retransmit();
        }
        out
    }
}

fn wish(remote: IpEndpoint, local: IpListenEndpoint) -> Result<Wish, ConnectError> {
    let addr = to_addr(remote.addr).ok_or(ConnectError::FamilyNotBuiltIn)?;
    if remote.port == 0 || !addr.is_unicast() {
        return Err(ConnectError::Unaddressable);
    }
    let local_addr = match local.addr {
        Some(addr) => Some(to_addr(addr).ok_or(ConnectError::FamilyNotBuiltIn)?),
        None => None,
    };
    if local_addr.is_some_and(|local| local.is_v4() != addr.is_v4()) {
        return Err(ConnectError::FamilyMismatch);
    }
    Ok(Wish {
        remote: addr,
        remote_port: remote.port,
        zone: remote.zone.map_or(0, |zone| zone.saturating_add(1)),
        local: local_addr,
        local_port: local.port,
    })
}
