//! The options that spoil a good cable, to see how the stack and its peers cope.

use goldcrest::phy::{Device, FaultConfig, FaultCounters, FaultInjector, TunTapInterface};

use super::Result;

/// Where the options stand in the help.
const HEADING: &str = "Faults, in both directions";

/// What shall happen to frames on their way.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Faults {
    /// Frames that get lost
    #[arg(long, help_heading = HEADING, value_name = "PERCENT", value_parser = ppm, default_value = "0")]
    loss: u32,
    /// Frames that come twice
    #[arg(long, help_heading = HEADING, value_name = "PERCENT", value_parser = ppm, default_value = "0")]
    duplicate: u32,
    /// Frames that are held back until three later ones have passed, or 10 ms
    #[arg(long, help_heading = HEADING, value_name = "PERCENT", value_parser = ppm, default_value = "0")]
    reorder: u32,
    /// Frames of which one bit is inverted
    #[arg(long, help_heading = HEADING, value_name = "PERCENT", value_parser = ppm, default_value = "0")]
    corrupt: u32,
    /// What makes the same frames meet the same faults again; a new one each time unless given
    #[arg(long, help_heading = HEADING, value_name = "NUMBER")]
    fault_seed: Option<u64>,
}

/// A percentage in parts of a million.
fn ppm(text: &str) -> std::result::Result<u32, String> {
    let percent: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if !(0.0..=100.0).contains(&percent) {
        return Err("it is not between 0 and 100".into());
    }
    Ok((percent * 10_000.0).round() as u32)
}

impl Faults {
    /// Wraps the device.
    pub(crate) fn around(self, device: TunTapInterface) -> Result<FaultInjector<TunTapInterface>> {
        let config = FaultConfig {
            drop_ppm: self.loss,
            corrupt_ppm: self.corrupt,
            duplicate_ppm: self.duplicate,
            reorder_ppm: self.reorder,
            ..FaultConfig::NONE
        };
        let seed = match self.fault_seed {
            Some(seed) => seed,
            None => getrandom::u64()?,
        };
        Ok(FaultInjector::new(device, config, config, seed))
    }
}

/// Says what was done to frames, if anything.
pub(crate) fn report<D: Device>(device: &FaultInjector<D>) {
    for (way, counters) in [("received", device.rx_counters()), ("sent", device.tx_counters())] {
        let FaultCounters { passed, dropped, corrupted, duplicated, reordered, .. } = counters;
        if dropped + corrupted + duplicated + reordered > 0 {
            eprintln!(
                "{way}: {passed} passed, {dropped} lost, {corrupted} damaged, {duplicated} doubled, {reordered} held back"
            );
        }
    }
}
