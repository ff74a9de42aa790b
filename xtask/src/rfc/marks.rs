//! The marks: what code and tests say of the RFCs that they follow.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use walkdir::WalkDir;

/// The folders that are read.
const FOLDERS: &[&str] = &["src", "tests", "adapters", "sim/src", "fuzz/src"];

/// A requirement or section of an RFC, as a mark names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Clause {
    pub(crate) rfc: u32,
    /// `MUST-36`, `3.8.6.1`, or nothing for the RFC as a whole.
    pub(crate) id: String,
}

/// Who has marked what.
#[derive(Default)]
pub(crate) struct Marks {
    code: BTreeMap<Clause, BTreeSet<String>>,
    tests: BTreeMap<Clause, BTreeSet<String>>,
    files: BTreeSet<String>,
    /// The functions that are run as tests: an ignored one shows nothing.
    functions: BTreeSet<String>,
}

impl Marks {
    /// Reads all sources.
    pub(crate) fn read(root: &Path) -> Result<Marks> {
        let mut marks = Marks::default();
        for entry in FOLDERS.iter().flat_map(|folder| WalkDir::new(root.join(folder)).sort_by_file_name()) {
            let entry = entry?;
            let path = entry.path();
            let is_built = path.components().any(|part| part.as_os_str() == "target");
            if path.extension().is_some_and(|extension| extension == "rs") && !is_built {
                let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
                let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
                marks.read_file(&name, &text);
            }
        }
        Ok(marks)
    }

    fn read_file(&mut self, name: &str, text: &str) {
        self.files.insert(name.to_string());
        let mut in_tests =
            name.contains("/tests/") || name.starts_with("tests/") || name.ends_with("/tests.rs");
        // What `Covers:` has named, for the function that follows.
        let mut covered: Vec<Clause> = Vec::new();
        let mut covers = false;
        let (mut is_test, mut is_ignored) = (false, false);
        for line in text.lines() {
            let line = line.trim();
            in_tests |= line == "mod tests {";
            if let Some(comment) = line.strip_prefix("//") {
                covers |= comment.contains("Covers:");
                let clauses = clauses(comment);
                if covers {
                    covered.extend(clauses);
                } else if !in_tests {
                    clauses.into_iter().for_each(|clause| note(&mut self.code, clause, name));
                }
                continue;
            }
            is_test |= line.starts_with("#[test]");
            is_ignored |= line.starts_with("#[ignore");
            if let Some(function) = function_name(line) {
                if is_test && !is_ignored {
                    self.functions.insert(function.to_string());
                    covered.iter().for_each(|clause| note(&mut self.tests, clause.clone(), function));
                }
                covered.clear();
                (is_test, is_ignored) = (false, false);
            }
            if !line.starts_with('#') {
                covers = false;
                if let Some((_, comment)) = line.split_once(" // ").filter(|_| !in_tests) {
                    clauses(comment).into_iter().for_each(|clause| note(&mut self.code, clause, name));
                }
            }
        }
    }

    /// The files whose code claims a clause.
    pub(crate) fn code(&self, clause: &Clause) -> impl Iterator<Item = &str> {
        self.code.get(clause).into_iter().flatten().map(String::as_str)
    }

    /// The tests that cover a clause.
    pub(crate) fn tests(&self, clause: &Clause) -> impl Iterator<Item = &str> {
        self.tests.get(clause).into_iter().flatten().map(String::as_str)
    }

    pub(crate) fn has_file(&self, name: &str) -> bool {
        self.files.contains(name)
    }

    pub(crate) fn has_test(&self, name: &str) -> bool {
        self.functions.contains(name)
    }

    /// The numbered requirements of an RFC that are marked anywhere.
    pub(crate) fn numbered(&self, rfc: u32) -> impl Iterator<Item = &str> {
        let all = self.code.keys().chain(self.tests.keys());
        all.filter(move |clause| clause.rfc == rfc && is_number(&clause.id)).map(|clause| clause.id.as_str())
    }

    /// A row for each RFC that is named: its files, and how many tests.
    pub(crate) fn render_all(&self) -> String {
        let rfcs: BTreeSet<u32> =
            self.code.keys().chain(self.tests.keys()).map(|clause| clause.rfc).collect();
        let mut text = String::new();
        for rfc in rfcs {
            let files: BTreeSet<&str> = of_rfc(&self.code, rfc).collect();
            let tests: BTreeSet<&str> = of_rfc(&self.tests, rfc).collect();
            let files: Vec<&str> = files.into_iter().collect();
            text.push_str(&format!("| {rfc} | {} | {} |\n", files.join(", "), tests.len()));
        }
        text
    }
}

