//! What is measured.

use std::fmt;

use crate::stack::lwip;

/// Who talks with the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Goldcrest,
    Smoltcp,
    /// If it was built.
    Lwip,
    /// The kernel itself, in another namespace, over a veth pair.
    Kernel,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Peer::Goldcrest => "goldcrest",
            Peer::Smoltcp => "smoltcp",
            Peer::Lwip => "lwIP",
            Peer::Kernel => "kernel",
        })
    }
}

/// What is done, as the stack that is measured sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Sends one stream.
    Send,
    /// Receives one.
    Receive,
    /// Takes connections, so many at once, answers a request on each, and closes it after the client.
    Answer { at_once: usize },
}

impl Work {
    pub(crate) fn is_stream(self) -> bool {
        matches!(self, Work::Send | Work::Receive)
    }

    /// How many sockets the stack needs. One poll can see the end of each connection and the beginning of that which
    /// follows it.
    pub(crate) fn socket_count(self) -> usize {
        match self {
            Work::Send | Work::Receive => 1,
            Work::Answer { at_once } => 2 * at_once,
        }
    }
}

/// What all stacks are measured at alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) work: Work,
    /// Octets of each of a connection's buffers.
    pub(crate) buffer: usize,
    /// Segments are handed over together, and checksums left out.
    pub(crate) offloads: bool,
    /// Frames are looked for without a pause, instead of waited for.
    pub(crate) busy: bool,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting { work, buffer, offloads, busy } = self;
        let offloads = if *offloads { "offloads" } else { "plain" };
        let waits = if *busy { ", busy" } else { "" };
        match work {
            Work::Send => write!(f, "send, {offloads}, {} KiB{waits}", buffer >> 10),
            Work::Receive => write!(f, "receive, {offloads}, {} KiB{waits}", buffer >> 10),
            Work::Answer { at_once } => write!(f, "connect, {at_once} at once{waits}"),
        }
    }
}

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) setting: Setting,
    pub(crate) peer: Peer,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.peer)
    }
}

/// The cases, those of a setting together.
pub(crate) fn all() -> Vec<Case> {
    let settings = streams().into_iter().chain(connections());
    settings.flat_map(|setting| peers(&setting).map(move |peer| Case { setting, peer })).collect()
}

fn streams() -> Vec<Setting> {
    let mut settings = Vec::new();
    for work in [Work::Send, Work::Receive] {
        for offloads in [false, true] {
            for buffer in [64 << 10, 1 << 20] {
                settings.extend([false, true].map(|busy| Setting { work, buffer, offloads, busy }));
            }
        }
    }
    settings
}

/// No segment of these is worth an offload, and no buffer is ever full.
fn connections() -> Vec<Setting> {
    let (buffer, offloads) = (4 << 10, false);
    let mut settings = Vec::new();
    for at_once in [1, 16] {
        let work = Work::Answer { at_once };
        settings.extend([false, true].map(|busy| Setting { work, buffer, offloads, busy }));
    }
    settings
}

/// The kernel waits by itself as it likes; lwIP has no offloads.
fn peers(setting: &Setting) -> impl Iterator<Item = Peer> + use<> {
    let lwip = (!setting.offloads && lwip::program(setting.buffer).exists()).then_some(Peer::Lwip);
    let kernel = (!setting.busy).then_some(Peer::Kernel);
    [Peer::Goldcrest, Peer::Smoltcp].into_iter().chain(lwip).chain(kernel)
}
