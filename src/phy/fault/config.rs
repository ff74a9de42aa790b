//! What shall happen to frames, and what has happened.

use crate::time::Duration;

/// What happens to the frames of one direction. The default is: nothing. Chances are in a million frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultConfig {
    /// Frames lost.
    pub drop_ppm: u32,
    /// Frames with one bit inverted.
    pub corrupt_ppm: u32,
    /// Frames that pass twice, the second time right after the first, unless one of the two is held back.
    pub duplicate_ppm: u32,
    /// Frames held back, so that later ones pass before them.
    pub reorder_ppm: u32,
    /// Behind so many later frames a held one goes on; 3 by default.
    pub reorder_count: u32,
    /// After so long it goes on in any case; 10 ms by default.
    pub reorder_delay: Duration,
    /// Frames held at most, copies included; beyond that frames pass as if there were no such chance. 64 by
    /// default.
    pub held_count: usize,
    /// Longer frames are lost; octets.
    pub max_frame_len: Option<usize>,
    /// Frames beyond this rate are lost.
    pub max_rate: Option<RateLimit>,
}

impl FaultConfig {
    /// Nothing happens.
    pub const NONE: FaultConfig = FaultConfig {
        drop_ppm: 0,
        corrupt_ppm: 0,
        duplicate_ppm: 0,
        reorder_ppm: 0,
        reorder_count: 3,
        reorder_delay: Duration::from_millis(10),
        held_count: 64,
        max_frame_len: None,
        max_rate: None,
    };
}

impl Default for FaultConfig {
    fn default() -> FaultConfig {
        FaultConfig::NONE
    }
}

/// A bucket of tokens that fills at an even rate. Each frame takes one, and is lost if there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Frames a second.
    pub rate: u32,
    /// Frames that may pass at once after a pause; 0 lets nothing pass.
    pub burst: u32,
}

/// What happened to the frames of one direction.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultCounters {
    /// Frames that were not lost. Damaged ones and those held back are among them, second copies are not.
    pub passed: u64,
    /// Lost by chance.
    pub dropped: u64,
    /// Damaged by chance.
    pub corrupted: u64,
    /// Doubled by chance.
    pub duplicated: u64,
    /// Held back by chance.
    pub reordered: u64,
    /// Neither doubled nor held back, although chance wanted it, since too many were held.
    pub held_full: u64,
    /// Lost since they were too long.
    pub too_long: u64,
    /// Lost since there were too many.
    pub over_rate: u64,
}
