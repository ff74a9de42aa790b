//! The requirements of one RFC, as docs/rfc/NUMBER.toml lists them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::marks::{self, Clause, Marks};

/// One requirement.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// The section.
    at: String,
    /// What is asked for, in our words.
    says: String,
    /// Why it is not met, or why nothing can show that it is.
    why: Option<String>,
    /// Files that meet it, where marks can't say so.
    #[serde(default)]
    code: Vec<String>,
    /// Tests that show it, likewise.
    #[serde(default)]
    tests: Vec<String>,
}

/// What a file of requirements holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    title: String,
    rows: BTreeMap<String, Row>,
}

/// The requirements of one RFC.
pub(crate) struct Table {
    rfc: u32,
    title: String,
    /// In the order of their numbers or sections.
    rows: Vec<(String, Row)>,
}

/// How a requirement stands.
#[derive(PartialEq, Eq)]
enum Standing {
    Met,
    Reasoned,
    Gap,
}

impl Table {
    /// Reads all files of the folder, in the order of the RFCs' numbers.
    pub(crate) fn read_all(folder: &Path) -> Result<Vec<Table>> {
        let mut tables = Vec::new();
        for entry in std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
            let path = entry?.path();
            let Some(rfc) = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()) else { continue };
            let text = std::fs::read_to_string(&path)?;
            tables.push(Table::parse(rfc, &text).with_context(|| format!("{}", path.display()))?);
        }
        tables.sort_by_key(|table| table.rfc);
        Ok(tables)
    }

    fn parse(rfc: u32, text: &str) -> Result<Table> {
        let Contents { title, rows } = toml::from_str(text)?;
        let mut rows: Vec<(String, Row)> = rows.into_iter().collect();
        rows.sort_by_cached_key(|(id, _)| order(id));
        Ok(Table { rfc, title, rows })
    }

    fn clause(&self, id: &str) -> Clause {
        Clause { rfc: self.rfc, id: id.to_string() }
    }

    /// The files that claim it: by its number, or its section where the RFC has no numbers, or as the row says.
    fn code<'m>(&self, id: &str, row: &'m Row, marks: &'m Marks) -> Vec<&'m str> {
        let marked = if marks::is_number(id) { id } else { &row.at };
        marks.code(&self.clause(marked)).chain(row.code.iter().map(String::as_str)).collect()
    }

    fn tests<'m>(&self, id: &str, row: &'m Row, marks: &'m Marks) -> Vec<&'m str> {
        marks.tests(&self.clause(id)).chain(row.tests.iter().map(String::as_str)).collect()
    }

    fn standing(&self, id: &str, row: &Row, marks: &Marks) -> Standing {
        let has_both = !self.code(id, row, marks).is_empty() && !self.tests(id, row, marks).is_empty();
        match has_both {
            true => Standing::Met,
            false if row.why.is_some() => Standing::Reasoned,
            false => Standing::Gap,
        }
    }

    /// Requirements without code, test and reason; rows that name what is not there; marks that no row has.
    pub(crate) fn gaps(&self, marks: &Marks) -> Vec<String> {
        let mut gaps = Vec::new();
        for (id, row) in &self.rows {
            if self.standing(id, row, marks) == Standing::Gap {
                let lacks = match self.code(id, row, marks).is_empty() {
                    true if self.tests(id, row, marks).is_empty() => "code and test",
                    true => "code",
                    false => "test",
                };
                gaps.push(format!("RFC {} {id} (§{}) lacks {lacks}: {}", self.rfc, row.at, row.says));
            }
            let files = row.code.iter().filter(|file| !marks.has_file(file));
            let functions = row.tests.iter().filter(|name| !marks.has_test(name));
            let missing = files.chain(functions);
            gaps.extend(
                missing.map(|name| format!("RFC {} {id} names {name}, which is not there", self.rfc)),
            );
        }
        let unknown = marks.numbered(self.rfc).filter(|id| id.starts_with("MUST"));
        let unknown = unknown.filter(|id| self.rows.iter().all(|(known, _)| known != id));
        gaps.extend(unknown.map(|id| format!("RFC {} has no {id}, but a mark names it", self.rfc)));
        gaps
    }

    /// The files that have code for its requirements.
    pub(crate) fn files(&self, marks: &Marks) -> Vec<String> {
        let files = self.rows.iter().flat_map(|(id, row)| self.code(id, row, marks));
        files.map(str::to_string).collect()
    }

    /// Its row in the summary.
    pub(crate) fn summary(&self, marks: &Marks) -> String {
        let count =
            |wanted| self.rows.iter().filter(|(id, row)| self.standing(id, row, marks) == wanted).count();
        let (met, reasoned, gaps) = (count(Standing::Met), count(Standing::Reasoned), count(Standing::Gap));
        format!("| {} {} | {} | {met} | {reasoned} | {gaps} |\n", self.rfc, self.title, self.rows.len())
    }

    /// Its section.
    pub(crate) fn render(&self, marks: &Marks) -> String {
        let mut text = format!(
            "\n## RFC {}: {}\n\n| requirement | § | what | code | tests |\n| --- | --- | --- | --- | --- |\n",
            self.rfc, self.title
        );
        for (id, row) in &self.rows {
            let code = self.code(id, row, marks).join(", ");
            let tests = self.tests(id, row, marks).join(", ");
            let why =
                row.why.as_ref().map(|why| format!(" **Not met or not shown:** {why}.")).unwrap_or_default();
            text.push_str(&format!("| {id} | {} | {}{why} | {code} | {tests} |\n", row.at, row.says));
        }
        text
    }
}

/// Sorts `MUST-2` before `MUST-10`, and `3.2.9a` before `3.2.10a`.
fn order(id: &str) -> Vec<(u32, String)> {
    let number = |part: &str| part.trim_end_matches(char::is_alphabetic).parse().unwrap_or(0); // MUST has none
    id.split(['-', '.']).map(|part| (number(part), part.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_without_code_test_or_reason_is_a_gap() {
        let text = "title = 't'\n[rows]\nMUST-2 = { at = '3.1', says = 'a' }\nMUST-10 = { at = '3', says = 'b', why = 'c' }";
        let table = Table::parse(9293, text).unwrap();
        let gaps = table.gaps(&Marks::default());
        assert_eq!(gaps, ["RFC 9293 MUST-2 (§3.1) lacks code and test: a"]);
        assert_eq!(table.rows[1].0, "MUST-10");
    }

    #[test]
    fn a_row_that_names_a_test_that_is_not_there_is_a_gap() {
        let text = "title = 't'\n[rows]\n'2.5' = { at = '2.5', says = 'a', code = ['x.rs'], tests = ['y'] }";
        let gaps = Table::parse(1122, text).unwrap().gaps(&Marks::default());
        let expected =
            ["RFC 1122 2.5 names x.rs, which is not there", "RFC 1122 2.5 names y, which is not there"];
        assert_eq!(gaps, expected);
    }
}
