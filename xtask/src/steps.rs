//! A list of commands that are run one after the other, timed and summed up.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// One command of a list.
pub(crate) struct Step {
    name: String,
    /// `Err` names what is missing on this machine.
    command: Result<Command, String>,
    shows_output: bool,
    company: Company,
}

/// What else may run meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    /// Nothing.
    None,
    /// Neighbours in the list that say the same, each core building in a folder of its own.
    Builds,
    /// Neighbours in the list of another chain than this; those of this one come in their order.
    Chain(u8),
}

impl Step {
    /// A step that runs `command`.
    pub(crate) fn new(name: impl Into<String>, command: Command) -> Step {
        Step { name: name.into(), command: Ok(command), shows_output: false, company: Company::None }
    }

    /// A step that runs `cargo` with the words of `arguments` in the workspace's folder.
    pub(crate) fn cargo(name: impl Into<String>, arguments: &str) -> Step {
        let mut command = Command::new("cargo");
        command.args(arguments.split_whitespace()).current_dir(crate::root());
        Step::new(name, command)
    }

    /// A step that runs a task of this program.
    pub(crate) fn xtask(name: impl Into<String>, arguments: &str) -> Step {
        let mut command = Command::new(std::env::current_exe().unwrap_or_else(|_| "xtask".into()));
        command.args(arguments.split_whitespace()).current_dir(crate::root());
        Step::new(name, command)
    }

    /// A step that a missing tool may prevent.
    pub(crate) fn possible(name: impl Into<String>, command: Result<Command, String>) -> Step {
        Step { name: name.into(), command, shows_output: false, company: Company::None }
    }

    /// Programs without which the step cannot run.
    pub(crate) fn needs(mut self, programs: &[&str]) -> Step {
        let missing: Vec<&str> = programs.iter().copied().filter(|p| !is_installed(p)).collect();
        if self.command.is_ok() && !missing.is_empty() {
            self.command = Err(format!("not installed: {}", missing.join(", ")));
        }
        self
    }

    /// It builds on one core, and may do so beside its neighbours in the list that say the same.
    pub(crate) fn alongside(mut self) -> Step {
        self.company = Company::Builds;
        self
    }

    /// It measures no time, and may run beside its neighbours in the list that are of other chains.
    pub(crate) fn in_chain(mut self, number: u8) -> Step {
        self.company = Company::Chain(number);
        self
    }

    /// The output is worth reading when all is well, too.
    pub(crate) fn shows_output(mut self) -> Step {
        self.shows_output = true;
        self
    }
}

/// Whether a program can be found.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain([Path::new("/usr/sbin").into()]).any(|dir| dir.join(program).is_file())
}

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    failed_steps: Vec<String>,
    /// Steps, and tests of steps that did run.
    skipped: Vec<String>,
}

/// Runs the steps, goes on after one that fails, and ends with a line `N passed, N failed`.
///
/// A step counts for as many tests as it reports, or for one. A step whose tools are missing is skipped
/// by name; with CI=true it fails. What a step says that it has skipped is named in the end, too.
pub(crate) fn run(steps: Vec<Step>) -> Result<()> {
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    let started = Instant::now();
    let mut tally = Tally::default();
    let mut steps = steps.into_iter().peekable();
    while let Some(step) = steps.next() {
        if step.company == Company::None {
            print!("{:.<50} ", step.name);
            let _ = std::io::stdout().flush();
            let done = step.run(None)?;
            done.report(is_ci, &mut tally);
            continue;
        }
        let is_chain = matches!(step.company, Company::Chain(_));
        let mut group = vec![step];
        while let Some(step) = steps.next_if(|step| {
            step.company != Company::None && matches!(step.company, Company::Chain(_)) == is_chain
        }) {
            group.push(step);
        }
        let receiver = if is_chain { run_chains(group) } else { run_alongside(group) };
        for done in receiver {
            let done = done?;
            print!("{:.<50} ", done.name);
            done.report(is_ci, &mut tally);
        }
    }
    println!("\nin all {} (minutes:seconds)", minutes(started.elapsed()));
    for skipped in &tally.skipped {
        println!("skipped: {skipped}");
    }
    for failed in &tally.failed_steps {
        println!("failed: {failed}");
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed > 0 {
        bail!("{} of the steps failed", tally.failed_steps.len());
    }
    Ok(())
}

/// Runs the steps of a group, one on each core; they end in any order.
///
/// Cargo has one build at a time in a folder, so that each core builds in its own.
fn run_alongside(group: Vec<Step>) -> mpsc::Receiver<Result<Done>> {
    let lanes = thread::available_parallelism().map_or(1, usize::from).min(group.len());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let waiting = Mutex::new(group.into_iter());
        thread::scope(|scope| {
            for lane in 0..lanes {
                let (waiting, sender) = (&waiting, sender.clone());
                scope.spawn(move || {
                    let next = || waiting.lock().ok()?.next();
                    while let Some(step) = next() {
                        let _ = sender.send(step.run(Some(&crate::target().join(format!("lane-{lane}")))));
                    }
                });
            }
        });
    });
    receiver
}

