//! Data structures over lent memory.
//!
//! All of them work in `managed` slices: owned with `alloc`, borrowed without. None panics, whatever
//! it is asked; lengths and offsets are clamped to what is there.
#![allow(dead_code, unused_imports, reason = "not all of it has a user in every combination of features")]

mod assembler;
#[cfg(any(test, not(feature = "iface-scale")))]
mod bit_lists;
#[cfg(feature = "iface-fragments")]
mod block_buffer;
#[cfg_attr(not(all(feature = "alloc", target_pointer_width = "64")), path = "no_few.rs")]
mod few;
#[cfg_attr(not(all(feature = "tcp-grow", target_has_atomic = "ptr")), path = "no_growth.rs")]
mod growth;
#[cfg(any(test, feature = "iface-scale"))]
mod hash;
pub(crate) mod lists;
#[cfg(not(feature = "iface-scale"))]
mod no_hash;
#[cfg(not(feature = "iface-queue"))]
mod no_pool;
#[cfg(not(feature = "socket-tcp"))]
mod no_timers;
#[cfg(any(test, not(feature = "tcp-many-holes")))]
mod one_range;
mod packet_buffer;
mod packet_cell;
#[cfg(feature = "iface-queue")]
mod pool;
mod ring_buffer;
#[cfg(any(test, all(feature = "socket-tcp", not(feature = "iface-scale"))))]
mod scan_timers;
pub(crate) mod slots;
#[cfg(any(test, all(feature = "socket-tcp", feature = "iface-scale")))]
mod timers;

#[cfg(feature = "tcp-many-holes")]
pub(crate) use assembler::Assembler;
pub(crate) use assembler::TooManyHoles;
#[cfg(not(feature = "iface-scale"))]
pub(crate) use bit_lists::{Line, List, ReadyList};
#[cfg(feature = "iface-fragments")]
pub(crate) use block_buffer::{Added, BlockBuffer, HEADROOM, MAX_CAPACITY};
#[cfg(feature = "tcp-sack")]
pub(crate) use few::Few;
#[cfg(all(feature = "tcp-grow", target_has_atomic = "ptr"))]
pub use growth::Memory;
#[cfg(feature = "iface-scale")]
pub(crate) use hash::Table;
pub(crate) use lists::list_of;
#[cfg(feature = "iface-scale")]
pub(crate) use lists::{Line, List, ReadyList};
#[cfg(not(feature = "iface-scale"))]
pub(crate) use no_hash::Table;
#[cfg(not(feature = "iface-queue"))]
pub use no_pool::PacketPool;
#[cfg(not(feature = "socket-tcp"))]
pub(crate) use no_timers::Timers;
#[cfg(not(feature = "tcp-many-holes"))]
pub(crate) use one_range::Assembler;
pub use packet_buffer::{EnqueueError, PacketBuffer, PacketMetadata};
pub use packet_cell::PacketCell;
pub(crate) use packet_cell::{Class, PoolError};
#[cfg(feature = "iface-queue")]
pub use pool::PacketPool;
pub use ring_buffer::{Empty, Full, GrowError, RingBuffer};
#[cfg(all(feature = "socket-tcp", not(feature = "iface-scale")))]
pub(crate) use scan_timers::Timers;
pub use slots::{Handle as SocketHandle, Slot};
pub(crate) use slots::{NIL, Slots, SlotsFull};
#[cfg(all(feature = "socket-tcp", feature = "iface-scale"))]
pub(crate) use timers::Timers;

/// The octets that a stream socket has received or is to send.
pub type SocketBuffer<'a> = RingBuffer<'a, u8>;

#[cfg(test)]
mod testing {
    /// Marsaglia's xorshift64: random steps that repeat from a seed.
    pub(super) struct XorShift(pub(super) u64);

    impl XorShift {
        pub(super) fn next(&mut self) -> u32 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 16) as u32
        }

        /// Below `bound`, which is not 0.
        pub(super) fn below(&mut self, bound: u32) -> u32 {
            self.next() % bound
        }
    }
}
