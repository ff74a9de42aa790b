//! All that CI runs.

use anyhow::Result;

use crate::check::{self, ALL};
use crate::steps::{self, Step};

/// Runs the check and everything beyond it.
pub(crate) fn run() -> Result<()> {
    let mut steps = check::steps();
    // One line a step, in the order of their cost.
    steps.extend([
        Step::cargo("examples in the documentation", &format!("test --workspace --doc --features {ALL}")),
        Step::cargo(
            "tests in tests/ (fuzz corpus among them)",
            &format!("test --workspace --test * --features {ALL}"),
        ),
        Step::cargo("quickstart, by root and by a user", "test --release --test quickstart"),
        Step::cargo(
            "server and client against real programs",
            "test --release --test http --test small_services",
        ),
        Step::xtask("requirements of the RFCs", "rfc --check"),
        Step::xtask("TCP of ours and of Linux, each to each", "paths --quick")
            .needs(&["ip", "nsenter"])
            .shows_output(),
        Step::xtask("firmware mps2 echo", "firmware mps2 echo --run")
            .needs(&["qemu-system-arm", "ip", "ping", "socat", "tshark"])
            .shows_output(),
        // The rest measures no time.
        Step::xtask("simulation", "sim --seeds 500").shows_output().in_chain(1),
        Step::xtask("TCP on twelve paths of the grid", "grid --short").shows_output().in_chain(1),
        Step::xtask("size", "size").needs(&["arm-none-eabi-objdump"]).shows_output().in_chain(2),
        Step::xtask("panics", "panics")
            .needs(&["arm-none-eabi-objdump", "arm-none-eabi-addr2line"])
            .in_chain(2),
        Step::xtask("firmware mps2 mirror", "firmware mps2 mirror --run")
            .needs(&["qemu-system-arm", "ip"])
            .shows_output()
            .in_chain(2),
        Step::xtask("instructions", "instructions --quick").needs(&["valgrind"]).shows_output().in_chain(2),
        Step::xtask("simulation of planted bugs", "sim --planted")
            .needs(&["patch"])
            .shows_output()
            .in_chain(2),
    ]);
    steps::run(steps)
}
