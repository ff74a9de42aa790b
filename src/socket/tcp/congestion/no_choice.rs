//! Without a choice all sockets have Reno.

pub(in crate::socket::tcp) use super::reno::Reno as Control;

#[derive(Debug, Clone, Copy)]
pub(in crate::socket::tcp) struct Choice;

impl Choice {
    pub(in crate::socket::tcp) const DEFAULT: Choice = Choice;

    #[inline]
    pub(in crate::socket::tcp) fn start(self) -> Control {
        Control::new()
    }
}

impl Control {
    /// What was before a reduction is not kept.
    #[allow(dead_code, reason = "nothing asks for it where losses are not told by time")]
    #[inline]
    pub(in crate::socket::tcp) fn undo(&mut self) {}
}
