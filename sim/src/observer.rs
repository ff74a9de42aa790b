//! An eye on one host's wire that knows TCP from its RFCs and nothing of the stack.
//!
//! It says what kind of retransmission each repeated segment is, from what went in and out before, and it
//! complains of segments that no TCP may send.

use std::collections::HashMap;

use goldcrest::time::Instant;

use crate::frame::{self, ACK, FIN, Frame, RST, SYN, Segment};

/// What is sent again, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    Rto,
    Fast,
    PartialAck,
    ZeroWindowProbe,
    KeepAlive,
    Syn,
    SynAck,
    Fin,
}

impl Again {
    pub(crate) const NAMES: [&str; 8] = [
        "retransmission timeout",
        "fast retransmit",
        "partial ACK",
        "zero-window probe",
        "keep-alive",
        "SYN again",
        "SYN-ACK again",
        "FIN again",
    ];
}

/// What has gone over one host's wire.
#[derive(Debug)]
pub(crate) struct Observer {
    name: &'static str,
    is_ethernet: bool,
    ip_mtu: usize,
    flows: HashMap<(bool, u16, u16), Flow>,
    pub(crate) again: [u64; 8],
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Octets of payload sent for the first time.
    pub(crate) fresh_octets: u64,
    /// What is wrong, if anything is.
    pub(crate) complaint: Option<String>,
}

/// One connection, as seen from the host: `snd` goes out.
#[derive(Debug, Default)]
struct Flow {
    iss: u32,
    /// One past the highest that was sent.
    snd_max: u32,
    fin: Option<u32>,
    syn_acks: u32,
    is_reset: bool,
    /// The highest acknowledgment received, or the number after our SYN.
    snd_una: u32,
    dup_acks: u32,
    /// The peer's window as of the last acceptable segment, and the farthest edge it ever had.
    snd_wnd: u32,
    edge: u32,
    heard_at: Option<Instant>,
    acked_at: Option<Instant>,
    /// SND.MAX when the last loss was seen, while it is being repaired.
    recover: Option<u32>,
    /// The peer's SYN, once it was seen.
    peer: Option<Peer>,
    our_shift: Option<u8>,
    /// The highest acknowledgment sent and the edge of the window that went with it.
    rcv_ack: Option<u32>,
    rcv_edge: u32,
    peer_fin: bool,
}

/// What a peer's SYN says.
#[derive(Debug, Clone, Copy)]
struct Peer {
    irs: u32,
    window: u32,
    mss: u16,
    shift: Option<u8>,
}

fn before(a: u32, b: u32) -> bool {
    (b.wrapping_sub(a) as i32) > 0
}

impl Observer {
    pub(crate) fn new(name: &'static str, is_ethernet: bool, ip_mtu: usize) -> Observer {
        Observer {
            name,
            is_ethernet,
            ip_mtu,
            flows: HashMap::new(),
            again: [0; 8],
            sent: 0,
            received: 0,
            fresh_octets: 0,
            complaint: None,
        }
    }

    fn complain(&mut self, text: String) {
        self.complaint.get_or_insert(text);
    }

    /// The host has sent a frame.
    pub(crate) fn on_sent(&mut self, now: Instant, octets: &[u8]) {
        self.sent += 1;
        let segment = match frame::read(octets, self.is_ethernet) {
            Frame::Tcp(segment) => segment,
            Frame::Other => return log::trace!("{now} {} sends {} octets", self.name, octets.len()),
            Frame::Bad(what) => {
                return self.complain(format!("sent a frame with a bad {what}: {octets:02x?}"));
            }
        };
        let link_len = if self.is_ethernet { 14 } else { 0 };
        if octets.len() > self.ip_mtu + link_len {
            self.complain(format!("sent {} octets", octets.len()));
        }
        let key = (segment.is_v6, segment.src_port, segment.dst_port);
        let flow = self.flows.entry(key).or_default();
        let max_before = flow.snd_max;
        let (again, wrong) = flow.on_sent(now, &segment);
        if again.is_none() && !segment.has(SYN) && before(max_before, segment.end()) {
            self.fresh_octets += u64::from(segment.len);
        }
        log::trace!("{now} {} > {segment} {again:?}", self.name);
        if let Some(again) = again {
            self.again[again as usize] += 1;
        }
        if let Some(wrong) = wrong {
            self.complain(format!("{wrong}: {segment}"));
        }
    }

