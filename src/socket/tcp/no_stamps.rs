//! Without timestamps.

use super::Outcome;
use super::connection::Connection;
use super::segment::Segment;
use crate::rand::Keys;
use crate::socket::{Context, Room, Tuple};
use crate::time::Ticks;
use crate::wire::checksum::Sum;
use crate::wire::tcp::Options;
use crate::wire::{Addr, Error};

#[derive(Debug, Clone, Copy)]
pub(super) struct Choice;

impl Choice {
    pub(super) const DEFAULT: Choice = Choice;

    #[inline]
    pub(super) fn beside(self, _room: Room) -> Choice {
        self
    }

    #[inline]
    pub(super) fn granted(self, _syn: &Stamp) -> Stamp {
        Stamp
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp;

impl Stamp {
    pub(crate) const NONE: Stamp = Stamp;

    #[inline]
    pub(crate) fn strip<'f>(&mut self, area: &'f [u8]) -> &'f [u8] {
        area
    }

    #[inline]
    pub(crate) fn parse(&mut self, area: &[u8], options: &mut Options) -> Result<(), Error> {
        options.parse(area)
    }

    #[inline]
    pub(crate) fn buffer_len(&self) -> usize {
        0
    }

    #[inline]
    pub(crate) fn emit(&self, _area: &mut [u8]) -> Sum {
        Sum::ZERO
    }

    #[inline]
    pub(crate) fn answer(&self, _keys: &Keys, _tuple: &Tuple, _now: Ticks) -> Stamp {
        Stamp
    }

    #[inline]
    pub(super) fn hide(self, _options: &Options, _has_ecn: bool) -> Stamp {
        self
    }

    #[inline]
    pub(super) fn hidden_ecn(&self, _wanted: Choice) -> bool {
        false
    }

    #[inline]
    pub(super) fn hidden_time(&self, _wanted: Choice, _cx: &Context<'_>, _tuple: &Tuple) -> Option<Ticks> {
        None
    }

    #[inline]
    pub(super) fn hidden(&self, mss: u16, _wanted: Choice) -> Options {
        Options { mss, ..Options::NONE }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Half;

impl Half {
    pub(super) const NONE: Half = Half;

    #[inline]
    pub(super) fn begin(&mut self, _wanted: Choice, _syn: &Stamp) -> bool {
        false
    }

    #[inline]
    pub(super) fn stamp(self, _is_on: bool) -> Stamp {
        Stamp
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Last;

impl Last {
    pub(super) const NONE: Last = Last;

    /// RFC 9293 §3.6.1 (MAY-2): only numbers say it.
    #[inline]
    pub(super) fn gives_way(self, _stamp: &Stamp, is_beyond: bool) -> bool {
        is_beyond
    }
}

/// Our address in a record of TIME-WAIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ours(Addr);

impl Ours {
    pub(super) const NONE: Ours = Ours(Addr::UNSPECIFIED);

    #[inline]
    pub(super) fn new(addr: &Addr) -> Ours {
        Ours(*addr)
    }

    #[inline]
    pub(super) fn is(self, _addr: &Addr) -> Addr {
        self.0
    }
}

#[derive(Debug, Clone)]
pub(super) struct Stamps;

impl Stamps {
    #[inline]
    pub(super) fn new(_cx: &Context<'_>, _tuple: &Tuple, _wanted: Choice) -> Stamps {
        Stamps
    }

    #[inline]
    pub(super) fn begin(&mut self, _syn: &Stamp, _now: Ticks) {}

    #[inline]
    pub(super) fn last(&self) -> Last {
        Last
    }

    #[inline]
    pub(super) fn grant(&mut self) {}

    #[inline]
    pub(super) fn len(&self) -> u16 {
        0
    }

    #[inline]
    pub(super) fn stamp(&self, _now: Ticks) -> Stamp {
        Stamp
    }

    #[inline]
    pub(super) fn is_stale(&self, _stamp: &Stamp, _now: Ticks) -> bool {
        false
    }

    #[inline]
    pub(super) fn on_segment(&mut self, _stamp: &Stamp, _is_first: bool, _now: Ticks) {}

    #[inline]
    pub(super) fn echoed(&self, _stamp: &Stamp, _now: Ticks) -> Option<Ticks> {
        None
    }

    #[inline]
    pub(super) fn on_retransmit(&mut self) {}
}

impl Connection {
    #[inline]
    pub(super) fn measure(&mut self, _cx: &Context<'_>, _seg: &Segment<'_>) {}

    #[inline]
    pub(super) fn process_stale(&mut self, _cx: &Context<'_>, _seg: &Segment<'_>) -> Outcome {
        Outcome::DROPPED
    }
}
