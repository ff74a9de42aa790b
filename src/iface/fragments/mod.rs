//! Datagrams that come or leave in fragments (RFC 791, RFC 8200 §4.5), and the memory that they take.
//!
//! | file | what |
//! | --- | --- |
//! | `reassembly` | fragments in, whole datagrams on |
//! | `emit` | datagrams that are larger than their way takes, cut |
//! | `cut` | IPv4 packets that are made already, cut by a router |
//! | `source` | those of raw sockets of both families, cut by us |
//! | `own` | datagrams to ourselves that no cell of the pool holds |
//! | `ident` | the numbers that fragments of one datagram have in common |
//!
//! All of it is one interface's: fragments of one datagram that come in by several ports do not meet, and a
//! flood on one link takes nothing of another's. A datagram takes one of the places that the caller has lent.
//! What is being put together gives way, oldest first, to what comes; no source has more than a quarter of
//! the places, and datagrams on their way out not more than half.

#[cfg(any(feature = "iface-forward", feature = "socket-raw"))]
mod cut;
mod emit;
mod ident;
#[cfg_attr(not(feature = "iface-loopback"), path = "no_own.rs")]
mod own;
mod reassembly;
#[cfg(feature = "socket-raw")]
mod source;

use managed::ManagedSlice;

use self::emit::Outgoing;
use self::ident::DatagramIdents;
use self::own::Own;
use self::reassembly::{Incoming, Key};
use crate::config;
use crate::stats::{DropReason, IpCount, Stats};
use crate::storage::{BlockBuffer, MAX_CAPACITY};
use crate::time::{Duration, Ticks};
use crate::wire::Addr;

#[cfg(feature = "iface-forward")]
pub(crate) use cut::{CutError, cut_v4};
pub(crate) use ident::{Idents, seed};
#[cfg(feature = "iface-loopback")]
pub(crate) use own::take_own;
pub(crate) use reassembly::expire;

/// The least that a place grows to, in octets of payload.
const LEAST_GROWTH: usize = 2_048;

/// Room for one datagram that comes or leaves in fragments.
#[derive(Debug)]
pub struct FragmentPlace<'a> {
    buffer: BlockBuffer<'a>,
    content: Content,
    /// The number of datagrams that had begun before this one.
    serial: u32,
    /// When it is given up.
    due_at: Ticks,
}

#[derive(Debug)]
enum Content {
    Nothing,
    /// Some fragments have come.
    Incoming(Incoming),
    /// It is put together, and being delivered.
    Delivered,
    /// It had overlapping fragments (RFC 5722 §3), or is too large: what else comes of it is dropped for that.
    Condemned(Key, DropReason),
    /// Some fragments have still to go.
    Outgoing(Outgoing),
    /// It waits to be taken in.
    Own(Own),
}

impl Content {
    /// Whether we have sent it.
    fn is_ours(&self) -> bool {
        matches!(self, Content::Outgoing(_) | Content::Own(_))
    }
}

impl<'a> FragmentPlace<'a> {
    /// A place in lent memory. Of its octets the largest datagram may have, in multiples of 32, 32 parts of
    /// 33 less 128, its IP header not counted: 8,450 octets serve for datagrams of 8,064.
    pub fn new(memory: &'a mut [u8]) -> FragmentPlace<'a> {
        FragmentPlace::of(BlockBuffer::lent(memory))
    }

    const fn of(buffer: BlockBuffer<'a>) -> FragmentPlace<'a> {
        FragmentPlace { buffer, content: Content::Nothing, serial: 0, due_at: Ticks(0) }
    }

    /// A place whose memory comes with a datagram and goes with it.
    #[cfg(feature = "alloc")]
    pub fn growing() -> FragmentPlace<'static> {
        FragmentPlace::of(BlockBuffer::growing())
    }

    fn source(&self) -> Option<Addr> {
        match &self.content {
            Content::Incoming(datagram) => Some(datagram.key.src),
            Content::Condemned(key, _) => Some(key.src),
            _ => None,
        }
    }

    fn key(&self) -> Option<&Key> {
        match &self.content {
            Content::Incoming(datagram) => Some(&datagram.key),
            Content::Condemned(key, _) => Some(key),
            _ => None,
        }
    }

    fn clear(&mut self) {
        self.content = Content::Nothing;
        self.buffer.release();
    }
}

/// The places for datagrams in fragments.
///
/// Without any, fragments are dropped, and so are datagrams that are larger than the link carries.
#[derive(Debug)]
pub struct Fragments<'a> {
    places: ManagedSlice<'a, FragmentPlace<'a>>,
    /// Octets that places may own together.
    memory_limit: usize,
    /// How many datagrams have begun.
    begun: u32,
    /// How many places are taken.
    used: usize,
    /// Ticks that the fragments of an IPv4 datagram may take to arrive.
    timeout_v4: u32,
    idents: DatagramIdents,
}

