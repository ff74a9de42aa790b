//! An interface that configures itself, driven by a program: advertisements, DHCP servers, others that have the same
//! addresses, redirects, calls of the application, time, links that come and go.
//!
//! What is promised, and held against every step:
//! - nothing panics, every poll ends, and sends a bounded number of frames;
//! - each frame sent is whole, its checksums are right, and it comes from an address that may be used, or from none where
//!   that is allowed;
//! - an address that is being checked, or another's, is none of the interface's; tables keep their size;
//! - `poll_at` is never late and does not spin; at the end, when all is switched off, nothing is left but what the application
//!   has set.

use goldcrest::iface::{
    AddressOrigin, AddressState, AutoIpMode, Config, DhcpConfig, Fragments, Group, Interface,
    InterfaceStorage, Neighbor, SlaacConfig, SocketHandle, SocketSet,
};
use goldcrest::phy::{Device, HardwareAddress, LinkState, RxMeta};
use goldcrest::rand::Keys;
use goldcrest::socket::udp;
use goldcrest::storage::PacketPool;
use goldcrest::time::{Duration, Instant};
use goldcrest::wire::{
    IpAddress, IpCidr, IpEndpoint, Ipv4Address, Ipv6Address, Medium, PrettyPrinter, ipv6ext,
};

use super::checksum::plain;
use super::program::Program;
use super::wire::{OUR_HARDWARE, Wire};

const STEPS: usize = 300;
const ADDRESSES: usize = 3;
/// Claims that the stack keeps at most, by its documentation a small number.
const CLAIMS: usize = 16;
/// Frames that a poll sends at most beside two for each that came: probes, announcements, solicitations, DHCP, reports.
const MOST: usize = 64;
/// Polls for which something may wait.
const WAITS: u8 = 40;
const EMPTY_WAKES: usize = 64;
const WAKES_TO_REST: usize = 2_000;
const ALL_NODES: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

struct World {
    now: Instant,
    iface: Interface<'static>,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
    wire: Wire,
    /// Of the last message to a DHCP server.
    xid: [u8; 4],
    /// What was asked for last, by ARP and by a neighbour solicitation.
    asked: ([u8; 4], [u8; 16]),
    /// The last packet that was sent, to be quoted.
    last: Vec<u8>,
    /// Packets of others may have been passed on.
    has_forwarded: bool,
    /// Sources that were ours a moment ago, and for how many polls more they count: what waited for a neighbour or for the
    /// device goes from there.
    old: Vec<(IpAddress, u8)>,
}

/// A program for an interface; the first octet says what it does by itself.
pub(crate) fn autoconf(data: &[u8]) {
    let mut program = Program::new(data);
    let mut world = World::new(program.octet());
    for _ in 0..STEPS {
        if program.is_over() {
            break;
        }
        world.step(&mut program);
    }
    world.come_to_rest();
}

fn router(who: u8) -> [u8; 16] {
    [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, who & 7]
}

fn host(who: u8) -> [u8; 6] {
    [2, 0, 0, 0, 1, who & 7]
}

fn frame(dst: &[u8; 6], who: u8, ether_type: u16, packet: &[u8]) -> Vec<u8> {
    [&dst[..], &host(who), &ether_type.to_be_bytes(), packet].concat()
}

fn to_all(group: &[u8; 16]) -> [u8; 6] {
    [0x33, 0x33, group[12], group[13], group[14], group[15]]
}

fn ipv4(src: [u8; 4], dst: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = ((20 + payload.len()) as u16).to_be_bytes();
    let mut header = [&[0x45, 0, high, low, 0, 0, 0, 0, 64, protocol, 0, 0][..], &src, &dst].concat();
    let sum = plain(&header).to_be_bytes();
    header[10..12].copy_from_slice(&sum);
    [&header[..], payload].concat()
}

fn icmpv6(src: [u8; 16], dst: [u8; 16], hop_limit: u8, mut message: Vec<u8>) -> Vec<u8> {
    let [high, low] = (message.len() as u16).to_be_bytes();
    message[2..4].fill(0);
    let sum = plain(&[&src[..], &dst, &[0, 58, high, low], &message].concat()).to_be_bytes();
    message[2..4].copy_from_slice(&sum);
    [&[0x60, 0, 0, 0, high, low, 58, hop_limit][..], &src, &dst, &message].concat()
}

