//! A valid segment with one or two of its fields changed, in each state: nothing panics, no state follows that RFC 9293
//! and RFC 5961 do not allow, at most one segment answers, and what carries nothing is not answered again and again.

use std::vec::Vec;

use super::net::*;
use super::tcp_desk::{At, Desk, PEER_PORT, PORT, STATES};
use crate::wire::Addr;
use crate::wire::checksum::{pseudo_header, sum};
use crate::wire::tcp::SeqNum;

/// Octets of the desk's receive window.
const WINDOW: i32 = 1_000;
/// So much older than RCV.NXT a segment may be whose ACK counts; and than SND.UNA an ACK, of a window never larger.
const MAX_AGE: i32 = 1 << 16;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// A field, and how many values it is given besides the valid one.
#[derive(Debug, Clone, Copy)]
enum Field {
    Seq,
    Ack,
    Offset,
    Flags,
    Ecn,
    Window,
    Urgent,
    Checksum,
    Options,
    Len,
}

const FIELDS: [(Field, usize); 10] = [
    (Field::Seq, SEQS.len()),
    (Field::Ack, ACKS.len()),
    (Field::Offset, 15),
    (Field::Flags, 64),
    (Field::Ecn, 3),
    (Field::Window, WINDOWS.len()),
    (Field::Urgent, 3),
    (Field::Checksum, 2),
    (Field::Options, OPTIONS.len()),
    (Field::Len, LENS.len()),
];

