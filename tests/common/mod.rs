//! What tests of the examples share: to build one, and to say why a test can't run.

pub(crate) mod skip;

use std::path::PathBuf;
use std::process::Command;

pub(crate) use skip::skip;

/// Builds an example, in the profile of this test, and says where the program is.
pub(crate) fn example(name: &str) -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "goldcrest", "--example", name]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo can be started");
    assert!(status.success(), "the example does not build");
    // This program is in `deps` below the folder of the profile.
    let this = std::env::current_exe().expect("this program has a path");
    let folder = this.ancestors().nth(2).expect("it is in a target folder");
    folder.join("examples").join(name)
}
