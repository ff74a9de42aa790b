//! A simulation swarm: each seed makes two stacks on a bad link, with connections that end at random, in
//! virtual time, and checks that nothing goes wrong that must not.
//!
//! `world` steps time, `verdict` says what must hold, `plan` draws what happens, `end` is the application at one
//! end of a connection, `observer` judges what is on the wire. A failure prints its seed; with `--seed S`
//! and `RUST_LOG=trace` it is replayed, frame by frame.

mod coverage;
mod end;
mod frame;
mod host;
mod memory;
mod observer;
mod plan;
mod port;
mod stream;
mod verdict;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;

use coverage::Coverage;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Runs simulations from seeds.
#[derive(Parser)]
#[command(name = "sim")]
struct Arguments {
    /// How many seeds to run
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Runs only this one; with RUST_LOG=debug or trace it tells what happens
    #[arg(long)]
    seed: Option<u64>,
    /// Stops after so many failures
    #[arg(long, default_value_t = 5)]
    failures: usize,
    /// Does not ask that everything has occurred
    #[arg(long)]
    no_coverage: bool,
    /// Prints which seeds take long
    #[arg(long)]
    slow: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    env_logger::Builder::from_default_env().format_timestamp(None).init();
    if let Some(seed) = arguments.seed {
        return match world::run(seed) {
            Ok(coverage) => {
                println!("{coverage}");
                ExitCode::SUCCESS
            }
            Err(what) => {
                println!("seed {seed}: {what}");
                ExitCode::FAILURE
            }
        };
    }
    swarm(&arguments)
}

/// Runs all seeds, on all processors.
fn swarm(arguments: &Arguments) -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        PANIC.set(Some(info.to_string()));
    }));
    let started = Instant::now();
    let next = AtomicU64::new(arguments.from);
    let end = arguments.from + arguments.seeds;
    let total = Mutex::new((Coverage::default(), Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(arguments, &next, end, &total));
        }
    });
    let (coverage, mut failures) = total.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    failures.sort();
    println!("{coverage}\nin {:.1} s", started.elapsed().as_secs_f32());
    for (seed, what) in &failures {
        // The first line says what; the others, how everybody stood.
        println!("FAILED seed {seed} {}", what.lines().next().unwrap_or_default());
    }
    if !failures.is_empty() {
        println!("to see more of one: cargo xtask sim --seed N, with RUST_LOG=debug or trace");
        return ExitCode::FAILURE;
    }
    let missing = coverage.missing();
    if !missing.is_empty() && !arguments.no_coverage {
        println!("FAILED: never occurred: {}", missing.join(", "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

thread_local! {
    static PANIC: std::cell::Cell<Option<String>> = const { std::cell::Cell::new(None) };
}

type Total = Mutex<(Coverage, Vec<(u64, String)>)>;

fn work(arguments: &Arguments, next: &AtomicU64, end: u64, total: &Total) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return;
        }
        let started = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| world::run(seed)));
        let result = result.unwrap_or_else(|_| Err(PANIC.take().unwrap_or_else(|| "panicked".into())));
        if arguments.slow && started.elapsed().as_millis() > 500 {
            println!("seed {seed} takes {:.1} s", started.elapsed().as_secs_f32());
        }
        let Ok(mut total) = total.lock() else { return };
        match result {
            Ok(coverage) => total.0.merge(&coverage),
            Err(what) => total.1.push((seed, what)),
        }
        if total.1.len() >= arguments.failures {
            next.store(end, Ordering::Relaxed);
        }
    }
}
