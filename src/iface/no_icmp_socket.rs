//! Without `socket-icmp` nobody wants to see ICMP messages.

use super::icmp_error::Quote;
use super::ingress::{Ingress, Received, Taken};
use crate::stats::DropReason;

impl Ingress<'_, '_, '_, '_, '_> {
    pub(crate) fn echo_reply(&mut self, _received: &Received<'_>, _ident: u16) -> Taken {
        Err(DropReason::NoSocket)
    }

    pub(crate) fn quoted(&mut self, _received: &Received<'_>, _quote: &Quote<'_>) -> Taken {
        Err(DropReason::NoSocket)
    }
}
