//! The program `bench` with a handler: what is measured are the ways of octets to and from the application.

mod forward;
mod idle;
mod marks;
mod stack;
mod wire;
mod work;

/// Whether polls have a handler.
const HAS_HANDLER: bool = true;

fn main() -> std::process::ExitCode {
    work::main()
}
