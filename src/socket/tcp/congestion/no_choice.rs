//! Without a choice all sockets have Reno.

pub(in crate::socket::tcp) use super::reno::Reno as Control;

pub(in crate::socket::tcp) const MODEL: usize = 0;

#[derive(Debug, Clone, Copy)]
pub(in crate::socket::tcp) struct Choice;

impl Choice {
    pub(in crate::socket::tcp) const DEFAULT: Choice = Choice;

    #[inline]
    pub(in crate::socket::tcp) fn start(self) -> Control {
        Control::new()
    }
}

#[cfg(feature = "tcp-sack")]
impl Control {
    /// What was before a reduction is not kept.
    #[inline]
    pub(in crate::socket::tcp) fn undo(&mut self) -> bool {
        false
    }
}

#[cfg(feature = "tcp-ecn")]
impl Control {
    /// What was before a reduction is not kept.
    #[inline]
    pub(in crate::socket::tcp) fn keep(&mut self) {}

    /// Whether it reduces the window at all.
    #[inline]
    pub(in crate::socket::tcp) fn is_heeding(&self) -> bool {
        true
    }
}

impl Control {
    /// A silence is over that the window outlives; time is nothing to Reno.
    #[inline]
    pub(in crate::socket::tcp) fn on_pause(&mut self) {}
}
