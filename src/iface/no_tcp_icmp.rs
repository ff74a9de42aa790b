//! Without `tcp-icmp` no connection hears of ICMP errors.

use super::icmp_error::Quote;
use super::ingress::{Ingress, Taken};
use crate::socket::icmp_error::Unreachable;

impl Ingress<'_, '_, '_, '_, '_> {
    #[inline]
    pub(crate) fn tcp_error(&mut self, _quote: &Quote<'_>, _reason: Unreachable) -> Taken {
        Ok(())
    }
}
