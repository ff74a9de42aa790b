//! Without BBR no path is modelled.

use super::CongestionControl;

#[derive(Debug, Clone, Copy)]
pub(super) struct Model;

impl Model {
    pub(super) const fn new(_kind: CongestionControl) -> Model {
        Model
    }

    pub(super) fn on_established(&mut self, _window: u32) {}

    pub(super) fn on_loss(&mut self, _mss: u32) {}

    pub(super) fn on_timeout(&mut self, _mss: u32, _is_first: bool) {}

    pub(super) fn undo(&mut self) -> bool {
        false
    }

    pub(super) fn is_there(&self) -> bool {
        false
    }

    pub(super) fn window(&self) -> u32 {
        0
    }
}

impl CongestionControl {
    #[inline]
    pub(super) fn is_bbr(self) -> bool {
        false
    }
}
