//! Cargo for Cortex-M targets.
//!
//! The target that `rustup target add` installed if it is there; otherwise Debian's `rustc-web`,
//! `cargo-web` and `rust-web-src`, which build `core` from its sources.

use std::path::Path;
use std::process::Command;

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const LINKER: &str = "arm-none-eabi-ld";

/// A way to build for Cortex-M.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The usual `cargo`, with a precompiled `core`.
    Rustup,
    /// Debian's packages.
    Debian,
}

impl Toolchain {
    /// What this machine has for `target`; `Err` says what to install.
    pub(crate) fn find(target: &str) -> Result<Toolchain, String> {
        if has_precompiled_core(target) {
            return Ok(Toolchain::Rustup);
        }
        let has_sources = Path::new("/usr/src").is_dir() && debian_has_sources();
        if has_sources && Path::new(DEBIAN_CARGO).is_file() && crate::steps::is_installed(LINKER) {
            return Ok(Toolchain::Debian);
        }
        Err(format!(
            "no Rust for {target}: `rustup target add {target}`, or on Debian \
             `apt-get install rustc-web cargo-web rust-web-src binutils-arm-none-eabi`"
        ))
    }

    /// `cargo SUBCOMMAND --target TARGET` with what this toolchain needs beside it.
    pub(crate) fn cargo(self, subcommand: &str, target: &str) -> Command {
        match self {
            Toolchain::Rustup => {
                let mut command = Command::new("cargo");
                command.args([subcommand, "--target", target]);
                command
            }
            Toolchain::Debian => {
                let mut command = Command::new(DEBIAN_CARGO);
                // Cargo's own build of `core` is an unstable option, which this variable allows.
                command.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", DEBIAN_RUSTC);
                command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
                command.args([subcommand, "--target", target, "-Zbuild-std=core,alloc", "--config"]);
                command.arg(format!("target.{target}.linker=\"{LINKER}\""));
                command
            }
        }
    }

    /// How the toolchain is called in a report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Toolchain::Rustup => "rustup",
            Toolchain::Debian => "Debian, core built from source",
        }
    }
}

/// [`Toolchain::cargo`] of the toolchain that this machine has.
pub(crate) fn cargo(subcommand: &str, target: &str) -> Result<Command, String> {
    Toolchain::find(target).map(|toolchain| toolchain.cargo(subcommand, target))
}

fn has_precompiled_core(target: &str) -> bool {
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", target]).output();
    let Ok(output) = output else { return false };
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_string();
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

fn debian_has_sources() -> bool {
    let output = Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"]).output();
    let Ok(output) = output else { return false };
    let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_string();
    Path::new(&sysroot).join("lib/rustlib/src/rust/library/core").is_dir()
}
