//! One transfer, in a network namespace of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use goldcrest::phy::unshare_network;

use crate::case::{Case, Peer};
use crate::client::{self, Transfer};
use crate::stack;

/// What a transfer was like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// Gbit/s or connections a second, as the kernel's end sees it.
    pub(crate) rate: f64,
    /// What the stack's thread took of a processor, itself and in the kernel; `None` for the kernel, whose work is done in
    /// whatever thread.
    pub(crate) cost: Option<Cost>,
}

/// Seconds of a processor for a gigabyte, or microseconds for a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

/// Measures a case for `span`.
pub(crate) fn run(case: &Case, span: Duration) -> Result<Measured> {
    let case = *case;
    // The thread's namespace ends with it, and its devices.
    let thread = thread::spawn(move || run_here(&case, span).with_context(|| case.to_string()));
    thread.join().map_err(|_| anyhow!("{case}: a thread panicked"))?
}

/// Keeps this thread on one of two processors, if there are two. Left alone the scheduler takes a reader to its waker's in
/// some runs, and then either stack is half as fast.
pub(crate) fn pin(place: usize) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if let Some(core) = cores.get(place).filter(|_| cores.len() > 1) {
        core_affinity::set_for_current(*core);
    }
}

fn run_here(case: &Case, span: Duration) -> Result<Measured> {
    unshare_network().map_err(|error| anyhow!("{error}"))?;
    pin(1);
    if case.peer == Peer::Kernel {
        let transfer = stack::veth::run(&case.setting, span)?;
        return Ok(Measured { rate: rate(case, &transfer), cost: None });
    }
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (ready, is_ready) = std::sync::mpsc::channel();
        let is_over = &is_over;
        let driver = scope.spawn(move || {
            pin(0);
            stack::drive(case, span, is_over, &ready)
        });
        let _ = is_ready.recv();
        let transfer = client::run(case.setting.work, client::STACK, span);
        is_over.store(true, Ordering::Relaxed);
        let (user, system) = driver.join().map_err(|_| anyhow!("the stack's thread panicked"))??;
        let transfer = transfer?;
        let amount = amount(case, &transfer);
        let cost = Cost { user: user / amount, system: system / amount };
        Ok(Measured { rate: rate(case, &transfer), cost: Some(cost) })
    })
}

/// Gigabytes, or millions of connections.
fn amount(case: &Case, transfer: &Transfer) -> f64 {
    transfer.count as f64 / if case.setting.work.is_stream() { 1e9 } else { 1e6 }
}

fn rate(case: &Case, transfer: &Transfer) -> f64 {
    let unit = if case.setting.work.is_stream() { 8.0 / 1e9 } else { 1.0 };
    transfer.count as f64 * unit / transfer.took.as_secs_f64()
}
