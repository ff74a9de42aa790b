//! Our stack, with the features that are its defaults.

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration as StdDuration;

use anyhow::Result;
use goldcrest::iface::{Config, Interface, SocketHandle, SocketSet};
use goldcrest::phy::{Device, Medium, TunTapInterface, TunTapOptions, wait};
use goldcrest::rand::Keys;
use goldcrest::socket::Events;
use goldcrest::socket::tcp::{HalfOpen, Listener, Socket};
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::IpCidr;

use super::{LONGEST, TAP};
use crate::case::{Setting, Work};
use crate::client::{PORT, STACK, Stream, answer};
use crate::exchange::{self, answer_to};

/// Runs the stack until all is over.
pub(super) fn drive(
    setting: &Setting,
    span: StdDuration,
    is_over: &AtomicBool,
    ready: &Sender<()>,
) -> Result<()> {
    let options = if setting.offloads { TunTapOptions::default() } else { TunTapOptions::plain() };
    let mut tap = TunTapInterface::with_options(TAP, Medium::Ethernet, options)?;
    super::configure(tap.kernel())?;
    let mut iface = Interface::new(Config::new(tap.hardware_address()), &mut tap, Instant::now());
    iface.add_address(IpCidr::new(STACK.into(), 24))?;
    let count = setting.work.socket_count();
    let mut sockets = SocketSet::with_capacity(1 + count, Keys::new([7; 32]));
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; count]);
    listener.set_buffers(setting.buffer, setting.buffer, count);
    let listener = sockets.add(listener);
    sockets.listen(listener, PORT)?;
    let _ = ready.send(());

    let mut transfer = Transfer::default();
    while !is_over.load(Ordering::Relaxed) {
        let now = Instant::now();
        iface.poll(now, &mut tap, &mut sockets);
        match setting.work {
            Work::Answer { .. } => serve(&mut sockets, listener)?,
            work => transfer.go_on(work, now, span, &mut sockets, listener),
        }
        let longest = micros(LONGEST);
        let at = iface.poll_at(now, &mut sockets);
        let delay = at.map_or(longest, |at| at.saturating_duration_since(now).min(longest));
        if !setting.busy && delay > Duration::ZERO {
            wait(tap.as_raw_fd(), Some(delay))?;
        }
    }
    Ok(())
}

fn micros(span: StdDuration) -> Duration {
    Duration::from_micros(span.as_micros() as u64)
}

/// The one connection of a stream.
#[derive(Default)]
struct Transfer {
    connection: Option<(SocketHandle, Instant)>,
    stream: Stream,
}

impl Transfer {
    fn go_on(
        &mut self,
        work: Work,
        now: Instant,
        span: StdDuration,
        sockets: &mut SocketSet<'_>,
        listener: SocketHandle,
    ) {
        while sockets.next_ready().is_some() {}
        if self.connection.is_none() {
            self.connection = sockets.accept(listener).map(|handle| (handle, now + micros(span)));
        }
        let Some((handle, end)) = self.connection else { return };
        let socket = sockets.get_mut::<Socket>(handle);
        if work == Work::Send {
            send(socket, &mut self.stream, now < end);
        } else {
            receive(socket, &mut self.stream);
        }
    }
}

/// Answers what has been asked, and lets go of connections that the client has closed.
fn serve(sockets: &mut SocketSet<'_>, listener: SocketHandle) -> Result<()> {
    while sockets.accept(listener).is_some() {}
    while let Some((handle, events)) = sockets.next_ready() {
        if handle == listener {
            continue;
        }
        let socket = sockets.get_mut::<Socket>(handle);
        let mut request = [0; exchange::LEN];
        if socket.recv_queue() >= request.len() {
            socket.recv_slice(&mut request)?;
            socket.send_slice(&answer_to(&request))?;
        }
        if events.intersects(Events::PEER_CLOSED | Events::CLOSED) {
            sockets.release(handle)?;
        }
    }
    Ok(())
}

/// Fills the send buffer as long as it is time for that.
fn send(socket: &mut Socket<'_>, stream: &mut Stream, goes_on: bool) {
    if !goes_on {
        return socket.close();
    }
    while socket.can_send() {
        let sent = socket.send(|room| {
            let len = stream.fill(room);
            (len, len)
        });
        if sent.is_err() {
            return;
        }
    }
}

/// Takes what has come, and answers when all has.
fn receive(socket: &mut Socket<'_>, stream: &mut Stream) {
    while socket.can_recv() {
        let taken = socket.recv(|data| {
            stream.take(data);
            (data.len(), ())
        });
        if taken.is_err() {
            return;
        }
    }
    if !socket.may_recv() && socket.may_send() {
        let _ = socket.send_slice(&answer(stream));
        socket.close();
    }
}
