//! The fast checksum against the one of RFC 1071's text: 16 bits at a time.

use goldcrest::wire::checksum::{Sum, copy_and_sum, sum, update_word};

/// The checksum of `data`, plainly.
pub(crate) fn plain(data: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in data.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Zero and all ones are the same number in ones complement; only a sum of nothing is the first.
fn is_same(a: u16, b: u16) -> bool {
    a == b || (a ^ b == 0xffff && (a == 0 || b == 0))
}

/// The first three octets say where the data begins, is cut, and changes.
pub(crate) fn checksum(input: &[u8]) {
    let Some((&[skip, cut, at], data)) = input.split_first_chunk() else { return };
    // Other alignments than the allocator's.
    let data = data.get(usize::from(skip % 16)..).unwrap_or_default();
    let expected = plain(data);
    let whole = sum(data);
    assert_eq!(u16::from_be_bytes(whole.finish()), expected, "sum of {} octets", data.len());
    assert_eq!(u16::from_be_bytes(whole.partial()), !expected);
    assert_eq!(whole.is_valid(), expected == 0);
    assert!(is_same(u16::from_be_bytes(whole.finish_udp()), expected) && whole.finish_udp() != [0, 0]);
    copied(data, expected);
    split(data, usize::from(cut), expected);
    updated(data, usize::from(at));
}

/// What is copied is summed, and arrives.
fn copied(data: &[u8], expected: u16) {
    for offset in [0, 1, 3] {
        let mut to = vec![0xff; offset + data.len() + 1];
        let room = &mut to[offset..offset + data.len()];
        assert_eq!(u16::from_be_bytes(copy_and_sum(room, data).finish()), expected);
        assert_eq!(room, data);
        assert_eq!(to[offset + data.len()], 0xff);
    }
}

/// In two pieces, the second one at any offset; and in many.
fn split(data: &[u8], cut: usize, expected: u16) {
    let (a, b) = data.split_at(cut.min(data.len()));
    let joined = if a.len() % 2 == 0 { sum(a).add(sum(b)) } else { sum(a).add_at_odd(sum(b)) };
    assert_eq!(u16::from_be_bytes(joined.finish()), expected, "cut at {}", a.len());
    let mut total = Sum::ZERO;
    let mut at = 0;
    for piece in data.chunks(cut.max(1)) {
        let part = sum(piece);
        total = if at % 2 == 0 { total.add(part) } else { total.add_at_odd(part) };
        at += piece.len();
    }
    assert_eq!(u16::from_be_bytes(total.finish()), expected, "cut each {}", cut.max(1));
}

/// A field changes, and the checksum with it (RFC 1624).
fn updated(data: &[u8], at: usize) {
    let mut data = data.to_vec();
    let at = at & !1;
    let Some(&[a, b, c, d]) = data.get(at..at + 4) else { return };
    let (old, new) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let before = plain(&data);
    data[at..at + 2].copy_from_slice(&new.to_be_bytes());
    let after = u16::from_be_bytes(update_word(before.to_be_bytes(), old, new));
    assert!(is_same(after, plain(&data)), "{old:#x} to {new:#x} at {at}");
    let back = u16::from_be_bytes(update_word(after.to_be_bytes(), new, old));
    assert!(is_same(back, before), "there and back");
}
