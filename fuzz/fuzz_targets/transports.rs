//! UDP, DHCP, UDP-Lite and TCP's options.
#![no_main]

#[path = "../src/bodies.rs"]
#[allow(dead_code)] // every target has its own part of it
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::transports(data));
