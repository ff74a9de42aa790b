//! The program `bench` with a handler: what is measured are the ways of octets to and from the application.

mod forward;
mod idle;
mod marks;
mod stack;
mod wire;
mod work;

use std::process::ExitCode;

/// Whether polls have a handler.
const HAS_HANDLER: bool = true;

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
