//! Applications: state machines on sockets.
//!
//! All have the same shape, which ARCHITECTURE.md describes: memory that is lent, `on_ready` for what has
//! happened to a socket, `poll` for what time has brought, `poll_at` for when that is, limits on
//! everything, counters. They share a [`SocketSet`](crate::iface::SocketSet) with one another and with
//! the program around them, and none looks at a socket that has no event.

#[cfg(feature = "app-http")]
pub mod http;
mod sessions;

pub use sessions::{Session, SessionSlot};
