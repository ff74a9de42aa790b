//! A few places, and no heap for more.

/// `FEW` places.
#[derive(Debug)]
pub(crate) struct Few<T, const FEW: usize>([T; FEW]);

impl<T: Copy, const FEW: usize> Few<T, FEW> {
    pub(crate) const fn new(fill: T) -> Few<T, FEW> {
        Few([fill; FEW])
    }

    #[inline]
    pub(crate) fn places(&self) -> &[T] {
        &self.0
    }

    #[inline]
    pub(crate) fn places_mut(&mut self) -> &mut [T] {
        &mut self.0
    }

    #[inline]
    pub(crate) fn grow(&mut self) -> bool {
        false
    }

    #[inline]
    pub(crate) fn release(&mut self) {}
}
