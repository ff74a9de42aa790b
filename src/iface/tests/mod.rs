//! The engine seen from the wire: frames in, frames out, in virtual time.
//!
//! Each decision of the design that the engine makes has a test here with its name.

mod decisions;
mod drained;
mod fuzzed;
mod icmp;
mod neighbors;
mod net;
mod poll_at;
mod tcp;
mod udp;
