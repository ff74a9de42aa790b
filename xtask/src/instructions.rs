//! Instructions per TCP segment, UDP packet, forwarded packet and `poll_at`, beside idle connections in any number.
//!
//! Callgrind counts what the program `bench` does: every thing in two amounts, whose difference has no
//! set-up in it. The counts repeat from run to run, on any machine with the same compiler.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// What is measured, and how it is shown.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Without the million connections
    #[arg(long)]
    quick: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Writes docs/INSTRUCTIONS.md
    #[arg(long, conflicts_with = "quick")]
    write: bool,
}

/// How many idle connections there are, in each of the two stacks.
const IDLE: &[usize] = &[0, 100, 10_000, 1_000_000];
/// By how many percent a count may differ from the one without idle connections.
const SPREAD: f64 = 5.0;

/// A thing that is counted.
struct Row {
    /// What the program calls it.
    name: &'static str,
    title: &'static str,
    /// Instructions at most.
    limit: Option<f64>,
    /// The number of idle connections that more of them are compared with.
    from: usize,
}

/// What is only counted.
const fn counted(name: &'static str, title: &'static str) -> Row {
    Row { name, title, limit: None, from: 0 }
}

const ROWS: &[Row] = &[
    Row { name: "tcp", title: "1460-octet TCP segment", limit: Some(3_500.0), from: 0 },
    Row {
        name: "tcp_stamped",
        title: "1448-octet TCP segment with a timestamp",
        limit: Some(3_500.0),
        from: 0,
    },
    counted("tcp_paced", "1460-octet segment, every second one acknowledged"),
    counted("closures", "1460-octet segment, `send` and `recv`"),
    counted("copied_seen", "1460-octet segment, `send_slice` and `recv`"),
    counted("copied_in_place", "1460-octet segment, `send_slice` and in place"),
    counted("referred_seen", "1460-octet segment, `send_ref` and `recv`"),
    counted("made_seen", "1460-octet segment, `send_from` and `recv`"),
    counted("referred_in_place", "1460-octet segment, `send_ref` and in place"),
    counted("udp", "64-octet UDP packet, in bursts of 32"),
    counted("udp_single", "64-octet UDP packet, one at a time"),
    counted("poll_at", "`poll_at` when nothing goes on"),
    Row {
        name: "poll_at_transfer",
        title: "`poll_at` after each poll of a TCP transfer",
        limit: Some(200.0),
        from: 100,
    },
    counted("forward", "forwarded 64-octet packet"),
    counted("forward_mixed", "forwarded 64-octet packet, each of another flow"),
];

/// Instructions by the row's name, for one number of idle connections.
type Counts = BTreeMap<String, f64>;

/// Counts, prints, and fails if a number is over its bound.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let program = build()?;
    let mut columns = Vec::new();
    for &idle in IDLE.iter().filter(|&&idle| !arguments.quick || idle < 1_000_000) {
        if !arguments.json {
            eprintln!("counting beside {idle} idle connections ...");
        }
        let mut counts = count(&program, idle)?;
        counts.extend(count(&program.with_file_name("ways"), idle)?);
        columns.push((idle, counts));
    }
    if arguments.json {
        print!("{}", json(&columns));
    } else {
        print!("{}{}", table(&columns), octets(&columns));
    }
    if arguments.write {
        let path = crate::root().join("docs/INSTRUCTIONS.md");
        std::fs::write(&path, document(&columns)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let faults = faults(&columns);
    ensure!(faults.is_empty(), "{}", faults.join("; "));
    Ok(())
}

/// Builds the program, and says where it is: beside this one.
fn build() -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--release", "--package", "bench"]).current_dir(crate::root());
    ensure!(cargo.status()?.success(), "the program `bench` does not build");
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(2).context("this program is in no target folder")?;
    Ok(target.join("release/bench"))
}

