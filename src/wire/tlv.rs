//! What the options of IPv4 and of TCP have in common: a kind of one octet, then a length that counts both
//! and the data; kinds 0, the end, and 1, padding, have neither.

use core::fmt;

use super::{Error, Result};

/// Octets of the longest options area: what a header of 60 octets holds beyond its fixed 20.
pub(super) const MAX_LEN: usize = 40;

/// The end of all options.
pub(super) const END: u8 = 0;
/// Padding between options.
pub(crate) const NOP: u8 = 1;

/// An option's kind, its data, and what follows it.
pub(super) type Split<'a> = (u8, &'a [u8], &'a [u8]);

/// Splits off one option; `None` at the end.
pub(super) fn split(area: &[u8]) -> Result<Option<Split<'_>>> {
    match *area {
        [] | [END, ..] => Ok(None),
        [NOP, ref rest @ ..] => Ok(Some((NOP, &[], rest))),
        [_] | [_, 0 | 1, ..] => Err(Error::Malformed),
        [kind, len, ..] => {
            let (option, rest) = area.split_at_checked(usize::from(len)).ok_or(Error::Malformed)?;
            Ok(Some((kind, option.get(2..).unwrap_or_default(), rest))) // it has at least 2 octets
        }
    }
}

/// The part of an area that holds options, if each length is right; what follows their end is dropped.
pub(super) fn check(area: &[u8]) -> Result<&[u8]> {
    let mut rest = area;
    while let Some((_, _, after)) = split(rest)? {
        rest = after;
    }
    let used = area.get(..area.len() - rest.len()).unwrap_or_default(); // never: it is a part of it
    if used.len() > MAX_LEN { Err(Error::Malformed) } else { Ok(used) }
}

/// Writes options and pads them to a multiple of four octets.
pub(super) fn emit_area(options: &[u8], buffer: &mut [u8]) {
    let (place, padding) = buffer[..options.len().next_multiple_of(4)].split_at_mut(options.len());
    place.copy_from_slice(options);
    padding.fill(END);
}

/// Writes one option, the fixed part of its data and the rest of them, and returns what is left.
pub(super) fn emit<'o>(buffer: &'o mut [u8], kind: u8, fixed: &[u8], data: &[u8]) -> &'o mut [u8] {
    let len = 2 + fixed.len() + data.len();
    assert!(len <= MAX_LEN, "an option has at most 40 octets");
    let (option, rest) = buffer.split_at_mut(len);
    option[..2].copy_from_slice(&[kind, len as u8]);
    option[2..2 + fixed.len()].copy_from_slice(fixed);
    option[2 + fixed.len()..].copy_from_slice(data);
    rest
}

/// A list in braces.
pub(super) fn fmt_list<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    items: impl IntoIterator<Item = T>,
) -> fmt::Result {
    f.write_str("{")?;
    for (index, item) in items.into_iter().enumerate() {
        f.write_str(if index == 0 { "" } else { ", " })?;
        item.fmt(f)?;
    }
    f.write_str("}")
}
