//! docs/RFC.md: which requirement of which RFC has which code and which test.
//!
//! The requirements stand in docs/rfc/NUMBER.toml, each with the section it is from and our words for it. Code
//! claims them by `// RFC 9293 §3.8.6.1 (MUST-36)`, tests by `/// Covers: RFC 9293 MUST-36`. Where an RFC does
//! not number its requirements, a row names its code and tests itself. What is not met says why.

mod marks;
mod table;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use marks::Marks;
use table::Table;

/// What to do with the table.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Change nothing; fail if docs/RFC.md is not what the marks say, or a requirement has a gap
    #[arg(long)]
    check: bool,
}

/// Writes docs/RFC.md, or checks it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = crate::root();
    let marks = Marks::read(&root)?;
    let tables = Table::read_all(&root.join("docs/rfc"))?;
    let mut gaps = Vec::new();
    for table in &tables {
        gaps.extend(table.gaps(&marks));
    }
    let text = render(&tables, &marks);
    let path = root.join("docs/RFC.md");
    if arguments.check {
        check(&path, &text, &gaps)
    } else {
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        gaps.iter().for_each(|gap| println!("{gap}"));
        println!("docs/RFC.md is written; requirements with a gap: {}", gaps.len());
        Ok(())
    }
}

/// The files whose code claims a requirement that docs/rfc lists.
pub(crate) fn files_with_requirements() -> Result<Vec<String>> {
    let root = crate::root();
    let marks = Marks::read(&root)?;
    let mut files = BTreeSet::new();
    for table in Table::read_all(&root.join("docs/rfc"))? {
        files.extend(table.files(&marks));
    }
    Ok(files.into_iter().filter(|file| file.starts_with("src/")).collect())
}

fn check(path: &Path, text: &str, gaps: &[String]) -> Result<()> {
    gaps.iter().for_each(|gap| println!("{gap}"));
    ensure!(gaps.is_empty(), "requirements with a gap: {}; mark code and test, or say why", gaps.len());
    let written = std::fs::read_to_string(path).unwrap_or_default();
    ensure!(written == text, "docs/RFC.md is out of date: run `cargo xtask rfc`");
    Ok(())
}

fn render(tables: &[Table], marks: &Marks) -> String {
    let mut text = String::from(
        "# What the RFCs ask for, and where it is\n\n\
         Written by `cargo xtask rfc` from the requirements in docs/rfc and the marks in code and tests.\n\
         Departures stand in [DEVIATIONS.md](DEVIATIONS.md) with their reasons.\n\n\
         | RFC | requirements | met | not met, with a reason | gaps |\n| --- | ---: | ---: | ---: | ---: |\n",
    );
    for table in tables {
        text.push_str(&table.summary(marks));
    }
    for table in tables {
        text.push_str(&table.render(marks));
    }
    text.push_str("\n## All RFCs that code or tests name\n\n| RFC | code | tests |\n| ---: | --- | ---: |\n");
    text.push_str(&marks.render_all());
    text
}