    /// The host has received a frame, perhaps a damaged one.
    pub(crate) fn on_received(&mut self, now: Instant, octets: &[u8]) {
        self.received += 1;
        let Frame::Tcp(segment) = frame::read(octets, self.is_ethernet) else {
            return log::trace!("{now} {} receives {} octets", self.name, octets.len());
        };
        log::trace!("{now} {} < {segment}", self.name);
        let key = (segment.is_v6, segment.dst_port, segment.src_port);
        self.flows.entry(key).or_default().on_received(now, &segment);
    }
}

impl Flow {
    /// A segment goes out: of which kind it is if it goes again, and what is wrong with it.
    fn on_sent(&mut self, now: Instant, seg: &Segment) -> (Option<Again>, Option<&'static str>) {
        // RFC 3168 §6.1.1, §6.1.4 to §6.1.6.
        let is_new_data = seg.len > 0 && !seg.has(SYN) && !before(seg.seq, self.snd_max);
        if seg.is_capable && (seg.has(RST) || !is_new_data) {
            return (None, Some("what is no new data may be marked"));
        }
        if seg.has(RST) {
            self.is_reset = true;
            return (None, None);
        }
        if seg.has(SYN) {
            return (self.on_syn_sent(seg), None);
        }
        let wrong = self.check(seg);
        let again = self.classify(now, seg);
        if before(self.snd_max, seg.end()) {
            self.snd_max = seg.end();
        }
        if seg.has(FIN) {
            self.fin = Some(seg.end().wrapping_sub(1));
        }
        self.note_ack(seg);
        (again, wrong)
    }

    fn on_syn_sent(&mut self, seg: &Segment) -> Option<Again> {
        let is_known = seg.seq == self.iss && self.snd_max == seg.end() && !self.is_reset;
        if !is_known {
            // A SYN-ACK answers a SYN, which stays.
            let peer = if seg.has(ACK) { std::mem::take(self).peer } else { None };
            *self = Flow { iss: seg.seq, snd_una: seg.seq, snd_max: seg.end(), peer, ..Flow::default() };
            if let Some(peer) = peer {
                self.snd_wnd = peer.window;
                self.edge = self.snd_max.wrapping_add(peer.window);
            }
        }
        self.our_shift = seg.shift;
        if seg.has(ACK) {
            self.syn_acks += 1;
            return (self.syn_acks > 1).then_some(Again::SynAck);
        }
        is_known.then_some(Again::Syn)
    }

