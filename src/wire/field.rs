//! Reading fields at offsets that are known when compiling, which can't panic.

/// The `N` octets from `AT` on.
#[inline(always)]
pub(super) fn octets<const AT: usize, const N: usize, const LEN: usize>(header: &[u8; LEN]) -> &[u8; N] {
    const { assert!(AT + N <= LEN) }
    match header.split_at_checked(AT) {
        Some((_, rest)) => rest.first_chunk().unwrap_or(&[0; N]), // never: asserted above
        None => &[0; N],
    }
}

/// The 16-bit field at `AT`.
#[inline(always)]
pub(super) fn u16_at<const AT: usize, const LEN: usize>(header: &[u8; LEN]) -> u16 {
    u16::from_be_bytes(*octets::<AT, 2, LEN>(header))
}

/// The 32-bit field at `AT`.
#[inline(always)]
pub(super) fn u32_at<const AT: usize, const LEN: usize>(header: &[u8; LEN]) -> u32 {
    u32::from_be_bytes(*octets::<AT, 4, LEN>(header))
}
