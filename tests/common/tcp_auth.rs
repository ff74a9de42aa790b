//! TCP-MD5 (RFC 2385) and TCP-AO (RFC 5925 with the algorithms of RFC 5926) on the hooks for options, as an
//! application would have them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;

use aes::Aes128;
use cmac::Cmac;
use goldcrest::iface::{Handler, Verdict};
use goldcrest::wire::IpEndpoint;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;

const HEADER_LEN: usize = 20;
const CHECKSUM: Range<usize> = 16..18;
const SYN: u8 = 2;
const ACK: u8 = 16;
const NOP: u8 = 1;

/// What is digested before the segment.
fn pseudo_header(from: IpEndpoint, to: IpEndpoint, len: usize) -> Vec<u8> {
    match (from.addr.into(), to.addr.into()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            [&from.octets()[..], &to.octets(), &[0, 6], &(len as u16).to_be_bytes()].concat()
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            [&from.octets()[..], &to.octets(), &(len as u32).to_be_bytes(), &[0, 0, 0, 6]].concat()
        }
        _ => unreachable!("both ends are of one family"),
    }
}

fn word(segment: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(*segment[at..].first_chunk().unwrap())
}

fn header_len(segment: &[u8]) -> usize {
    usize::from(segment[12] >> 4) * 4
}

/// Where an option of this kind stands, if there is just one.
fn option(segment: &[u8], kind: u8) -> Option<Range<usize>> {
    let (mut at, mut found) = (HEADER_LEN, None);
    while at < header_len(segment) && segment[at] != 0 {
        let len = if segment[at] == NOP { 1 } else { usize::from(segment[at + 1]) };
        if segment[at] == kind && found.replace(at..at + len).is_some() {
            return None;
        }
        at += len;
    }
    found
}

fn verdict(is_right: bool) -> Verdict {
    if is_right { Verdict::Accept } else { Verdict::Drop }
}

/// TCP-MD5 with one key.
pub(crate) struct TcpMd5(pub(crate) &'static [u8]);

impl TcpMd5 {
    /// Octets of options.
    pub(crate) const ROOM: usize = 20;
    const KIND: u8 = 19;

    /// RFC 2385 §2.0: pseudo-header, header without options and checksum, payload, key.
    fn digest(&self, from: IpEndpoint, to: IpEndpoint, segment: &[u8]) -> [u8; 16] {
        let mut md5 = Md5::new();
        md5.update(pseudo_header(from, to, segment.len()));
        md5.update(&segment[..CHECKSUM.start]);
        md5.update([0, 0]);
        md5.update(&segment[CHECKSUM.end..HEADER_LEN]);
        md5.update(&segment[header_len(segment)..]);
        md5.update(self.0);
        md5.finalize().into()
    }
}

impl Handler for TcpMd5 {
    fn segment_received(&mut self, remote: IpEndpoint, local: IpEndpoint, segment: &[u8]) -> Verdict {
        let Some(at) = option(segment, TcpMd5::KIND) else { return Verdict::Drop };
        verdict(segment[at][2..] == self.digest(remote, local, segment))
    }

    fn fill_options(
        &mut self,
        remote: IpEndpoint,
        local: IpEndpoint,
        segment: &mut [u8],
        room: Range<usize>,
    ) {
        let digest = self.digest(local, remote, segment);
        segment[room].copy_from_slice(&[&[NOP, NOP, TcpMd5::KIND, 18], &digest[..]].concat());
    }
}

/// The algorithms that everybody has (RFC 5926 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    HmacSha1,
    AesCmac,
}

impl Algorithm {
    fn mac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        match self {
            Algorithm::HmacSha1 => {
                let mut mac = Hmac::<Sha1>::new_from_slice(key).unwrap();
                mac.update(data);
                mac.finalize().into_bytes().to_vec()
            }
            Algorithm::AesCmac => {
                let mut mac = Cmac::<Aes128>::new_from_slice(key).unwrap();
                mac.update(data);
                mac.finalize().into_bytes().to_vec()
            }
        }
    }

    /// RFC 5926 §3.1: one round of the counter gives all that is needed.
    fn traffic_key(self, master: &[u8], context: &[u8]) -> Vec<u8> {
        let (bits, master) = match self {
            Algorithm::HmacSha1 => (160_u16, master.to_vec()),
            Algorithm::AesCmac => (128, self.mac(&[0; 16], master)),
        };
        self.mac(&master, &[&[1], &b"TCP-AO"[..], context, &bits.to_be_bytes()].concat())
    }
}

/// A master key tuple (RFC 5925 §3.1).
#[derive(Clone)]
pub(crate) struct MasterKey {
    pub(crate) key: &'static [u8],
    pub(crate) send_id: u8,
    pub(crate) recv_id: u8,
    pub(crate) algorithm: Algorithm,
    pub(crate) covers_options: bool,
}

/// How far sequence numbers have come, their extension (RFC 5925 §6.2) in the upper half.
#[derive(Clone, Copy)]
struct Extended(u64);

impl Extended {
    fn new(isn: u32) -> Extended {
        Extended(isn.into())
    }

    /// The number of this lower half that is nearest.
    fn near(self, seq: u32) -> Extended {
        let ahead = seq.wrapping_sub(self.0 as u32) as i32;
        Extended(self.0.saturating_add_signed(ahead.into()))
    }

