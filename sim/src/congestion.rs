//! The congestion controls, as a command line names them.

use clap::ValueEnum;
use goldcrest::socket::tcp::CongestionControl;

/// The sender's congestion control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Congestion {
    /// RFC 9438
    Cubic,
    /// RFC 5681
    Reno,
    /// A model of the path, which heeds losses (version 3)
    Bbr,
    /// The same, which does not heed them (as version 1)
    BbrDeaf,
    /// As much as the peer takes
    None,
}

impl From<Congestion> for CongestionControl {
    fn from(congestion: Congestion) -> CongestionControl {
        match congestion {
            Congestion::Cubic => CongestionControl::Cubic,
            Congestion::Reno => CongestionControl::Reno,
            Congestion::Bbr => CongestionControl::Bbr { heeds_loss: true },
            Congestion::BbrDeaf => CongestionControl::Bbr { heeds_loss: false },
            Congestion::None => CongestionControl::None,
        }
    }
}
