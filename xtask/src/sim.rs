//! The simulation swarm, and whether it finds bugs that were planted for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// What to simulate.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many seeds to run
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Runs only this one; with RUST_LOG=debug or trace it tells what happens
    #[arg(long)]
    seed: Option<u64>,
    /// Checks that each of the bugs in sim/planted is found within 1,000 seeds
    #[arg(long)]
    planted: bool,
}

/// Runs the swarm, here or on copies of the sources with a bug in each.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.planted {
        return planted();
    }
    let mut command = swarm(&crate::root(), "sim");
    match arguments.seed {
        Some(seed) => command.arg(format!("--seed={seed}")),
        None => command.arg(format!("--seeds={}", arguments.seeds)).arg(format!("--from={}", arguments.from)),
    };
    ensure!(command.status().context("cargo")?.success(), "the simulation has found something");
    Ok(())
}

/// The swarm of the workspace at `root`, built by `profile`; its own arguments are to follow.
fn swarm(root: &Path, profile: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--profile", profile, "--package", "sim", "--"]).current_dir(root);
    command
}

/// Each bug is planted in a copy of the sources, and the swarm must find it there.
fn planted() -> Result<()> {
    let root = crate::root();
    let mut patches: Vec<PathBuf> =
        fs::read_dir(root.join("sim/planted"))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    patches.sort();
    ensure!(patches.len() >= 3, "sim/planted has {} patches", patches.len());
    let copies = root.join("target/planted");
    for patch in &patches {
        let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let copy = copies.join("source");
        copy_sources(&root, &copy)?;
        apply(patch, &copy)?;
        let mut command = swarm(&copy, "planted");
        command.args(["--seeds=1000", "--failures=1", "--no-coverage"]);
        command.env("CARGO_TARGET_DIR", copies.join("target"));
        let output = command.stderr(Stdio::inherit()).output().context("cargo")?;
        let output = String::from_utf8_lossy(&output.stdout);
        ensure!(output.contains(" seeds ("), "{name}: the swarm did not run:\n{output}");
        match output.lines().find(|line| line.starts_with("FAILED seed")) {
            Some(line) => println!("{name}: found, {}", line.trim_start_matches("FAILED ")),
            None => bail!("{name}: not found within 1,000 seeds\n{output}"),
        }
    }
    println!("{} planted bugs, all found", patches.len());
    Ok(())
}

/// Copies what the swarm is built from.
fn copy_sources(root: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    for folder in ["src", "sim", "tests", "examples"] {
        copy_folder(&root.join(folder), &to.join(folder))?;
    }
    for file in ["Cargo.lock", "README.md"] {
        if root.join(file).exists() {
            fs::copy(root.join(file), to.join(file))?;
        }
    }
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let is_members = |line: &&str| line.starts_with("members = ");
    let members = manifest.lines().find(is_members).context("Cargo.toml has no line of members")?;
    fs::write(to.join("Cargo.toml"), manifest.replace(members, "members = [\"sim\"]"))?;
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn apply(patch: &Path, to: &Path) -> Result<()> {
    let mut command = Command::new("patch");
    command.args(["--strip=1", "--silent", "--input"]).arg(patch).current_dir(to);
    let output = command.output().context("the program `patch` is needed")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{} does not apply any more:\n{text}", patch.display());
    Ok(())
}
