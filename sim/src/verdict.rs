//! What must hold: bounds at every poll, and what is left when all is over.

use goldcrest::socket::Socket as AnySocket;
use goldcrest::socket::tcp::State;

use crate::coverage::Coverage;
use crate::end::End;
use crate::memory;
use crate::plan::{Finish, ServerKind};
use crate::world::{MOST_TRIES, World};

impl World<'_> {
    /// What a stack holds is bounded by what it was given.
    pub(crate) fn check_bounds(&self, host: usize) -> Result<(), String> {
        let this = &self.hosts[host];
        let most = self.plan.connections.len() + MOST_TRIES as usize + 17;
        if this.sockets.len() > this.plan.slots.unwrap_or(most) {
            return Err(format!("host {host} has {} sockets", this.sockets.len()));
        }
        if this.sockets.time_wait_count() > this.plan.time_wait
            || this.iface.neighbor_count() > this.plan.neighbors
        {
            return Err(format!("host {host} keeps more than it has room for"));
        }
        Ok(())
    }

    /// What must hold when all is over.
    pub(crate) fn check_end(&self) -> Result<(), String> {
        for (number, host) in self.hosts.iter().enumerate() {
            if host.sockets.len() != host.idle_count() {
                return Err(format!(
                    "host {number} is left with {} sockets, not {}",
                    host.sockets.len(),
                    host.idle_count()
                ));
            }
            for (_, socket) in host.sockets.iter() {
                if let AnySocket::TcpListener(listener) = socket
                    && listener.half_open_count() > 0
                {
                    return Err(format!("host {number} is left with half-open connections"));
                }
            }
        }
        for pair in self.ends.chunks(2) {
            let [client, server] = pair else { continue };
            self.check_connection(client, server)?;
        }
        self.check_memory()?;
        self.check_storm()
    }

    /// What the stacks have allocated themselves: the sockets that their listeners made, and slots.
    fn check_memory(&self) -> Result<(), String> {
        let made = self.hosts.iter().map(|host| match (&host.memory, host.plan.server.kind) {
            // A buffer that grows has the old octets and the new ones for a moment.
            (Some(memory), _) => 2 * memory.limit(),
            (None, ServerKind::Made(count)) => count * (host.plan.server.rx_len + host.plan.server.tx_len),
            (None, _) => 0,
        });
        let most = made.sum::<usize>() + 200_000;
        let (held, _) = memory::books();
        if held > most as isize {
            Err(format!("the stacks held {held} octets, {most} at most"))
        } else {
            Ok(())
        }
    }

    /// In a calm world a connection that nobody breaks is whole.
    fn check_connection(&self, client: &End, server: &End) -> Result<(), String> {
        if !self.plan.is_calm || !client.is_whole_owed || !server.is_whole_owed {
            return Ok(());
        }
        for (end, peer) in [(client, server), (server, client)] {
            let is_whole = end.has_eof && end.got == peer.plan.len && end.sent == end.plan.len;
            if !is_whole || end.error.is_some() {
                return Err(format!("connection {} is not whole", end.number / 2));
            }
        }
        Ok(())
    }

    /// A bound on the frames for what there was to say.
    fn check_storm(&self) -> Result<(), String> {
        for (number, host) in self.hosts.iter().enumerate() {
            let observer = host.device.observer.borrow();
            let seconds = self.now.total_millis() as u64 / 1_000;
            let few = 200 * self.ends.len() as u64 + 4 * seconds * self.ends.len() as u64;
            let most = few + 2 * observer.received + observer.fresh_octets / 40;
            if observer.sent > most {
                return Err(format!(
                    "host {number} sent {} frames, for {} received and {} octets in {seconds} s",
                    observer.sent, observer.received, observer.fresh_octets
                ));
            }
        }
        Ok(())
    }

    /// The counts of a run that went well.
    pub(crate) fn finish(mut self) -> Coverage {
        let (most, refused) = memory::books();
        let coverage = &mut self.coverage;
        coverage.seeds = 1;
        coverage.calm = u64::from(self.plan.is_calm);
        coverage.refused_allocations = refused;
        coverage.most_held = most.max(0) as u64;
        coverage.virtual_seconds = self.now.total_millis() as u64 / 1_000;
        coverage.connections = self.plan.connections.len() as u64;
        for end in &self.ends {
            coverage.octets += end.got as u64;
            coverage.in_place += end.in_place;
            coverage.whole += u64::from(end.has_eof);
            coverage.note_end(end.error, end.is_aborted, end.plan.finish == Finish::Release);
        }
        for host in &self.hosts {
            let observer = host.device.observer.borrow();
            coverage.frames += observer.sent;
            coverage.add_again(&observer.again);
            coverage.add_path(&host.device.port.tx_counters());
        }
        self.coverage
    }

    /// How everybody stands.
    pub(crate) fn explain(&self, what: &str) -> String {
        let mut text = format!("at {}: {what}\n", self.now);
        for end in &self.ends {
            text += &format!("  {}\n", end.summary());
        }
        for (number, host) in self.hosts.iter().enumerate() {
            let states: Vec<State> = host.states().collect();
            text += &format!(
                "  host {number}: {} sockets, {states:?}, wants to be polled at {:?}, {} frames on the way\n",
                host.sockets.len(),
                host.poll_at,
                host.device.port.in_flight()
            );
        }
        text
    }
}
