//! Where the model of a path is: without a heap in each connection.

use super::Bbr;

#[derive(Debug, Clone)]
pub(super) struct Place(Option<Bbr>);

impl Place {
    pub(super) const NONE: Place = Place(None);

    pub(super) fn new(bbr: Bbr) -> Place {
        Place(Some(bbr))
    }

    pub(super) fn get(&self) -> Option<&Bbr> {
        self.0.as_ref()
    }

    pub(super) fn get_mut(&mut self) -> Option<&mut Bbr> {
        self.0.as_mut()
    }
}
