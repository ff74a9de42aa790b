//! Echo (RFC 862), discard (RFC 863) and chargen (RFC 864) over UDP.
//!
//! Two such services could be made to answer each other for ever, and RFC 864's answer is longer than
//! what asks for it. So ports of services get no answer here, and chargen's is as long as what came.

use goldcrest::iface::{SocketHandle, SocketSet};
use goldcrest::socket::udp::{PacketBuffer, PacketMetadata, Socket};

use crate::common::{Result, Stack};
use crate::streams::character;

/// The first port that is no service's.
const FIRST_CLIENT: u16 = 1_024;
/// Datagrams, and octets of them, that wait for us or for the device.
const DATAGRAMS: usize = 64;
const QUEUE_LEN: usize = 64 << 10;

/// The sockets of the three services.
pub(crate) struct Datagrams {
    echo: SocketHandle,
    discard: SocketHandle,
    chargen: SocketHandle,
}

impl Datagrams {
    pub(crate) fn open(stack: &mut Stack) -> Result<Datagrams> {
        let mut open = |port: u16| -> Result<SocketHandle> {
            let queue = || PacketBuffer::new(vec![PacketMetadata::EMPTY; DATAGRAMS], vec![0; QUEUE_LEN]);
            let mut socket = Socket::new(queue(), queue());
            socket.bind(port)?;
            Ok(stack.sockets.add(socket))
        };
        Ok(Datagrams { echo: open(7)?, discard: open(9)?, chargen: open(19)? })
    }

    /// Says whether the event was for one of these.
    pub(crate) fn on_ready(&self, sockets: &mut SocketSet<'_>, handle: SocketHandle) -> bool {
        if ![self.echo, self.discard, self.chargen].contains(&handle) {
            return false;
        }
        let socket = sockets.get_mut::<Socket>(handle);
        let mut octets = [0; QUEUE_LEN];
        while socket.can_send() {
            let Ok((len, meta)) = socket.recv_slice(&mut octets) else { break };
            if handle == self.discard || meta.endpoint.port < FIRST_CLIENT {
                continue;
            }
            if handle == self.chargen {
                octets.iter_mut().enumerate().for_each(|(at, octet)| *octet = character(at));
            }
            if let Err(error) = socket.send_slice(&octets[..len], meta) {
                log::debug!("no answer to {}: {error}", meta.endpoint);
            }
        }
        true
    }
}
