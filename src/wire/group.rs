//! What IGMPv3 (RFC 3376) and MLDv2 (RFC 3810) have in common: queries about sources, group records,
//! and codes that are small floating-point numbers. An address has `N` octets: 4 or 16.
//!
//! ```text
//!  0                   1                   2                   3
//! | resv  |S| QRV |     QQIC      |      number of sources        |  a query's details
//! |                   source addresses …
//! |  record type  | aux data / 4  |      number of sources        |  a group record
//! |                        group address                          |
//! |                   source addresses …
//! |                   auxiliary data …
//! ```

use core::fmt;

use super::tlv::fmt_list;
use super::{Error, Ipv4Address, Ipv6Address, Result};

/// The largest value that a code of 8 bits holds.
pub const MAX_CODE8: u16 = 31_744;
/// The largest value that a code of 16 bits holds.
pub const MAX_CODE16: u32 = 8_387_584;

/// The value of a code of 8 bits: itself below 128, else a floating-point number (RFC 3376 §4.1.1).
pub const fn decode8(code: u8) -> u16 {
    let code = code as u16;
    if code < 0x80 { code } else { (code & 0x0f | 0x10) << ((code >> 4 & 7) + 3) }
}

/// The code of the largest value that is not above `value` and has one.
pub const fn encode8(value: u16) -> u8 {
    match value {
        0..0x80 => value as u8,
        MAX_CODE8.. => 0xff,
        _ => {
            let exponent = value.ilog2() - 7;
            0x80 | (exponent << 4) as u8 | (value >> (exponent + 3) & 0x0f) as u8
        }
    }
}

/// The value of a code of 16 bits: itself below 32,768, else a floating-point number (RFC 3810 §5.1.3).
pub const fn decode16(code: u16) -> u32 {
    let code = code as u32;
    if code < 0x8000 { code } else { (code & 0x0fff | 0x1000) << ((code >> 12 & 7) + 3) }
}

/// The code of the largest value that is not above `value` and has one.
pub const fn encode16(value: u32) -> u16 {
    match value {
        0..0x8000 => value as u16,
        MAX_CODE16.. => 0xffff,
        _ => {
            let exponent = value.ilog2() - 15;
            0x8000 | (exponent << 12) as u16 | (value >> (exponent + 3) & 0x0fff) as u16
        }
    }
}

/// Splits off `count` addresses.
fn split_sources<const N: usize>(data: &[u8], count: [u8; 2]) -> Result<(&[[u8; N]], &[u8])> {
    let len = usize::from(u16::from_be_bytes(count)) * N;
    let (octets, rest) = data.split_at_checked(len).ok_or(Error::Truncated)?;
    Ok((octets.as_chunks().0, rest))
}

/// Writes addresses to the beginning of `out`, and returns the rest.
fn emit_sources<'o, const N: usize>(out: &'o mut [u8], sources: &[[u8; N]]) -> &'o mut [u8] {
    let (place, rest) = out.split_at_mut(sources.len() * N);
    place.copy_from_slice(sources.as_flattened());
    rest
}

fn count(sources: usize) -> [u8; 2] {
    assert!(sources <= usize::from(u16::MAX), "65,535 sources or fewer");
    (sources as u16).to_be_bytes()
}

/// An address in its family's notation.
struct Text<'a, const N: usize>(&'a [u8; N]);

impl<const N: usize> fmt::Display for Text<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (<[u8; 4]>::try_from(&self.0[..]), <[u8; 16]>::try_from(&self.0[..])) {
            (Ok(addr), _) => Ipv4Address::from(addr).fmt(f),
            (_, Ok(addr)) => Ipv6Address::from(addr).fmt(f),
            _ => Ok(()), // no family has such addresses
        }
    }
}

fn fmt_sources<const N: usize>(sources: &[[u8; N]], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    fmt_list(f, sources.iter().map(Text))
}

/// What a query of IGMPv3 or MLDv2 says beyond one of the version before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryDetails<'a, const N: usize> {
    /// Routers that hear it are not to shorten their timers (the S flag).
    pub suppress: bool,
    /// How many lost packets the querier allows for, plus one; at most 7, and 0 if it doesn't say.
    pub robustness: u8,
    /// Seconds between the querier's general queries: at most [`MAX_CODE8`], rounded down to a number that
    /// a code has.
    pub query_interval: u16,
    /// The sources that are asked for; none in a query about all.
    pub sources: &'a [[u8; N]],
}

