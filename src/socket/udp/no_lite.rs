//! Without `socket-udplite` all sockets speak UDP.

use super::Socket;
use crate::stats::DropReason;
use crate::wire::IpProtocol;

pub(crate) struct Lite;

impl Lite {
    pub(super) const OFF: Lite = Lite;
}

impl Socket<'_> {
    #[inline]
    pub(crate) fn protocol(&self) -> IpProtocol {
        IpProtocol::UDP
    }

    #[inline]
    pub(crate) fn check_coverage(&self, _coverage: Option<u16>) -> Result<(), DropReason> {
        Ok(())
    }
}
