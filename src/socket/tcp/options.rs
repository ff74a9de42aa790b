//! Options that the application makes and checks: TCP-MD5 (RFC 2385), TCP-AO (RFC 5925), or its own.
//!
//! Who asks for room gets it in each segment that is sent for it, and hears of each that comes before it is looked at.
//! The handler of the poll does both; here stands only how much room there is. That of a connection is what its socket
//! or listener had when it began.

use super::{Listener, Phase, Socket};
use crate::socket::Room;

/// There is not so much room beside the other options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl core::fmt::Display for TooLong {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "no room for options of more than {} octets", Room::MAX_LEN)
    }
}

impl core::error::Error for TooLong {}

impl Socket<'_> {
    /// Asks for `len` octets of options of the application's own in each segment of the connections to come, rounded
    /// up to a multiple of four; 0, as at first, for none. There can be 28.
    ///
    /// [`Handler::fill_options`](crate::iface::Handler::fill_options) fills them, and
    /// [`Handler::segment_received`](crate::iface::Handler::segment_received) decides about each segment of the peer's:
    /// without a handler nothing is taken. Segments carry so much less data. Beside more than 16 octets there are no
    /// timestamps.
    pub fn set_option_room(&mut self, len: usize) -> Result<(), TooLong> {
        self.side.config.room = Room::new(len).ok_or(TooLong)?;
        Ok(())
    }

    /// Octets of options that the next connection has room for.
    pub fn option_room(&self) -> usize {
        self.side.config.room.len()
    }

    /// That of the connection, or of one to come.
    pub(crate) fn room(&self) -> Room {
        match &self.phase {
            Phase::Connection(connection) => connection.room,
            _ => self.side.config.room,
        }
    }

    /// Has that of its listener.
    pub(crate) fn set_room(&mut self, room: Room) {
        self.side.config.room = room;
    }
}

impl Listener<'_> {
    /// Asks for `len` octets of options for what is sent and for connections, as
    /// [`Socket::set_option_room`] does.
    pub fn set_option_room(&mut self, len: usize) -> Result<(), TooLong> {
        self.room = Room::new(len).ok_or(TooLong)?;
        Ok(())
    }

    /// Octets of options that there is room for.
    pub fn option_room(&self) -> usize {
        self.room.len()
    }
}
