//! smoltcp, at its best: no congestion control, no delayed ACK, no Nagle.

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration as StdDuration;

use anyhow::{Result, anyhow};
use goldcrest::phy::KernelInterface;
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{Device, Medium, TunTapInterface, wait};
use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr};

use super::smoltcp_tap::Tap;
use super::{LONGEST, TAP};
use crate::case::{Direction, Setting};
use crate::client::{PORT, STACK, Stream, answer};

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
    let buffer = || SocketBuffer::new(vec![0; setting.buffer]);
    let handle = sockets.add(Socket::new(buffer(), buffer()));
    let socket = sockets.get_mut::<Socket<'_>>(handle);
    socket.set_nagle_enabled(false);
    socket.set_ack_delay(None);
    socket.listen(PORT).map_err(|error| anyhow!("{error}"))?;
    let _ = ready.send(());

    let fd = tap.as_raw_fd();
    let (mut end, mut stream) = (None, Stream::default());
    while !is_over.load(Ordering::Relaxed) {
        let now = Instant::now();
        iface.poll(now, &mut tap, &mut sockets);
        let socket = sockets.get_mut::<Socket<'_>>(handle);
        match setting.direction {
            Direction::Send if socket.may_send() => {
                let end = *end.get_or_insert(now + Duration::from(span));
                send(socket, &mut stream, now < end);
            }
            Direction::Receive => receive(socket, &mut stream),
            Direction::Send => {}
        }
        let longest = Duration::from(LONGEST);
        let delay = iface.poll_delay(now, &sockets).map_or(longest, |delay| delay.min(longest));
        if !setting.busy && delay > Duration::ZERO {
            wait(fd, Some(delay))?;
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
