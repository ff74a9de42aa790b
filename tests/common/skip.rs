//! Why a test can't run.

use std::io::Write;

/// Says why a test was not run; with `CI=true` that is a failure.
pub(crate) fn skip(reason: &str) {
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{reason}");
    say_skipped(reason);
}

/// Says so, whatever `CI` is: for what no package would bring.
///
/// What goes to stderr by `eprintln!` the test harness keeps to itself when all is well.
pub(crate) fn say_skipped(reason: &str) {
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(|path| path.file_stem()?.to_str()).unwrap_or_default();
    // What follows the dash is a hash of Cargo's.
    let file = program.rsplit_once('-').map_or(program, |(name, _)| name);
    let thread = std::thread::current();
    let line = format!("skipped: {file}: {}: {reason}\n", thread.name().unwrap_or("a thread"));
    let _ = std::io::stderr().write_all(line.as_bytes());
}
