//! The stacks that are measured.

mod goldcrest;
pub(crate) mod lwip;
mod smoltcp;
mod smoltcp_tap;
pub(crate) mod veth;

use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;
use std::time::Duration;

use ::goldcrest::phy::KernelInterface;
use anyhow::{Context, Result, bail};

use crate::case::{Case, Peer};
use crate::client::KERNEL;

/// The TAP, in the namespace of each transfer.
const TAP: &str = "tap0";
/// How long a stack waits for a frame at most, so that it sees that all is over.
const LONGEST: Duration = Duration::from_millis(20);

/// Runs a stack until the client is done; says when it is ready for that. What it has used of a processor: itself, and in
/// the kernel; in seconds.
pub(crate) fn drive(
    case: &Case,
    span: Duration,
    is_over: &AtomicBool,
    ready: &Sender<()>,
) -> Result<(f64, f64)> {
    match case.peer {
        Peer::Goldcrest => goldcrest::drive(&case.setting, span, is_over, ready)?,
        Peer::Smoltcp => smoltcp::drive(&case.setting, span, is_over, ready)?,
        Peer::Lwip => return lwip::drive(&case.setting, span, is_over, ready),
        Peer::Kernel => bail!("the kernel drives itself"),
    }
    processor_time("/proc/thread-self/stat")
}

/// Brings up the kernel's side of the TAP.
fn configure(kernel: &KernelInterface) -> Result<()> {
    kernel.disable_ipv6()?;
    kernel.set_up()?;
    kernel.add_address(IpAddr::V4(KERNEL), 24)?;
    Ok(())
}

/// What a thread or a process has used of a processor so far, by hundredths.
fn processor_time(stat: &str) -> Result<(f64, f64)> {
    let text = std::fs::read_to_string(stat)?;
    let (_, fields) = text.rsplit_once(") ").context("what stat says is not understood")?;
    let mut ticks = fields.split(' ').skip(11).map(|field| field.parse::<f64>().unwrap_or(0.0) / 100.0);
    Ok((ticks.next().unwrap_or(0.0), ticks.next().unwrap_or(0.0)))
}
