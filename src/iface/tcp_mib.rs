//! What SNMP reads of the connections of a set (RFC 4022; feature `stats-mib`).

use super::socket_set::SocketSet;
use crate::socket::Socket;
use crate::socket::tcp::Tally;
use crate::stats::TcpConnectionsMib;

/// The counts of sockets that have left the set.
pub(crate) type Gone = Tally;

impl SocketSet<'_> {
    /// A socket is about to be removed.
    pub(super) fn keep_tally(&mut self, ix: u32) {
        let tally = match self.entry_mut(ix).map(|entry| &mut entry.socket) {
            Some(Socket::Tcp(socket)) => socket.take_tally(),
            Some(Socket::TcpListener(listener)) => listener.take_tally(),
            _ => return,
        };
        self.gone += tally;
    }

    /// What SNMP reads of TCP's connections; of its segments it is in [`Interface::mib`](super::Interface::mib).
    ///
    /// Connections that were released count until they have ended, those in TIME-WAIT no longer. It looks at
    /// every socket.
    pub fn tcp_mib(&self) -> TcpConnectionsMib {
        let mut sum = self.gone;
        let mut curr_estab = 0;
        for (_, entry) in self.slots.iter() {
            match &entry.0.socket {
                Socket::Tcp(socket) => {
                    sum += socket.tally();
                    curr_estab += u32::from(socket.is_established());
                }
                Socket::TcpListener(listener) => sum += listener.tally(),
                _ => {}
            }
        }
        TcpConnectionsMib {
            active_opens: sum.active_opens,
            passive_opens: sum.passive_opens,
            attempt_fails: sum.attempt_fails,
            estab_resets: sum.estab_resets,
            curr_estab,
        }
    }
}
