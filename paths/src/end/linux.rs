//! An end in the kernel.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use socket2::{Domain, SockRef, Socket, Type};

use super::{Arguments, PORT, Pattern, Taken, tell_ready};

/// How soon a receiver sees that its time is over.
const LOOK: Duration = Duration::from_millis(20);

/// A socket with the algorithm that was asked for. Its buffers are the kernel's to tune.
fn socket(arguments: &Arguments) -> Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let name = &arguments.congestion;
    socket.set_tcp_congestion(name.as_bytes()).with_context(|| format!("this kernel has no {name}"))?;
    Ok(socket)
}

pub(super) fn send(arguments: &Arguments) -> Result<()> {
    let socket = socket(arguments)?;
    socket.connect(&SocketAddr::from((arguments.peer, PORT)).into())?;
    let (mut stream, pattern, mut sent) = (TcpStream::from(socket), Pattern::new(), 0);
    while arguments.octets.is_none_or(|octets| sent < octets) {
        let rest = arguments.octets.map_or(u64::MAX, |octets| octets - sent);
        match stream.write(pattern.piece(sent, rest.min(1 << 16) as usize)) {
            Ok(len) => sent += len as u64,
            // The receiver's time is over.
            Err(_) if arguments.octets.is_none() => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    stream.shutdown(Shutdown::Write)?;
    // The other end closes when it has all.
    stream.read_exact(&mut [0]).err();
    Ok(())
}

pub(super) fn receive(arguments: &Arguments) -> Result<Taken> {
    let socket = socket(arguments)?;
    socket.bind(&SocketAddr::from((arguments.address, PORT)).into())?;
    socket.listen(1)?;
    let listener = TcpListener::from(socket);
    tell_ready()?;
    let (mut stream, _) = listener.accept()?;
    SockRef::from(&stream).set_read_timeout(Some(LOOK))?;
    let (mut taken, mut octets) = (Taken::new(), vec![0; 1 << 18]);
    while !taken.rest(arguments).is_zero() {
        match stream.read(&mut octets) {
            Ok(0) => {
                taken.is_whole = true;
                break;
            }
            Ok(len) => taken.take(&octets[..len])?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(taken)
}
