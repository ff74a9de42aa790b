//! What is printed.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use goldcrest::stats::{Mib, Stats};

use crate::transfer::Data;

/// Prints what happens as it happens, in plain lines.
pub(crate) struct Report {
    began: Instant,
}

impl Default for Report {
    fn default() -> Report {
        Report { began: Instant::now() }
    }
}

impl Report {
    /// All pings of an address were answered.
    pub(crate) fn pings(&mut self, address: IpAddr, times: &[Duration]) {
        let mut sorted = times.to_vec();
        sorted.sort();
        let micros = |time: Option<&Duration>| time.copied().unwrap_or_default().as_micros();
        let [least, middle, most] = [sorted.first(), sorted.get(sorted.len() / 2), sorted.last()].map(micros);
        let count = times.len();
        println!(
            "  ping {address}: {count} of {count} answered, after {least} to {most} µs, half of them within {middle} µs"
        );
    }

    /// The data went one way, and its hash was right.
    pub(crate) fn transfer(&mut self, way: &str, address: IpAddr, data: &Data, took: Duration) {
        let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        let (len, seconds) = (data.octets.len(), took.as_secs_f64().max(1e-6));
        let (megabytes, rate) = (len as f64 / 1e6, len as f64 * 8.0 / 1e6 / seconds);
        println!(
            "  {way} over {family}: {megabytes} MB in {seconds:.3} s, {rate:.0} Mbit/s, the hash is right"
        );
    }

    /// What the interface has counted.
    pub(crate) fn counters(&mut self, mib: &Mib, stats: &Stats) {
        let (interface, tcp) = (&mib.interface, &mib.tcp);
        println!(
            "  frames: {} received, {} sent; TCP segments: {} received, {} sent, {} more again",
            interface.in_frames, interface.out_frames, tcp.in_segs, tcp.out_segs, tcp.retrans_segs
        );
        let reasons: Vec<String> =
            stats.dropped().map(|(reason, count)| format!("{reason:?} {count}")).collect();
        let reasons = if reasons.is_empty() { "none".to_owned() } else { reasons.join(", ") };
        println!("  dropped: {reasons}");
    }

    /// All is well.
    pub(crate) fn finish(&mut self, path: &Path) {
        println!("Every frame is in {0} (wireshark {0}).", path.display());
        println!("Done in {:.1} s.", self.began.elapsed().as_secs_f64());
    }
}
