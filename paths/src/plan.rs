//! What is measured: which cells, and who sends to whom.

use std::fmt;

use clap::ValueEnum;
use sim::cell::Cell;

/// The cells, out of the grid's 72: each trouble at three rates or round-trip times at least.
pub(crate) const CELLS: [&str; 24] = [
    "10M-20ms-none",
    "10M-20ms-loss1",
    "10M-20ms-bursts",
    "10M-20ms-queue1",
    "10M-100ms-loss0.1",
    "10M-100ms-queue0.1",
    "100M-1ms-none",
    "100M-1ms-loss1",
    "100M-1ms-loss3",
    "100M-1ms-reorder",
    "100M-20ms-none",
    "100M-20ms-loss0.1",
    "100M-20ms-loss1",
    "100M-20ms-bursts",
    "100M-20ms-reorder",
    "100M-20ms-queue1",
    "100M-20ms-queue0.1",
    "100M-100ms-loss3",
    "100M-100ms-queue1",
    "1G-1ms-loss0.1",
    "1G-1ms-loss1",
    "1G-1ms-queue1",
    "1G-20ms-loss0.1",
    "1G-100ms-reorder",
];

/// The cells of these names, or all.
pub(crate) fn cells(names: &[String]) -> Result<Vec<Cell>, String> {
    if names.is_empty() {
        return CELLS.iter().map(|name| name.parse()).collect();
    }
    names.iter().map(|name| name.parse()).collect()
}

/// Whose TCP it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stack {
    /// Goldcrest, in a program on a TAP
    Ours,
    /// The kernel's
    Linux,
}

/// Who sends to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pairing {
    pub(crate) sender: Stack,
    pub(crate) receiver: Stack,
}

/// The first is what the others are compared with.
pub(crate) const PAIRINGS: [Pairing; 4] = [
    Pairing { sender: Stack::Linux, receiver: Stack::Linux },
    Pairing { sender: Stack::Ours, receiver: Stack::Linux },
    Pairing { sender: Stack::Linux, receiver: Stack::Ours },
    Pairing { sender: Stack::Ours, receiver: Stack::Ours },
];

impl fmt::Display for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |stack| if stack == Stack::Ours { "ours" } else { "Linux" };
        write!(f, "{} to {}", name(self.sender), name(self.receiver))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim::cell::{RATES, ROUND_TRIPS, TROUBLES};

    #[test]
    fn the_cells_are_of_the_grid_and_show_each_rate_time_and_trouble() {
        let cells = cells(&[]).unwrap();
        assert!(RATES.iter().all(|(rate, _)| cells.iter().filter(|cell| cell.rate == *rate).count() >= 5));
        assert!(
            ROUND_TRIPS.iter().all(|ms| cells.iter().filter(|cell| cell.round_trip_ms == *ms).count() >= 5)
        );
        assert!(TROUBLES.iter().all(|(trouble, _)| cells.iter().any(|cell| cell.trouble == *trouble)));
        assert!(self::cells(&["1G".into()]).is_err());
    }
}
