//! Resets of connections whose sockets were removed, or have begun something else, before a poll could send them
//! (feature `tcp-abort-queue`).

use super::links::Links;
use super::socket_set::SocketSet;
use super::tcp::send_control;
use super::tcp_set::tcp_in;
use crate::config;
use crate::socket::tcp::Reset;
use crate::stats::DropReason;

/// The resets that the next poll sends before anything else.
pub(crate) struct Resets {
    /// In their order, from the first place on.
    waiting: [Option<Reset>; config::TCP_RESETS],
    count: usize,
    /// How many have found no room since the last poll.
    lost: u32,
}

impl Resets {
    pub(crate) const fn new() -> Resets {
        Resets { waiting: [None; config::TCP_RESETS], count: 0, lost: 0 }
    }

    fn push(&mut self, reset: Reset) {
        match self.waiting.get_mut(self.count) {
            Some(place) => {
                *place = Some(reset);
                self.count += 1;
            }
            None => self.lost = self.lost.saturating_add(1),
        }
    }
}

impl SocketSet<'_> {
    #[inline]
    pub(crate) fn has_resets(&self) -> bool {
        self.resets.count > 0
    }

    /// The reset of a socket's earlier connection, if there is one, is sent by the next poll.
    pub(crate) fn say_farewell(&mut self, ix: u32) {
        let reset = tcp_in(&mut self.slots, ix).and_then(|socket| socket.take_farewell());
        if let Some(reset) = reset {
            self.resets.push(reset);
        }
    }

    /// A socket is about to be removed: its connection ends, and the peer hears of it.
    pub(crate) fn cut(&mut self, ix: u32) {
        self.say_farewell(ix);
        if let Some(socket) = tcp_in(&mut self.slots, ix) {
            socket.cut();
            self.say_farewell(ix);
        }
    }
}

/// Sends them, and counts those that were lost.
#[cold]
#[inline(never)]
pub(crate) fn send(links: &mut Links<'_, '_, '_>, sockets: &mut SocketSet<'_>) {
    let resets = &mut sockets.resets;
    for place in &mut resets.waiting {
        if let Some(reset) = place.take() {
            send_control(links, &reset.tuple, &reset.plan(), reset.look);
        }
    }
    resets.count = 0;
    for _ in 0..core::mem::take(&mut resets.lost) {
        links.iface.drop_output(DropReason::QueueFull);
    }
}
