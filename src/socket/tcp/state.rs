//! The states of a connection (RFC 9293 §3.3.2) and the transitions between the synchronized ones.
//!
//! ```text
//!               Closed --listen--> Listen --SYN--> SynReceived
//!                  |                                    | ACK of our SYN
//!               connect        SYN (both at once)       |
//!                  +--> SynSent ------> SynReceived     |
//!                          | SYN, ACK        | ACK      |
//!                          +----------> Established <---+
//!             close |                        | FIN
//!               FinWait1 --FIN--> Closing    CloseWait
//!                   | ACK            | ACK       | close
//!               FinWait2 --FIN--> TimeWait    LastAck --ACK--> Closed
//! ```

use core::fmt;

use crate::config;

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// No connection.
    Closed,
    /// Waits for a connection request.
    Listen,
    /// Has sent (or is to send) a SYN.
    SynSent,
    /// Has received a SYN and answers it.
    SynReceived,
    /// Both directions are open.
    Established,
    /// We have closed; our FIN is not acknowledged.
    FinWait1,
    /// We have closed and the peer knows; it may still send.
    FinWait2,
    /// The peer has closed; we may still send.
    CloseWait,
    /// Both have closed; our FIN is not acknowledged.
    Closing,
    /// The peer has closed, then we; our FIN is not acknowledged.
    LastAck,
    /// Both have closed and know it; old segments die away.
    TimeWait,
}

/// What moves a synchronized connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The user sends no more.
    Close,
    /// The peer's FIN, in order.
    Fin,
    /// Our FIN was acknowledged.
    FinAcked,
}

const STATES: [State; 11] = [
    State::Closed,
    State::Listen,
    State::SynSent,
    State::SynReceived,
    State::Established,
    State::FinWait1,
    State::FinWait2,
    State::CloseWait,
    State::Closing,
    State::LastAck,
    State::TimeWait,
];

impl State {
    /// The state after `step`; itself, where the step means nothing.
    #[inline]
    pub(super) fn next(self, step: Step) -> State {
        // Looked up: a comparison for each arm would be ten times the code.
        const NEXT: [[State; 3]; 11] = {
            let mut next = [[State::Closed; 3]; 11];
            let mut i = 0;
            while i < STATES.len() {
                let state = STATES[i];
                next[state as usize] =
                    [state.after(Step::Close), state.after(Step::Fin), state.after(Step::FinAcked)];
                i += 1;
            }
            next
        };
        NEXT[self as usize][step as usize]
    }

    /// The transitions of RFC 9293 §3.3.2, figure 5, between synchronized states.
    const fn after(self, step: Step) -> State {
        match (self, step) {
            (State::Established, Step::Close) => State::FinWait1,
            (State::Established, Step::Fin) => State::CloseWait,
            (State::CloseWait, Step::Close) => State::LastAck,
            (State::FinWait1, Step::Fin) => State::Closing,
            (State::FinWait1, Step::FinAcked) => State::FinWait2,
            (State::FinWait2, Step::Fin) => State::TimeWait,
            (State::Closing, Step::FinAcked) => State::TimeWait,
            (State::LastAck, Step::FinAcked) => State::Closed,
            (state, _) => state,
        }
    }

    /// The peer may still send data.
    #[inline]
    pub(super) const fn takes_data(self) -> bool {
        matches!(self, State::Established | State::FinWait1 | State::FinWait2)
    }

    /// The user may still send data.
    #[inline]
    pub(super) const fn may_send(self) -> bool {
        matches!(self, State::Established | State::CloseWait)
    }

    /// Our FIN is sent or to be sent, and not acknowledged.
    #[inline]
    pub(super) const fn owes_fin(self) -> bool {
        matches!(self, State::FinWait1 | State::Closing | State::LastAck)
    }

    /// The SYNs of both sides are not yet done with.
    #[inline]
    pub(super) const fn is_opening(self) -> bool {
        config::HAS_TCP_OPENING && matches!(self, State::SynSent | State::SynReceived)
    }

    /// The peer's SYN has come, and no ACK of ours. Whether a listening socket's (RFC 9293 §3.5, MUST-10,
    /// MUST-11) is a mark of the connection.
    #[inline]
    pub(super) const fn is_syn_received(self) -> bool {
        config::HAS_TCP_OPENING && matches!(self, State::SynReceived)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Closed => "CLOSED",
            State::Listen => "LISTEN",
            State::SynSent => "SYN-SENT",
            State::SynReceived => "SYN-RECEIVED",
            State::Established => "ESTABLISHED",
            State::FinWait1 => "FIN-WAIT-1",
            State::FinWait2 => "FIN-WAIT-2",
            State::CloseWait => "CLOSE-WAIT",
            State::Closing => "CLOSING",
            State::LastAck => "LAST-ACK",
            State::TimeWait => "TIME-WAIT",
        })
    }
}