/// Runs the chains of a group beside each other, each in its order, in the folder where all is built.
fn run_chains(group: Vec<Step>) -> mpsc::Receiver<Result<Done>> {
    let mut chains: Vec<(Company, Vec<Step>)> = Vec::new();
    for step in group {
        match chains.iter_mut().find(|(company, _)| *company == step.company) {
            Some((_, chain)) => chain.push(step),
            None => chains.push((step.company, vec![step])),
        }
    }
    let (sender, receiver) = mpsc::channel();
    for (_, chain) in chains {
        let sender = sender.clone();
        thread::spawn(move || {
            for step in chain {
                let _ = sender.send(step.run(None));
            }
        });
    }
    receiver
}

/// A step that has been run, or could not be.
struct Done {
    name: String,
    time: Duration,
    /// `Err` names what is missing on this machine.
    outcome: Result<Outcome, String>,
    shows_output: bool,
}

impl Step {
    /// Runs it, building in the folder `target` if one is said.
    fn run(self, target: Option<&Path>) -> Result<Done> {
        let Step { name, command, shows_output, .. } = self;
        let started = Instant::now();
        let outcome = match command {
            Err(missing) => Err(missing),
            Ok(mut command) => {
                if let Some(target) = target {
                    command.env("CARGO_TARGET_DIR", target);
                }
                Ok(execute(command)?)
            }
        };
        Ok(Done { name, time: started.elapsed(), outcome, shows_output })
    }
}

impl Done {
    /// Ends the line that the step's name has begun, and counts it.
    fn report(self, is_ci: bool, tally: &mut Tally) {
        let Done { name, time, outcome, shows_output } = self;
        match outcome {
            Err(missing) if is_ci => {
                println!("FAILED ({missing})");
                tally.failed += 1;
                tally.failed_steps.push(name);
            }
            Err(missing) => {
                println!("skipped ({missing})");
                tally.skipped.push(format!("{name} ({missing})"));
            }
            Ok(outcome) => {
                println!("{} {}", minutes(time), if outcome.succeeded { "ok" } else { "FAILED" });
                outcome.report(&name, shows_output);
                outcome.count(&name, tally);
            }
        }
    }
}

struct Outcome {
    succeeded: bool,
    output: Vec<String>,
}

impl Outcome {
    /// Prints all that the step said if it failed, its test results if not.
    fn report(&self, name: &str, shows_output: bool) {
        if !self.succeeded {
            println!("---- what `{name}` said ----");
        }
        for line in &self.output {
            if !self.succeeded || shows_output || is_test_result(line) {
                println!("    {line}");
            } else if let Some(skipped) = skipped_in(line) {
                println!("    skipped: {skipped}");
            }
        }
        if !self.succeeded {
            println!("---- end of `{name}` ----");
        }
    }

    fn count(&self, name: &str, tally: &mut Tally) {
        let results = self.output.iter().filter(|line| is_test_result(line));
        let (mut passed, mut failed) = (0, 0);
        for skipped in self.output.iter().filter_map(|line| skipped_in(line)) {
            let skipped = format!("{name}: {skipped}");
            if !tally.skipped.contains(&skipped) {
                tally.skipped.push(skipped);
            }
        }
        for line in results {
            passed += number_before(line, " passed");
            failed += number_before(line, " failed");
        }
        if self.succeeded {
            // A filter that matches nothing is still a step that ran.
            tally.passed += passed.max(1);
        } else {
            tally.passed += passed;
            tally.failed += failed.max(1);
            tally.failed_steps.push(name.into());
        }
    }
}

fn is_test_result(line: &str) -> bool {
    line.starts_with("test result:")
}

/// What a line says to be skipped. With one thread the test harness has already begun the line.
fn skipped_in(line: &str) -> Option<&str> {
    let (before, skipped) = line.split_once("skipped: ")?;
    (before.is_empty() || (before.starts_with("test ") && before.ends_with(" ... "))).then_some(skipped)
}

