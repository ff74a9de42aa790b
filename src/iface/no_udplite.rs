//! Without `socket-udplite` no socket speaks it.

use super::links::Links;
use super::udp::Way;
use crate::socket::udp::{Peer, Socket};

/// Never called.
#[inline]
pub(super) fn send(
    _links: &mut Links<'_, '_, '_>,
    _way: &mut Way,
    _socket: &Socket<'_>,
    _peer: &Peer,
    _data: &[u8],
) -> bool {
    true
}
