//! The tests, with one mutant after the other.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::build::Built;

/// How a mutant fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Fate {
    /// A test failed.
    Caught,
    /// The tests did not come to an end.
    Endless,
    /// All tests passed.
    Missed,
    /// No test comes to the place.
    Unreached,
    /// It does not compile.
    NotViable,
    /// It cannot be chosen when the tests are run: the compiler computes what it would change.
    LeftOut,
}

/// A test that passes without a mutant.
struct Test {
    name: String,
    took: Duration,
    /// Places, by the first of their mutants.
    reaches: Vec<usize>,
}

/// What a run of tests came to.
#[derive(PartialEq, Eq)]
enum End {
    Passed,
    Failed,
    TimeOut,
}

/// Memory that a program may take, in KiB: a mutant that fills it without end is to be stopped early.
const MEMORY: u64 = 4 << 20;
/// How many tests are run at first, and how many times as many then, until one fails.
const FIRST_TESTS: usize = 4;
const TIMES_MORE: usize = 4;
/// A turn of more tests that take so long ends early, so that one of them that fails saves the others.
const LONG_TURN: Duration = Duration::from_secs(2);

/// Tries all mutants that are built in, so many at a time; by their numbers.
pub(super) fn run(built: &Built, jobs: usize, slowest: Duration) -> Result<BTreeMap<usize, Fate>> {
    let tests = survey(built, jobs, slowest)?;
    let mut by_place = BTreeMap::<usize, Vec<&Test>>::new();
    for test in &tests {
        for place in &test.reaches {
            by_place.entry(*place).or_default().push(test);
        }
    }
    // What comes to few places is about them.
    by_place.values_mut().for_each(|of| of.sort_by_key(|test| (test.reaches.len(), test.took)));
    let mutants: Vec<_> =
        built.places.iter().flat_map(|(place, of)| of.iter().map(|number| (*place, *number))).collect();
    let fates = Mutex::new(BTreeMap::new());
    in_parallel(jobs, mutants.len(), "mutants", |index| {
        let (place, number) = mutants[index];
        let fate = match by_place.get(&place) {
            None => Fate::Unreached,
            Some(tests) => try_one(built, number, tests)?,
        };
        fates.lock().expect("no panic").insert(number, fate);
        Ok(())
    })?;
    Ok(fates.into_inner().expect("no panic"))
}

fn try_one(built: &Built, number: usize, tests: &[&Test]) -> Result<Fate> {
    let mut rest = tests;
    let mut count = FIRST_TESTS;
    while !rest.is_empty() {
        let mut took = Duration::ZERO;
        let fits = |test: &&&Test| {
            took += test.took;
            took < LONG_TURN
        };
        let turn = rest.iter().take(count).take_while(fits).count().max(1);
        let (now, later) = rest.split_at(turn);
        match run_tests(built, now, &[("GOLDCREST_MUTANT", &number.to_string())])? {
            End::Passed => {}
            End::Failed => return Ok(Fate::Caught),
            End::TimeOut => return Ok(Fate::Endless),
        }
        rest = later;
        count *= TIMES_MORE;
    }
    Ok(Fate::Missed)
}

/// Runs each test by itself, to see what it reaches and how long it takes; leaves out those that take too long.
fn survey(built: &Built, jobs: usize, slowest: Duration) -> Result<Vec<Test>> {
    let out = Command::new(&built.tests).args(["--list", "--format", "terse"]).output()?;
    let names: Vec<String> = String::from_utf8(out.stdout)?
        .lines()
        .filter_map(|line| line.strip_suffix(": test").map(String::from))
        .collect();
    ensure!(!names.is_empty(), "no tests in {}", built.tests.display());
    let found = Mutex::new(Vec::new());
    in_parallel(jobs, names.len(), "tests", |index| {
        let mut test = Test { name: names[index].clone(), took: slowest, reaches: Vec::new() };
        let trace = built.tests.with_extension(format!("reached-{index}"));
        let began = Instant::now();
        let end = run_tests(built, &[&test], &[("GOLDCREST_REACHED", &trace.to_string_lossy())])?;
        test.took = began.elapsed();
        ensure!(end != End::Failed, "{} fails without a mutant", test.name);
        if end == End::TimeOut || test.took > slowest {
            println!("\n{} takes too long and is left out", test.name);
            return Ok(());
        }
        if let Ok(lines) = std::fs::read_to_string(&trace) {
            test.reaches = lines.lines().filter_map(|line| line.parse().ok()).collect();
            std::fs::remove_file(&trace)?;
        }
        found.lock().expect("no panic").push(test);
        Ok(())
    })?;
    Ok(found.into_inner().expect("no panic"))
}

/// Runs tests in one process, one after the other.
fn run_tests(built: &Built, tests: &[&Test], orders: &[(&str, &str)]) -> Result<End> {
    let usual: Duration = tests.iter().map(|test| test.took).sum();
    let limit = Duration::from_secs(3) + usual * 5;
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -v \"$1\"; shift; exec \"$@\"", "sh", &MEMORY.to_string()])
        .arg(&built.tests)
        .current_dir(&built.tree)
        .args(["--exact", "--test-threads", "1", "--quiet"])
        .args(tests.iter().map(|test| &test.name))
        .envs(orders.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot run the tests")?;
    let began = Instant::now();
    let mut pause = Duration::from_micros(500);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(if status.success() { End::Passed } else { End::Failed });
        }
        if began.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(End::TimeOut);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Calls for each index below a count, from so many threads, and shows how far it is.
fn in_parallel(
    jobs: usize,
    count: usize,
    what: &str,
    each: impl Fn(usize) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return Ok(());
            }
            show(index + 1, count, what);
            each(index)?;
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })?;
    println!();
    Ok(())
}

/// On a terminal a line that counts; else one line for each hundred.
fn show(number: usize, count: usize, what: &str) {
    if std::io::stdout().is_terminal() {
        print!("\r{what}: {number} of {count}");
        let _ = std::io::stdout().flush();
    } else if number.is_multiple_of(100) {
        println!("{what}: {number} of {count}");
    }
}