    /// What no TCP may do.
    fn check(&self, seg: &Segment) -> Option<&'static str> {
        if !seg.has(ACK) {
            return Some("no ACK after the handshake");
        }
        let Some(peer) = self.peer.filter(|_| !self.is_reset) else {
            // It answers for a connection that is no more.
            return None;
        };
        if seg.len > u32::from(peer.mss.max(64)) {
            return Some("more than the peer's MSS");
        }
        let is_probe = seg.len + u32::from(seg.has(FIN)) == 1 && seg.seq == self.snd_una;
        if seg.len > 0
            && before(self.edge, seg.end())
            && !is_probe
            && !(seg.has(FIN) && seg.end().wrapping_sub(1) == self.edge)
        {
            return Some("beyond the peer's window");
        }
        if seg.len > 0 && self.fin.is_some_and(|fin| before(fin, seg.seq.wrapping_add(seg.len))) {
            return Some("data after the FIN");
        }
        if self.fin.is_some_and(|fin| seg.has(FIN) && seg.end().wrapping_sub(1) != fin) {
            return Some("the FIN has moved");
        }
        if self.rcv_ack.is_some_and(|ack| before(seg.ack, ack)) {
            return Some("the acknowledgment goes back");
        }
        let slack = 1 << self.our_window_shift();
        let shrinks = before(self.edge_of(seg).wrapping_add(slack), self.rcv_edge);
        if self.rcv_ack.is_some() && shrinks && !self.peer_fin {
            return Some("the window shrinks");
        }
        None
    }

    fn on_syn_received(&mut self, seg: &Segment) {
        // If the peer begins anew, then until we do, old and new can't be told apart.
        self.is_reset |= self.peer.is_some_and(|peer| peer.irs != seg.seq);
        // The SYN once more, late, takes no FIN back.
        self.peer_fin &= self.peer.is_some_and(|peer| peer.irs == seg.seq);
        let shift = seg.shift.map(|shift| shift.min(14));
        let mss = if seg.mss > 0 { seg.mss } else { 536 };
        self.peer = Some(Peer { irs: seg.seq, window: u32::from(seg.window), mss, shift });
        self.snd_wnd = u32::from(seg.window);
        self.edge = self.snd_max.wrapping_add(self.snd_wnd);
        if seg.has(ACK) {
            self.snd_una = seg.ack;
        }
    }

    /// Windows are scaled if both say so.
    fn has_scaling(&self) -> bool {
        self.our_shift.is_some() && self.peer.is_some_and(|peer| peer.shift.is_some())
    }

    fn our_window_shift(&self) -> u8 {
        self.our_shift.filter(|_| self.has_scaling()).unwrap_or(0)
    }

    fn edge_of(&self, seg: &Segment) -> u32 {
        seg.ack.wrapping_add(u32::from(seg.window) << self.our_window_shift())
    }

    fn note_ack(&mut self, seg: &Segment) {
        let edge = self.edge_of(seg);
        if self.rcv_ack.is_none() || before(self.rcv_edge, edge) {
            self.rcv_edge = edge;
        }
        self.rcv_ack = Some(seg.ack);
    }

    fn classify(&mut self, now: Instant, seg: &Segment) -> Option<Again> {
        if seg.len == 0 && !seg.has(FIN) {
            let is_keep_alive = seg.seq == self.snd_una.wrapping_sub(1) && self.snd_una == self.snd_max;
            return is_keep_alive.then_some(Again::KeepAlive);
        }
        if self.snd_wnd == 0 && seg.seq == self.snd_una && seg.len <= 1 {
            return Some(Again::ZeroWindowProbe);
        }
        if !before(seg.seq, self.snd_max) {
            return None;
        }
        if seg.len == 0 {
            return Some(Again::Fin);
        }
        let has_just_heard = self.heard_at == Some(now);
        if !has_just_heard {
            self.recover = None;
            return Some(Again::Rto);
        }
        if seg.seq != self.snd_una {
            return None;
        }
        if self.recover.is_none() && self.dup_acks >= 3 {
            self.recover = Some(self.snd_max);
            return Some(Again::Fast);
        }
        let is_partial = self.recover.is_some() && self.acked_at == Some(now);
        is_partial.then_some(Again::PartialAck)
    }

    fn on_received(&mut self, now: Instant, seg: &Segment) {
        if seg.has(RST) {
            return;
        }
        if seg.has(SYN) {
            return self.on_syn_received(seg);
        }
        self.peer_fin |= seg.has(FIN);
        self.heard_at = Some(now);
        let shift = self.peer.and_then(|peer| peer.shift).filter(|_| self.has_scaling()).unwrap_or(0);
        let window = u32::from(seg.window) << shift;
        if before(self.snd_una, seg.ack) && !before(self.snd_max, seg.ack) {
            self.snd_una = seg.ack;
            self.dup_acks = 0;
            self.acked_at = Some(now);
            if self.recover.is_some_and(|recover| !before(seg.ack, recover)) {
                self.recover = None;
            }
        } else if seg.ack == self.snd_una
            && seg.len == 0
            && window == self.snd_wnd
            && self.snd_una != self.snd_max
        {
            self.dup_acks += 1;
        }
        if !before(seg.ack, self.snd_una) {
            self.snd_wnd = window;
        }
        let edge = seg.ack.wrapping_add(window);
        if before(self.edge, edge) {
            self.edge = edge;
        }
    }
}