impl<'a, const N: usize> QueryDetails<'a, N> {
    /// Reads what follows the group of a query. Octets behind the sources are ignored (RFC 3376 §4.1.10).
    pub(super) fn parse(data: &'a [u8]) -> Result<QueryDetails<'a, N>> {
        let ([flags, interval, c0, c1], rest) = data.split_first_chunk().ok_or(Error::Truncated)?;
        let (sources, _) = split_sources(rest, [*c0, *c1])?;
        let (suppress, robustness) = (flags & 8 != 0, flags & 7);
        Ok(QueryDetails { suppress, robustness, query_interval: decode8(*interval), sources })
    }

    pub(super) const fn buffer_len(&self) -> usize {
        4 + self.sources.len() * N
    }

    /// Writes what [`parse`](QueryDetails::parse) reads.
    pub(super) fn emit(&self, out: &mut [u8]) {
        let [c0, c1] = count(self.sources.len());
        let flags = u8::from(self.suppress) << 3 | self.robustness & 7;
        let (fixed, rest) = out.split_at_mut(4);
        fixed.copy_from_slice(&[flags, encode8(self.query_interval), c0, c1]);
        emit_sources(rest, self.sources);
    }
}

impl<const N: usize> fmt::Display for QueryDetails<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let QueryDetails { suppress, robustness, query_interval, sources } = self;
        write!(f, "robustness={robustness} interval={query_interval}s")?;
        if *suppress {
            f.write_str(" suppress")?;
        }
        if !sources.is_empty() {
            f.write_str(" sources=")?;
            fmt_sources(sources, f)?;
        }
        Ok(())
    }
}

/// What a group record tells (RFC 3376 §4.2.12, RFC 3810 §5.2.12). Others than these are to be ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordType(pub u8);

impl RecordType {
    /// The answer to a query: only these sources are listened to.
    pub const MODE_IS_INCLUDE: RecordType = RecordType(1);
    /// The answer to a query: all sources but these are listened to.
    pub const MODE_IS_EXCLUDE: RecordType = RecordType(2);
    /// From now on only these sources are listened to; with none the group is left.
    pub const CHANGE_TO_INCLUDE: RecordType = RecordType(3);
    /// From now on all sources but these are listened to.
    pub const CHANGE_TO_EXCLUDE: RecordType = RecordType(4);
    /// These sources are listened to as well.
    pub const ALLOW_NEW_SOURCES: RecordType = RecordType(5);
    /// These sources are no longer listened to.
    pub const BLOCK_OLD_SOURCES: RecordType = RecordType(6);
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            RecordType::MODE_IS_INCLUDE => "is-include",
            RecordType::MODE_IS_EXCLUDE => "is-exclude",
            RecordType::CHANGE_TO_INCLUDE => "to-include",
            RecordType::CHANGE_TO_EXCLUDE => "to-exclude",
            RecordType::ALLOW_NEW_SOURCES => "allow",
            RecordType::BLOCK_OLD_SOURCES => "block",
            RecordType(number) => return write!(f, "type {number}"),
        })
    }
}

/// One group of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a, const N: usize> {
    /// What is told.
    pub kind: RecordType,
    /// Of which group.
    pub group: &'a [u8; N],
    /// With which sources, at most 65,535.
    pub sources: &'a [[u8; N]],
    /// Auxiliary data: a multiple of 4 octets, at most 1,020. None is defined; receivers ignore it.
    pub aux: &'a [u8],
}

impl<'a, const N: usize> Record<'a, N> {
    /// A record without auxiliary data.
    pub const fn new(kind: RecordType, group: &'a [u8; N], sources: &'a [[u8; N]]) -> Record<'a, N> {
        Record { kind, group, sources, aux: &[] }
    }

    /// Splits off one record.
    fn split(data: &'a [u8]) -> Result<(Record<'a, N>, &'a [u8])> {
        let ([kind, aux_words, c0, c1], rest) = data.split_first_chunk().ok_or(Error::Truncated)?;
        let (group, rest) = rest.split_first_chunk().ok_or(Error::Truncated)?;
        let (sources, rest) = split_sources(rest, [*c0, *c1])?;
        let aux_len = usize::from(*aux_words) * 4;
        let (aux, rest) = rest.split_at_checked(aux_len).ok_or(Error::Truncated)?;
        Ok((Record { kind: RecordType(*kind), group, sources, aux }, rest))
    }

    /// Octets of the record.
    pub const fn buffer_len(&self) -> usize {
        4 + N + self.sources.len() * N + self.aux.len()
    }

    /// Writes the record to the beginning of a buffer, and returns what is left of it.
    ///
    /// # Panics
    /// If the buffer is too short, or there are too many sources or too much auxiliary data.
    pub fn emit<'o>(&self, buffer: &'o mut [u8]) -> &'o mut [u8] {
        assert!(self.aux.len() <= 255 * 4 && self.aux.len().is_multiple_of(4), "at most 255 words");
        let [c0, c1] = count(self.sources.len());
        let (fixed, rest) = buffer.split_at_mut(4);
        fixed.copy_from_slice(&[self.kind.0, (self.aux.len() / 4) as u8, c0, c1]);
        let (group, rest) = rest.split_at_mut(N);
        group.copy_from_slice(self.group);
        let (aux, rest) = emit_sources(rest, self.sources).split_at_mut(self.aux.len());
        aux.copy_from_slice(self.aux);
        rest
    }
}

impl<const N: usize> fmt::Display for Record<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", Text(self.group), self.kind)?;
        fmt_sources(self.sources, f)
    }
}

