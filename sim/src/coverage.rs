//! What the runs have covered.

use std::fmt;

use goldcrest::phy::PathCounters;
use goldcrest::socket::tcp::{Error, State};

use crate::observer::Again;

const STATES: [State; 11] = [
    State::Closed,
    State::Listen,
    State::SynSent,
    State::SynReceived,
    State::Established,
    State::FinWait1,
    State::FinWait2,
    State::CloseWait,
    State::Closing,
    State::LastAck,
    State::TimeWait,
];

const ERRORS: [Error; 6] = [
    Error::Refused,
    Error::Reset,
    Error::TimedOut,
    Error::Unreachable,
    Error::AddressInUse,
    Error::ZoneNeeded,
];

/// Counts over all runs.
#[derive(Debug, Default, Clone)]
pub(crate) struct Coverage {
    pub(crate) seeds: u64,
    pub(crate) calm: u64,
    pub(crate) connections: u64,
    pub(crate) octets: u64,
    pub(crate) in_place: u64,
    pub(crate) frames: u64,
    pub(crate) virtual_seconds: u64,
    /// Streams that were read to their end.
    pub(crate) whole: u64,
    pub(crate) aborted: u64,
    pub(crate) released: u64,
    pub(crate) set_full: u64,
    pub(crate) refused: u64,
    pub(crate) refused_allocations: u64,
    pub(crate) ended_before_accept: u64,
    /// Connections by cookie that nobody had made.
    pub(crate) ghosts: u64,
    pub(crate) ports_reused: u64,
    pub(crate) time_wait_records: u64,
    /// The most octets that two stacks held.
    pub(crate) most_held: u64,
    /// Polls for no other reason than that the stack wanted them.
    pub(crate) wakes: u64,
    /// Those in which no frame moved.
    pub(crate) empty_wakes: u64,
    /// Those in which none could, since the device had no room.
    pub(crate) busy_wakes: u64,
    again: [u64; 8],
    states: [u64; 11],
    errors: [u64; 6],
    paths: PathSum,
}

#[derive(Debug, Default, Clone, Copy)]
struct PathSum {
    lost: u64,
    burst_lost: u64,
    queue_full: u64,
    marked: u64,
    link_down: u64,
    corrupted: u64,
    duplicated: u64,
    reordered: u64,
}

impl Coverage {
    pub(crate) fn saw(&mut self, state: State) {
        self.states[state as usize] += 1;
    }

    pub(crate) fn add_again(&mut self, again: &[u64; 8]) {
        add(&mut self.again, again);
    }

    pub(crate) fn note_end(&mut self, error: Option<Error>, is_aborted: bool, is_released: bool) {
        self.aborted += u64::from(is_aborted);
        self.released += u64::from(is_released);
        if let Some(index) = error.and_then(|error| ERRORS.iter().position(|other| *other == error)) {
            self.errors[index] += 1;
        }
    }

    pub(crate) fn add_path(&mut self, path: &PathCounters) {
        let paths = &mut self.paths;
        paths.lost += path.lost;
        paths.burst_lost += path.burst_lost;
        paths.queue_full += path.queue_full;
        paths.marked += path.marked;
        paths.link_down += path.link_down;
        paths.corrupted += path.corrupted;
        paths.duplicated += path.duplicated;
        paths.reordered += path.reordered;
    }

