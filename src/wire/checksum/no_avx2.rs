//! Where no program can ask what the processor has.

use super::Sum;

#[inline]
pub(super) fn sum(_data: &[u8]) -> Option<Sum> {
    None
}

#[inline]
pub(super) fn copy_and_sum(_dst: &mut [u8], _src: &[u8]) -> Option<Sum> {
    None
}
