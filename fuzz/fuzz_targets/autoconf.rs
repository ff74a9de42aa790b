//! An interface that configures itself: advertisements, DHCP servers, duplicates, redirects.
#![no_main]

#[path = "../src/bodies.rs"]
#[allow(dead_code)] // every target has its own part of it
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::autoconf(data));
