//! What a connection consists of, as arrays of as many octets, for who weighs it: `cargo xtask size`.

use super::{
    connection, ecn, info, keep_alive, linger, pace, pmtu, recovery, recv, rtt, sack, send, stamps, tally,
    timers, validation,
};
use super::{farewell, look, trouble};
use crate::storage::{Assembler, SocketBuffer};

macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident: $size:expr),* $(,)?) => {
        $($(#[$doc])* pub type $name = [u8; $size];)*
    };
}

parts! {
    /// All of a connection's own; the rest of a socket is what it works with.
    Connection: size_of::<connection::Connection>(),
    /// SND.UNA and its like.
    Send: size_of::<send::Send>(),
    /// RCV.NXT and its like, but for what has arrived beyond it.
    Recv: size_of::<recv::Recv>() - size_of::<Assembler>(),
    /// What has arrived beyond RCV.NXT.
    Holes: size_of::<Assembler>(),
    /// Congestion control, but for a model of the path.
    Control: size_of::<super::congestion::Control>() - super::congestion::MODEL,
    /// A model of the path.
    Model: super::congestion::MODEL,
    /// Duplicate ACKs.
    Recovery: size_of::<recovery::Recovery>(),
    /// Deadlines.
    Timers: size_of::<timers::Timers>(),
    /// Round-trip times.
    Rtt: size_of::<rtt::Rtt>(),
    /// Selective acknowledgments: their modes, undo, probes.
    Sack: size_of::<sack::Sack>() - sack::PARTS[0] - sack::PARTS[1] - sack::PARTS[2] - sack::PARTS[3],
    /// What the peer has.
    Scoreboard: sack::PARTS[0],
    /// What the peer is to be told.
    Report: sack::PARTS[1],
    /// When what was sent, and what is lost.
    Rack: sack::PARTS[2],
    /// How much may be sent meanwhile.
    Prr: sack::PARTS[3],
    /// Both clocks.
    Stamps: size_of::<stamps::Stamps>(),
    /// When what the window lets go leaves.
    Pace: size_of::<pace::Pace>(),
    /// How much of the window the path is known to carry.
    Validation: size_of::<validation::Validation>(),
    /// Explicit congestion notification.
    Ecn: size_of::<ecn::Ecn>(),
    /// How large segments may be on the path.
    Pmtu: size_of::<pmtu::Pmtu>(),
    /// How long the peer has been silent.
    Silence: size_of::<keep_alive::Silence>(),
    /// How long a close has waited.
    Patience: size_of::<linger::Patience>(),
    /// What is counted for `Info`.
    Counts: size_of::<info::Counts>(),
    /// Addresses and ports.
    Tuple: size_of::<crate::socket::Tuple>(),
    /// What the application has set.
    Config: size_of::<super::Config>(),
    /// Both rings, without what they hold.
    Buffers: 2 * size_of::<SocketBuffer<'static>>(),
    /// Hop limit and traffic class, in the settings.
    Look: size_of::<look::Look>(),
    /// ICMP errors.
    Trouble: size_of::<trouble::Trouble>(),
    /// The reset of the connection before.
    Farewell: size_of::<farewell::Farewell>(),
    /// Counts for SNMP.
    Watch: size_of::<tally::Watch>(),
}