/// Runs the program under callgrind.
fn count(program: &Path, idle: usize) -> Result<Counts> {
    ensure!(crate::steps::is_installed("valgrind"), "not installed: valgrind");
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = program.with_file_name(format!("instructions-{name}-{idle}"));
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let mut command = Command::new("valgrind");
    command.args(["--quiet", "--tool=callgrind", "--callgrind-out-file=out"]);
    command.arg("--dump-before=*::marks::mark").current_dir(&folder);
    // Valgrind counts a `rep movsb`, by which libc copies more than 2 kB, as an instruction an octet.
    command.env("GLIBC_TUNABLES", "glibc.cpu.x86_rep_movsb_threshold=1073741824");
    let output = command.arg(program).args(["instructions", &idle.to_string()]).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("bench failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let parts: Vec<(&str, u64)> = said.lines().filter_map(part).collect();
    ensure!(!parts.is_empty(), "bench said nothing of its parts");
    let mut costs = Vec::new();
    for number in 0..parts.len() {
        // The file before each part holds what was done since the one before.
        costs.push(total(&folder.join(format!("out.{}", 2 * number + 2)))?);
    }
    differences(&parts, &costs)
}

/// The name and the units of a part, from the line that the program printed.
fn part(line: &str) -> Option<(&str, u64)> {
    let mut words = line.strip_prefix("part ")?.split(' ');
    Some((words.next()?, words.next()?.parse().ok()?))
}

/// The instructions in a file of callgrind's.
fn total(path: &Path) -> Result<u64> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")).context("no totals")?;
    Ok(total.trim().parse()?)
}

/// Instructions a unit, from the two parts of each name.
fn differences(parts: &[(&str, u64)], costs: &[u64]) -> Result<Counts> {
    let mut counts = Counts::new();
    for (pair, costs) in parts.chunks(2).zip(costs.chunks(2)) {
        let ([(name, few), (again, many)], [less, more]) = (pair, costs) else { bail!("half a pair") };
        ensure!(name == again && many > few, "{name} and {again} are no pair");
        counts.insert(name.to_string(), (*more as f64 - *less as f64) / (many - few) as f64);
    }
    Ok(counts)
}

/// What is over its bound.
fn faults(columns: &[(usize, Counts)]) -> Vec<String> {
    let mut faults = Vec::new();
    for Row { name, title, limit, from } in ROWS {
        // What is missing is over every bound.
        let of = |counts: &Counts| counts.get(*name).copied().unwrap_or(f64::INFINITY);
        let base = columns.iter().find(|(idle, _)| idle == from).map(|(_, counts)| of(counts));
        for (idle, counts) in columns {
            let (count, base) = (of(counts), base.unwrap_or(f64::INFINITY));
            if idle > from && (count - base).abs() / base * 100.0 > SPREAD {
                faults
                    .push(format!("{title}: {count:.0} beside {idle} connections, {base:.0} beside {from}"));
            }
            if count > limit.unwrap_or(f64::MAX) {
                faults.push(format!("{title}: {count:.0} instructions beside {idle} connections"));
            }
        }
    }
    faults
}

fn table(columns: &[(usize, Counts)]) -> String {
    let mut text = String::from("| instructions, beside idle connections in each stack |");
    for (idle, _) in columns {
        let _ = write!(text, " {} |", grouped(*idle as f64));
    }
    text += "\n| --- |";
    text += &" ---: |".repeat(columns.len());
    for Row { name, title, .. } in ROWS {
        let _ = write!(text, "\n| {title} |");
        for (_, counts) in columns {
            let count = counts.get(*name).copied().unwrap_or(f64::NAN);
            let _ = write!(text, " {} |", grouped(count));
        }
    }
    text + "\n"
}

/// Instructions an octet of payload, by the way of the octets, without idle connections.
fn octets(columns: &[(usize, Counts)]) -> String {
    let mut text = String::from("\n| instructions an octet | copied out | by a closure | in place |\n");
    text += "| --- | ---: | ---: | ---: |\n";
    for (title, names) in OCTETS {
        let _ = write!(text, "| {title} |");
        for name in names {
            let count = columns.first().and_then(|(_, counts)| counts.get(*name));
            let _ = match count {
                Some(count) => write!(text, " {:.2} |", count / 1_460.0),
                None => write!(text, " |"),
            };
        }
        text += "\n";
    }
    text
}

/// What is shown by the octet: the ways in, and the rows for each way out.
const OCTETS: &[(&str, [&str; 3])] = &[
    ("`send_slice`, into the ring", ["copied", "copied_seen", "copied_in_place"]),
    ("`send`, a closure that copies into the ring", ["", "closures", ""]),
    ("`send_from`, filled on demand", ["", "made_seen", ""]),
    ("`send_ref`, by reference", ["", "referred_seen", "referred_in_place"]),
];

/// A whole number with commas.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn json(columns: &[(usize, Counts)]) -> String {
    let mut text = String::new();
    for Row { name, .. } in ROWS {
        for (idle, counts) in columns {
            let count = counts.get(*name).copied().unwrap_or(f64::NAN);
            let _ = writeln!(
                text,
                r#"{{"bench":"{name}","stack":"goldcrest","idle":{idle},"value":{count:.1},"unit":"instructions"}}"#
            );
        }
    }
    text
}