/// The records of a report, whose lengths were found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Records<'a, const N: usize> {
    count: u16,
    data: &'a [u8],
}

impl<'a, const N: usize> Records<'a, N> {
    /// Checks that `data` begins with so many records; what follows them is ignored (RFC 3376 §4.2.11).
    ///
    /// # Errors
    /// `Truncated` if it does not.
    pub fn parse(count: u16, data: &'a [u8]) -> Result<Records<'a, N>> {
        let mut rest = data;
        for _ in 0..count {
            (_, rest) = Record::<N>::split(rest)?;
        }
        let data = data.get(..data.len() - rest.len()).unwrap_or_default(); // never: it is a part of it
        Ok(Records { count, data })
    }

    /// How many are left to come.
    pub const fn count_left(&self) -> u16 {
        self.count
    }

    /// The octets of those that are left to come.
    pub const fn as_octets(&self) -> &'a [u8] {
        self.data
    }
}

impl<'a, const N: usize> Iterator for Records<'a, N> {
    type Item = Record<'a, N>;

    fn next(&mut self) -> Option<Record<'a, N>> {
        let (record, rest) = Record::split(self.data).ok()?;
        (self.data, self.count) = (rest, self.count.saturating_sub(1)); // one was counted for each
        Some(record)
    }
}

impl<const N: usize> fmt::Display for Records<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, record) in self.enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            write!(f, "{record}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Covers: RFC 3376 §4.1.1, §4.1.7
    #[test]
    fn a_code_is_written_as_it_was_read() {
        assert!((0..=u8::MAX).all(|code| encode8(decode8(code)) == code));
        let examples = [(0x7f, 127), (0x80, 128), (0x8f, 248), (0x90, 256), (0xb7, 1472), (0xff, MAX_CODE8)];
        for (code, value) in examples {
            assert_eq!(decode8(code), value);
        }
        for (value, written) in [(129, 128), (255, 248), (31_743, 30_720), (u16::MAX, MAX_CODE8)] {
            assert_eq!(decode8(encode8(value)), written, "{value} is rounded down");
        }
    }

    /// Covers: RFC 3810 §5.1.3
    #[test]
    fn a_wide_code_is_written_as_it_was_read() {
        assert!((0..=u16::MAX).all(|code| encode16(decode16(code)) == code));
        let examples = [(0x7fff, 32_767), (0x8000, 32_768), (0x9234, 74_560), (0xffff, MAX_CODE16)];
        for (code, value) in examples {
            assert_eq!(decode16(code), value);
        }
        for (value, written) in [(32_769, 32_768), (u32::MAX, MAX_CODE16)] {
            assert_eq!(decode16(encode16(value)), written, "{value} is rounded down");
        }
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let sources = [[10, 0, 0, 1], [10, 0, 0, 2]];
        let group = [239, 1, 2, 3];
        let with_aux = Record { aux: &[1, 2, 3, 4], ..Record::new(RecordType(9), &group, &sources[..1]) };
        let written = [
            Record::new(RecordType::ALLOW_NEW_SOURCES, &group, &sources),
            Record::new(RecordType::CHANGE_TO_INCLUDE, &group, &[]),
            with_aux,
        ];
        let mut buffer = [0xff; 64];
        let mut rest = &mut buffer[..];
        for record in &written {
            rest = record.emit(rest);
        }
        let left = rest.len();
        assert_eq!(64 - left, written.iter().map(Record::buffer_len).sum::<usize>());
        let records = Records::<4>::parse(3, &buffer).unwrap();
        assert_eq!(records.as_octets(), &buffer[..64 - left]);
        assert_eq!(
            records.to_string(),
            "239.1.2.3 allow {10.0.0.1, 10.0.0.2}, 239.1.2.3 to-include {}, 239.1.2.3 type 9 {10.0.0.1}"
        );
        assert!(records.eq(written));
        assert_eq!(Records::<4>::parse(2, &buffer).unwrap().count(), 2);
        assert_eq!(Records::<4>::parse(4, &buffer), Err(Error::Truncated));
    }

    #[test]
    fn counts_that_lie_are_found() {
        let cases = [
            ("a record without its group", &[1, 0, 0, 0, 239, 1, 2][..]),
            ("65,535 sources", &[1, 0, 0xff, 0xff, 239, 1, 2, 3, 10, 0, 0, 1]),
            ("a source cut short", &[1, 0, 0, 1, 239, 1, 2, 3, 10, 0, 0]),
            ("auxiliary data that is not there", &[1, 1, 0, 0, 239, 1, 2, 3]),
        ];
        for (name, data) in cases {
            assert_eq!(Records::<4>::parse(1, data), Err(Error::Truncated), "{name}");
        }
        let no_record: &[u8] = &[];
        assert_eq!(Records::<4>::parse(u16::MAX, no_record), Err(Error::Truncated));
        assert_eq!(Records::<4>::parse(0, no_record).unwrap().next(), None);
    }
}
