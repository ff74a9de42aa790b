//! Of a long capture a part.

use std::fs::{self, File};
use std::path::Path;

use pcap_file::pcap::{PcapReader, PcapWriter};

/// Leaves about `count` frames in a pcap file, from beginning to end.
pub(crate) fn thin_out(pcap: &Path, count: usize) {
    let octets = fs::read(pcap).unwrap();
    let mut reader = PcapReader::new(&octets[..]).unwrap();
    let header = reader.header();
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_raw_packet() {
        frames.push(frame.unwrap().into_owned());
    }
    let mut writer = PcapWriter::with_header(File::create(pcap).unwrap(), header).unwrap();
    for frame in frames.iter().step_by(frames.len().div_ceil(count).max(1)) {
        writer.write_raw_packet(frame).unwrap();
    }
}
