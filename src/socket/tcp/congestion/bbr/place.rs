//! Where the model of a path is: on the heap, for those connections that have one.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Bbr;

#[derive(Debug, Clone)]
pub(super) struct Place(Option<Box<[Bbr; 1]>>);

impl Place {
    pub(super) const NONE: Place = Place(None);

    /// Empty if there is no memory.
    pub(super) fn new(bbr: Bbr) -> Place {
        let mut one = Vec::new();
        if one.try_reserve_exact(1).is_err() {
            return Place::NONE;
        }
        one.push(bbr);
        Place(one.into_boxed_slice().try_into().ok())
    }

    pub(super) fn get(&self) -> Option<&Bbr> {
        self.0.as_deref().map(|[bbr]| bbr)
    }

    pub(super) fn get_mut(&mut self) -> Option<&mut Bbr> {
        self.0.as_deref_mut().map(|[bbr]| bbr)
    }
}
