//! A reader of frames that owes nothing to the stack's own: it is what the stack is judged by.

use std::fmt;

/// A TCP segment as it stands in a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) is_v6: bool,
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    /// Octets of payload.
    pub(crate) len: u32,
    /// 0 if it is not there.
    pub(crate) mss: u16,
    pub(crate) shift: Option<u8>,
    /// Its IP header says that it may be marked, or was.
    pub(crate) is_capable: bool,
}

const IGMP: u8 = 2;

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

impl Segment {
    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// One past its last octet of sequence space.
    pub(crate) fn end(&self) -> u32 {
        let flags = u32::from(self.has(SYN)) + u32::from(self.has(FIN));
        self.seq.wrapping_add(self.len).wrapping_add(flags)
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(SYN, 'S'), (FIN, 'F'), (RST, 'R'), (8, 'P'), (ACK, '.')];
        let flags: String = names.iter().filter(|(bit, _)| self.has(*bit)).map(|(_, name)| *name).collect();
        write!(
            f,
            "{}>{} [{flags}] seq {}+{} ack {} win {}",
            self.src_port, self.dst_port, self.seq, self.len, self.ack, self.window
        )?;
        if self.has(SYN) { write!(f, " mss {} shift {:?}", self.mss, self.shift) } else { Ok(()) }
    }
}

/// What a frame is.
#[derive(Debug)]
pub(crate) enum Frame {
    Tcp(Segment),
    /// Something else that is well-formed: ARP, ICMP.
    Other,
    /// Broken, with what is broken.
    Bad(&'static str),
}

/// Reads a frame and checks its lengths and checksums.
pub(crate) fn read(frame: &[u8], is_ethernet: bool) -> Frame {
    match read_link(frame, is_ethernet) {
        Ok(Some(segment)) => Frame::Tcp(segment),
        Ok(None) => Frame::Other,
        Err(what) => Frame::Bad(what),
    }
}

type Read = Result<Option<Segment>, &'static str>;

fn read_link(frame: &[u8], is_ethernet: bool) -> Read {
    if !is_ethernet {
        return read_ip(frame);
    }
    match frame.get(12..14).ok_or("Ethernet header")? {
        [8, 6] => {
            if frame.len() >= 42 {
                Ok(None)
            } else {
                Err("ARP length")
            }
        }
        [8, 0] | [0x86, 0xdd] => read_ip(&frame[14..]),
        _ => Err("EtherType"),
    }
}

fn read_ip(packet: &[u8]) -> Read {
    match packet.first().ok_or("empty")? >> 4 {
        4 if packet.len() >= 20 => read_v4(packet),
        6 if packet.len() >= 40 => read_v6(packet),
        _ => Err("IP header"),
    }
}

fn read_v4(packet: &[u8]) -> Read {
    // Options stand in IGMP alone: the router alert.
    let header_len = if packet[9] == IGMP { 24 } else { 20 };
    let header = packet.get(..header_len).ok_or("IPv4 header length")?;
    if usize::from(packet[0]) != 0x40 + header_len / 4 || usize::from(be16(packet, 2)) != packet.len() {
        return Err("IPv4 header length or total length");
    }
    if fold(sum(header)) != 0xffff {
        return Err("IPv4 header checksum");
    }
    let pseudo = sum(&packet[12..20]) + u64::from(packet[9]);
    let segment = read_transport(packet[9], pseudo, &packet[header_len..], false)?;
    Ok(segment.map(|segment| Segment { is_capable: packet[1] & 3 != 0, ..segment }))
}

fn read_v6(packet: &[u8]) -> Read {
    if usize::from(be16(packet, 4)) != packet.len() - 40 {
        return Err("IPv6 payload length");
    }
    let (mut protocol, mut payload) = (packet[6], &packet[40..]);
    // The one extension header that the stack sends: hop-by-hop, with MLD's router alert.
    if protocol == 0 {
        let extension = payload.get(..8).ok_or("IPv6 extension header")?;
        let len = 8 * (usize::from(extension[1]) + 1);
        protocol = extension[0];
        payload = payload.get(len..).ok_or("IPv6 extension header length")?;
    }
    let segment = read_transport(protocol, sum(&packet[8..40]) + u64::from(protocol), payload, true)?;
    Ok(segment.map(|segment| Segment { is_capable: packet[1] & 0x30 != 0, ..segment }))
}

fn read_transport(protocol: u8, pseudo: u64, payload: &[u8], is_v6: bool) -> Read {
    let pseudo = if matches!(protocol, 1 | IGMP) { 0 } else { pseudo + payload.len() as u64 };
    if fold(pseudo + sum(payload)) != 0xffff {
        return Err("transport checksum");
    }
    if protocol != 6 {
        return Ok(None);
    }
    if payload.len() < 20 {
        return Err("TCP header");
    }
    let header_len = usize::from(payload[12] >> 4) * 4;
    let options = payload.get(20..header_len).ok_or("TCP header length")?;
    let (mss, shift) = read_options(options)?;
    Ok(Some(Segment {
        is_v6,
        src_port: be16(payload, 0),
        dst_port: be16(payload, 2),
        seq: be32(payload, 4),
        ack: be32(payload, 8),
        flags: payload[13],
        window: be16(payload, 14),
        len: (payload.len() - header_len) as u32,
        mss,
        shift,
        is_capable: false,
    }))
}

fn read_options(mut options: &[u8]) -> Result<(u16, Option<u8>), &'static str> {
    let (mut mss, mut shift) = (0, None);
    while let Some(&kind) = options.first() {
        let len = match kind {
            0 => break,
            1 => 1,
            _ => usize::from(*options.get(1).ok_or("option length")?),
        };
        let option = options.get(..len).filter(|option| !option.is_empty()).ok_or("option length")?;
        match option {
            [2, 4, high, low] => mss = u16::from_be_bytes([*high, *low]),
            [3, 3, value] => shift = Some(*value),
            _ => {}
        }
        options = &options[len..];
    }
    Ok((mss, shift))
}

fn be16(data: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([data[at], data[at + 1]])
}

fn be32(data: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]])
}

/// The sum of the 16-bit words, not folded.
fn sum(data: &[u8]) -> u64 {
    let (words, rest) = data.as_chunks::<4>();
    let mut sum: u64 = words.iter().map(|word| u64::from(u32::from_be_bytes(*word))).sum();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    sum += u64::from(u32::from_be_bytes(last));
    sum
}

fn fold(mut sum: u64) -> u64 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}
