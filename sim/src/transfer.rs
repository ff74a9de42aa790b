//! One transfer: a client that sends as much as it can, a server that takes whatever comes.

use goldcrest::iface::{Budget, Config, Interface, SocketHandle, SocketSet};
use goldcrest::phy::{Device, Medium, SimConfig, SimLink, SimPort};
use goldcrest::rand::Keys;
use goldcrest::socket::tcp::{CongestionControl, HalfOpen, Listener, Socket};
use goldcrest::storage::SocketBuffer;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{IpAddress, IpCidr, IpEndpoint};

use crate::cell::Cell;
use crate::watch::{Seen, Sent, Watched};

/// How long a transfer goes on, in virtual time, from the SYN on.
pub const SPAN: Duration = Duration::from_secs(10);
const PORT: u16 = 80;
/// How often in a row a stack may want to be polled at the same instant.
const MOST_SPINS: u32 = 10_000;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Octets that the server's application took.
    pub taken: u64,
    /// What the client had on the wire.
    pub seen: Seen,
}

/// One stack on its end of the link.
struct Host {
    device: Watched,
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
    connection: Option<SocketHandle>,
    /// When the stack wants to be polled.
    poll_at: Option<Instant>,
}

impl Host {
    fn new(number: u8, port: SimPort) -> Host {
        let mut device = Watched::new(port);
        let config = Config::new(device.hardware_address());
        let mut iface = Interface::new(config, &mut device, Instant::ZERO);
        iface.add_address(IpCidr::new(address(number), 24)).expect("room for an address");
        let sockets = SocketSet::with_capacity(4, Keys::new([number; 32]));
        Host { device, iface, sockets, connection: None, poll_at: Some(Instant::ZERO) }
    }

    /// Polls if there is a reason, and says whether it did.
    fn step(&mut self, now: Instant) -> bool {
        let device_at = self.device.poll_at(now);
        if ![device_at, self.poll_at].into_iter().flatten().any(|at| at <= now) {
            return false;
        }
        self.device.begin_poll();
        let budget = Budget::default();
        let progress = self.iface.poll_budget(now, &mut self.device, &mut self.sockets, budget);
        self.poll_at = if progress.more { Some(now) } else { None };
        true
    }

    /// To be called when the application has done what it has to do.
    fn settle(&mut self, now: Instant) {
        let poll_at = self.iface.poll_at(now, &mut self.sockets);
        self.poll_at = [self.poll_at, poll_at].into_iter().flatten().min();
    }

    fn next_at(&mut self, now: Instant) -> Option<Instant> {
        [self.poll_at, self.device.poll_at(now)].into_iter().flatten().min()
    }
}

const fn address(number: u8) -> IpAddress {
    IpAddress::v4(10, 0, 0, number)
}

fn buffer(cell: &Cell) -> SocketBuffer<'static> {
    SocketBuffer::new(vec![0; cell.buffer_len()])
}

