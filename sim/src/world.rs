//! Two stacks, a link and the applications, stepped in virtual time.

use goldcrest::iface::{Handler, SocketHandle, SocketSlot};
use goldcrest::phy::{Device, SimLink};
use goldcrest::socket::Events;
use goldcrest::socket::tcp::{ConnectError, Error, Socket, State};
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::IpEndpoint;

use crate::coverage::Coverage;
use crate::end::{End, Stage, Wish};
use crate::host::{Host, PORT, address, new_socket};
use crate::memory;
use crate::plan::{ConnectionPlan, Plan, ServerKind};

/// Longer than any run that goes well.
const DEADLINE: Duration = Duration::from_secs(3_600);
/// How often in a row a stack may want to be polled at the same instant.
const MOST_SPINS: u32 = 2_000;
/// How often a client tries where a server may lack sockets.
pub(crate) const MOST_TRIES: u32 = 40;

/// Everything there is in one run.
pub(crate) struct World<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) now: Instant,
    pub(crate) hosts: [Host<'a>; 2],
    /// Two for each connection: the client's, the server's.
    pub(crate) ends: Vec<End>,
    /// What else happens, latest first.
    cable: Vec<(Instant, bool)>,
    heal_at: Option<Instant>,
    pub(crate) coverage: Coverage,
}

/// Runs one seed. `Err` says what went wrong.
pub(crate) fn run(seed: u64) -> Result<Coverage, String> {
    let plan = Plan::new(seed);
    log::debug!("{plan:#?}");
    memory::reset();
    let mut slots = [0, 1].map(|host| {
        let count = plan.hosts[host].slots.unwrap_or(0);
        (0..count).map(|_| SocketSlot::EMPTY).collect::<Vec<_>>()
    });
    let [slots_a, slots_b] = &mut slots;
    let (port_a, port_b) = SimLink::pair(plan.link.clone(), seed);
    let lend = |host: usize, slots| plan.hosts[host].slots.map(|_| slots);
    let a = Host::new(0, seed, plan.hosts[0].clone(), port_a, lend(0, &mut slots_a[..]));
    let b = Host::new(1, seed, plan.hosts[1].clone(), port_b, lend(1, &mut slots_b[..]));
    let mut ends = Vec::new();
    for (index, connection) in plan.connections.iter().enumerate() {
        for side in 0..2 {
            let host = connection.client ^ side;
            ends.push(End::new(2 * index + side, host, connection.ends[side].clone()));
        }
    }
    let mut cable = plan.cable.clone();
    cable.reverse();
    let heal_at = plan.cable.last().is_none_or(|last| last.1).then_some(plan.heal_at);
    let coverage = Coverage::default();
    let mut world = World { plan: &plan, now: Instant::ZERO, hosts: [a, b], ends, cable, heal_at, coverage };
    let result = world.run().and_then(|()| world.check_end());
    if let Err(what) = result {
        return Err(world.explain(&what));
    }
    Ok(world.finish())
}

