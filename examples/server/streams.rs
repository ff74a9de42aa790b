//! Echo (RFC 862), discard (RFC 863) and chargen (RFC 864) over TCP.

use std::collections::HashMap;

use goldcrest::iface::{SocketHandle, SocketSet};
use goldcrest::socket::Events;
use goldcrest::socket::tcp::Socket;

use crate::common::{Result, Stack};
use crate::listen;

/// What a connection is for.
#[derive(Debug, Clone, Copy)]
enum Service {
    Echo,
    Discard,
    /// The octet of the pattern that comes next.
    Chargen(usize),
}

/// All connections of the three services.
pub(crate) struct Streams {
    listeners: [(SocketHandle, Service); 3],
    connections: HashMap<SocketHandle, Service>,
}

impl Streams {
    pub(crate) fn open(stack: &mut Stack, connections: u32) -> Result<Streams> {
        let listeners = [
            (listen(stack, 7, connections)?, Service::Echo),
            (listen(stack, 9, connections)?, Service::Discard),
            (listen(stack, 19, connections)?, Service::Chargen(0)),
        ];
        Ok(Streams { listeners, connections: HashMap::new() })
    }

    /// Says whether the event was for one of these.
    pub(crate) fn on_ready(
        &mut self,
        sockets: &mut SocketSet<'_>,
        handle: SocketHandle,
        events: Events,
    ) -> bool {
        if let Some(&(listener, service)) = self.listeners.iter().find(|(listener, _)| *listener == handle) {
            while let Some(connection) = sockets.accept(listener) {
                self.connections.insert(connection, service);
                self.go_on(sockets, connection, Events::empty());
            }
            return true;
        }
        self.go_on(sockets, handle, events)
    }

    fn go_on(&mut self, sockets: &mut SocketSet<'_>, handle: SocketHandle, events: Events) -> bool {
        let Some(service) = self.connections.get_mut(&handle) else { return false };
        let socket = sockets.get_mut::<Socket>(handle);
        let is_open = match service {
            Service::Echo => echo(socket),
            Service::Discard => discard(socket),
            Service::Chargen(at) => discard(socket) && chargen(socket, at),
        };
        if !is_open || events.contains(Events::CLOSED) {
            self.connections.remove(&handle);
            // The stack sends what is queued, and brings the connection to its end by itself.
            let _ = sockets.release(handle); // it is there
        }
        true
    }
}

/// Each of these goes on as far as it can, and says whether there may be more.
fn echo(socket: &mut Socket) -> bool {
    let mut octets = [0; 16 << 10];
    loop {
        let room = socket.send_capacity() - socket.send_queue();
        let most = room.min(octets.len());
        match socket.recv_slice(&mut octets[..most]) {
            Ok(0) => return true,
            // All of it fits.
            Ok(len) if socket.send_slice(&octets[..len]).is_ok() => {}
            _ => return false,
        }
    }
}

fn discard(socket: &mut Socket) -> bool {
    loop {
        match socket.recv(|octets| (octets.len(), octets.len())) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

fn chargen(socket: &mut Socket, at: &mut usize) -> bool {
    while socket.can_send() {
        let sent = socket.send(|room| {
            room.iter_mut().zip(*at..).for_each(|(octet, at)| *octet = character(at));
            (room.len(), room.len())
        });
        match sent {
            Ok(len) => *at += len,
            Err(_) => return false,
        }
    }
    socket.may_send()
}

/// The pattern of RFC 864: lines of 72 of the 95 printable characters, each beginning one later.
pub(crate) fn character(at: usize) -> u8 {
    match (at / 74, at % 74) {
        (_, 72) => b'\r',
        (_, 73) => b'\n',
        (line, column) => b' ' + ((line + column) % 95) as u8,
    }
}
