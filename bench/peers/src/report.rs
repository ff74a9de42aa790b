//! What was measured, for people and for programs.

use std::time::Duration;

use serde_json::json;

use crate::case::{Case, Peer, Setting};
use crate::measure::Measured;

/// What stands at the head of the document.
const HEAD: &str = "\
# TCP over a TAP, beside others

Written by `cargo xtask bench --write`; `cargo xtask bench` prints the table, and `--json` one object a line.

Between a program and the kernel, over a TAP of this machine, Ethernet, IPv4, MTU 1,500. A transfer has a network namespace
of its own, the cases take turns, and each end has a processor to itself. All octets are compared with what was sent.

*send*, *receive*: one stream. The kernel's end is a thread with a socket that reads or writes 256 KiB at a time; the other
is a thread with the stack, which fills the send buffer by a closure, or looks at what came in the receive buffer.

*connect*: the kernel's end is a thread that connects, sends a request of 64 octets, reads an answer of as many, closes its
direction, waits for the stack to do likewise, and begins anew; with one connection, or with 16 at once (epoll). TIME-WAIT
is therefore always the client's, and its kernel is told not to keep any (`tcp_max_tw_buckets`), or it would have no ports
left within two seconds. Buffers are 4 KiB, frames plain; both Rust stacks have twice as many sockets as there are
connections at once. Time runs from the end of the first connection.

- *plain*: each frame is one segment, with checksums. *offloads*: segments are handed over together and checksums left out,
  as the virtio header allows.
- *busy*: the stack looks for frames without a pause; else it waits for them, or for its next deadline.
- **goldcrest** with its default features and settings (CUBIC, pacing, SACK, timestamps), and its own device; a `Listener`,
  which makes the buffers of each connection.
- **smoltcp** {smoltcp}, without congestion control, delayed ACK and Nagle's algorithm, which makes it fastest. *plain* is its
  own TAP; for *offloads*, which that one has not, the system calls are those of our device, and its feature
  `segmentation-offload` is on. Sockets that have closed listen again, and are looked at only if a poll says that one changed.
- **lwIP** {lwip}, of Debian's source, compiled by `cc -O3 -flto`; a program of its own (bench/lwip), with the raw API and
  these [options](../bench/lwip/lwipopts.h), without Nagle's algorithm. What it sends is copied into its buffer. It has no
  offloads.
- **kernel**: its other end is the kernel, too, over a veth pair to another namespace, whose buffers it chooses itself.
- *user*, *system*: seconds of a processor a gigabyte, or microseconds a connection, that the stack's thread took, by the
  kernel's accounts; what the kernel does to receive a frame is in its *system*, since a TAP does it within the system call.
- *to smoltcp*: the ratio to smoltcp in the same setting.

";

/// The versions that are measured.
const SMOLTCP: &str = "0.14";
const LWIP: &str = "2.2.1";

/// All that was measured.
pub(crate) struct Report<'a> {
    pub(crate) cases: &'a [Case],
    pub(crate) measured: &'a [Vec<Measured>],
}

/// What rates and costs are in, and how many digits after the point they have.
#[derive(PartialEq, Eq)]
struct Units {
    rate: &'static str,
    rate_digits: usize,
    cost: &'static str,
    cost_digits: usize,
}

const STREAMS: Units = Units { rate: "Gbit/s", rate_digits: 2, cost: "s/GB", cost_digits: 3 };
const CONNECTIONS: Units = Units { rate: "connections/s", rate_digits: 0, cost: "µs", cost_digits: 1 };

impl Units {
    fn of(case: &Case) -> Units {
        if case.setting.work.is_stream() { STREAMS } else { CONNECTIONS }
    }
}

/// The value in the middle.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What stands in the middle of several runs.
struct Summary {
    rate: f64,
    /// The least and the most.
    least: f64,
    most: f64,
    /// What a gigabyte or a connection takes of a processor: the stack's own, and the kernel's for it.
    cost: Option<(f64, f64)>,
}

impl Summary {
    fn of(runs: &[Measured]) -> Summary {
        let rates = || runs.iter().map(|run| run.rate);
        let costs: Vec<_> = runs.iter().filter_map(|run| run.cost).collect();
        let user = median(costs.iter().map(|cost| cost.user));
        let system = median(costs.iter().map(|cost| cost.system));
        Summary {
            rate: median(rates()),
            least: rates().fold(f64::INFINITY, f64::min),
            most: rates().fold(0.0, f64::max),
            cost: (!costs.is_empty()).then_some((user, system)),
        }
    }
}

impl Report<'_> {
    /// The table, and what it was measured with.
    pub(crate) fn document(&self, runs: usize, span: Duration) -> String {
        let head = HEAD.replace("{smoltcp}", SMOLTCP).replace("{lwip}", LWIP);
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        format!(
            "{head}{}\nMedians of {runs} transfers of {} ms each; Linux {}, {processors} processors, {}.\n",
            self.table(),
            span.as_millis(),
            kernel.trim(),
            model.trim_start_matches(['\t', ':', ' ']),
        )
    }

    /// One line for each case, and how it stands to smoltcp in the same setting: streams, then connections.
    pub(crate) fn table(&self) -> String {
        let tables: Vec<String> =
            [STREAMS, CONNECTIONS].iter().filter_map(|units| self.table_in(units)).collect();
        tables.join("\n")
    }

    fn table_in(&self, units: &Units) -> Option<String> {
        let cases = self.cases.iter().zip(self.measured);
        let rows: String = cases
            .filter(|(case, _)| Units::of(case) == *units)
            .map(|(case, runs)| self.row(case, &Summary::of(runs), units))
            .collect();
        let Units { rate, cost, .. } = units;
        (!rows.is_empty()).then(|| {
            format!(
                "| setting | stack | {rate} | least to most | user {cost} | system {cost} | to smoltcp |\n\
                 | --- | --- | ---: | ---: | ---: | ---: | ---: |\n\
                 {rows}"
            )
        })
    }

    fn row(&self, case: &Case, summary: &Summary, units: &Units) -> String {
        let Case { setting, peer } = case;
        let Summary { rate, least, most, .. } = summary;
        let Units { rate_digits, cost_digits, .. } = *units;
        let (user, system) = summary.cost.map_or((String::new(), String::new()), |(user, system)| {
            (format!("{user:.cost_digits$}"), format!("{system:.cost_digits$}"))
        });
        let ratio = self
            .rate_of(*setting, Peer::Smoltcp)
            .map_or(String::new(), |other| format!("{:.2}", rate / other));
        format!(
            "| {setting} | {peer} | {rate:.rate_digits$} | {least:.rate_digits$} to {most:.rate_digits$} | {user} | \
             {system} | {ratio} |\n"
        )
    }

    fn rate_of(&self, setting: Setting, peer: Peer) -> Option<f64> {
        let at = self.cases.iter().position(|case| case.setting == setting && case.peer == peer)?;
        Some(Summary::of(&self.measured[at]).rate)
    }

    /// One object a line.
    pub(crate) fn json(&self) {
        for (case, runs) in self.cases.iter().zip(self.measured) {
            let summary = Summary::of(runs);
            let (bench, stack) = (case.setting.to_string(), case.peer.to_string());
            let print = |value: f64, unit: &str| {
                println!("{}", json!({ "bench": bench, "stack": stack, "value": value, "unit": unit }));
            };
            let units = Units::of(case);
            print(summary.rate, units.rate);
            if let Some((user, system)) = summary.cost {
                print(user, &format!("user {}", units.cost));
                print(system, &format!("system {}", units.cost));
            }
        }
    }
}
