//! Our end: a device, an interface, sockets, and what drives them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use goldcrest::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use goldcrest::phy::Device;
use goldcrest::rand::Keys;
use goldcrest::socket::tcp;
use goldcrest::stats::{Mib, Stats};
use goldcrest::storage::SocketBuffer;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::IpCidr;

use crate::transfer::{Data, Job};
use crate::{PORT, PREFIX_LEN, Result};

/// Octets of each buffer of a connection, and so what can be on the way at once: enough for some Gbit/s
/// within this machine, and no more than a raw socket of the kernel's can hold until we look.
const BUFFER_LEN: usize = 256 << 10;

/// A stack that takes transfers at [`PORT`], and makes them.
pub(crate) struct Stack<D: Device> {
    device: D,
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
    listener: SocketHandle,
    jobs: HashMap<SocketHandle, Job>,
    data: Arc<Data>,
    /// When the last transfer of ours began.
    began_at: Instant,
    /// How long it took, once it is over.
    took: Option<Duration>,
}

impl<D: Device> Stack<D> {
    /// `secret` makes ports and sequence numbers unpredictable.
    pub(crate) fn new(
        mut device: D,
        secret: [u8; 32],
        addresses: [IpAddr; 2],
        data: &Arc<Data>,
        now: Instant,
    ) -> Result<Stack<D>> {
        let config = Config::new(device.hardware_address());
        let mut iface = Interface::new(config, &mut device, now);
        for (address, prefix_len) in addresses.into_iter().zip(PREFIX_LEN) {
            iface.add_address(IpCidr::new(address.into(), prefix_len))?;
        }
        let mut sockets = SocketSet::with_capacity(16, Keys::new(secret));
        let listener = sockets.add(listener());
        sockets.listen(listener, PORT)?;
        let (jobs, data) = (HashMap::new(), Arc::clone(data));
        Ok(Stack { device, iface, sockets, listener, jobs, data, began_at: now, took: None })
    }

    /// Begins to send the data to `peer`.
    pub(crate) fn send(&mut self, peer: IpAddr, now: Instant) -> Result<()> {
        let buffer = || SocketBuffer::new(vec![0; BUFFER_LEN]);
        let handle = self.sockets.add(tcp::Socket::new(buffer(), buffer()));
        self.iface.connect(now, &mut self.sockets, handle, (peer, PORT), 0)?;
        self.jobs.insert(handle, Job::Send(0));
        self.began_at = now;
        Ok(())
    }

    /// How long the transfer took, if it is over. Says so once.
    pub(crate) fn take_sent(&mut self) -> Option<Duration> {
        self.took.take()
    }

    /// Receives what has come, sends what is due, and lets the connections go on that can.
    pub(crate) fn poll(&mut self, now: Instant) -> Result<()> {
        let result = self.iface.poll(now, &mut self.device, &mut self.sockets);
        if result == PollResult::SocketStateChanged {
            self.serve(now)?;
        }
        Ok(())
    }

    fn serve(&mut self, now: Instant) -> Result<()> {
        while let Some((handle, events)) = self.sockets.next_ready() {
            log::trace!("{handle:?}: {events:?}");
            if handle != self.listener {
                self.go_on(handle, now)?;
                continue;
            }
            while let Some(connection) = self.sockets.accept(self.listener) {
                self.jobs.insert(connection, Job::receive());
                self.go_on(connection, now)?;
            }
        }
        Ok(())
    }

    fn go_on(&mut self, handle: SocketHandle, now: Instant) -> Result<()> {
        let Some(job) = self.jobs.get_mut(&handle) else { return Ok(()) };
        let socket = self.sockets.get_mut::<tcp::Socket>(handle);
        if let Some(error) = socket.error() {
            return Err(error.into());
        }
        if job.go_on(socket, &self.data)? {
            if matches!(job, Job::Send(_)) {
                self.took = Some(now.saturating_duration_since(self.began_at));
            }
            self.jobs.remove(&handle);
            // The stack brings the connection to its end by itself.
            self.sockets.release(handle)?;
        }
        Ok(())
    }

    /// When to poll again at the latest, if no frame comes.
    pub(crate) fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        let device = self.device.poll_at(now);
        let stack = self.iface.poll_at(now, &mut self.sockets);
        device.into_iter().chain(stack).min()
    }

    pub(crate) fn device(&self) -> &D {
        &self.device
    }

    pub(crate) fn mib(&self) -> Mib {
        self.iface.mib()
    }

    pub(crate) fn stats(&self) -> &Stats {
        self.iface.stats()
    }
}

/// A listener that makes buffers for up to 16 connections at once.
fn listener() -> tcp::Listener<'static> {
    let mut listener = tcp::Listener::new(vec![tcp::HalfOpen::EMPTY; 16]);
    listener.set_buffers(BUFFER_LEN, BUFFER_LEN, 16);
    listener
}