/// Who looks on: at the sender's socket, and what it has sent since the last look, after each of its polls.
pub trait Observer {
    /// The sender was polled at `now`.
    fn polled(&mut self, now: Instant, sender: &Socket<'_>, sent: &[Sent]);
}

/// Runs a transfer of [`SPAN`] over a path.
pub fn run(cell: &Cell, seed: u64, control: CongestionControl) -> Run {
    transfer(cell, seed, SPAN, control, None)
}

/// Runs a transfer of `span` over a path, and shows it to `observer`.
pub fn observe(
    cell: &Cell,
    seed: u64,
    span: Duration,
    control: CongestionControl,
    observer: &mut dyn Observer,
) -> Run {
    transfer(cell, seed, span, control, Some(observer))
}

fn transfer(
    cell: &Cell,
    seed: u64,
    span: Duration,
    control: CongestionControl,
    mut observer: Option<&mut dyn Observer>,
) -> Run {
    // Bare IP, so that no loss meets ARP.
    let (a, b) = SimLink::pair(SimConfig::symmetric(Medium::Ip, cell.path()), seed);
    let (mut client, mut server) = (Host::new(1, a), Host::new(2, b));
    let mut listener = Listener::new(vec![HalfOpen::EMPTY; 1]);
    listener.set_buffers(cell.buffer_len(), 4_096, 1);
    let listener = server.sockets.add(listener);
    server.sockets.listen(listener, PORT).expect("nobody else listens");
    let small = SocketBuffer::new(vec![0; 4_096]);
    let mut socket = Socket::new(small, buffer(cell));
    socket.set_congestion_control(control);
    let handle = client.sockets.add(socket);
    let (sockets, remote) = (&mut client.sockets, IpEndpoint::new(address(2), PORT));
    client.iface.connect(Instant::ZERO, sockets, handle, remote, 0).expect("there is a route");
    client.connection = Some(handle);

    if observer.is_some() {
        client.device.begin_log();
    }
    let (mut now, mut taken, mut spins) = (Instant::ZERO, 0, 0);
    while now <= Instant::ZERO + span {
        if client.step(now) {
            if let Some(observer) = &mut observer {
                let sent = client.device.take_log();
                observer.polled(now, client.sockets.get::<Socket<'_>>(handle), &sent);
            }
            offer(&mut client);
            client.settle(now);
        }
        if server.step(now) {
            let listening = &mut server.sockets;
            server.connection = server.connection.or_else(|| listening.accept(listener));
            taken += take(&mut server);
            server.settle(now);
        }
        let next = [client.next_at(now), server.next_at(now)].into_iter().flatten().min();
        let next = next.expect("a transfer that goes on has something to do");
        spins = if next > now { 0 } else { spins + 1 };
        assert!(spins < MOST_SPINS, "{cell}: polled {MOST_SPINS} times at {now}");
        now = now.max(next);
    }
    Run { taken, seen: client.device.seen() }
}

/// Fills the client's buffer: what stands in it already is as good as anything.
fn offer(client: &mut Host) {
    let Some(handle) = client.connection else { return };
    let socket = client.sockets.get::<Socket<'_>>(handle);
    if !socket.can_send() {
        return;
    }
    let socket = client.sockets.get_mut::<Socket<'_>>(handle);
    while socket.can_send() && socket.send(|room| (room.len(), room.len())).is_ok_and(|len| len > 0) {}
}

/// Takes all that has come in order.
fn take(server: &mut Host) -> u64 {
    let Some(handle) = server.connection else { return 0 };
    if !server.sockets.get::<Socket<'_>>(handle).can_recv() {
        return 0;
    }
    let socket = server.sockets.get_mut::<Socket<'_>>(handle);
    let mut taken = 0;
    while let Ok(len @ 1..) = socket.recv(|data| (data.len(), data.len())) {
        taken += len as u64;
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUBIC: CongestionControl = CongestionControl::Cubic;

    #[test]
    fn a_run_is_the_same_each_time_and_another_with_another_seed() {
        let cell: Cell = "10M-20ms-loss3".parse().unwrap();
        assert_eq!(run(&cell, 1, CUBIC), run(&cell, 1, CUBIC));
        assert_ne!(run(&cell, 1, CUBIC), run(&cell, 2, CUBIC));
    }

    #[test]
    fn a_good_path_is_filled_and_nothing_is_sent_twice() {
        let Run { taken, seen } = run(&"10M-20ms-none".parse().unwrap(), 1, CUBIC);
        let most = 10_000_000 / 8 * 10;
        assert!(taken > most * 9 / 10 && taken < most, "{taken}");
        assert_eq!((seen.again, seen.timeouts), (0, 0));
    }

    #[test]
    fn what_a_bad_path_loses_is_sent_again() {
        let Run { taken, seen } = run(&"10M-1ms-loss3".parse().unwrap(), 1, CUBIC);
        assert!(seen.again > seen.sent / 50 && seen.again < seen.sent / 10, "{seen:?}");
        assert!(taken <= seen.sent - seen.again, "{taken}");
    }

    /// Where CUBIC gets a fiftieth of the rate.
    #[test]
    fn a_model_of_the_path_is_not_held_back_by_losses() {
        for heeds_loss in [true, false] {
            let control = CongestionControl::Bbr { heeds_loss };
            let Run { taken, seen } = run(&"100M-20ms-loss1".parse().unwrap(), 1, control);
            assert!(taken > 60_000_000, "{taken}");
            assert!(seen.again < seen.sent / 40, "{seen:?}");
            let Run { taken, seen } = run(&"10M-20ms-none".parse().unwrap(), 1, control);
            assert!(taken > 11_000_000 && seen.again == 0, "{taken} {seen:?}");
        }
    }
}
