//! The hosts that the fuzzed stack talks to: what they know of its connections, and the frames they send.
//! Written octet by octet, apart from the formats of the stack.

use super::checksum::plain;
use super::program::Program;
use super::wire::OUR_HARDWARE;

pub(crate) const OUR_V4: [u8; 4] = [10, 0, 0, 1];
pub(crate) const OUR_V6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
pub(crate) const OUR_LINK_LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// Ports that somebody may listen at; more are those of the connections that were seen.
pub(crate) const OUR_PORTS: [u16; 4] = [80, 81, 82, 7];

/// Peers 0 to 2 are on the link, the last one is not, or has a link-local address.
pub(crate) fn peer_v4(who: u8) -> [u8; 4] {
    if who % 4 == 3 { [192, 0, 2, 1] } else { [10, 0, 0, 2 + who % 4] }
}

pub(crate) fn peer_v6(who: u8) -> [u8; 16] {
    let mut address = if who % 4 == 3 { OUR_LINK_LOCAL } else { OUR_V6 };
    address[15] = 2 + who % 4;
    address
}

fn hardware(who: u8) -> [u8; 6] {
    // What is not on the link comes by way of the first.
    [2, 0, 0, 0, 1, if who % 4 == 3 { 0 } else { who % 4 }]
}

/// What a peer knows of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flow {
    pub(crate) is_v6: bool,
    pub(crate) who: u8,
    pub(crate) port: u16,
    pub(crate) our_port: u16,
    /// The sequence number of the stack's SYN, if it was seen.
    pub(crate) iss: u32,
    /// The end of what the stack has sent.
    pub(crate) snd_nxt: u32,
    /// What the stack expects next.
    pub(crate) rcv_nxt: u32,
    pub(crate) window: u16,
    /// Each octet of the stack's data less its sequence number, which is one value for a connection.
    pub(crate) stamp: Option<u8>,
}

/// How the next packet is odd.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Twist(pub(crate) u8, pub(crate) u8);

#[derive(Default)]
pub(crate) struct Peers {
    pub(crate) flows: Vec<Flow>,
    pub(crate) twist: Twist,
    /// The last IP packet that the stack has sent.
    pub(crate) last: Vec<u8>,
    /// Whether the stack has its IPv4 address, and so knows the network's broadcast address.
    pub(crate) is_on_net4: bool,
    /// Whether it has ever been without.
    pub(crate) was_off_net4: bool,
}

impl Peers {
    /// A segment. Sequence numbers are chosen by what the stack expects.
    pub(crate) fn tcp(&mut self, program: &mut Program<'_>) -> Vec<u8> {
        let (ends, flags, numbers, shape) =
            (program.octet(), program.octet(), program.octet(), program.octet());
        let flow = self.flow(ends);
        let len = [0, 0, 1, 10, 64, 65, 200, 536][usize::from(shape & 7)];
        let base = flow.rcv_nxt;
        let seq = match numbers & 15 {
            1 => base.wrapping_sub(1),
            2 => base.wrapping_add(1),
            3 => base.wrapping_add(u32::from(flow.window)).wrapping_sub(1),
            4 => base.wrapping_add(u32::from(flow.window)),
            5 => base.wrapping_sub(len as u32),
            6 => base.wrapping_add(u32::from(program.octet())),
            7 => program.u32(),
            8 => base.wrapping_add_signed(i32::from(program.u16() as i16)),
            _ => base,
        };
        let base = flow.snd_nxt;
        let ack = match numbers >> 4 {
            1 => base.wrapping_sub(1),
            2 => base.wrapping_add(1),
            3 => base.wrapping_sub(u32::from(program.octet())),
            4 => program.u32(),
            5 => flow.iss,
            6 => flow.iss.wrapping_add(1),
            7 => base.wrapping_add(0x8000_0000),
            _ => base,
        };
        let window = [0xffff, 0, 1, program_window(shape, program)][usize::from(shape >> 3 & 3)];
        let options: &[u8] = match shape >> 5 & 3 {
            0 => &[],
            1 => &[2, 4, 2, 0x18, 1, 3, 3, 7],
            2 => &[2, 4, 0, 1, 1, 3, 3, 14, 4, 2, 0, 0],
            _ => program.octets(usize::from(shape & 7) * 4),
        };
        let options = &options[..options.len() & !3];
        let mut segment = Vec::with_capacity(20 + options.len() + len);
        segment.extend(flow.port.to_be_bytes());
        segment.extend(flow.our_port.to_be_bytes());
        segment.extend(seq.to_be_bytes());
        segment.extend(ack.to_be_bytes());
        segment.push(((20 + options.len()) as u8 / 4) << 4);
        segment.push(flags);
        segment.extend(window.to_be_bytes());
        segment.extend([0, 0, 0, 0]);
        segment.extend(options);
        // Every octet of a stream tells its place.
        let first = seq.wrapping_add(u32::from(flags >> 1 & 1)) as u8;
        segment.extend((0..len).map(|i| first.wrapping_add(i as u8)));
        let is_wrong = shape & 0x80 != 0;
        self.packet(flow.is_v6, flow.who, TCP, segment, 16, is_wrong)
    }