fn udp6(src: [u8; 16], dst: [u8; 16], ports: [u16; 2], data: &[u8]) -> Vec<u8> {
    let [high, low] = ((8 + data.len()) as u16).to_be_bytes();
    let [from, to] = ports.map(u16::to_be_bytes);
    let mut datagram = [&from[..], &to, &[high, low, 0, 0], data].concat();
    let sum = plain(&[&src[..], &dst, &[0, 17, high, low], &datagram].concat()).to_be_bytes();
    datagram[6..8].copy_from_slice(&sum);
    [&[0x60, 0, 0, 0, high, low, 17, 64][..], &src, &dst, &datagram].concat()
}

/// A time as such messages have it.
fn seconds(program: &mut Program<'_>) -> [u8; 4] {
    let octet = program.octet();
    match octet & 7 {
        0 => [0; 4],
        1 => [0xff; 4],
        2 => 7_200u32.to_be_bytes(),
        3 => program.u32().to_be_bytes(),
        _ => (u32::from(octet >> 3) * 7).to_be_bytes(),
    }
}

impl World {
    fn new(kind: u8) -> World {
        let wire = Wire::new(1_514, false, false);
        let storage = InterfaceStorage {
            addresses: vec![None; ADDRESSES].into(),
            routes: vec![None; 3].into(),
            neighbors: std::iter::repeat_with(|| Neighbor::EMPTY).take(3).collect::<Vec<_>>().into(),
            packets: PacketPool::with_cells(3, 160),
            groups: vec![Group::EMPTY; 4].into(),
            fragments: Fragments::growing(2, 4_000),
        };
        let config = Config::new(HardwareAddress::Ethernet(OUR_HARDWARE));
        let iface = Interface::with_storage(config, wire.capabilities(), storage);
        let mut sockets = SocketSet::with_capacity(1, Keys::new([kind; 32]));
        let queue = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 2], vec![0; 300]);
        let socket = sockets.add(udp::Socket::new(queue(), queue()));
        sockets.bind(socket, 1_000).unwrap();
        // The clock's ticks of 1,024 µs wrap after 2^32, and become negative after 2^31.
        let start =
            [1, 0, (1 << 31) * 1_024 - 3_000_000, (1 << 32) * 1_024 - 3_000_000][usize::from(kind & 3)];
        let now = Instant::from_micros(start);
        let (xid, asked, last, old) = ([0; 4], ([0; 4], [0; 16]), Vec::new(), Vec::new());
        let has_forwarded = false;
        let mut world = World { now, iface, sockets, socket, wire, xid, asked, last, has_forwarded, old };
        (2..6).filter(|bit| kind >> bit & 1 != 0).for_each(|bit| world.switch(bit - 2, true));
        world
    }

    /// Switches one of the machines on or off.
    fn switch(&mut self, which: u8, on: bool) {
        match which & 3 {
            0 => self.iface.set_slaac(on.then(SlaacConfig::default)),
            1 => self.iface.set_dhcp(on.then(|| {
                let mut config = DhcpConfig::default();
                config.hostname = Some("fuzz");
                config.rapid_commit = self.now.total_micros() & 1 == 0;
                config.use_mtu = true;
                config.ipv6_only = true;
                config
            })),
            2 => self.iface.set_autoip(on.then_some(AutoIpMode::Always)),
            _ => self.iface.set_autoip(on.then_some(AutoIpMode::WithoutDhcp)),
        }
    }

    fn step(&mut self, program: &mut Program<'_>) {
        let op = program.octet();
        match op & 0xf {
            0 | 1 => self.advertisement(program),
            2 | 3 => self.dhcp(program),
            4 => self.arp(program),
            5 => self.neighbor(program),
            6 => self.redirect(program),
            7 => self.pass_time(program),
            8 => self.call(program),
            9 => self.device(program),
            10 => self.datagram(program),
            11 | 12 => _ = self.wake(&mut 0),
            13 => self.dhcpv6(program),
            14 => self.send(program),
            _ => self.raw(program),
        }
        if op & 0x40 == 0 {
            self.poll();
        }
        self.check();
    }

    fn give(&mut self, frame: Vec<u8>) {
        self.wire.received.push_back((frame, RxMeta::default()));
    }

    fn advertisement(&mut self, program: &mut Program<'_>) {
        let (who, count) = (program.octet(), program.octet());
        let [lifetime, flags] = [program.u16(), program.u16()];
        let mut message = [&[134, 0, 0, 0][..], &flags.to_be_bytes(), &lifetime.to_be_bytes()].concat();
        message.extend([seconds(program), seconds(program)].concat());
        for _ in 0..count & 7 {
            message.extend(option(program, who));
        }
        let hop_limit = if count & 0x80 == 0 { 255 } else { count };
        let packet = icmpv6(router(who), ALL_NODES, hop_limit, message);
        self.give(frame(&to_all(&ALL_NODES), who, 0x86dd, &packet));
    }

    fn dhcp(&mut self, program: &mut Program<'_>) {
        let (who, kind, how) = (program.octet(), program.octet(), program.octet());
        let xid = if how & 1 == 0 { self.xid } else { program.u32().to_be_bytes() };
        let yours = [10, 0, 0, kind >> 4];
        let mut message = [&[2, 1, 6, 0][..], &xid, &[0; 8], &yours, &[0; 8], &OUR_HARDWARE].concat();
        message.resize(236, 0);
        message.extend([99, 130, 83, 99, 53, 1, kind & 0xf]);
        if how & 2 == 0 {
            message.extend([54, 4, 10, 0, 0, 100 + (who & 3)]);
        }
        if how & 4 == 0 {
            message.extend([&[51, 4][..], &seconds(program)].concat());
        }
        for _ in 0..how >> 3 & 7 {
            let (code, len) = (program.octet(), program.octet() & 31);
            message.extend([code, len]);
            message.extend(program.octets(len.into()));
        }
        message.push(255);
        let dst = if how & 0x40 == 0 { [255; 4] } else { yours };
        let link = if how & 0x40 == 0 { [0xff; 6] } else { OUR_HARDWARE };
        let len = ((8 + message.len()) as u16).to_be_bytes();
        let datagram = [&[0, 67, 0, 68][..], &len, &[0, 0], &message].concat();
        self.give(frame(&link, who, 0x800, &ipv4([10, 0, 0, 100 + (who & 3)], dst, 17, &datagram)));
    }

    fn arp(&mut self, program: &mut Program<'_>) {
        let (who, how) = (program.octet(), program.octet());
        let addr = |which: u8| match which & 3 {
            0 => self.asked.0,
            1 => [0; 4],
            2 => [169, 254, who, how],
            _ => [10, 0, 0, how >> 4],
        };
        let parties = [&host(who)[..], &addr(how), &[0; 6], &addr(how >> 2)].concat();
        let packet = [&[0, 1, 8, 0, 6, 4, 0, 1 + (how >> 7)][..], &parties].concat();
        self.give(frame(&[0xff; 6], who, 0x806, &packet));
    }

    fn neighbor(&mut self, program: &mut Program<'_>) {
        let (who, how) = (program.octet(), program.octet());
        let target = if how & 1 == 0 { self.asked.1 } else { router(how >> 4) };
        let src = if how & 2 == 0 { [0; 16] } else { router(who) };
        let kind = 135 + (how >> 2 & 1);
        let flags = if kind == 136 { how & 0xe0 } else { 0 };
        let mut message = [&[kind, 0, 0, 0, flags, 0, 0, 0][..], &target].concat();
        if how & 8 != 0 {
            message.extend(option(program, who));
        }
        let src = if kind == 136 && src == [0; 16] { router(who) } else { src };
        let packet = icmpv6(src, ALL_NODES, 255, message);
        self.give(frame(&to_all(&ALL_NODES), who, 0x86dd, &packet));
    }

    fn redirect(&mut self, program: &mut Program<'_>) {
        let (who, how) = (program.octet(), program.octet());
        if how & 1 == 0 {
            let message =
                [&[137, 0, 0, 0, 0, 0, 0, 0][..], &router(how >> 4), &far6(how), &[2, 1], &host(how)];
            let own = self.iface.ip_addrs().find_map(|cidr| match cidr.address() {
                IpAddress::Ipv6(own) => Some(own.octets()),
                IpAddress::Ipv4(_) => None,
            });
            let packet = icmpv6(router(who), own.unwrap_or(ALL_NODES), 255, message.concat());
            return self.give(frame(&OUR_HARDWARE, who, 0x86dd, &packet));
        }
        let quote = self.last.get(..28).unwrap_or(&self.last);
        let mut message = [&[5, how >> 1 & 3, 0, 0, 10, 0, 0, 100 + (how >> 4)][..], quote].concat();
        let sum = plain(&message).to_be_bytes();
        message[2..4].copy_from_slice(&sum);
        let own = self.iface.ip_addrs().find_map(|cidr| match cidr.address() {
            IpAddress::Ipv4(own) => Some(own.octets()),
            IpAddress::Ipv6(_) => None,
        });
        let packet = ipv4([10, 0, 0, 100 + (who & 3)], own.unwrap_or([255; 4]), 1, &message);
        self.give(frame(&OUR_HARDWARE, who, 0x800, &packet));
    }

    /// Something from a DHCPv6 server, for whoever hears.
    fn dhcpv6(&mut self, program: &mut Program<'_>) {
        let (who, how) = (program.octet(), program.octet());
        let xid = if how & 1 == 0 { self.xid } else { program.u32().to_be_bytes() };
        let mut message = [&[if how & 2 == 0 { 7 } else { how }][..], &xid[1..]].concat();
        let our_id = [&[0, 1, 0, 10, 0, 3, 0, 1][..], &OUR_HARDWARE].concat();
        let server_id = [&[0, 2, 0, 10, 0, 3, 0, 1][..], &host(who)].concat();
        (how & 4 == 0).then(|| message.extend(&our_id));
        (how & 8 == 0).then(|| message.extend(&server_id));
        for _ in 0..how >> 4 & 3 {
            let (code, len) = (program.octet(), program.octet() & 63);
            message.extend([0, code, 0, len]);
            message.extend(program.octets(len.into()));
        }
        let own = self.iface.ip_addrs().find_map(|cidr| match cidr.address() {
            IpAddress::Ipv6(own) => Some(own.octets()),
            IpAddress::Ipv4(_) => None,
        });
        let packet = udp6(router(who), own.unwrap_or(ALL_NODES), [547, 546], &message);
        self.give(frame(&OUR_HARDWARE, who, 0x86dd, &packet));
    }

    /// A datagram for a socket, from whichever address.
    fn datagram(&mut self, program: &mut Program<'_>) {
        let (who, how) = (program.octet(), program.octet());
        let dst = [[10, 0, 0, how >> 4], [255; 4], [169, 254, who, how]][usize::from(how % 3)];
        let datagram = [3, 232, 3, 232, 0, 9, 0, 0, 7];
        self.give(frame(&OUR_HARDWARE, who, 0x800, &ipv4([10, 0, 0, 100 + (who & 3)], dst, 17, &datagram)));
    }

    fn raw(&mut self, program: &mut Program<'_>) {
        let (kind, len) = (program.octet(), program.octet());
        let ether_type = [0x800, 0x806, 0x86dd, 0x86dd][usize::from(kind & 3)];
        let octets = program.octets(len.into()).to_vec();
        self.give(frame(&[0xff; 6], kind >> 2, ether_type, &octets));
    }

    /// The application sends where a gateway is needed.
    fn send(&mut self, program: &mut Program<'_>) {
        let octet = program.octet();
        let dst = match octet & 3 {
            0 => IpAddress::v4(192, 0, 2, octet >> 4),
            1 => IpAddress::v4(10, 0, 0, 100 + (octet >> 4)),
            _ => Ipv6Address::from(far6(octet)).into(),
        };
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(self.socket);
        let _ = socket.send_slice(b"fuzz", IpEndpoint::new(dst, 1_000));
    }

    fn call(&mut self, program: &mut Program<'_>) {
        let (what, value) = (program.octet(), program.octet());
        let v4 = IpAddress::v4(10, 0, 0, value & 0xf);
        let v6 = IpAddress::from(Ipv6Address::from(router(value)));
        match what & 0xf {
            0..=3 => self.switch(what, value & 1 == 0),
            4 => _ = self.iface.claim_address(IpCidr::new(v4, 24)),
            5 => _ = self.iface.claim_address(IpCidr::new(v6, 64)),
            6 => _ = self.iface.add_address(IpCidr::new(v4, 24)),
            7 => _ = self.iface.remove_address(v4),
            8 => _ = self.iface.remove_address(v6),
            9 => _ = self.iface.dhcp_renew(),
            10 => _ = self.iface.dhcp_release(),
            11 => _ = self.iface.dhcp_inform(DhcpConfig::default()),
            12 => self.iface.set_dad_transmits(value & 3),
            13 => self.iface.routes_mut().set_accept_redirects(value & 1 == 0),
            14 => {
                self.iface.set_forwarding(value & 1 == 0);
                self.has_forwarded |= value & 1 == 0;
            }
            _ => self.iface.announce(),
        }
    }

    fn pass_time(&mut self, program: &mut Program<'_>) {
        let octet = program.octet();
        let unit = [1, 1_000, 40_000, 200_000, 1_000_000, 5_000_000, 60_000_000, 3_600_000_000];
        let micros = unit[usize::from(octet & 7)] * (1 + u64::from(octet >> 3));
        self.now += Duration::from_micros(micros);
    }

    fn device(&mut self, program: &mut Program<'_>) {
        let octet = program.octet();
        self.wire.room = if octet & 3 == 0 { usize::from(octet >> 6) } else { usize::MAX };
        let link = if octet & 0x30 == 0x30 { LinkState::DOWN } else { LinkState::UP };
        if core::mem::replace(&mut self.wire.link, link) != link {
            // A device whose link changes wakes who polls it; `poll_at` knows nothing of it before.
            self.poll();
        }
    }

    fn own(&self) -> Vec<IpAddress> {
        self.iface.ip_addrs().map(|cidr| cidr.address()).collect()
    }

    fn poll(&mut self) -> usize {
        let received = self.wire.received.len();
        if self.wire.room == usize::MAX {
            self.old.iter_mut().for_each(|(_, polls)| *polls -= 1);
            self.old.retain(|(_, polls)| *polls > 0);
        }
        self.note_own();
        self.iface.poll(self.now, &mut self.wire, &mut self.sockets);
        let frames = self.wire.take_sent();
        assert!(frames.len() <= 2 * received + MOST, "{} frames for {received}", frames.len());
        self.note_own();
        let own = self.own();
        for frame in &frames {
            self.look_at(frame, &own);
        }
        while self.sockets.next_ready().is_some() {}
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(self.socket);
        while socket.recv().is_ok() {}
        frames.len()
    }

    fn note_own(&mut self) {
        for own in self.own() {
            self.old.retain(|(old, _)| *old != own);
            self.old.push((own, WAITS));
        }
    }

    fn look_at(&mut self, frame: &[u8], own: &[IpAddress]) {
        assert!(frame.len() >= 14 && frame[6..12] == OUR_HARDWARE && frame[..6] != OUR_HARDWARE);
        if self.has_forwarded {
            return; // what is wrong with it may have been so before
        }
        let text = PrettyPrinter::new("", Medium::Ethernet, frame).to_string();
        let ours = text.split("quoted ").next().unwrap_or(&text);
        let is_whole =
            !["truncated", "malformed", "wrong", "unsupported"].iter().any(|bad| ours.contains(bad));
        assert!(is_whole, "{text}\n{frame:02x?}");
        let packet = &frame[14..];
        match frame[12..14] {
            [8, 6] => {
                assert_eq!(packet[8..14], OUR_HARDWARE);
                self.asked.0 = packet[24..28].try_into().unwrap();
                let src: [u8; 4] = packet[14..18].try_into().unwrap();
                assert!(src == [0; 4] || self.is_own(Ipv4Address::from(src).into(), own), "{text}");
            }
            [8, 0] => self.look_at_v4(packet, own, &text),
            [0x86, 0xdd] => self.look_at_v6(packet, own, &text),
            _ => panic!("EtherType of {text}"),
        }
    }

    fn is_own(&self, addr: IpAddress, own: &[IpAddress]) -> bool {
        own.contains(&addr) || self.old.iter().any(|(old, _)| *old == addr)
    }

    fn look_at_v4(&mut self, packet: &[u8], own: &[IpAddress], text: &str) {
        assert_eq!(plain(&packet[..20]), 0, "{text}");
        let src: [u8; 4] = packet[12..16].try_into().unwrap();
        let is_dhcp = packet[9] == 17 && packet[20..24] == [0, 68, 0, 67];
        // Groups are reported by those who have no address yet (RFC 3376 §4.2.13).
        let may_be_nobody = is_dhcp || packet[9] == 2;
        let is_from = src == [0; 4] && may_be_nobody || self.is_own(Ipv4Address::from(src).into(), own);
        assert!(is_from, "from {src:?}: {text}");
        if is_dhcp {
            assert!(packet.len() >= 20 + 8 + 240 && packet[28..31] == [1, 1, 6], "{text}");
            assert_eq!(packet[56..62], OUR_HARDWARE);
            self.xid = packet[32..36].try_into().unwrap();
        }
        if packet[9] == 17 {
            let pseudo = [&packet[12..20], &[0, 17], &packet[24..26]].concat();
            assert_eq!(plain(&[&pseudo, &packet[20..]].concat()), 0, "{text}");
            self.last = packet.to_vec();
        }
    }

    fn look_at_v6(&mut self, packet: &[u8], own: &[IpAddress], text: &str) {
        let src: [u8; 16] = packet[8..24].try_into().unwrap();
        let walk = ipv6ext::walk(packet[6].into(), &packet[40..]).unwrap();
        let data = walk.payload;
        let (protocol, len) = (walk.protocol.0, (data.len() as u16).to_be_bytes());
        let pseudo = [&packet[8..40], &[0, protocol], &len].concat();
        assert_eq!(plain(&[&pseudo, data].concat()), 0, "{text}");
        // Probes, solicitations of routers and reports of groups (RFC 4861 §4.1, §4.3; RFC 3810 §5.2.13).
        let may_be_nobody = protocol == 58 && matches!(data[0], 131 | 132 | 133 | 135 | 143);
        let is_from = src == [0; 16] && may_be_nobody || self.is_own(Ipv6Address::from(src).into(), own);
        assert!(is_from, "from {src:02x?}: {text}");
        if protocol == 58 && data[0] == 135 {
            assert_eq!(packet[7], 255);
            self.asked.1 = data[8..24].try_into().unwrap();
        }
        if protocol == 17 && data[..4] == [2, 34, 2, 35] {
            self.xid[1..].copy_from_slice(&data[9..12]);
        }
    }

    /// After each step.
    fn check(&mut self) {
        let own = self.own();
        let all: Vec<_> = self.iface.addresses().collect();
        assert!(own.len() <= ADDRESSES && all.len() <= ADDRESSES + CLAIMS, "{all:?}");
        for info in &all {
            let is_used = matches!(info.state, AddressState::Preferred | AddressState::Deprecated);
            assert_eq!(is_used, own.contains(&info.cidr.address()), "{info:?}");
            assert!(info.valid_until >= info.preferred_until || info.valid_until.is_none(), "{info:?}");
        }
        assert!(own.iter().all(|own| all.iter().any(|info| info.cidr.address() == *own)));
        assert!(self.iface.name_servers().count() <= CLAIMS);
        if let Some(at) = self.iface.poll_at(self.now, &mut self.sockets) {
            assert!(at >= self.now, "poll_at in the past");
        }
        self.iface.take_configuration_changed();
    }

    /// Sleeps until the stack wants to be polled, and looks whether it slept too long or is woken for nothing. Says whether
    /// it wants to at all.
    fn wake(&mut self, empty: &mut usize) -> bool {
        let is_free = self.wire.room == usize::MAX && self.wire.link.up;
        while !self.wire.received.is_empty() {
            self.poll();
        }
        self.poll();
        let at = self.iface.poll_at(self.now, &mut self.sockets);
        let end = at.unwrap_or(self.now + Duration::from_secs(3_600));
        let tick = Duration::from_micros(1_024);
        if is_free && end > self.now + tick + tick {
            let half = end.saturating_duration_since(self.now).total_micros() / 2;
            for early in [half, half * 2 - 2_048] {
                let then = self.now;
                self.now += Duration::from_micros(early);
                assert_eq!(self.poll(), 0, "sent {early} µs after {then:?}, and poll_at had said {at:?}");
                self.now = then;
            }
        }
        self.now = end;
        let drops = self.iface.stats().total_drops();
        self.iface.take_configuration_changed();
        let sent = self.poll();
        let has_acted = self.iface.stats().total_drops() != drops || self.iface.take_configuration_changed();
        if sent > 0 || has_acted || !is_free {
            *empty = 0;
        } else {
            *empty += 1;
            assert!(*empty < EMPTY_WAKES, "woken for nothing at {at:?}");
        }
        at.is_some()
    }

    /// The link heals, all is switched off, and nothing is left of what was learned.
    fn come_to_rest(mut self) {
        self.wire.room = usize::MAX;
        self.wire.link = LinkState::UP;
        self.poll();
        let mut empty = 0;
        for _ in 0..20 {
            self.wake(&mut empty);
        }
        (0..3).for_each(|which| self.switch(which, false));
        for info in self.iface.addresses().collect::<Vec<_>>() {
            if info.state != AddressState::Preferred {
                self.iface.remove_address(info.cidr.address());
            }
        }
        let mut wakes = 0;
        while self.wake(&mut empty) {
            wakes += 1;
            assert!(wakes < WAKES_TO_REST, "never comes to rest");
        }
        for info in self.iface.addresses() {
            assert_eq!(info.origin, AddressOrigin::Static, "{info:?} is left");
        }
        assert_eq!(self.iface.name_servers().count(), 0);
        assert!(self.iface.dhcp_lease().is_none());
    }
}

