//! Congestion control: how much may be in flight.
//!
//! One algorithm is built in, chosen here. It reacts to what the connection tells it and reaches for
//! nothing; which segments to repeat is not its business but that of `recovery`.

mod reno;

pub(super) use reno::Reno as Control;