    /// A known connection, or the one that `ends` describes.
    fn flow(&self, ends: u8) -> Flow {
        if ends & 0x80 != 0
            && let Some(flow) = self.flows.get(usize::from(ends & 0x7f) % self.flows.len().max(1))
        {
            return *flow;
        }
        let (who, is_v6) = (ends & 3, ends & 4 != 0);
        let our_port = OUR_PORTS[usize::from(ends >> 3 & 3)];
        let port = 1_000 + u16::from(ends >> 5 & 3);
        let known =
            self.flows.iter().find(|f| (f.who, f.is_v6, f.our_port, f.port) == (who, is_v6, our_port, port));
        known.copied().unwrap_or(Flow {
            is_v6,
            who,
            port,
            our_port,
            iss: 0,
            snd_nxt: 0,
            rcv_nxt: 0x7fff_fff0u32.wrapping_mul(u32::from(ends) + 1),
            window: 64,
            stamp: None,
        })
    }

    pub(crate) fn udp(&mut self, program: &mut Program<'_>) -> Vec<u8> {
        let (ends, len) = (program.octet(), program.octet());
        let len = usize::from(len) * if len > 200 { 5 } else { 1 };
        let port = OUR_PORTS[usize::from(ends >> 3 & 3)].wrapping_add(u16::from(ends >> 5 & 1) * 0xc000);
        let mut datagram = Vec::with_capacity(8 + len);
        datagram.extend((1_000 + u16::from(ends >> 6)).to_be_bytes());
        datagram.extend(port.to_be_bytes());
        datagram.extend((8 + len as u16).to_be_bytes());
        datagram.extend([0, 0]);
        datagram.extend((0..len).map(|i| i as u8));
        self.packet(ends & 4 != 0, ends & 3, UDP, datagram, 6, false)
    }

    /// An echo request, or an error about the last packet that the stack has sent.
    pub(crate) fn icmp(&mut self, program: &mut Program<'_>) -> Vec<u8> {
        let (ends, kind, code) = (program.octet(), program.octet(), program.octet());
        let is_v6 = ends & 4 != 0;
        let mut message = vec![kind, code, 0, 0];
        message.extend(program.u32().to_be_bytes());
        if ends & 8 != 0 {
            let quoted = usize::from(program.octet()) * 4;
            message.extend(self.last.iter().take(quoted));
        } else {
            message.extend(program.octets(usize::from(ends >> 4)));
        }
        let protocol = if is_v6 { ICMPV6 } else { ICMP };
        self.packet(is_v6, ends & 3, protocol, message, 2, false)
    }

    pub(crate) fn arp(&mut self, program: &mut Program<'_>) -> Vec<u8> {
        let (ends, odd) = (program.octet(), program.octet());
        let operation = if ends & 4 != 0 { 2 } else { 1 };
        let who = ends & 3;
        let mut sender = peer_v4(who);
        let mut target = OUR_V4;
        match odd & 7 {
            1 => sender = OUR_V4,
            2 => target = sender,
            3 => sender = [0; 4],
            4 => sender = [10, 0, 0, 255],
            5 => target = peer_v4(who + 1),
            6 => sender = [10, 0, 0, program.octet()],
            _ => {}
        }
        let hardware = if odd & 8 != 0 { [odd, 0, 0, 0, 2, who] } else { hardware(who) };
        arp_packet(operation, hardware, sender, target, odd & 16 != 0)
    }