fn of_rfc(marks: &BTreeMap<Clause, BTreeSet<String>>, rfc: u32) -> impl Iterator<Item = &str> {
    marks.iter().filter(move |(clause, _)| clause.rfc == rfc).flat_map(|(_, who)| who).map(String::as_str)
}

fn note(marks: &mut BTreeMap<Clause, BTreeSet<String>>, clause: Clause, who: &str) {
    marks.entry(clause).or_default().insert(who.to_string());
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let is_declaration = before.is_empty() || before.ends_with(' ');
    let name = after.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    Some(name).filter(|name| is_declaration && !name.is_empty())
}

/// Whether a requirement is named as RFC 9293 does.
pub(crate) fn is_number(word: &str) -> bool {
    word.split_once('-').is_some_and(|(kind, number)| {
        matches!(kind, "MUST" | "SHLD" | "MAY" | "REC") && number.parse::<u32>().is_ok()
    })
}

/// All clauses that a comment names, in order: `RFC 1122 §3.2.1.3`, `RFC 9293 MUST-58, MUST-59`.
fn clauses(comment: &str) -> Vec<Clause> {
    let words =
        comment.split(|c: char| c.is_whitespace() || ",;:()".contains(c)).filter(|word| !word.is_empty());
    let mut found: Vec<Clause> = Vec::new();
    let mut rfc = None;
    let mut number_follows = false;
    for word in words {
        let word = word.trim_end_matches(['.', '`', '\'']).trim_start_matches('`');
        if number_follows && let Ok(number) = word.parse() {
            rfc = Some(number);
            found.push(Clause { rfc: number, id: String::new() });
        } else if let (Some(rfc), Some(section)) = (rfc, word.strip_prefix('§')) {
            found.push(Clause { rfc, id: section.to_string() });
        } else if is_number(word) {
            found.push(Clause { rfc: rfc.unwrap_or(9293), id: word.to_string() });
        }
        number_follows = word == "RFC" || word == "RFCs";
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clause(rfc: u32, id: &str) -> Clause {
        Clause { rfc, id: id.to_string() }
    }

    #[test]
    fn clauses_are_found_in_a_comment() {
        let found = clauses("/ Covers: RFC 5681 §3.2, RFC 3042; RFC 9293 MUST-58, MUST-59 (see §3.8.6.3).");
        let expected = [
            clause(5681, ""),
            clause(5681, "3.2"),
            clause(3042, ""),
            clause(9293, ""),
            clause(9293, "MUST-58"),
            clause(9293, "MUST-59"),
            clause(9293, "3.8.6.3"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_test_has_what_stands_above_it_and_code_has_the_rest() {
        let mut marks = Marks::default();
        let text = "\
// RFC 9293 §3.1 (MUST-7): no loop
fn parse() {}
mod tests {
    /// Covers: RFC 9293 MUST-7
    /// and MUST-64
    #[test]
    fn lengths_of_zero_are_refused() {
        // RFC 9293 MUST-1 says nothing here
    }
}
";
        marks.read_file("src/wire/x.rs", text);
        assert_eq!(marks.code(&clause(9293, "MUST-7")).collect::<Vec<_>>(), ["src/wire/x.rs"]);
        let tests = |id| marks.tests(&clause(9293, id)).collect::<Vec<_>>();
        assert_eq!(tests("MUST-7"), ["lengths_of_zero_are_refused"]);
        assert_eq!(tests("MUST-64"), ["lengths_of_zero_are_refused"]);
        assert_eq!(marks.code(&clause(9293, "MUST-1")).count(), 0);
    }

    #[test]
    fn what_is_ignored_or_no_test_covers_nothing() {
        let mut marks = Marks::default();
        let text = "\
mod tests {
    /// Covers: RFC 9293 MUST-7
    #[test]
    #[ignore = \"an hour\"]
    fn somebody_runs_it_some_day() {}

    /// Covers: RFC 9293 MUST-8
    fn a_helper() {}

    /// Covers: RFC 9293 MUST-9
    #[test]
    fn it_is_run() {}
}
";
        marks.read_file("src/wire/x.rs", text);
        let tests = |id| marks.tests(&clause(9293, id)).count();
        assert_eq!([tests("MUST-7"), tests("MUST-8"), tests("MUST-9")], [0, 0, 1]);
        let names = ["somebody_runs_it_some_day", "a_helper", "it_is_run"];
        assert_eq!(names.map(|name| marks.has_test(name)), [false, false, true]);
    }
}
