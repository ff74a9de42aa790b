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
