//! A few places, which are the owner's, and many more, which are taken from the heap when they are needed: most connections
//! never lose or reorder anything, and one that does at a gigabit a second has dozens of holes.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::config::MANY_RANGES;

/// At first `FEW` places.
#[derive(Debug)]
pub(crate) struct Few<T, const FEW: usize> {
    few: [T; FEW],
    many: Option<Box<[T]>>,
}

impl<T: Copy, const FEW: usize> Few<T, FEW> {
    pub(crate) const fn new(fill: T) -> Few<T, FEW> {
        Few { few: [fill; FEW], many: None }
    }

    #[inline]
    pub(crate) fn places(&self) -> &[T] {
        match &self.many {
            Some(many) => many,
            None => &self.few,
        }
    }

    #[inline]
    pub(crate) fn places_mut(&mut self) -> &mut [T] {
        match &mut self.many {
            Some(many) => many,
            None => &mut self.few,
        }
    }

    /// Becomes many, and keeps what is there. Says whether it has: once, and if there is memory.
    #[cold]
    #[inline(never)]
    pub(crate) fn grow(&mut self) -> bool {
        let Some(&fill) = self.few.first() else { return false };
        let mut many = Vec::new();
        if self.many.is_some() || FEW >= MANY_RANGES || many.try_reserve_exact(MANY_RANGES).is_err() {
            return false;
        }
        many.extend_from_slice(&self.few);
        many.resize(MANY_RANGES, fill);
        self.many = Some(many.into_boxed_slice());
        true
    }

    /// Nothing is needed of what is there: it is few again.
    #[inline]
    pub(crate) fn release(&mut self) {
        if self.many.is_some() {
            self.many = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_once_and_keeps_what_is_there() {
        let mut few = Few::<u32, 3>::new(0);
        few.places_mut().copy_from_slice(&[1, 2, 3]);
        assert!(few.grow() && !few.grow());
        assert_eq!((few.places().len(), &few.places()[..4]), (MANY_RANGES, &[1, 2, 3, 1][..]));
        few.places_mut()[MANY_RANGES - 1] = 9;
        few.release();
        assert_eq!(few.places(), [1, 2, 3]);
    }
}
