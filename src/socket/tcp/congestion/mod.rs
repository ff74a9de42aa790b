//! Congestion control: how much may be in flight.
//!
//! | file | what |
//! | --- | --- |
//! | `reno` | the window in slow start, recovery and after a timeout; Reno's growth |
//! | `hystart` | where the first slow start ends, if there is no loss |
//! | `cubic` | CUBIC's growth |
//! | `bbr` | window and pace by a model of the path |
//! | `choice` | which of them a socket has; without `tcp-cubic` it is Reno |
//!
//! They react to what the connection tells them and reach for nothing; which segments to repeat is not their
//! business but that of `recovery`.

#[cfg(feature = "tcp-cubic")]
#[cfg_attr(not(feature = "tcp-bbr"), path = "no_bbr.rs")]
mod bbr;
#[cfg_attr(not(feature = "tcp-cubic"), path = "no_choice.rs")]
mod choice;
#[cfg(feature = "tcp-cubic")]
mod cubic;
#[cfg_attr(not(feature = "tcp-hystart"), path = "no_hystart.rs")]
mod hystart;
mod reno;

#[cfg(feature = "tcp-bbr")]
pub(super) use bbr::{Ack, Sent};
#[cfg(feature = "tcp-cubic")]
pub use choice::CongestionControl;
pub(super) use choice::{Choice, Control, MODEL};
