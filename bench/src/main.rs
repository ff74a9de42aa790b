//! Two stacks in one process, doing what is to be counted.
//!
//! `cargo xtask instructions` runs this under callgrind. On its own it prints what it did, and how long
//! that took.

mod forward;
mod idle;
mod marks;
mod stack;
mod wire;
mod work;

use std::process::ExitCode;

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
