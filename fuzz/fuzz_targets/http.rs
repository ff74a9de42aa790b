//! A client of the web server.
#![no_main]

#[path = "../src/bodies.rs"]
#[allow(dead_code)] // every target has its own part of it
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::http(data));