impl World<'_> {
    fn run(&mut self) -> Result<(), String> {
        let mut spins = 0;
        loop {
            self.change_link();
            for host in 0..2 {
                self.step(host)?;
            }
            if self.is_over() {
                return Ok(());
            }
            let next = self.next_at().ok_or("nothing is due any more, but not all is over")?;
            if next > self.now {
                spins = 0;
                self.now = next;
            } else {
                spins += 1;
                if spins > MOST_SPINS {
                    return Err(format!("polled {MOST_SPINS} times at one instant"));
                }
            }
            if self.now > Instant::ZERO + DEADLINE {
                return Err("not over in time".into());
            }
        }
    }

    /// What happens to the link by itself.
    fn change_link(&mut self) {
        while let Some(&(at, is_in)) = self.cable.last()
            && at <= self.now
        {
            log::debug!("{} cable {}", self.now, if is_in { "in" } else { "out" });
            self.cable.pop();
            self.hosts[0].device.port.set_cable(self.now, is_in);
        }
        if self.heal_at.is_some_and(|at| at <= self.now) {
            log::debug!("{} the link heals", self.now);
            self.heal_at = None;
            let now = self.now;
            self.hosts[0].device.port.set_flap(now, None);
            for (host, path) in self.hosts.iter_mut().zip(self.plan.healed) {
                host.device.port.set_path(path);
            }
        }
    }

    /// Lets one host do what it has to do now.
    fn step(&mut self, host: usize) -> Result<(), String> {
        let was_called = self.applications(host)?;
        let now = self.now;
        let device_at = self.hosts[host].device.poll_at(now);
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let this = &self.hosts[host];
        let (by_stack, by_device) = (is_due(this.poll_at), is_due(device_at) || this.has_more);
        if was_called || by_stack || by_device {
            let is_alone = by_stack && !was_called && !by_device;
            self.poll(host, is_alone)?;
            self.report(host)?;
            self.applications(host)?;
            let this = &mut self.hosts[host];
            this.poll_at = memory::in_stack(|| this.iface.poll_at(now, &mut this.sockets));
        }
        Ok(())
    }

    fn poll(&mut self, host: usize, is_alone: bool) -> Result<(), String> {
        let World { hosts, ends, now, coverage, .. } = self;
        let this = &mut hosts[host];
        let before = {
            let observer = this.device.observer.borrow();
            (observer.sent, observer.received)
        };
        if let (Some((from, to)), ServerKind::Made(_)) = (this.plan.no_memory, this.plan.server.kind) {
            let is_refused = *now >= from && *now < to;
            let server = &this.plan.server;
            memory::refuse(if is_refused { [server.rx_len, server.tx_len] } else { [0; 2] });
        }
        let mut takers = Takers { host, ends, takes: before.1 };
        let budget = this.plan.budget;
        let progress = memory::in_stack(|| {
            this.iface.poll_with(*now, &mut this.device, &mut this.sockets, &mut takers, budget)
        });
        memory::refuse([0; 2]);
        this.has_more = progress.more;
        let mut observer = this.device.observer.borrow_mut();
        if let Some(complaint) = observer.complaint.take() {
            return Err(format!("host {host} {complaint}"));
        }
        let has_moved = (observer.sent, observer.received) != before;
        drop(observer);
        if is_alone {
            coverage.wakes += 1;
            if !has_moved {
                let has_room = this.device.port.transmit(*now).is_some();
                *if has_room { &mut coverage.empty_wakes } else { &mut coverage.busy_wakes } += 1;
            }
        }
        for state in this.states() {
            coverage.saw(state);
        }
        coverage.time_wait_records = coverage.time_wait_records.max(this.sockets.time_wait_count() as u64);
        if this.sockets.time_wait_count() > 0 {
            coverage.saw(State::TimeWait);
        }
        self.check_bounds(host)
    }

    /// Takes the events of a host and gives them to whom they are for.
    fn report(&mut self, host: usize) -> Result<(), String> {
        while let Some((handle, events)) = self.hosts[host].sockets.next_ready() {
            log::trace!("{} host {host} {handle:?} {events:?}", self.now);
            if events.is_empty() {
                return Err(format!("host {host}: an event of nothing"));
            }
            if self.hosts[host].listener == Some(handle) {
                if events != Events::ACCEPTABLE {
                    return Err(format!("host {host}: the listener reports {events:?}"));
                }
                let at = self.now + self.hosts[host].plan.accept_delay;
                self.hosts[host].accept_at.get_or_insert(at);
                continue;
            }
            if self.adopt(host, handle, events)? {
                continue;
            }
            if let Some(end) = self.ends.iter_mut().find(|end| end.host == host && end.handle == Some(handle))
            {
                end.report(events).map_err(|what| format!("end {}: {what}", end.number))?;
            } else if !self.hosts[host].listening.contains(&handle) {
                return Err(format!("host {host}: {events:?} for a handle that nobody has"));
            }
        }
        for end in self.ends.iter_mut().filter(|end| end.host == host && end.stage == Stage::Open) {
            let Some(handle) = end.handle else { continue };
            let socket = self.hosts[host].sockets.try_get::<Socket<'_>>(handle);
            let socket = socket.map_err(|_| format!("end {} has lost its socket", end.number))?;
            end.check_reported(socket).map_err(|what| format!("end {}: {what}", end.number))?;
            if let Some(wrong) = end.wrong.take() {
                return Err(format!("end {}, in place: {wrong}", end.number));
            }
            if end.local_port == 0
                && let Some(local) = socket.local_endpoint()
            {
                end.local_port = local.port;
            }
        }
        Ok(())
    }

    /// A socket that listened and has a connection is the server's end of it; says whether it is one.
    fn adopt(&mut self, host: usize, handle: SocketHandle, events: Events) -> Result<bool, String> {
        let Some(at) = self.hosts[host].listening.iter().position(|other| *other == handle) else {
            return Ok(false);
        };
        let socket = self.hosts[host].sockets.get::<Socket<'_>>(handle);
        if events.contains(Events::CONNECTED) {
            let remote = socket.remote_endpoint();
            self.hosts[host].listening.remove(at);
            match remote {
                Some(remote) => self.attach(host, handle, remote)?,
                None => {
                    self.coverage.ended_before_accept += 1;
                    self.hosts[host].sockets.release(handle).map_err(|_| "release: stale handle")?;
                }
            }
        }
        Ok(true)
    }

    /// Gives an established connection to its server's end.
    fn attach(&mut self, host: usize, handle: SocketHandle, remote: IpEndpoint) -> Result<(), String> {
        let now = self.now;
        let is_for = |ends: &[End], index: usize| {
            let (client, server) = (&ends[index - 1], &ends[index]);
            let is_v6 = self.plan.connections[index / 2].is_v6;
            client.local_port == remote.port
                && server.host == host
                && server.stage == Stage::Waiting
                && client.stage != Stage::Waiting
                && remote.addr == address(1 - host, is_v6)
        };
        let index = (1..self.ends.len()).step_by(2).find(|&index| is_for(&self.ends, index));
        let Some(index) = index else { return self.attach_ghost(host, handle, remote) };
        let end = &mut self.ends[index];
        log::debug!("{now} end {} is accepted", end.number);
        end.local_port = PORT;
        end.open(handle, self.hosts[host].sockets.get_mut::<Socket<'_>>(handle));
        self.act(index)
    }

    /// A late segment of a connection that was removed can be a valid cookie: nobody is there.
    fn attach_ghost(&mut self, host: usize, handle: SocketHandle, remote: IpEndpoint) -> Result<(), String> {
        let was_there = self.ends.iter().any(|end| end.host != host && end.local_port == remote.port);
        if self.plan.is_calm || !was_there {
            return Err(format!("host {host}: a connection from {remote}, where nobody is"));
        }
        self.coverage.ghosts += 1;
        let sockets = &mut self.hosts[host].sockets;
        sockets.get_mut::<Socket<'_>>(handle).abort();
        memory::in_stack(|| sockets.release(handle)).map_err(|_| "release: stale handle".into())
    }

    /// Whatever the applications of a host want to do now. Says whether one did anything.
    fn applications(&mut self, host: usize) -> Result<bool, String> {
        let now = self.now;
        let mut any = false;
        for index in 0..self.ends.len() {
            if self.ends[index].host != host {
                continue;
            }
            if self.starts_at(index).is_some_and(|at| at <= now) {
                self.start(index)?;
                any = true;
            } else if self.ends[index].stage == Stage::Open && self.ends[index].is_called(now) {
                self.act(index)?;
                any = true;
            }
        }
        if self.hosts[host].accept_at.is_some_and(|at| at <= now) {
            self.hosts[host].accept_at = None;
            self.accept(host)?;
            any = true;
        }
        let in_use = self.ends.iter().filter(|end| {
            end.host == host
                && end.number % 2 == 1
                && end.stage == Stage::Open
                && !self.connection(end.number).is_simultaneous
        });
        let in_use = in_use.count();
        self.hosts[host].keep_listening(in_use);
        Ok(any)
    }

    fn connection(&self, end: usize) -> &ConnectionPlan {
        &self.plan.connections[end / 2]
    }

    fn accept(&mut self, host: usize) -> Result<(), String> {
        let Some(listener) = self.hosts[host].listener else { return Ok(()) };
        while let Some(handle) = memory::in_stack(|| self.hosts[host].sockets.accept(listener)) {
            let socket = self.hosts[host].sockets.get::<Socket<'_>>(handle);
            match socket.remote_endpoint() {
                Some(remote) => self.attach(host, handle, remote)?,
                // It has ended before it was accepted; its peer knows how.
                None => {
                    self.coverage.ended_before_accept += 1;
                    let _ = self.hosts[host].sockets.release(handle);
                }
            }
        }
        Ok(())
    }

    /// When a client begins, if that is known.
    fn starts_at(&self, index: usize) -> Option<Instant> {
        let (end, connection) = (&self.ends[index], self.connection(index));
        let is_active = index.is_multiple_of(2) || connection.is_simultaneous;
        if !is_active || end.stage != Stage::Waiting {
            return None;
        }
        if let Some(before) = connection.after {
            let is_free = (0..2).all(|side| self.ends[2 * before + side].stage == Stage::Over);
            let is_dead = self.ends[2 * before].stage == Stage::Over
                && self.ends[2 * before + 1].stage == Stage::Waiting;
            if !is_free && !is_dead {
                return None;
            }
            // A little later, so that the clock that sequence numbers come from has moved.
            let ended_at = self.ends[2 * before].over_at.max(self.ends[2 * before + 1].over_at);
            return Some(end.wake_at.unwrap_or(ended_at + Duration::from_millis(1)));
        }
        Some(end.wake_at.unwrap_or(connection.start_at).max(connection.start_at))
    }

    /// A client connects.
    fn start(&mut self, index: usize) -> Result<(), String> {
        let now = self.now;
        let connection = self.connection(index).clone();
        let before = connection
            .after
            .map(|before| (self.ends[2 * before].local_port, self.ends[2 * before + 1].stage));
        let World { hosts, ends, coverage, .. } = self;
        let end = &mut ends[index];
        let host = &mut hosts[end.host];
        let socket = new_socket(connection.rx_len, connection.tx_len, host.memory.as_ref());
        let Ok(handle) = memory::in_stack(|| host.sockets.try_add(socket)) else {
            coverage.set_full += 1;
            end.wake_at = Some(now + Duration::from_millis(100));
            return Ok(());
        };
        let (mut local, mut remote_port) = (connection.local_port, PORT);
        if connection.is_simultaneous {
            let ports = [connection.local_port, connection.local_port + 100];
            (local, remote_port) = (ports[index % 2], ports[1 - index % 2]);
        } else if let Some((port, Stage::Over)) = before
            && port >= 40_000
            && self.plan.connections[index / 2 - 1].client == connection.client
            && self.plan.connections[index / 2 - 1].is_v6 == connection.is_v6
        {
            // From the same port again, though it may be in TIME-WAIT at the other end.
            local = port;
            coverage.ports_reused += 1;
            // Where data ran ahead of the clock of sequence numbers, TIME-WAIT refuses the new SYN, by RFC.
            end.is_whole_owed = false;
        }
        let remote = IpEndpoint::new(address(1 - end.host, connection.is_v6), remote_port);
        end.tries += 1;
        if connection.is_by_mark && before.is_none() {
            let socket = host.sockets.get_mut::<Socket<'_>>(handle);
            socket.connect(remote, local).map_err(|error| format!("end {index} can't connect: {error}"))?;
        } else {
            let connected = host.iface.connect(now, &mut host.sockets, handle, remote, local);
            if connected == Err(ConnectError::AddressInUse) && local != 0 {
                // The stack still finishes the one before, or another one has the port.
                memory::in_stack(|| drop(host.sockets.remove(handle)));
                end.wake_at = Some(now + Duration::from_millis(500));
                return Ok(());
            }
            connected.map_err(|error| format!("end {index} can't connect: {error}"))?;
        }
        let socket = host.sockets.get_mut::<Socket<'_>>(handle);
        end.local_port = socket.local_endpoint().map_or(local, |local| local.port);
        end.open(handle, socket);
        end.wake_at = None;
        log::debug!("{now} end {index} connects from port {} to {remote}", end.local_port);
        Ok(())
    }

    /// One end acts, and what it wants done with its socket is done.
    fn act(&mut self, index: usize) -> Result<(), String> {
        let now = self.now;
        let peer_closed_len = self.ends[index ^ 1].closed_len;
        let World { hosts, ends, .. } = self;
        let end = &mut ends[index];
        let host = &mut hosts[end.host];
        let Some(handle) = end.handle else { return Ok(()) };
        let socket = host.sockets.try_get_mut::<Socket<'_>>(handle);
        let socket = socket.map_err(|_| format!("end {index} has lost its socket"))?;
        let wish = end.act(now, socket, peer_closed_len).map_err(|what| format!("end {index}: {what}"))?;
        if wish == Wish::Nothing {
            return Ok(());
        }
        log::debug!("{now} end {index}: {wish:?}, error {:?}", end.error);
        let is_server = index % 2 == 1 && !self.plan.connections[index / 2].is_simultaneous;
        let is_single = matches!(host.plan.server.kind, ServerKind::Sockets(_)) && is_server;
        if wish == Wish::Done && self.is_to_try_again(index) {
            return self.try_again(index);
        }
        let World { hosts, ends, .. } = self;
        let end = &mut ends[index];
        let host = &mut hosts[end.host];
        end.stage = Stage::Over;
        end.over_at = now;
        end.handle = None;
        end.wake_at = None;
        let is_lent = is_server && matches!(host.plan.server.kind, ServerKind::Lent(_));
        let is_free = wish == Wish::Done && !end.is_aborted;
        if is_single && is_free && index % 4 == 1 {
            // The same socket listens again.
            let socket = host.sockets.get_mut::<Socket<'_>>(handle);
            return match socket.listen(PORT) {
                Ok(()) => {
                    host.listening.push(handle);
                    Ok(())
                }
                Err(error) => Err(format!("a closed socket can't listen: {error}")),
            };
        }
        let is_removed = wish == Wish::Remove || (is_free && !is_lent && index % 8 < 2);
        if is_removed {
            host.removed_count += usize::from(is_lent);
            memory::in_stack(|| drop(host.sockets.remove(handle)));
        } else {
            memory::in_stack(|| host.sockets.release(handle)).map_err(|_| "release: stale handle")?;
        }
        Ok(())
    }

    /// Where sockets may be short, a refusal is no reason to give up.
    fn is_to_try_again(&self, index: usize) -> bool {
        let end = &self.ends[index];
        let server = &self.ends[index ^ 1];
        let is_single = matches!(self.hosts[server.host].plan.server.kind, ServerKind::Sockets(_));
        let is_refused = matches!(end.error, Some(Error::Refused));
        let is_plain = index.is_multiple_of(2) && !self.connection(index).is_simultaneous;
        is_plain && is_refused && is_single && end.tries < MOST_TRIES && server.stage == Stage::Waiting
    }

    fn try_again(&mut self, index: usize) -> Result<(), String> {
        let end = &mut self.ends[index];
        let host = &mut self.hosts[end.host];
        self.coverage.refused += 1;
        if let Some(handle) = end.handle.take() {
            memory::in_stack(|| host.sockets.release(handle)).map_err(|_| "release: stale handle")?;
        }
        end.stage = Stage::Waiting;
        end.error = None;
        end.wake_at = Some(self.now + Duration::from_millis(700));
        Ok(())
    }

    /// When anything happens next.
    fn next_at(&mut self) -> Option<Instant> {
        let mut next = self.heal_at;
        let mut consider = |at: Option<Instant>| next = [next, at].into_iter().flatten().min();
        consider(self.cable.last().map(|change| change.0));
        for index in 0..self.ends.len() {
            consider(match self.ends[index].stage {
                Stage::Open => self.ends[index].wake_at,
                _ => self.starts_at(index),
            });
        }
        let now = self.now;
        for host in &mut self.hosts {
            consider(host.poll_at);
            consider(host.accept_at);
            consider(host.device.poll_at(now));
            consider(host.has_more.then_some(now));
        }
        next
    }

    /// All ends are over, and neither stack nor link have anything left to do.
    fn is_over(&self) -> bool {
        let is_done = |end: &End| match end.stage {
            Stage::Over => true,
            Stage::Open => false,
            // A server that nobody reached.
            Stage::Waiting => end.number % 2 == 1 && self.ends[end.number ^ 1].stage == Stage::Over,
        };
        let is_quiet = |host: &Host<'_>| {
            host.poll_at.is_none()
                && !host.has_more
                && host.accept_at.is_none()
                && host.device.port.in_flight() == 0
        };
        self.ends.iter().all(is_done) && self.hosts.iter().all(is_quiet)
    }
}

/// Takes payload in place for the ends that want that.
struct Takers<'w> {
    host: usize,
    ends: &'w mut [End],
    takes: u64,
}

impl Handler for Takers<'_> {
    fn payload(&mut self, socket: SocketHandle, data: &[u8]) -> usize {
        memory::outside(|| {
            let is_it = |end: &&mut End| end.host == self.host && end.handle == Some(socket);
            let Some(end) = self.ends.iter_mut().find(is_it) else { return 0 };
            // All, a part, or nothing.
            self.takes += 1;
            let len = [data.len(), data.len(), data.len() / 3, 0][(self.takes % 4) as usize];
            if let Err(wrong) = end.take(&data[..len]) {
                end.wrong = Some(wrong);
            }
            end.in_place += len as u64;
            len
        })
    }
}