fn document(columns: &[(usize, Counts)]) -> Result<String> {
    let rustc = first_line(Command::new("rustc").arg("--version"))?;
    let valgrind = first_line(Command::new("valgrind").arg("--version"))?;
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let flags =
        if flags.is_empty() { "the default target-cpu".into() } else { format!("RUSTFLAGS `{flags}`") };
    let target = format!("{}, {flags}", std::env::consts::ARCH);
    let cpu = cpu.trim_start_matches([' ', '\t', ':']);
    Ok(format!(
        "{HEAD}\n{}\n{rustc}, {target}, opt-level 3, fat LTO; {valgrind}; {cpu} (whose vector unit libc's memcpy \
         chooses by).\n",
        table(columns) + &octets(columns)
    ))
}

fn first_line(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_string())
}

const HEAD: &str = "\
# Instructions

Written by `cargo xtask instructions --write`; `cargo xtask instructions` prints the table and fails if a
segment costs more than 3,500 instructions, or if any number differs by more than 5 % from the one without
idle connections (the last row: from the one beside 100, since a heap of a single timer needs no
comparisons). It needs valgrind.

Two stacks in one process, stack 1 sending and stack 2 receiving, over a wire in memory: Ethernet frames of at
most 1,514 octets, IPv4, resolved neighbours, all checksums computed and verified in software, queues of 64
frames. All that both ends do is counted: the application's copy into the send buffer and out of the receive
buffer, `poll`, acknowledgments, `next_ready`, timers, the wire itself. Buffers have 64 KiB.

- *TCP segment*: both sides go round by round, 1 ms of virtual time apart: fill the send buffer, poll 1, poll 2,
  read all, poll 2. As many segments leave at once as buffers and wire hold, and one ACK answers them; in
  the second row two leave a round, so that every second one is acknowledged.
- The rows below them differ in how the octets get from one application to the other. `send_slice` copies them into the
  send buffer, and `send` lets a closure do that; `send_ref` leaves them where they lie; `send_from` asks a source for them,
  which copies them, when the segment is written. The first rows end with `recv_slice`, which copies them out of the receive
  buffer; `recv` only looks at them there, and *in place* at what is in the frame. They are measured in a program whose
  polls have a handler.
- *UDP packet*: 64 octets of payload, from `send_slice` to `recv_slice`.
- *forwarded packet*: an IPv4 packet of 64 octets that a `Router` takes from one Ethernet port and sends by
  another, in bursts of 32; the devices do no more than lend the frame. All of a burst have the same addresses, or, in
  the last row, none has those of the one before.
- *Idle connections*: established by SYN and ACK from as many peers behind the gateway, in each of the two
  stacks, each with keep-alive armed, as the measured one has.

Each thing is done in two amounts, and the difference divided by the difference of the amounts, so that set-up
cancels. libc's memcpy is told not to use `rep movsb` (glibc.cpu.x86_rep_movsb_threshold), every octet of which valgrind
counts as an instruction.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_up_cancels() {
        let counts = differences(&[("tcp", 10), ("tcp", 30)], &[1_050, 3_050]).unwrap();
        assert_eq!(counts["tcp"], 100.0);
        assert!(differences(&[("tcp", 10), ("udp", 30)], &[1, 2]).is_err());
    }

    #[test]
    fn what_is_over_its_bound_or_missing_is_a_fault() {
        let all = |count: f64| -> Counts { ROWS.iter().map(|row| (row.name.to_string(), count)).collect() };
        assert_eq!(faults(&[(0, all(100.0)), (100, all(104.9)), (900, all(103.0))]), [""; 0]);
        let gated_from_0 = ROWS.iter().filter(|row| row.from == 0).count();
        assert_eq!(faults(&[(0, all(100.0)), (100, all(105.1))]).len(), gated_from_0);
        assert_eq!(faults(&[(0, all(100.0)), (100, all(100.0)), (900, all(105.1))]).len(), ROWS.len());
        let mut too_many = all(100.0);
        too_many.insert("tcp".into(), 3_501.0);
        assert_eq!(faults(&[(0, too_many.clone()), (100, too_many)]).len(), 2);
        let mut one_less = all(100.0);
        one_less.remove("udp");
        assert!(!faults(&[(0, all(100.0)), (100, one_less)]).is_empty());
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(["7", "100", "6,058", "1,000,000"], [7.0, 100.0, 6_058.2, 1e6].map(grouped));
    }
}
