//! What became of the mutants, file by file, as a text for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::trial::Fate;

/// What became of each mutant of a file, by its name.
type File = Vec<(String, Fate)>;

/// The last run of each file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Results(BTreeMap<String, File>);

/// Why mutants may live: docs/mutants.toml.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Reasons {
    #[serde(default)]
    survivor: Vec<Reason>,
}

#[derive(Debug, Deserialize)]
struct Reason {
    file: String,
    /// What the names of the mutants hold, behind the place.
    what: String,
    why: String,
}

/// How many mutants of a file, or of all, fared how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    caught: usize,
    missed: usize,
    not_viable: usize,
    left_out: usize,
}

impl Count {
    fn of<'f>(fates: impl Iterator<Item = &'f Fate>) -> Count {
        let mut count = Count::default();
        for fate in fates {
            match fate {
                // A mutant that runs for ever is noticed, too.
                Fate::Caught | Fate::Endless => count.caught += 1,
                Fate::Missed | Fate::Unreached => count.missed += 1,
                Fate::NotViable => count.not_viable += 1,
                Fate::LeftOut => count.left_out += 1,
            }
        }
        count
    }

    fn percent(self) -> usize {
        (self.caught * 100).checked_div(self.caught + self.missed).unwrap_or(100)
    }
}

impl Reasons {
    pub(super) fn read() -> Result<Reasons> {
        let path = crate::root().join("docs/mutants.toml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("no {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is wrong", path.display()))
    }

    fn of(&self, file: &str, name: &str) -> Option<&str> {
        let fits = |reason: &&Reason| reason.file == file && behind_place(name).contains(&reason.what);
        self.survivor.iter().find(fits).map(|reason| reason.why.as_str())
    }
}

/// `replace + with - in f` of `src/a.rs:1:2: replace + with - in f`.
fn behind_place(name: &str) -> &str {
    name.split_once(": ").map_or(name, |(_, what)| what)
}

impl Results {
    /// The last run of each file, as far as it was kept.
    pub(super) fn read(path: &Path) -> Results {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string(self)?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Takes the place of what was known of these files; files that are there no more are forgotten.
    pub(super) fn replace(&mut self, files: BTreeMap<String, File>) {
        self.0.retain(|file, _| crate::root().join(file).exists());
        self.0.extend(files);
    }

    fn total(&self) -> Count {
        Count::of(self.0.values().flatten().map(|(_, fate)| fate))
    }

    /// An error if fewer of a hundred were caught.
    pub(super) fn judge(&self, at_least: usize) -> Result<()> {
        let total = self.total();
        ensure!(total.caught + total.missed > 0, "no mutant was tried");
        ensure!(total.percent() >= at_least, "{} % caught, {at_least} % asked for", total.percent());
        Ok(())
    }

    /// A table of the files, and the survivors with what is said of them.
    pub(super) fn render(&self, reasons: &Reasons) -> String {
        let mut text = String::from(
            "| file | caught | missed | percent | do not compile | computed by the compiler |\n\
             | --- | ---: | ---: | ---: | ---: | ---: |\n",
        );
        let files =
            self.0.iter().map(|(file, of)| (file.as_str(), Count::of(of.iter().map(|(_, fate)| fate))));
        for (file, count) in files.chain([("all", self.total())]) {
            let Count { caught, missed, not_viable, left_out } = count;
            let percent = count.percent();
            _ = writeln!(text, "| {file} | {caught} | {missed} | {percent} | {not_viable} | {left_out} |");
        }
        text.push_str("\n## Survivors\n\n");
        for (file, of) in &self.0 {
            for (name, fate) in of.iter().filter(|(_, fate)| matches!(fate, Fate::Missed | Fate::Unreached)) {
                let reached = if *fate == Fate::Unreached { " (no test comes there)" } else { "" };
                let why = reasons.of(file, name).map_or(String::new(), |why| format!(": {why}"));
                _ = writeln!(text, "- `{name}`{reached}{why}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(fates: &[(&str, Fate)]) -> Results {
        let mut results = Results::default();
        let of = fates.iter().map(|(name, fate)| (name.to_string(), *fate)).collect();
        results.0.insert(String::from("src/x.rs"), of);
        results
    }

    #[test]
    fn two_caught_of_three_are_too_few_for_seventy_percent() {
        let fates = [Fate::Caught, Fate::Endless, Fate::NotViable, Fate::LeftOut, Fate::Missed];
        let results = results(&fates.map(|fate| ("a", fate)));
        assert!(results.judge(66).is_ok());
        assert!(results.judge(70).is_err());
    }

    #[test]
    fn a_run_that_tried_nothing_is_an_error() {
        assert!(Results::default().judge(0).is_err());
        assert!(results(&[("a", Fate::NotViable)]).judge(0).is_err());
    }

    #[test]
    fn survivors_are_listed_with_what_is_said_of_them() {
        let reasons: Reasons = toml::from_str(
            "[[survivor]]\nfile = \"src/x.rs\"\nwhat = \"in f\"\nwhy = \"it only saves time\"\n",
        )
        .unwrap();
        let results = results(&[
            ("src/x.rs:1:2: replace + with - in f", Fate::Missed),
            ("src/x.rs:3:4: replace + with - in g", Fate::Unreached),
            ("src/x.rs:5:6: replace + with - in f", Fate::Caught),
        ]);
        let text = results.render(&reasons);
        assert!(text.contains("| src/x.rs | 1 | 2 | 33 | 0 | 0 |\n"), "{text}");
        assert!(text.contains("- `src/x.rs:1:2: replace + with - in f`: it only saves time\n"), "{text}");
        assert!(text.ends_with("- `src/x.rs:3:4: replace + with - in g` (no test comes there)\n"), "{text}");
    }
}
