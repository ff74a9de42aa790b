//! No socket hears of ICMP errors: they are counted, no more.

use super::icmp::Message;
use super::ingress::{Ingress, Received, Taken};

#[inline]
pub(crate) fn process(
    _ingress: &mut Ingress<'_, '_, '_, '_, '_>,
    _received: &Received<'_>,
    _message: &Message,
    _data: &[u8],
) -> Taken {
    Ok(())
}
