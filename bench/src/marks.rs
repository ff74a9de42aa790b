//! The parts of a run, divided so that callgrind counts each of them.
//!
//! Callgrind writes out its counters, and starts anew, whenever [`mark`] is entered
//! (`--dump-before`), so that every second of its files holds one part. What the parts were is printed at
//! the end, one a line: name, units, nanoseconds.

use std::time::Instant;

/// What was counted so far.
#[derive(Default)]
pub(crate) struct Parts {
    done: Vec<(&'static str, usize, u128)>,
}

impl Parts {
    /// Does `work`, which is `units` times the thing that `name` says.
    pub(crate) fn measure(&mut self, name: &'static str, units: usize, work: impl FnOnce()) {
        let started = Instant::now();
        mark(self.done.len());
        work();
        mark(self.done.len());
        self.done.push((name, units, started.elapsed().as_nanos()));
    }

    /// Prints what was counted.
    pub(crate) fn print(&self) {
        for (name, units, nanoseconds) in &self.done {
            println!("part {name} {units} {nanoseconds}");
        }
    }
}

/// The end of what was counted before, and the beginning of what is counted next.
#[inline(never)]
fn mark(number: usize) {
    std::hint::black_box(number);
}
