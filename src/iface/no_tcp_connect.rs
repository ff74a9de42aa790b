//! Without active opens there is nothing to settle.

use super::links::Links;
use super::socket_set::SocketSet;
use crate::socket::tcp::{Error, Wish};

impl SocketSet<'_> {
    #[inline]
    pub(super) fn settle_wish(&mut self, _: u32, wish: &Wish, _: &Links<'_, '_, '_>) -> Result<(), Error> {
        match *wish {}
    }
}