/// The number that stands before `word`, 0 if there is none.
fn number_before(line: &str, word: &str) -> usize {
    let before = line.split(word).next().unwrap_or_default();
    if before.len() == line.len() {
        return 0;
    }
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Runs a command and collects its output and its errors in the order they came.
fn execute(mut command: Command) -> Result<Outcome> {
    let (reader, writer) = std::io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let child = command.spawn();
    // The command holds the pipe's other end; without this the reader would never see its end.
    drop(command);
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return Ok(Outcome { succeeded: false, output: vec![error.to_string()] }),
    };
    let mut output = Vec::new();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        output.push(String::from_utf8_lossy(&line).trim_end().to_string());
        line.clear();
    }
    Ok(Outcome { succeeded: child.wait()?.success(), output })
}

fn minutes(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_results_are_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured";
        assert_eq!((number_before(line, " passed"), number_before(line, " failed")), (12, 3));
        assert_eq!(number_before("nothing here", " passed"), 0);
    }

    #[test]
    fn a_step_counts_its_tests_and_a_failed_one_at_least_one_failure() {
        let lines = ["test result: ok. 4 passed; 0 failed", "test result: FAILED. 5 passed; 2 failed"];
        let mut tally = Tally::default();
        let output: Vec<String> = lines.map(String::from).to_vec();
        Outcome { succeeded: false, output }.count("a", &mut tally);
        Outcome { succeeded: false, output: Vec::new() }.count("b", &mut tally);
        Outcome { succeeded: true, output: Vec::new() }.count("c", &mut tally);
        assert_eq!((tally.passed, tally.failed), (10, 3));
        assert_eq!(tally.failed_steps, ["a", "b"]);
    }

    #[test]
    fn what_a_step_has_skipped_is_named_once() {
        let lines = [
            "skipped: sockets: a: no TAP",
            "test b ... skipped: sockets: b: not installed: nmap",
            "skipped: sockets: a: no TAP",
            "an error that speaks of what was skipped: no",
            "test result: ok. 2 passed; 0 failed",
        ];
        let mut tally = Tally::default();
        Outcome { succeeded: true, output: lines.map(String::from).to_vec() }.count("tests", &mut tally);
        assert_eq!(tally.skipped, ["tests: sockets: a: no TAP", "tests: sockets: b: not installed: nmap"]);
        assert_eq!((tally.passed, tally.failed), (2, 0));
    }

    #[test]
    fn steps_of_a_group_all_run_and_each_builds_in_the_folder_of_its_core() {
        let step = |i: usize| {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("echo {i} $CARGO_TARGET_DIR")]);
            Step::new(i.to_string(), command).alongside()
        };
        let mut done: Vec<Done> =
            run_alongside((0..9).map(step).collect()).iter().map(Result::unwrap).collect();
        done.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(done.len(), 9);
        for (i, done) in done.iter().enumerate() {
            let said = &done.outcome.as_ref().unwrap().output[0];
            assert!(said.starts_with(&format!("{i} ")) && said.contains("lane-"), "{said}");
        }
    }

    #[test]
    fn the_steps_of_a_chain_keep_their_order_and_chains_run_beside_each_other() {
        let folder = std::env::temp_dir().join(format!("xtask-chains-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        // Each chain waits for what the other has done before.
        let waits = |name: &str, done: &str, before: &str| {
            let line = format!("until [ -e {before} ]; do sleep 0.01; done; touch {done}; date +%s%N");
            let mut command = Command::new("sh");
            command.args(["-c", &line]).current_dir(&folder);
            Step::new(name, command)
        };
        let steps = vec![
            waits("a", "1", "/").in_chain(1),
            waits("b", "2", "1").in_chain(2),
            waits("c", "3", "2").in_chain(1),
            waits("d", "4", "3").in_chain(2),
        ];
        let done: Vec<Done> = run_chains(steps).iter().map(Result::unwrap).collect();
        let names: Vec<&str> = done.iter().map(|done| done.name.as_str()).collect();
        let at = |name| names.iter().position(|other| *other == name).unwrap();
        assert!(done.len() == 4 && at("a") < at("c") && at("b") < at("d"));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_command_that_fails_is_reported_with_both_its_outputs() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let outcome = execute(command).unwrap();
        assert!(!outcome.succeeded);
        assert_eq!(outcome.output, ["out", "err"]);
    }
}
