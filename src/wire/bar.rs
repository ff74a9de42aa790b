//! What every format is held to: frames of others, cuts, flipped bits, what is written again.

use std::string::String;
use std::vec::Vec;

use super::Result;

/// How a format reads octets and writes what it read: its `Repr` as text, and what that writes into a
/// buffer full of ones.
pub(crate) type Rewrite<'f> = &'f dyn Fn(&[u8]) -> Result<(String, Vec<u8>)>;

/// Puts right what would hide everything else: a checksum over it.
pub(crate) type Repair<'f> = &'f dyn Fn(&mut [u8]);

/// Nothing to repair.
pub(crate) fn as_it_is(_: &mut [u8]) {}

/// What is read of `data` is written as it was: `emit(parse(x)) == x`.
pub(crate) fn is_canonical(name: &str, data: &[u8], rewrite: Rewrite<'_>) {
    let (repr, written) = rewrite(data).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(written, data, "{name}: {repr}");
}

/// If `data` can be read, what is written reads as the same: `parse(emit(parse(x))) == parse(x)`.
pub(crate) fn is_kept(name: &str, data: &[u8], rewrite: Rewrite<'_>) -> bool {
    let Ok((repr, written)) = rewrite(data) else { return false };
    let again = rewrite(&written).unwrap_or_else(|error| panic!("{name}: {error} after writing {repr}"));
    assert_eq!(again, (repr, written), "{name}");
    true
}

/// Cut at each octet but those in `ends`, `data` is an error; nothing panics, and what can be read is kept.
pub(crate) fn cuts_are_found(
    name: &str,
    data: &[u8],
    ends: &[usize],
    repair: Repair<'_>,
    rewrite: Rewrite<'_>,
) {
    for len in 0..data.len() {
        let mut cut = data[..len].to_vec();
        repair(&mut cut);
        assert_eq!(is_kept(name, &cut, rewrite), ends.contains(&len), "{name}, {len} octets");
    }
}

/// With any bit flipped, and the checksum right for that or not, nothing panics, and what can be read is
/// kept. Says how many flips could be read with a right checksum.
pub(crate) fn flips_are_survived(name: &str, data: &[u8], repair: Repair<'_>, rewrite: Rewrite<'_>) -> usize {
    let mut readable = 0;
    for bit in 0..data.len() * 8 {
        let mut flipped = data.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        is_kept(name, &flipped, rewrite);
        repair(&mut flipped);
        readable += usize::from(is_kept(name, &flipped, rewrite));
    }
    readable
}
