//! What is lent to a pool of waiting packets, and told of them, be there a pool or not.

/// The index of no cell.
pub(super) const NIL: u16 = u16::MAX;

/// What a [`PacketPool`] keeps of one cell.
#[derive(Debug, Clone, Copy)]
pub struct PacketCell {
    pub(super) tag: u32,
    pub(super) len: u16,
    /// The next cell of the list it is on: free or waiting.
    pub(super) next: u16,
    /// The packet is somebody else's, who is told what becomes of it.
    #[cfg(feature = "iface-forward")]
    pub(super) is_passing: bool,
}

impl PacketCell {
    /// An unused cell.
    pub const EMPTY: PacketCell = PacketCell {
        tag: 0,
        len: 0,
        next: NIL,
        #[cfg(feature = "iface-forward")]
        is_passing: false,
    };
}

/// Why a packet may not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PoolError {
    /// All cells that it may take are in use.
    Full,
    /// Its tag has as many packets as it may have.
    Quota,
    /// It is larger than a cell.
    TooLarge,
}

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// An application's datagram, or a forwarded packet.
    Data,
    /// What keeps the stack alive: may take the reserve.
    Control,
}
