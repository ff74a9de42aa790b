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

/// Whether polls have a handler.
const HAS_HANDLER: bool = false;

fn main() -> std::process::ExitCode {
    work::main()
}
