//! What the programs that try TCP on bad paths share: which paths these are, and a transfer over one in virtual time.

pub mod cell;
pub mod congestion;
pub mod transfer;
mod watch;

pub use watch::{Seen, Sent};