/// From RCV.NXT.
const SEQS: [i32; 12] = [-100_000, -65_536, -4, -3, -1, 1, 500, 996, 999, 1_000, 5_000, i32::MIN];
/// From SND.NXT.
const ACKS: [i32; 10] = [i32::MIN, -200_000, -65_600, -12, -11, -10, -1, 1, 100_000, i32::MAX];
const WINDOWS: [u16; 4] = [0, 1, 9, 1_000];
const LENS: [usize; 6] = [0, 1, 999, 1_000, 1_001, 1_460];
/// Right and wrong ones: MSS, scale, SACK permitted, blocks, timestamps, unknown, cut off.
const OPTIONS: [&[u8]; 14] = [
    &[2, 4, 0, 0],
    &[2, 4, 0xff, 0xff],
    &[2, 3, 5, 0],
    &[3, 3, 200, 1],
    &[4, 2, 1, 1],
    &[1, 1, 5, 10, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
    &[1, 1, 5, 9, 0, 0, 0, 0, 0, 0, 0, 0],
    &[5, 34, 0, 0],
    &[1, 1, 8, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1],
    &[8, 4, 0, 0],
    &[28, 4, 0x80, 1],
    &[200, 0, 1, 1],
    &[200, 1, 1, 1],
    &[0, 7, 7, 7],
];

#[derive(Debug, Clone)]
struct Mutated {
    seq: SeqNum,
    ack: SeqNum,
    offset: Option<u8>,
    flags: u8,
    window: u16,
    urgent: u16,
    spoil: u16,
    options: &'static [u8],
    len: usize,
}

impl Mutated {
    /// At RCV.NXT, with four octets, acknowledging all.
    fn valid(desk: &Desk) -> Mutated {
        let [_, nxt, peer] = desk.numbers();
        Mutated {
            seq: peer,
            ack: nxt,
            offset: None,
            flags: ACK,
            window: 0xffff,
            urgent: 0,
            spoil: 0,
            options: &[],
            len: 4,
        }
    }

    fn change(&mut self, field: Field, index: usize) {
        let moved = |at: SeqNum, by: i32| SeqNum(at.0.wrapping_add_signed(by));
        match field {
            Field::Seq => self.seq = moved(self.seq, SEQS[index]),
            Field::Ack => self.ack = moved(self.ack, ACKS[index]),
            // All but the right one.
            Field::Offset => self.offset = Some(if index < 5 { index as u8 } else { index as u8 + 1 }),
            Field::Flags => self.flags = index as u8,
            Field::Ecn => self.flags |= (index as u8 + 1) << 6,
            Field::Window => self.window = WINDOWS[index],
            Field::Urgent => (self.flags, self.urgent) = (self.flags | 0x20, [0, 1, 0xffff][index]),
            Field::Checksum => self.spoil = [1, 0xffff][index],
            Field::Options => self.options = OPTIONS[index],
            Field::Len => self.len = LENS[index],
        }
    }

    fn packet(&self) -> Vec<u8> {
        let mut segment = [PEER_PORT.to_be_bytes(), PORT.to_be_bytes()].concat();
        segment.extend([self.seq.0.to_be_bytes(), self.ack.0.to_be_bytes()].concat());
        let offset = self.offset.unwrap_or(5 + self.options.len() as u8 / 4);
        segment.extend([offset << 4, self.flags]);
        segment.extend([self.window.to_be_bytes(), [0; 2], self.urgent.to_be_bytes()].concat());
        segment.extend(self.options);
        segment.extend(vec![5; self.len]);
        let pseudo = pseudo_header(&Addr::v4(PEER_IP), &Addr::v4(OUR_IP), 6, segment.len() as u32);
        let checksum = u16::from_be_bytes(pseudo.add(sum(&segment)).finish()) ^ self.spoil;
        segment[16..18].copy_from_slice(&checksum.to_be_bytes());
        ipv4(PEER_IP, OUR_IP, 6, &segment)
    }

    /// Octets of payload as the header has it; `None` if that is impossible, or the checksum wrong.
    fn payload_len(&self) -> Option<i32> {
        let header_len = self.offset.map_or(20 + self.options.len(), |offset| usize::from(offset) * 4);
        let len = (20 + self.options.len() + self.len).checked_sub(header_len)?;
        (header_len >= 20 && self.spoil == 0).then_some(len as i32)
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Where the segment may lead: RFC 9293 §3.10.7, RFC 5961 §3.2, §4.2, §5.
    fn may_lead_to(&self, at: At, [una, nxt, peer]: [SeqNum; 3]) -> Vec<At> {
        let Some(len) = self.payload_len() else { return Vec::new() };
        let (syn, fin, rst, ack) = (self.has(SYN), self.has(FIN), self.has(RST), self.has(ACK));
        let acks_all = ack && self.ack == nxt;
        let offset = self.seq.since(peer);
        match at {
            At::Closed | At::TimeWait => Vec::new(),
            At::Listen if syn && !ack && !rst => vec![At::Passive],
            At::Listen => Vec::new(),
            At::SynSent if ack && !acks_all => Vec::new(),
            At::SynSent if rst => {
                if ack {
                    vec![At::Closed]
                } else {
                    Vec::new()
                }
            }
            At::SynSent if syn && ack => vec![At::Established, At::CloseWait],
            At::SynSent if syn => vec![At::Active],
            At::SynSent => Vec::new(),
            _ if rst && offset == 0 => vec![if at == At::Passive { At::Listen } else { At::Closed }],
            _ if rst => Vec::new(),
            // The SYN-ACK of a simultaneous open repeats the SYN.
            At::Passive | At::Active if syn => {
                if offset == -1 && acks_all {
                    vec![At::Established, At::CloseWait]
                } else {
                    Vec::new()
                }
            }
            _ if syn || !ack => Vec::new(),
            _ => {
                let seg_len = len + i32::from(fin);
                // What begins right behind the window counts as being in it (docs/DEVIATIONS.md).
                let begins = offset <= WINDOW && offset + seg_len.max(1) > 0;
                let is_recent = (-MAX_AGE..0).contains(&offset) && !matches!(at, At::Passive | At::Active);
                let acks = self.ack.since(una) >= -MAX_AGE && self.ack.since(nxt) <= 0;
                if !acks || !(begins || is_recent) {
                    return Vec::new();
                }
                let has_fin = begins && fin && offset <= 0 && (0..=WINDOW).contains(&(offset + len));
                after(at, acks_all, has_fin)
            }
        }
    }
}

/// Where an ACK of all, or a FIN in its turn, lead.
fn after(at: At, acks_all: bool, has_fin: bool) -> Vec<At> {
    match (at, acks_all, has_fin) {
        (At::Passive | At::Active, true, false) => vec![At::Established],
        (At::Passive | At::Active, true, true) => vec![At::CloseWait],
        (At::Established, _, true) => vec![At::CloseWait],
        (At::FinWait1, true, true) => vec![At::TimeWait],
        (At::FinWait1, true, false) => vec![At::FinWait2],
        (At::FinWait1, false, true) => vec![At::Closing],
        (At::FinWait2, _, true) => vec![At::TimeWait],
        (At::Closing, true, _) => vec![At::TimeWait],
        (At::LastAck, true, _) => vec![At::Closed],
        _ => Vec::new(),
    }
}

/// Gives one mutation to a desk, and says where that led, if anywhere else.
fn judge(at: At, changes: &[(Field, usize)]) -> Option<At> {
    let mut desk = Desk::at(at);
    let mut mutated = Mutated::valid(&desk);
    changes.iter().for_each(|(field, index)| mutated.change(*field, *index));
    let allowed = mutated.may_lead_to(at, desk.numbers());
    let sent = desk.take(mutated.packet());
    let now = desk.state();
    assert!(now == at || allowed.contains(&now), "{at:?} to {now:?}, not {allowed:?}: {mutated:?}");
    assert!(sent <= 1, "{at:?}: {sent} answers to {mutated:?}");
    let is_empty = mutated.payload_len() == Some(0) && !mutated.has(FIN);
    // A record of TIME-WAIT does not know when it last answered: each that it must answer costs one.
    let is_connection = !matches!(at, At::Closed | At::Listen | At::SynSent | At::TimeWait);
    if now == at && is_empty && is_connection && !acks_syn(at, &mutated) {
        let more: usize = (0..20).map(|_| desk.take(mutated.packet())).sum();
        assert!(sent + more <= 1, "{at:?}: {sent} and {more} answers to {mutated:?}");
    }
    (now != at).then_some(now)
}

/// A wrong ACK in SYN-RECEIVED is answered by a reset, as one for no connection is, under the limit for those.
fn acks_syn(at: At, mutated: &Mutated) -> bool {
    matches!(at, At::Passive | At::Active) && mutated.has(ACK)
}

/// Covers: RFC 9293 §3.10.7; RFC 5961 §3.2, §4.2, §5, §7
#[test]
fn a_segment_with_one_or_two_fields_changed_leads_nowhere_that_it_may_not() {
    let mut led = Vec::new();
    for at in STATES {
        let mut note = |changes: &[(Field, usize)]| {
            if let Some(now) = judge(at, changes)
                && !led.contains(&(at, now))
            {
                led.push((at, now));
            }
        };
        note(&[]);
        for (place, (field, count)) in FIELDS.into_iter().enumerate() {
            for index in 0..count {
                note(&[(field, index)]);
                for (other, others) in FIELDS.into_iter().skip(place + 1) {
                    (0..others).for_each(|more| note(&[(field, index), (other, more)]));
                }
            }
        }
    }
    // What must happen did: each change of state that one segment can bring about.
    let all = [
        (At::Listen, At::Passive),
        (At::SynSent, At::Closed),
        (At::SynSent, At::Established),
        (At::SynSent, At::Active),
        (At::Passive, At::Established),
        (At::Passive, At::CloseWait),
        (At::Passive, At::Listen),
        (At::Active, At::Established),
        (At::Active, At::CloseWait),
        (At::Active, At::Closed),
        (At::Established, At::CloseWait),
        (At::Established, At::Closed),
        (At::FinWait1, At::FinWait2),
        (At::FinWait1, At::Closing),
        (At::FinWait1, At::TimeWait),
        (At::FinWait1, At::Closed),
        (At::FinWait2, At::TimeWait),
        (At::FinWait2, At::Closed),
        (At::CloseWait, At::Closed),
        (At::Closing, At::TimeWait),
        (At::Closing, At::Closed),
        (At::LastAck, At::Closed),
    ];
    let missing: Vec<_> = all.iter().filter(|change| !led.contains(change)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
