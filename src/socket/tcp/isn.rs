//! Initial sequence numbers (RFC 6528): a keyed function of the connection plus a clock of 62.5 ns.

use crate::rand::{Domain, Keys};
use crate::socket::Tuple;
use crate::time::Instant;
use crate::wire::tcp::SeqNum;

/// The initial sequence number of a new connection.
///
/// Two connections of one tuple differ by the clock, so that the later has the higher number.
#[inline(never)]
pub(super) fn isn(keys: &Keys, tuple: &Tuple, now: Instant) -> SeqNum {
    let [a, b, c, d] = tuple.local.words();
    let [e, f, g, h] = tuple.remote.words();
    let ports = u32::from(tuple.local_port) << 16 | u32::from(tuple.remote_port);
    // RFC 9293 §3.4.1 (MUST-8, MUST-9), RFC 6528 §3: the clock keeps incarnations apart, the hash keeps
    // others from guessing.
    let offset = keys.hash(Domain::Isn, &[a, b, c, d, e, f, g, h, ports]) as u32;
    SeqNum(offset.wrapping_add((now.total_micros() << 4) as u32))
}
