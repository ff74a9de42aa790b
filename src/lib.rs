//! A small, fast TCP/IP stack for programs, Linux hosts and firmware.
//!
//! `no_std` always, no heap needed. See ARCHITECTURE.md for how a frame travels through it.
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![deny(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(not(any(feature = "proto-ipv4", feature = "proto-ipv6")))]
compile_error!("enable at least one of the features `proto-ipv4` and `proto-ipv6`");
#[cfg(not(any(feature = "medium-ethernet", feature = "medium-ip")))]
compile_error!("enable at least one of the features `medium-ethernet` and `medium-ip`");

#[macro_use]
mod macros;
#[cfg(feature = "app-http")]
pub mod apps;
pub mod config;
pub mod iface;
pub mod phy;
pub mod rand;
pub mod socket;
pub mod stats;
pub mod storage;
pub mod time;
pub mod wire;
