//! An end in a stack of ours, on a TAP.

use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use anyhow::{Result, bail};
use goldcrest::iface::{Config, Interface, SocketHandle, SocketSet};
use goldcrest::phy::{Device, HardwareAddress, Medium, TunTapInterface, TunTapOptions, wait};
use goldcrest::rand::Keys;
use goldcrest::socket::tcp::{CongestionControl, HalfOpen, Listener, Socket};
use goldcrest::storage::SocketBuffer;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::IpCidr;

use super::{Arguments, PORT, Pattern, Taken, tell_ready};

/// How soon a receiver sees that its time is over.
const LOOK: Duration = Duration::from_millis(20);

/// By the names that Linux has for its own; its BBR takes no notice of losses.
fn congestion_control(name: &str) -> Result<CongestionControl> {
    Ok(match name {
        "cubic" => CongestionControl::Cubic,
        "reno" => CongestionControl::Reno,
        "bbr" => CongestionControl::Bbr { heeds_loss: false },
        "bbr-heeding" => CongestionControl::Bbr { heeds_loss: true },
        "none" => CongestionControl::None,
        _ => bail!("the stack has no {name}, but cubic, reno, bbr, bbr-heeding and none"),
    })
}

struct Stack {
    tap: TunTapInterface,
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
}

impl Stack {
    fn new(arguments: &Arguments) -> Result<Stack> {
        congestion_control(&arguments.congestion)?;
        let mut tap =
            TunTapInterface::with_options(&arguments.tap, Medium::Ethernet, TunTapOptions::plain())?;
        // Both ends may be ours.
        let hardware = HardwareAddress::Ethernet([2, 0, 0, 0, 69, last_octet(arguments.address)]);
        let mut iface = Interface::new(Config::new(hardware), &mut tap, Instant::now());
        iface.add_address(IpCidr::new(arguments.address.into(), 24))?;
        // Numbers that nobody guesses are of no use among the two of us.
        let sockets = SocketSet::with_capacity(4, Keys::new([last_octet(arguments.address); 32]));
        Ok(Stack { tap, iface, sockets })
    }

    /// Receives what has come and sends what is due.
    fn step(&mut self) -> Result<()> {
        let now = Instant::now();
        self.iface.poll(now, &mut self.tap, &mut self.sockets);
        while self.sockets.next_ready().is_some() {}
        Ok(())
    }

    /// Waits for a frame or the next deadline, for `LOOK` at most.
    fn wait(&mut self) -> Result<()> {
        let now = Instant::now();
        let at =
            [self.iface.poll_at(now, &mut self.sockets), self.tap.poll_at(now)].into_iter().flatten().min();
        let delay = at.map_or(LOOK, |at| at.saturating_duration_since(now).min(LOOK));
        if delay > Duration::ZERO {
            wait(self.tap.as_raw_fd(), Some(delay))?;
        }
        Ok(())
    }

    fn socket(&mut self, handle: SocketHandle) -> &mut Socket<'static> {
        self.sockets.get_mut(handle)
    }
}

fn last_octet(address: Ipv4Addr) -> u8 {
    address.octets()[3]
}

pub(super) fn send(arguments: &Arguments) -> Result<()> {
    let mut stack = Stack::new(arguments)?;
    let buffer = |len| SocketBuffer::new(vec![0; len]);
    let mut socket = Socket::new(buffer(4_096), buffer(arguments.tx_buffer));
    socket.set_congestion_control(congestion_control(&arguments.congestion)?);
    let handle = stack.sockets.add(socket);
    stack.iface.connect(Instant::now(), &mut stack.sockets, handle, (arguments.peer, PORT), 0)?;
    let (pattern, mut sent, end) = (Pattern::new(), 0, arguments.octets.unwrap_or(u64::MAX));
    loop {
        stack.step()?;
        match stack.sockets.get::<Socket<'_>>(handle).error() {
            None => {}
            // The receiver's time is over.
            Some(_) if arguments.octets.is_none() => return Ok(()),
            Some(error) => return Err(error.into()),
        }
        while sent < end && stack.sockets.get::<Socket<'_>>(handle).can_send() {
            let rest = (end - sent).min(1 << 16) as usize;
            sent += stack.socket(handle).send(|room| {
                let piece = pattern.piece(sent, rest.min(room.len()));
                room[..piece.len()].copy_from_slice(piece);
                (piece.len(), piece.len() as u64)
            })?;
        }
        if sent == end && stack.sockets.get::<Socket<'_>>(handle).may_send() {
            stack.socket(handle).close();
        }
        if sent == end && !stack.sockets.get::<Socket<'_>>(handle).is_active() {
            return Ok(());
        }
        stack.wait()?;
    }
}

pub(super) fn receive(arguments: &Arguments) -> Result<Taken> {
    let mut stack = Stack::new(arguments)?;
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 4]);
    listener.set_buffers(arguments.rx_buffer, 4_096, 1);
    let listener = stack.sockets.add(listener);
    stack.sockets.listen(listener, PORT)?;
    tell_ready()?;
    let handle = loop {
        stack.step()?;
        match stack.sockets.accept(listener) {
            Some(handle) => break handle,
            None => stack.wait()?,
        }
    };
    let mut taken = Taken::new();
    while !taken.rest(arguments).is_zero() && !taken.is_whole {
        while stack.sockets.get::<Socket<'_>>(handle).can_recv() {
            stack.socket(handle).recv(|data| (data.len(), taken.take(data)))??;
        }
        taken.is_whole = !stack.sockets.get::<Socket<'_>>(handle).may_recv();
        stack.wait()?;
        stack.step()?;
    }
    if taken.is_whole {
        finish(&mut stack, handle)?;
    }
    Ok(taken)
}

/// Closes, and stays for as long as the other end may need to hear of it.
fn finish(stack: &mut Stack, handle: SocketHandle) -> Result<()> {
    stack.socket(handle).close();
    let end_at = Instant::now() + Duration::from_secs(1);
    while Instant::now() < end_at && stack.sockets.get::<Socket<'_>>(handle).is_active() {
        stack.step()?;
        stack.wait()?;
    }
    Ok(())
}