    /// Adds the counts of other runs.
    pub(crate) fn merge(&mut self, other: &Coverage) {
        self.seeds += other.seeds;
        self.calm += other.calm;
        self.connections += other.connections;
        self.octets += other.octets;
        self.in_place += other.in_place;
        self.frames += other.frames;
        self.virtual_seconds += other.virtual_seconds;
        self.whole += other.whole;
        self.aborted += other.aborted;
        self.released += other.released;
        self.set_full += other.set_full;
        self.refused += other.refused;
        self.refused_allocations += other.refused_allocations;
        self.ended_before_accept += other.ended_before_accept;
        self.ghosts += other.ghosts;
        self.ports_reused += other.ports_reused;
        self.time_wait_records = self.time_wait_records.max(other.time_wait_records);
        self.most_held = self.most_held.max(other.most_held);
        self.wakes += other.wakes;
        self.empty_wakes += other.empty_wakes;
        self.busy_wakes += other.busy_wakes;
        add(&mut self.again, &other.again);
        add(&mut self.states, &other.states);
        add(&mut self.errors, &other.errors);
        let (to, from) = (&mut self.paths, &other.paths);
        to.lost += from.lost;
        to.burst_lost += from.burst_lost;
        to.queue_full += from.queue_full;
        to.marked += from.marked;
        to.link_down += from.link_down;
        to.corrupted += from.corrupted;
        to.duplicated += from.duplicated;
        to.reordered += from.reordered;
    }

    /// What should have occurred and has not.
    pub(crate) fn missing(&self) -> Vec<String> {
        let states = STATES.iter().filter(|state| self.states[**state as usize] == 0);
        let mut missing: Vec<String> = states.map(|state| format!("state {state}")).collect();
        let paths = &self.paths;
        let others = [
            ("lost frames", paths.lost),
            ("burst loss", paths.burst_lost),
            ("full queues", paths.queue_full),
            ("marked frames", paths.marked),
            ("link down", paths.link_down),
            ("corruption", paths.corrupted),
            ("duplication", paths.duplicated),
            ("reordering", paths.reordered),
            ("refused connections", self.refused),
            ("refused allocations", self.refused_allocations),
            ("full sets", self.set_full),
            ("payload in place", self.in_place),
            ("reused ports", self.ports_reused),
        ];
        let again = Again::NAMES.iter().copied().zip(self.again);
        missing.extend(again.chain(others).filter(|(_, count)| *count == 0).map(|(name, _)| name.into()));
        missing
    }
}

fn add<const N: usize>(to: &mut [u64; N], from: &[u64; N]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} seeds ({} calm), {} connections, {} streams whole, {} MB ({} MB in place), {} frames, {} virtual hours",
            self.seeds,
            self.calm,
            self.connections,
            self.whole,
            self.octets / 1_000_000,
            self.in_place / 1_000_000,
            self.frames,
            self.virtual_seconds / 3_600
        )?;
        write!(f, "states seen at polls:")?;
        for state in STATES {
            write!(f, " {state} {}", self.states[state as usize])?;
        }
        write!(f, "\nsent again, as the wire shows:")?;
        for (name, count) in Again::NAMES.iter().zip(self.again) {
            write!(f, " {name} {count},")?;
        }
        let paths = &self.paths;
        writeln!(
            f,
            "\nlink: lost {}, in bursts {}, queue full {}, marked {}, link down {}, corrupted {}, duplicated {}, reordered {}",
            paths.lost,
            paths.burst_lost,
            paths.queue_full,
            paths.marked,
            paths.link_down,
            paths.corrupted,
            paths.duplicated,
            paths.reordered
        )?;
        write!(f, "ends: aborted or removed {}, released {}, errors", self.aborted, self.released)?;
        for (error, count) in ERRORS.iter().zip(self.errors).filter(|(_, count)| *count > 0) {
            write!(f, " {error:?} {count}")?;
        }
        writeln!(
            f,
            "\nshort of: sockets {} (refused), set slots {}, memory {}; ended before accepted {}, ghosts {}, ports \
             reused {}, TIME-WAIT records at most {}",
            self.refused,
            self.set_full,
            self.refused_allocations,
            self.ended_before_accept,
            self.ghosts,
            self.ports_reused,
            self.time_wait_records
        )?;
        write!(
            f,
            "wakes by poll_at alone {}, empty {}, with the device full {}; both stacks together held at most {} kB \
             that they took themselves",
            self.wakes,
            self.empty_wakes,
            self.busy_wakes,
            self.most_held / 1_000
        )
    }
}
