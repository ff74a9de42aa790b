//! The cells of the grid: each is a path, named by its rate, its round-trip time and what is wrong with it.
//!
//! Both directions of a path are alike. Its rate counts the octets of whole frames.

use std::fmt;
use std::str::FromStr;

use goldcrest::phy::{BurstLoss, PathConfig};
use goldcrest::time::Duration;

/// bit/s, and what the cells' names call them.
pub const RATES: [(u64, &str); 3] = [(10_000_000, "10M"), (100_000_000, "100M"), (1_000_000_000, "1G")];
/// Round-trip times in ms, half of it each way.
pub const ROUND_TRIPS: [u64; 3] = [1, 20, 100];
/// Octets of the frames that a queue is measured in.
const FRAME_LEN: u64 = 1_514;
/// The least that a queue holds: at 10 Mbit/s and 1 ms not even one frame is under way.
const MIN_QUEUE: u64 = 4 * FRAME_LEN;
/// The least that a buffer of a connection holds.
const MIN_BUFFER: u64 = 256 << 10;

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing: the queue holds whatever the buffers let out.
    None,
    /// So many frames in a million are lost, each for itself.
    Loss(u32),
    /// One frame in 1,000 begins a burst in which all are lost, of 10 frames in the mean: 1 % of all.
    Bursts,
    /// One frame in 100 takes longer, by a quarter of the round-trip time or by the time of eight frames,
    /// whichever is more.
    Reordering,
    /// The queue holds one product of rate and round-trip time.
    Queue,
    /// A tenth of it.
    ShortQueue,
}

/// All of them, and what the cells' names call them.
pub const TROUBLES: [(Trouble, &str); 8] = [
    (Trouble::None, "none"),
    (Trouble::Loss(1_000), "loss0.1"),
    (Trouble::Loss(10_000), "loss1"),
    (Trouble::Loss(30_000), "loss3"),
    (Trouble::Bursts, "bursts"),
    (Trouble::Reordering, "reorder"),
    (Trouble::Queue, "queue1"),
    (Trouble::ShortQueue, "queue0.1"),
];

/// A path to try TCP on. `Display` and `FromStr` speak its name: `100M-20ms-loss1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// bit/s.
    pub rate: u64,
    /// Without any queue, in ms.
    pub round_trip_ms: u64,
    /// What is wrong.
    pub trouble: Trouble,
}

impl Cell {
    /// The whole grid, in the order of its table.
    pub fn all() -> impl Iterator<Item = Cell> {
        RATES.iter().flat_map(|&(rate, _)| {
            ROUND_TRIPS.iter().flat_map(move |&round_trip_ms| {
                TROUBLES.iter().map(move |&(trouble, _)| Cell { rate, round_trip_ms, trouble })
            })
        })
    }

    /// Octets that are under way when the path is full and its queue empty.
    pub fn product(&self) -> u64 {
        self.rate / 8 * self.round_trip_ms / 1_000
    }

    /// Octets of each buffer of a connection, so that it is never the buffers that hold it up.
    pub fn buffer_len(&self) -> usize {
        (4 * self.product()).max(MIN_BUFFER) as usize
    }

    /// Whether chance has a part, so that one run says little.
    pub fn is_random(&self) -> bool {
        matches!(self.trouble, Trouble::Loss(_) | Trouble::Bursts | Trouble::Reordering)
    }

    /// Each of the two directions.
    pub fn path(&self) -> PathConfig {
        let delay = Duration::from_micros(self.round_trip_ms * 500);
        let path = PathConfig { rate: self.rate, delay, ..PathConfig::default() };
        let queue = |octets: u64| octets.max(MIN_QUEUE) as usize;
        match self.trouble {
            Trouble::None => path,
            Trouble::Loss(loss_ppm) => PathConfig { loss_ppm, ..path },
            Trouble::Bursts => {
                let burst = BurstLoss { enter_ppm: 1_000, leave_ppm: 100_000, loss_ppm: 1_000_000 };
                PathConfig { burst: Some(burst), ..path }
            }
            Trouble::Reordering => {
                let eight_frames = 8 * FRAME_LEN * 8_000_000 / self.rate;
                let reorder_delay = Duration::from_micros((self.round_trip_ms * 250).max(eight_frames));
                PathConfig { reorder_ppm: 10_000, reorder_delay, ..path }
            }
            Trouble::Queue => PathConfig { queue_octets: queue(self.product()), ..path },
            Trouble::ShortQueue => PathConfig { queue_octets: queue(self.product() / 10), ..path },
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = RATES.iter().find(|(rate, _)| *rate == self.rate).map_or("?", |(_, name)| name);
        let trouble =
            TROUBLES.iter().find(|(trouble, _)| *trouble == self.trouble).map_or("?", |(_, name)| name);
        // Padding is for the whole name.
        f.pad(&format!("{rate}-{}ms-{trouble}", self.round_trip_ms))
    }
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(name: &str) -> Result<Cell, String> {
        Cell::all().find(|cell| cell.to_string() == name).ok_or_else(|| format!("there is no cell {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_72_cells_and_each_is_found_by_its_name() {
        assert_eq!(Cell::all().count(), 72);
        for cell in Cell::all() {
            assert_eq!(cell.to_string().parse(), Ok(cell));
        }
        assert_eq!(Cell::all().next().unwrap().to_string(), "10M-1ms-none");
        assert!("10M-2ms-none".parse::<Cell>().is_err());
    }

    #[test]
    fn queues_are_products_of_rate_and_time_but_hold_a_few_frames() {
        let queue = |name: &str| name.parse::<Cell>().unwrap().path().queue_octets;
        assert_eq!(queue("1G-100ms-queue1"), 12_500_000);
        assert_eq!(queue("1G-100ms-queue0.1"), 1_250_000);
        assert_eq!(queue("10M-1ms-queue0.1"), 6_056);
        assert_eq!(queue("10M-1ms-loss3"), usize::MAX);
    }

    #[test]
    fn what_is_held_back_is_passed_by_more_than_three_frames() {
        for cell in Cell::all().filter(|cell| cell.trouble == Trouble::Reordering) {
            let path = cell.path();
            assert!(path.reorder_delay.total_micros() * path.rate / 8_000_000 > 4 * FRAME_LEN, "{cell}");
        }
    }
}
