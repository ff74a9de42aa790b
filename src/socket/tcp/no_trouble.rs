//! Without `tcp-icmp`: a connection learns from silence alone that nothing arrives.

#[derive(Debug, Clone, Copy)]
pub(super) struct Trouble;

impl Trouble {
    pub(super) const NONE: Trouble = Trouble;
}