    /// A solicitation or advertisement with an option or without, or whatever the program says.
    pub(crate) fn nd(&mut self, program: &mut Program<'_>) -> Vec<u8> {
        let (ends, odd) = (program.octet(), program.octet());
        let who = ends & 3;
        let is_advert = ends & 4 != 0;
        let mut message = vec![if is_advert { 136 } else { 135 }, 0, 0, 0, odd & 0xe0, 0, 0, 0];
        message.extend(if is_advert { peer_v6(who) } else { OUR_V6 });
        match odd & 3 {
            0 => message.extend([if is_advert { 2 } else { 1 }, 1]),
            1 => message.extend([odd >> 2 & 3, odd >> 4 & 3]),
            _ => {}
        }
        if odd & 2 == 0 {
            message.extend(hardware(who));
        }
        if odd & 16 != 0 {
            message.extend(program.octets(16));
        }
        if ends & 8 != 0 {
            message[0] = 133 + (ends >> 4) % 5;
        }
        self.packet_with_hops(true, who, ICMPV6, message, 2, 255, false)
    }

    fn packet(
        &mut self,
        v6: bool,
        who: u8,
        protocol: u8,
        data: Vec<u8>,
        sum_at: usize,
        wrong: bool,
    ) -> Vec<u8> {
        self.packet_with_hops(v6, who, protocol, data, sum_at, 64, wrong)
    }

    /// The frame, twisted if so told.
    #[allow(clippy::too_many_arguments)]
    fn packet_with_hops(
        &mut self,
        is_v6: bool,
        who: u8,
        protocol: u8,
        mut data: Vec<u8>,
        sum_at: usize,
        hops: u8,
        is_wrong: bool,
    ) -> Vec<u8> {
        let twist = core::mem::take(&mut self.twist);
        let mut frame = OUR_HARDWARE.to_vec();
        frame.extend(hardware(who));
        match twist.0 & 3 {
            1 => frame[..6].fill(0xff),
            2 => frame[..6].copy_from_slice(&[0x33, 0x33, 0, 0, 0, 1]),
            _ => {}
        }
        let (mut src4, mut dst4) = (peer_v4(who), OUR_V4);
        let (mut src6, mut dst6) = (peer_v6(who), if who % 4 == 3 { OUR_LINK_LOCAL } else { OUR_V6 });
        match twist.0 >> 2 & 15 {
            1 => (dst4, dst6) = ([255; 4], all_nodes(2)),
            2 => (dst4, dst6) = ([10, 0, 0, 255], solicited()),
            3 => (dst4, dst6) = ([224, 0, 0, 1], all_nodes(1)),
            4 => (src4, src6) = ([0; 4], [0; 16]),
            5 => (src4, src6) = (OUR_V4, OUR_V6),
            6 => (src4, src6) = ([255; 4], all_nodes(2)),
            7 => (src4, src6) = ([127, 0, 0, 1], loopback()),
            8 => (dst4, dst6) = ([127, 0, 0, 1], loopback()),
            9 => (dst4, dst6) = ([10, 0, 0, 77], [0x20; 16]),
            10 => (src4, src6) = ([10, 0, 0, 255], [0xff; 16]),
            11 => (src4, src6) = ([10, 0, 0, 0], peer_v6(3)),
            12 => (src4, src6) = ([240, 0, 0, 1], [0; 16]),
            13 => (dst4, dst6) = ([0; 4], [0; 16]),
            _ => {}
        }
        if sum_at + 2 <= data.len() {
            let mut summed = Vec::with_capacity(40 + data.len());
            if is_v6 {
                summed.extend([src6, dst6].concat());
            } else if protocol != ICMP {
                summed.extend([src4, dst4].concat());
            }
            if is_v6 || protocol != ICMP {
                summed.extend([0, protocol]);
                summed.extend((data.len() as u16).to_be_bytes());
            }
            summed.extend(&data);
            let sum = match plain(&summed) {
                0 if protocol == UDP => 0xffff,
                sum => sum,
            };
            let sum = if is_wrong { sum ^ 0x100 } else { sum };
            data[sum_at..sum_at + 2].copy_from_slice(&sum.to_be_bytes());
        }
        let extra = usize::from(twist.1 & 3) * 4;
        if is_v6 {
            frame.extend([0x86, 0xdd]);
            ipv6(&mut frame, &src6, &dst6, protocol, &data, hops, twist.1);
        } else {
            frame.extend([8, 0]);
            ipv4(&mut frame, src4, dst4, protocol, &data, hops, extra, twist.1);
        }
        if twist.1 & 4 != 0 {
            frame.extend([0x55; 20]);
        }
        if twist.1 & 8 != 0 {
            frame.truncate(frame.len() - frame.len() / 4);
        }
        frame
    }

