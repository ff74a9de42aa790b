//! Where firmware images can still panic, against a reviewed list.
//!
//! A branch to a panic that the optimizer has left is either a mistake or something that it cannot prove. Each
//! stands in firmware/panics.txt with the reason why it is never taken; one that is not listed is an error, and so
//! is a line that no image needs any more.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{firmware, size};

const REVIEWED: &str = "firmware/panics.txt";

/// A branch to a panic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Site {
    caller: String,
    /// File and line, as far as they are known.
    place: String,
    callee: String,
}

impl Site {
    /// What does not change with each edit and each choice of the inliner: which file panics, and how.
    fn key(&self) -> String {
        let file = self.place.split(':').next().unwrap_or(&self.place);
        format!("{file} -> {}", self.callee)
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}", self.caller, self.place, self.callee)
    }
}

/// Lists the panics of the images, and compares them with those that were reviewed.
pub(crate) fn run() -> Result<()> {
    let images = [
        ("size (b): Ethernet, IPv4, UDP and TCP echo", size::build("echo-server", "tcp,ipv4")?),
        ("mps2 echo", firmware::build("mps2", "echo", "", "thumbv7em-none-eabihf")?),
    ];
    let mut found = BTreeSet::new();
    for (name, image) in &images {
        let sites = sites(image)?;
        println!("{name}: {} branches to panics", sites.len());
        for site in sites {
            println!("    {site}");
            found.insert(site.key());
        }
    }
    let path = crate::root().join(REVIEWED);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {REVIEWED}"))?;
    let reviewed = reviewed(&text);
    let new: Vec<&String> = found.difference(&reviewed).collect();
    let gone: Vec<&String> = reviewed.difference(&found).collect();
    ensure!(new.is_empty(), "not in {REVIEWED}; remove the panic, or add why it is never reached: {new:#?}");
    ensure!(gone.is_empty(), "in {REVIEWED}, but in no image any more; remove the lines: {gone:#?}");
    Ok(())
}

/// The keys of the reviewed list: a reason stands behind `#`, and comments have lines of their own.
fn reviewed(text: &str) -> BTreeSet<String> {
    let keys = text.lines().map(|line| line.split(" # ").next().unwrap_or(line).trim());
    keys.filter(|key| !key.is_empty() && !key.starts_with('#')).map(str::to_string).collect()
}

/// Functions of `core` that end in a panic, by parts of their names.
const PANICS: &[&str] = &[
    "panic_fmt",
    "panic_bounds_check",
    "panic_const",
    "panic_nounwind",
    "panic_misaligned",
    "core::panicking::panic",
    "unwrap_failed",
    "expect_failed",
    "slice_index_fail",
    "slice_start_index_len_fail",
    "slice_end_index_len_fail",
    "slice_index_order_fail",
    "slice_error_fail",
    // Compares two lengths before it copies, and is called where they are not known to be equal.
    "copy_from_slice",
    "len_mismatch_fail",
    "panic_already_borrowed",
    "panic_already_mutably_borrowed",
    "panic_display",
    "assert_failed",
    "rust_begin_unwind",
];

fn is_panic(function: &str) -> bool {
    PANICS.iter().any(|part| function.contains(part))
}

/// Where an image branches to a panic: the calling function, and the line in the sources.
pub(crate) fn sites(image: &Path) -> Result<Vec<Site>> {
    let listing =
        run_tool(Command::new("arm-none-eabi-objdump").args(["-d", "--no-show-raw-insn"]).arg(image))?;
    let mut sites = Vec::new();
    for (caller, address, callee) in panic_branches(&listing) {
        let line = run_tool(Command::new("arm-none-eabi-addr2line").arg("-ie").arg(image).arg(&address))?;
        // The innermost inlined line stands first; the first of ours says more than one of `core`.
        let ours = line.lines().find(|line| line.contains("/src/") && !line.contains("/library/"));
        let place = ours.or(line.lines().next()).unwrap_or_default();
        let place = place.split_once(" (").map_or(place, |(place, _)| place);
        let root = crate::root();
        let place = place.strip_prefix(&format!("{}/", root.display())).unwrap_or(place).to_string();
        sites.push(Site { caller, place, callee });
    }
    sites.sort();
    Ok(sites)
}

/// The branches to panics in a disassembly: caller, address, callee. A panic's own are left out.
fn panic_branches(listing: &str) -> Vec<(String, String, String)> {
    let mut branches = Vec::new();
    let mut caller = String::new();
    for line in listing.lines() {
        if let Some((_, name)) = line.strip_suffix(">:").and_then(|line| line.split_once(" <")) {
            caller = demangle(name);
            continue;
        }
        let Some((address, instruction)) = line.split_once(":\t") else { continue };
        let Some(target) = instruction.split_once('<').and_then(|(_, rest)| rest.split_once('>')) else {
            continue;
        };
        // A jump within the function has an offset after its name.
        if !instruction.starts_with('b') || target.0.contains("+0x") {
            continue;
        }
        let callee = demangle(target.0);
        if is_panic(&callee) && !is_panic(&caller) {
            branches.push((caller.clone(), address.trim().to_string(), callee));
        }
    }
    branches
}

/// A symbol's name as it stands in the sources.
pub(crate) fn demangle(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// What a program prints; that it fails is an error.
pub(crate) fn run_tool(command: &mut Command) -> Result<String> {
    let output =
        command.output().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    ensure!(
        output.status.success(),
        "{}: {}",
        command.get_program().display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_to_panics_are_found_and_jumps_and_their_own_are_not() {
        let listing = "\
08000400 <parse>:
 8000400:\tpush\t{r7, lr}
 8000402:\tbl\t8000500 <_ZN4core9panicking18panic_bounds_check17h0123456789abcdefE>
 8000406:\tbne.n\t8000400 <parse>
 8000408:\tb.w\t8000520 <_ZN4core6option13unwrap_failed17h0123456789abcdefE>
 800040c:\tbeq.n\t8000502 <_ZN4core9panicking18panic_bounds_check17h0123456789abcdefE+0x2>

08000500 <_ZN4core9panicking18panic_bounds_check17h0123456789abcdefE>:
 8000500:\tbl\t8000530 <_ZN4core9panicking9panic_fmt17h0123456789abcdefE>
";
        let branches = panic_branches(listing);
        let found: Vec<(&str, &str, &str)> = branches.iter().map(|(a, b, c)| (&**a, &**b, &**c)).collect();
        let expected = [
            ("parse", "8000402", "core::panicking::panic_bounds_check"),
            ("parse", "8000408", "core::option::unwrap_failed"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_reviewed_list_has_reasons_and_comments() {
        let keys = reviewed("# why\n\nsrc/a.rs -> core::panicking::panic # never\nc -> d\n");
        let expected = ["c -> d", "src/a.rs -> core::panicking::panic"];
        assert_eq!(keys.into_iter().collect::<Vec<_>>(), expected);
    }
}