impl<'a> Fragments<'a> {
    /// With these places. To answer large echo requests takes two.
    pub fn new(places: impl Into<ManagedSlice<'a, FragmentPlace<'a>>>) -> Fragments<'a> {
        let timeout = Duration::from_millis(config::IPV4_REASSEMBLY_TIMEOUT.into());
        Fragments {
            places: places.into(),
            memory_limit: config::DEFAULT_FRAGMENT_MEMORY,
            begun: 0,
            used: 0,
            timeout_v4: timeout.to_ticks(),
            idents: DatagramIdents::new(),
        }
    }

    /// With so many places that grow, to so many octets together.
    #[cfg(feature = "alloc")]
    pub fn growing(count: usize, memory_limit: usize) -> Fragments<'static> {
        let places = core::iter::repeat_with(FragmentPlace::growing).take(count);
        Fragments { memory_limit, ..Fragments::new(places.collect::<alloc::vec::Vec<_>>()) }
    }

    /// Whether there is no datagram that comes or leaves in fragments.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.used == 0
    }

    /// Whether there is no secret yet for the numbers of datagrams.
    #[inline]
    pub(crate) fn is_unseeded(&self) -> bool {
        self.idents.are_unseeded()
    }

    /// How many datagrams are being put together or cut.
    pub fn in_use(&self) -> usize {
        self.used
    }

    /// Octets of the largest datagram that can be put together, its IP header not counted; 0 if none can.
    pub fn largest_datagram(&self) -> usize {
        // RFC 1122 §3.3.2: the limit that the transport layer can learn. Memory grows by powers of two.
        let most = self.memory_limit.checked_ilog2().map_or(0, |log| 1 << log);
        let grown = if most < LEAST_GROWTH { 0 } else { most };
        let room =
            |place: &FragmentPlace<'a>| if place.buffer.grows() { grown } else { place.buffer.capacity() };
        self.places.iter().map(room).max().unwrap_or(0).min(usize::from(u16::MAX))
    }

    /// Octets of memory that the places own now.
    pub fn owned_memory(&self) -> usize {
        self.places.iter().map(|place| place.buffer.owned_len()).sum()
    }

    /// The oldest place for which `is_one` holds.
    fn oldest(&self, is_one: impl Fn(&FragmentPlace<'a>) -> bool) -> Option<usize> {
        let age = |(_, place): &(usize, &FragmentPlace<'a>)| self.begun.wrapping_sub(place.serial);
        self.places.iter().enumerate().filter(|(_, place)| is_one(place)).max_by_key(age).map(|(ix, _)| ix)
    }

    fn find(&self, key: &Key) -> Option<usize> {
        self.places.iter().position(|place| place.key() == Some(key))
    }

    /// A place for a new datagram from `src`. An older one gives way if it has to.
    fn claim(&mut self, src: &Addr, stats: &mut Stats) -> Option<usize> {
        let is_from_src = |place: &FragmentPlace<'a>| place.source() == Some(*src);
        let quota = (self.places.len() / 4).max(1);
        if self.places.iter().filter(|place| is_from_src(place)).count() >= quota {
            let oldest = self.oldest(is_from_src)?;
            self.evict(oldest, stats);
            return Some(oldest);
        }
        self.claim_any(stats)
    }

    /// A free place, or one whose datagram is condemned, or the oldest that is being put together.
    fn claim_any(&mut self, stats: &mut Stats) -> Option<usize> {
        let found = self
            .oldest(|place| matches!(place.content, Content::Nothing))
            .or_else(|| self.oldest(|place| matches!(place.content, Content::Condemned(..))))
            .or_else(|| self.oldest(|place| matches!(place.content, Content::Incoming(_))))?;
        self.evict(found, stats);
        Some(found)
    }

    /// Frees a place. What was in it is lost, and counted.
    fn evict(&mut self, index: usize, stats: &mut Stats) {
        let Some(place) = self.places.get_mut(index) else { return };
        if let Content::Incoming(datagram) = &place.content {
            stats.counters.add_ip(datagram.key.src.is_v4(), IpCount::ReasmFails, 1);
            stats.on_drop(DropReason::Fragment);
        }
        self.free(index);
    }

    fn free(&mut self, index: usize) {
        let Some(place) = self.places.get_mut(index) else { return };
        if !matches!(place.content, Content::Nothing) {
            self.used -= 1;
        }
        place.clear();
    }

    /// Fills a free place.
    fn begin(&mut self, index: usize, content: Content, due_at: Ticks) {
        let Some(place) = self.places.get_mut(index) else { return };
        place.buffer.begin();
        place.content = content;
        place.serial = self.begun;
        place.due_at = due_at;
        self.begun = self.begun.wrapping_add(1);
        self.used += 1;
    }

    /// Takes a place with room for `len` octets, which `write` fills.
    fn hold(
        &mut self,
        content: Content,
        len: usize,
        due_at: Ticks,
        stats: &mut Stats,
        write: &mut dyn FnMut(&mut BlockBuffer<'_>),
    ) -> Option<usize> {
        let index = self.claim_any(stats)?;
        self.begin(index, content, due_at);
        if !self.make_room(index, len, stats) {
            self.free(index);
            return None;
        }
        write(&mut self.places.get_mut(index)?.buffer);
        Some(index)
    }

    /// Makes room for `len` octets in a place; where places grow, older datagrams give their memory.
    fn make_room(&mut self, index: usize, len: usize, stats: &mut Stats) -> bool {
        loop {
            let Some(place) = self.places.get_mut(index) else { return false };
            if place.buffer.capacity() >= len {
                return true;
            }
            let (own, wanted) = (place.buffer.owned_len(), len.next_power_of_two());
            let wanted = wanted.clamp(LEAST_GROWTH, MAX_CAPACITY);
            if self.owned_memory() - own + wanted <= self.memory_limit {
                return self.places.get_mut(index).is_some_and(|place| place.buffer.grow_to(wanted));
            }
            let serial = place_serial(&self.places, index);
            let gives = |place: &FragmentPlace<'a>| {
                place.serial != serial && place.buffer.owned_len() > 0 && place.source().is_some()
            };
            let Some(victim) = self.oldest(gives) else { return false };
            self.evict(victim, stats);
        }
    }

    /// When the next datagram is to be given up, or to go on.
    #[inline]
    pub(crate) fn poll_at(&self, now: Ticks) -> Option<Ticks> {
        if self.is_idle() { None } else { self.next_at(now) }
    }

    #[inline(never)]
    fn next_at(&self, now: Ticks) -> Option<Ticks> {
        let mut at = None;
        for place in self.places.iter().filter(|place| !matches!(place.content, Content::Nothing)) {
            at = Ticks::earlier(at, Some(place.due_at));
            if let Content::Outgoing(outgoing) = &place.content
                && outgoing.waits_for_device
            {
                at = Ticks::earlier(at, Some(now.after(config::PORT_RETRY)));
            }
        }
        at
    }
}

fn take_buffer<'a>(place: &mut FragmentPlace<'a>) -> BlockBuffer<'a> {
    core::mem::replace(&mut place.buffer, BlockBuffer::empty())
}

fn place_serial(places: &[FragmentPlace<'_>], index: usize) -> u32 {
    places.get(index).map_or(0, |place| place.serial)
}

#[cfg(feature = "alloc")]
impl Default for Fragments<'static> {
    fn default() -> Self {
        Fragments::growing(config::DEFAULT_FRAGMENTED_DATAGRAMS, config::DEFAULT_FRAGMENT_MEMORY)
    }
}

impl<'a> super::Interface<'a> {
    /// The datagrams that come or leave in fragments.
    pub fn fragments(&self) -> &Fragments<'a> {
        &self.fragments
    }

    /// How long the fragments of an IPv4 datagram may take to arrive: 60 s unless set; 15 s to 120 s. On
    /// fast links a short time keeps fragments of different datagrams with the same number apart (RFC 4963).
    pub fn set_ipv4_reassembly_timeout(&mut self, timeout: Duration) {
        let (least, most) = config::IPV4_REASSEMBLY_TIMEOUTS;
        let millis = timeout.total_millis().clamp(least.into(), most.into());
        self.fragments.timeout_v4 = Duration::from_millis(millis).to_ticks();
    }
}
