//! ICMP errors about TCP segments (RFC 9293 §3.9.2.2, RFC 5461), believed only if they quote what is in
//! flight (RFC 5927 §4.1).

#[cfg(feature = "tcp-pmtu")]
use super::engine::context;
use super::icmp_error::Quote;
use super::ingress::{Ingress, Taken};
#[cfg(feature = "tcp-pmtu")]
use super::socket_set::SocketSet;
use super::tcp_set::tcp_in;
use crate::socket::Tuple;
use crate::socket::icmp_error::Unreachable;
use crate::stats::DropReason;
use crate::wire::tcp::SeqNum;

impl Ingress<'_, '_, '_, '_, '_> {
    /// RFC 9293 §3.9.2.2 (MUST-54): tells the connection that the error is about.
    #[inline(never)]
    pub(crate) fn tcp_error(&mut self, quote: &Quote<'_>, reason: Unreachable) -> Taken {
        let (local_port, remote_port) = quote.ports().ok_or(DropReason::IcmpMismatch)?;
        let &[_, _, _, _, a, b, c, d] = quote.payload.first_chunk().ok_or(DropReason::IcmpMismatch)?;
        let seq = SeqNum(u32::from_be_bytes([a, b, c, d]));
        let zone = super::icmp::zone_of(self, &quote.dst);
        let tuple = Tuple { local: quote.src, remote: quote.dst, local_port, remote_port, zone };
        let hash = self.sockets.hash_of(&tuple);
        let tuple = self.sockets.tied(hash, &tuple, self.links.port()).unwrap_or(tuple);
        let ix = self.sockets.find_connection(hash, &tuple).ok_or(DropReason::IcmpMismatch)?;
        #[cfg(feature = "tcp-pmtu")]
        if let Unreachable::TooBig(mtu) = reason {
            let SocketSet { slots, keys, .. } = &mut *self.sockets;
            let socket = tcp_in(slots, ix).ok_or(DropReason::IcmpMismatch)?;
            socket.on_too_big(
                &context(keys, self.links.now, self.links.iface.ip_mtu()),
                seq,
                mtu,
                quote.len,
            )?;
            self.sockets.touch(ix);
            return Ok(());
        }
        let socket = tcp_in(&mut self.sockets.slots, ix).ok_or(DropReason::IcmpMismatch)?;
        let events = socket.on_icmp_error(seq, reason).ok_or(DropReason::IcmpMismatch)?;
        self.sockets.notify(ix, events);
        self.sockets.touch(ix);
        Ok(())
    }
}
