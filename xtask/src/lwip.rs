//! lwIP for the benchmark: its source from Debian by apt, into target/lwip, with bench/lwip compiled beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Octets of a connection's buffers, which lwIP has as constants.
const BUFFERS: [usize; 3] = [4 << 10, 64 << 10, 1 << 20];
/// The release with the version that docs/BENCHMARKS.md names; the machine may have another.
const RELEASE: &str = "trixie";
/// What it is signed with.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Builds the programs that bench/peers starts: target/lwip/lwip-65536 and so on.
pub(crate) fn build() -> Result<()> {
    let dir = crate::root().join("target/lwip");
    let source = dir.join("source");
    if !source.exists() {
        fetch(&dir, &source)?;
    }
    BUFFERS.into_iter().try_for_each(|buffer| compile(&dir, &source, buffer))
}

/// With lists of apt's own in `dir`, so that nothing of the machine's changes. Needs no right but that to write there.
fn fetch(dir: &Path, source: &Path) -> Result<()> {
    eprintln!("fetching lwIP's source by apt");
    let apt = dir.join("apt");
    for folder in ["lists/partial", "cache/archives/partial", "no-parts"] {
        fs::create_dir_all(apt.join(folder))?;
    }
    let source_list = format!("deb-src [signed-by={KEYS}] {} {RELEASE} main\n", archive()?);
    fs::write(apt.join("sources.list"), source_list)?;
    run(apt_get(&apt).arg("update"))?;
    run(apt_get(&apt).args(["source", "lwip"]))?;
    let unpacked = fs::read_dir(&apt)?.filter_map(Result::ok).map(|entry| entry.path());
    let unpacked = unpacked.filter(|path| path.join("src/include/lwip").is_dir());
    fs::rename(unpacked.last().context("apt has unpacked nothing")?, source)?;
    Ok(())
}

/// Where the machine itself has its packages from.
fn archive() -> Result<String> {
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", "$(COMPONENT) $(REPO_URI)", "Created-By: Packages"]);
    let listed = String::from_utf8(command.output().context("apt-get")?.stdout)?;
    let main = listed.lines().find_map(|line| line.strip_prefix("main "));
    Ok(main.context("apt has no archive with a component main")?.to_string())
}

/// apt-get, with all its files in `dir`.
fn apt_get(dir: &Path) -> Command {
    let mut command = Command::new("apt-get");
    command.arg("-qq").current_dir(dir);
    for (option, file) in [
        ("Dir::Etc::SourceList", "sources.list"),
        ("Dir::Etc::SourceParts", "no-parts"),
        ("Dir::State::Lists", "lists"),
        ("Dir::Cache", "cache"),
    ] {
        command.arg("-o").arg(format!("{option}={}", dir.join(file).display()));
    }
    command
}

fn compile(dir: &Path, source: &Path, buffer: usize) -> Result<()> {
    let (ours, theirs) = (crate::root().join("bench/lwip"), source.join("src"));
    let mut command = Command::new("cc");
    command.args([
        "-std=gnu11",
        "-O3",
        "-flto=auto",
        "-Wall",
        "-Wextra",
        &format!("-DBUFFER={buffer}"),
        "-I",
    ]);
    command.arg(&ours).arg("-I").arg(theirs.join("include")).arg(ours.join("main.c"));
    for folder in ["core", "core/ipv4"] {
        command.args(c_files(&theirs.join(folder))?);
    }
    command.arg(theirs.join("netif/ethernet.c")).arg("-o").arg(dir.join(format!("lwip-{buffer}")));
    run(&mut command)
}

fn c_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let files: Vec<PathBuf> = files.collect::<Result<_>>()?;
    Ok(files.into_iter().filter(|file| file.extension().is_some_and(|name| name == "c")).collect())
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| name.clone())?;
    ensure!(status.success(), "{name} has failed");
    Ok(())
}
