//! Without options of the application's own.

use super::Socket;
use crate::socket::Room;

impl Socket<'_> {
    #[inline]
    pub(crate) fn room(&self) -> Room {
        Room::NONE
    }
}
