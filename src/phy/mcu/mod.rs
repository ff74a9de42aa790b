//! Drivers for the Ethernet MACs of microcontrollers and of the boards around them.
//!
//! A driver reaches its registers through a bus that the caller gives it and keeps frames in memory
//! that the caller lends, so it runs on any board that has the chip, and in tests without one.

pub mod lan9118;