fn far6(octet: u8) -> [u8; 16] {
    [0x20, 1, 0xd, 0xb8, 0, 0, 0, octet >> 2 & 3, 0, 0, 0, 0, 0, 0, 0, octet >> 4]
}

/// An option of a message of Neighbor Discovery.
fn option(program: &mut Program<'_>, who: u8) -> Vec<u8> {
    let (kind, value) = (program.octet(), program.octet());
    let mut option = match kind & 7 {
        0 => [&[1 + (value & 1), 1][..], &host(who)].concat(),
        1 | 2 => {
            let len = [64, 64, 64, 128, 0, 63, 65, value][usize::from(value & 7)];
            let times = [seconds(program), seconds(program)].concat();
            [&[3, 4, len, value & 0xe0][..], &times, &[0; 4], &far6(value)].concat()
        }
        3 => [&[5, 1, 0, 0][..], &program.u32().to_be_bytes()].concat(),
        4 => {
            let lifetime = seconds(program);
            [&[25, 3, 0, 0][..], &lifetime, &far6(value)].concat()
        }
        5 => {
            let lifetime = seconds(program);
            [&[24, 3, value & 0x7f, value & 0x18][..], &lifetime, &far6(value)].concat()
        }
        6 => [&[14, 1][..], program.octets(6)].concat(),
        _ => [&[31, 1 + (value & 3), 0, 0][..], &seconds(program), program.octets((value & 31).into())]
            .concat(),
    };
    let len = match option.get(1) {
        Some(&len) if value & 0x80 == 0 => usize::from(len) * 8,
        _ => option.len(),
    };
    option.resize(len, 0);
    option
}
