//! Which mutant is in force in this copy of the sources, and which are reached.

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

const COUNT: usize = 1 << 15;

struct Orders {
    chosen: Option<u32>,
    trace: Option<std::sync::Mutex<std::fs::File>>,
}

static ORDERS: OnceLock<Orders> = OnceLock::new();
static REACHED: [AtomicBool; COUNT] = [const { AtomicBool::new(false) }; COUNT];

fn read() -> Orders {
    let chosen = std::env::var("GOLDCREST_MUTANT").ok().and_then(|number| number.parse().ok());
    let trace = std::env::var("GOLDCREST_REACHED").ok();
    let trace = trace.and_then(|path| std::fs::File::create(path).ok()).map(std::sync::Mutex::new);
    Orders { chosen, trace }
}

/// Which of these mutants is in force, counted from 1; 0 if none is.
#[inline]
pub(crate) fn at(mutants: &[u32]) -> u32 {
    let orders = ORDERS.get_or_init(read);
    if let Some(trace) = &orders.trace {
        note(mutants[0], trace);
    }
    let Some(chosen) = orders.chosen else { return 0 };
    mutants.iter().position(|&mutant| mutant == chosen).map_or(0, |index| index as u32 + 1)
}

fn note(first: u32, trace: &std::sync::Mutex<std::fs::File>) {
    if !REACHED[first as usize].swap(true, Ordering::Relaxed) {
        let mut file = trace.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = file.write_all(format!("{first}\n").as_bytes());
    }
}