    fn move_on(&mut self, to: Extended) {
        self.0 = self.0.max(to.0);
    }
}

/// What is known of a connection: each end's initial number, and how far it has come.
#[derive(Clone, Copy, Default)]
struct Sides {
    ours: Option<(u32, Extended)>,
    theirs: Option<(u32, Extended)>,
}

/// TCP-AO with one master key.
pub(crate) struct TcpAo {
    master: MasterKey,
    connections: HashMap<(IpEndpoint, IpEndpoint), Sides>,
}

impl TcpAo {
    /// Octets of options.
    pub(crate) const ROOM: usize = 4 + MAC_LEN;
    const KIND: u8 = 29;

    pub(crate) fn new(master: MasterKey) -> TcpAo {
        TcpAo { master, connections: HashMap::new() }
    }

    /// RFC 5925 §5.1, §5.2: the MAC of a segment whose option begins at `at`.
    fn mac(
        &self,
        from: IpEndpoint,
        to: IpEndpoint,
        isns: (u32, u32),
        number: Extended,
        segment: &[u8],
        at: usize,
    ) -> Vec<u8> {
        let addresses = pseudo_header(from, to, segment.len());
        let addresses = &addresses[..if addresses.len() == 12 { 8 } else { 32 }];
        let ports = [from.port.to_be_bytes(), to.port.to_be_bytes()].concat();
        let context = [addresses, &ports, &isns.0.to_be_bytes(), &isns.1.to_be_bytes()].concat();
        let key = self.master.algorithm.traffic_key(self.master.key, &context);
        let mut header = segment[..header_len(segment)].to_vec();
        header[CHECKSUM].fill(0);
        header[at + 4..at + 4 + MAC_LEN].fill(0);
        if !self.master.covers_options {
            header.drain(at + 4 + MAC_LEN..);
            header.drain(HEADER_LEN..at);
        }
        let sne = ((number.0 >> 32) as u32).to_be_bytes();
        let pseudo = pseudo_header(from, to, segment.len());
        let payload = &segment[header_len(segment)..];
        let mut mac = self.master.algorithm.mac(&key, &[&sne, &pseudo[..], &header, payload].concat());
        mac.truncate(MAC_LEN);
        mac
    }
}

const MAC_LEN: usize = 12;

impl Handler for TcpAo {
    fn segment_received(&mut self, remote: IpEndpoint, local: IpEndpoint, segment: &[u8]) -> Verdict {
        let Some(at) = option(segment, TcpAo::KIND) else { return Verdict::Drop };
        let (seq, flags) = (word(segment, 4), segment[13]);
        let mut sides = self.connections.get(&(local, remote)).copied().unwrap_or_default();
        if flags & (SYN | ACK) == SYN && sides.theirs.is_none_or(|(isn, _)| isn != seq) {
            sides = Sides::default();
        }
        if flags & SYN != 0 {
            sides.theirs = Some((seq, Extended::new(seq)));
        }
        let Some((their_isn, theirs)) = &mut sides.theirs else { return Verdict::Drop };
        let number = theirs.near(seq);
        theirs.move_on(number);
        let our_isn = match sides.ours {
            _ if flags & (SYN | ACK) == SYN => 0,
            Some((isn, _)) => isn,
            None => return Verdict::Drop,
        };
        let is_ours = at.len() == TcpAo::ROOM && segment[at.start + 2] == self.master.recv_id;
        let mac = self.mac(remote, local, (*their_isn, our_isn), number, segment, at.start);
        if !is_ours || segment[at][4..] != mac {
            return Verdict::Drop;
        }
        self.connections.insert((local, remote), sides);
        Verdict::Accept
    }

    fn fill_options(
        &mut self,
        remote: IpEndpoint,
        local: IpEndpoint,
        segment: &mut [u8],
        room: Range<usize>,
    ) {
        let (seq, flags) = (word(segment, 4), segment[13]);
        let sides = self.connections.entry((local, remote)).or_default();
        if flags & SYN != 0 {
            if flags & ACK == 0 {
                sides.theirs = None;
            }
            sides.ours = Some((seq, Extended::new(seq)));
        }
        // Of what was never there nothing is said.
        let Some((isn, ours)) = &mut sides.ours else { return };
        let number = ours.near(seq);
        ours.move_on(number);
        let isns = (*isn, sides.theirs.filter(|_| flags & (SYN | ACK) != SYN).map_or(0, |(isn, _)| isn));
        let head = [TcpAo::KIND, TcpAo::ROOM as u8, self.master.send_id, self.master.recv_id];
        segment[room.clone()][..4].copy_from_slice(&head);
        let mac = self.mac(local, remote, isns, number, segment, room.start);
        segment[room][4..].copy_from_slice(&mac);
    }
}

/// Covers: RFC 5925 §6.2
#[test]
fn numbers_go_on_beyond_their_end_and_old_ones_stay_before_it() {
    let mut last = Extended::new(0xffff_ff00);
    last.move_on(last.near(0x100));
    assert_eq!(last.0, 0x1_0000_0100);
    assert_eq!(last.near(0xffff_ff80).0, 0xffff_ff80, "sent again from before");
    last.move_on(last.near(0xffff_ff80));
    assert_eq!(last.0, 0x1_0000_0100);
    for step in 1..9_u64 {
        last.move_on(last.near(((step % 8) << 29) as u32));
    }
    assert_eq!(last.0 >> 32, 2);
}
