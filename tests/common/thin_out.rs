//! Of a long capture a part.

use std::fs;
use std::path::Path;

/// Leaves about `count` frames in a pcap file, from beginning to end.
pub(crate) fn thin_out(pcap: &Path, count: usize) {
    let octets = fs::read(pcap).unwrap();
    let (header, mut rest) = octets.split_at(24);
    let mut frames = Vec::new();
    while rest.len() >= 16 {
        let len = u32::from_be_bytes(rest[8..12].try_into().unwrap());
        let (frame, others) = rest.split_at(16 + len as usize);
        frames.push(frame);
        rest = others;
    }
    let step = frames.len().div_ceil(count).max(1);
    let some: Vec<&[u8]> = [header].into_iter().chain(frames.into_iter().step_by(step)).collect();
    fs::write(pcap, some.concat()).unwrap();
}