    /// What the stack has sent answers itself: who has this address?
    pub(crate) fn answer(frame: &[u8]) -> Option<Vec<u8>> {
        let ip = frame.get(14..)?;
        match frame.get(12..14)? {
            [8, 6] if ip.get(6..8)? == [0, 1] => {
                let asked: [u8; 4] = ip.get(24..28)?.try_into().ok()?;
                let who = (0..3).find(|&who| peer_v4(who) == asked)?;
                Some(arp_packet(2, hardware(who), asked, OUR_V4, false))
            }
            [0x86, 0xdd] if ip.get(6)? == &ICMPV6 && ip.get(40)? == &135 => {
                let asked: [u8; 16] = ip.get(48..64)?.try_into().ok()?;
                let who = (0..4).find(|&who| peer_v6(who) == asked)?;
                let mut message = vec![136, 0, 0, 0, 0x60, 0, 0, 0];
                message.extend(asked);
                message.extend([2, 1]);
                message.extend(if who == 3 { [2, 0, 0, 0, 1, 0] } else { hardware(who) });
                let to: [u8; 16] = ip.get(8..24)?.try_into().ok()?;
                let mut summed = [asked, to].concat();
                summed.extend([0, ICMPV6, 0, 32]);
                summed.extend(&message);
                message[2..4].copy_from_slice(&plain(&summed).to_be_bytes());
                let mut frame = [OUR_HARDWARE, hardware(who)].concat();
                frame.extend([0x86, 0xdd]);
                ipv6(&mut frame, &asked, &to, ICMPV6, &message, 255, 0);
                Some(frame)
            }
            _ => None,
        }
    }
}

/// A window from the program, which only that shape needs.
fn program_window(shape: u8, program: &mut Program<'_>) -> u16 {
    if shape >> 3 & 3 == 3 { program.u16() } else { 0 }
}

fn all_nodes(scope: u8) -> [u8; 16] {
    [0xff, scope, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
}

fn solicited() -> [u8; 16] {
    [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 1]
}

fn loopback() -> [u8; 16] {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
}

fn arp_packet(operation: u8, from: [u8; 6], sender: [u8; 4], target: [u8; 4], is_broadcast: bool) -> Vec<u8> {
    let to = if is_broadcast { [0xff; 6] } else { OUR_HARDWARE };
    let mut frame = [to, from].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, operation]);
    frame.extend(from);
    frame.extend(sender);
    frame.extend(OUR_HARDWARE);
    frame.extend(target);
    frame
}

#[allow(clippy::too_many_arguments)]
fn ipv4(
    frame: &mut Vec<u8>,
    src: [u8; 4],
    dst: [u8; 4],
    protocol: u8,
    data: &[u8],
    hops: u8,
    options: usize,
    odd: u8,
) {
    let at = frame.len();
    frame.push(0x45 + (options / 4) as u8);
    frame.push(0);
    frame.extend(((20 + options + data.len()) as u16).to_be_bytes());
    frame.extend([0x12, 0x34]);
    frame.extend(if odd & 16 != 0 { [odd & 0x20, odd >> 6] } else { [0x40, 0] });
    frame.extend([if odd & 32 != 0 { odd >> 6 } else { hops }, protocol, 0, 0]);
    frame.extend(src);
    frame.extend(dst);
    frame.extend(std::iter::repeat_n(1, options));
    let sum = plain(&frame[at..]);
    frame[at + 10..at + 12].copy_from_slice(&sum.to_be_bytes());
    frame.extend(data);
}

fn ipv6(frame: &mut Vec<u8>, src: &[u8; 16], dst: &[u8; 16], protocol: u8, data: &[u8], hops: u8, odd: u8) {
    // Up to three headers between: hop-by-hop, destination options, a fragment's.
    let chain: &[u8] = match odd >> 4 {
        1 => &[0],
        2 => &[60],
        3 => &[0, 60],
        4 => &[44],
        5 => &[0, 60, 44],
        6 => &[60, 0],
        7 => &[43],
        8 => &[60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60],
        _ => &[],
    };
    let mut extensions = Vec::new();
    for (i, kind) in chain.iter().enumerate() {
        let next = chain.get(i + 1).copied().unwrap_or(protocol);
        extensions.extend(match kind {
            44 => [next, 0, 0, odd & 1, 1, 2, 3, 4],
            43 => [next, 0, 0, odd & 1, 0, 0, 0, 0],
            _ => [next, 0, odd << 6 | 1, 4, 0, 0, 0, 0],
        });
    }
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(((extensions.len() + data.len()) as u16).to_be_bytes());
    frame.extend([chain.first().copied().unwrap_or(protocol), hops]);
    frame.extend(src);
    frame.extend(dst);
    frame.extend(extensions);
    frame.extend(data);
}
