//! Two stacks in one process, doing what is to be counted.
//!
//! `cargo xtask instructions` runs this under callgrind. On its own it prints what it did, and how long
//! that took. The program `ways` is the same with a handler, and compares ways of sending and receiving: who has none
//! does not pay for one.

mod forward;
mod idle;
mod marks;
mod stack;
mod wire;
mod work;

use std::process::ExitCode;

/// Whether polls have a handler.
const HAS_HANDLER: bool = false;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let idle = match (arguments.next().as_deref(), arguments.next().map(|count| count.parse())) {
        (Some("instructions"), Some(Ok(idle))) => idle,
        _ => {
            eprintln!("usage: bench instructions IDLE_CONNECTIONS");
            return ExitCode::FAILURE;
        }
    };
    work::run(idle);
    ExitCode::SUCCESS
}
