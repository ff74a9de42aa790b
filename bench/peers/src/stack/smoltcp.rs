//! smoltcp, at its best: no congestion control, no delayed ACK, no Nagle.

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration as StdDuration;

use anyhow::Result;
use goldcrest::phy::KernelInterface;
use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::phy::{Device, Medium, TunTapInterface, wait};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr};

use super::smoltcp_tap::Tap;
use super::{LONGEST, TAP};
use crate::case::{Setting, Work};
use crate::client::{PORT, STACK, Stream, answer};
use crate::exchange::{self, answer_to};

/// Runs the stack until all is over: on its own device, or, with offloads, on one that leaves segments together.
pub(super) fn drive(
    setting: &Setting,
    span: StdDuration,
    is_over: &AtomicBool,
    ready: &Sender<()>,
) -> Result<()> {
    if setting.offloads {
        return drive_on(Tap::new(TAP)?, setting, span, is_over, ready);
    }
    drive_on(TunTapInterface::new(TAP, Medium::Ethernet)?, setting, span, is_over, ready)
}

fn drive_on<D: Device + AsRawFd>(
    mut tap: D,
    setting: &Setting,
    span: StdDuration,
    is_over: &AtomicBool,
    ready: &Sender<()>,
) -> Result<()> {
    super::configure(&KernelInterface::by_name(TAP)?)?;
    let mut config = Config::new(EthernetAddress([2, 0, 0, 0, 0, 2]).into());
    config.random_seed = 7;
    let mut iface = Interface::new(config, &mut tap, Instant::now());
    let address = IpCidr::new(IpAddress::from(STACK), 24);
    let mut has_room = true;
    iface.update_ip_addrs(|addresses| has_room = addresses.push(address).is_ok());
    anyhow::ensure!(has_room, "no room for an address");
    let mut sockets = SocketSet::new(Vec::new());
    // As few as can be: with each frame it looks at all of them.
    let handles = (0..setting.work.socket_count()).map(|_| listen(&mut sockets, setting.buffer));
    let handles = handles.collect::<Result<Vec<SocketHandle>>>()?;
    let _ = ready.send(());

    let fd = tap.as_raw_fd();
    let mut transfer = Transfer::default();
    while !is_over.load(Ordering::Relaxed) {
        let now = Instant::now();
        let result = iface.poll(now, &mut tap, &mut sockets);
        match setting.work {
            Work::Answer { .. } if result == PollResult::None => {}
            Work::Answer { .. } => serve(&mut sockets, &handles)?,
            work => transfer.go_on(work, now, span, sockets.get_mut(handles[0])),
        }
        let longest = Duration::from(LONGEST);
        let delay = iface.poll_delay(now, &sockets).map_or(longest, |delay| delay.min(longest));
        if !setting.busy && delay > Duration::ZERO {
            wait(fd, Some(delay))?;
        }
    }
    Ok(())
}

fn listen(sockets: &mut SocketSet<'_>, buffer: usize) -> Result<SocketHandle> {
    let buffer = || SocketBuffer::new(vec![0; buffer]);
    let mut socket = Socket::new(buffer(), buffer());
    socket.set_nagle_enabled(false);
    socket.set_ack_delay(None);
    socket.listen(PORT)?;
    Ok(sockets.add(socket))
}

/// The one connection of a stream.
#[derive(Default)]
struct Transfer {
    end: Option<Instant>,
    stream: Stream,
}

impl Transfer {
    fn go_on(&mut self, work: Work, now: Instant, span: StdDuration, socket: &mut Socket<'_>) {
        if work == Work::Receive {
            receive(socket, &mut self.stream);
        } else if socket.may_send() {
            let end = *self.end.get_or_insert(now + Duration::from(span));
            send(socket, &mut self.stream, now < end);
        }
    }
}

/// Answers what has been asked, closes after the client, and listens anew.
fn serve(sockets: &mut SocketSet<'_>, handles: &[SocketHandle]) -> Result<()> {
    for &handle in handles {
        let socket = sockets.get_mut::<Socket<'_>>(handle);
        let mut request = [0; exchange::LEN];
        if socket.recv_queue() >= request.len() {
            socket.recv_slice(&mut request)?;
            socket.send_slice(&answer_to(&request))?;
        }
        match socket.state() {
            State::CloseWait => socket.close(),
            State::Closed => socket.listen(PORT)?,
            _ => {}
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
    if stream.count > 0 && !socket.may_recv() && socket.may_send() {
        let _ = socket.send_slice(&answer(stream));
        socket.close();
    }
}
