//! A copy of the sources with all mutants woven in, which is built once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::list::Mutant;
use super::weave::{Woven, weave};
use crate::check;

/// The unit tests with all mutants in them.
pub(super) struct Built {
    /// The program that runs the tests.
    pub(super) tests: PathBuf,
    /// Where it is run.
    pub(super) tree: PathBuf,
    /// The mutants that are in it, by the first of the same place.
    pub(super) places: BTreeMap<usize, Vec<usize>>,
    /// Those that do not compile.
    pub(super) not_viable: BTreeSet<usize>,
    /// Those that cannot be chosen when the program runs.
    pub(super) left_out: BTreeSet<usize>,
}

/// What cargo prints for each message of the compiler and each thing it made.
#[derive(Deserialize)]
struct Message {
    message: Option<Diagnostic>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    /// What is wrong, in a line.
    message: String,
    code: Option<Code>,
    rendered: String,
    spans: Vec<DiagnosticSpan>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct DiagnosticSpan {
    file_name: String,
    byte_start: usize,
    byte_end: usize,
    is_primary: bool,
}

/// What the compiler has said so far.
#[derive(Default)]
struct Found {
    not_viable: BTreeSet<usize>,
    left_out: BTreeSet<usize>,
    /// Functions that it calls itself.
    constant: BTreeSet<String>,
}

/// Copies the sources into a folder, and builds their unit tests with these mutants.
pub(super) fn build(mutants: &[Mutant], folder: &Path) -> Result<Built> {
    let tree = folder.join("tree");
    copy(&tree)?;
    let mut found = Found::default();
    loop {
        let woven = weave_all(mutants, &found, &tree)?;
        for file in woven.values() {
            found.not_viable.extend(&file.not_viable);
            found.left_out.extend(&file.left_out);
        }
        let messages = compile(&tree, &folder.join("build"))?;
        if let Some(tests) = messages.iter().find_map(|message| message.executable.clone()) {
            let places =
                woven.into_values().flat_map(|file| file.places).map(|(_, of)| (of[0], of)).collect();
            let Found { not_viable, left_out, .. } = found;
            return Ok(Built { tests, tree, places, not_viable, left_out });
        }
        let errors = messages.into_iter().filter_map(|message| message.message);
        let errors: Vec<_> = errors.filter(|message| message.level == "error").collect();
        let before = found.len();
        errors.iter().for_each(|error| found.note(error, &woven));
        let more = found.len() - before;
        println!("{more} mutants do not compile, or are in what the compiler calls; again without them");
        let first = errors.first().map_or("none", |error| &error.rendered);
        ensure!(more > 0, "this error, and others, are no mutant's:\n{first}");
    }
}

fn copy(tree: &Path) -> Result<()> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(crate::root())
        .output()
        .context("cannot run git")?;
    for name in String::from_utf8(listed.stdout)?.split_terminator('\0') {
        let (from, to) = (crate::root().join(name), tree.join(name));
        let Ok(octets) = std::fs::read(&from) else { continue }; // deleted, but not for git yet
        write_if_other(&to, &octets)?;
    }
    Ok(())
}

/// Leaves the time of a file that stays the same alone: what is made of it need not be made again.
fn write_if_other(path: &Path, octets: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|there| there == octets) {
        return Ok(());
    }
    std::fs::create_dir_all(path.parent().context("a file in no folder")?)?;
    std::fs::write(path, octets).with_context(|| format!("cannot write {}", path.display()))
}

fn weave_all(mutants: &[Mutant], found: &Found, tree: &Path) -> Result<BTreeMap<String, Woven>> {
    let mut by_file = BTreeMap::<&str, Vec<(usize, &Mutant)>>::new();
    for (number, mutant) in mutants.iter().enumerate() {
        // A file of which all are left out is written again, too.
        let of = by_file.entry(&mutant.file).or_default();
        if !found.not_viable.contains(&number) && !found.left_out.contains(&number) {
            of.push((number, mutant));
        }
    }
    let mut all = BTreeMap::new();
    for (name, mutants) in by_file {
        let text = std::fs::read_to_string(crate::root().join(name))?;
        let woven =
            weave(&text, &mutants, &found.constant).with_context(|| format!("cannot weave {name}"))?;
        write_if_other(&tree.join(name), woven.text.as_bytes())?;
        all.insert(name.to_string(), woven);
    }
    let library = std::fs::read_to_string(crate::root().join("src/lib.rs"))?;
    write_if_other(&tree.join("src/lib.rs"), format!("{library}\nmod woven;\n").as_bytes())?;
    write_if_other(&tree.join("src/woven.rs"), include_bytes!("woven.rs"))?;
    Ok(all)
}

fn compile(tree: &Path, target: &Path) -> Result<Vec<Message>> {
    let out = Command::new("cargo")
        .args(["test", "--package", "goldcrest", "--lib", "--no-run", "--message-format", "json"])
        .args(["--features", check::ALL])
        .env("CARGO_TARGET_DIR", target)
        .env("RUSTFLAGS", "--cap-lints allow")
        .current_dir(tree)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    let lines = String::from_utf8(out.stdout)?;
    Ok(lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

impl Found {
    fn len(&self) -> usize {
        self.not_viable.len() + self.left_out.len() + self.constant.len()
    }

    /// Whose error it is: a function's that is called where the compiler computes and is not `const` any more, or a
    /// mutant's.
    fn note(&mut self, error: &Diagnostic, woven: &BTreeMap<String, Woven>) {
        if error.code.as_ref().is_some_and(|code| code.code == "E0015") {
            self.constant.extend(called(&error.message));
            return;
        }
        for span in error.spans.iter().filter(|span| span.is_primary) {
            if let Some(file) = woven.get(&span.file_name) {
                self.blame(span, file);
            }
        }
    }

    /// Those whose text an error points into, else all of the place.
    fn blame(&mut self, span: &DiagnosticSpan, file: &Woven) {
        let holds = |range: &Range<usize>| range.start <= span.byte_start && span.byte_end <= range.end;
        let of = file.mutants.iter().filter(|(range, _)| holds(range)).map(|(_, number)| *number);
        let of: Vec<_> = of.collect();
        if !of.is_empty() {
            self.not_viable.extend(of);
            return;
        }
        let around = file.places.iter().filter(|(range, _)| holds(range));
        if let Some((_, of)) = around.min_by_key(|(range, _)| range.len()) {
            self.left_out.extend(of);
            return;
        }
        // A `match` that is not complete without an arm that is behind a feature: the error stands at its head.
        let behind = file.places.iter().filter(|(range, _)| range.start >= span.byte_end);
        if let Some((_, of)) = behind.min_by_key(|(range, _)| range.start) {
            self.not_viable.extend(of);
        }
    }
}

/// `new` of "cannot call non-const associated function `storage::List::<u8>::new` in constants".
fn called(message: &str) -> Option<String> {
    let path = message.split('`').nth(1)?;
    path.rsplit("::").next().map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_says_what_it_calls() {
        let message = "cannot call non-const associated function `storage::List::<u8>::new` in constants";
        assert_eq!(called(message).as_deref(), Some("new"));
        assert_eq!(called("cannot call"), None);
    }
}
