//! How a client's messages are written (RFC 2131 §4.4.1, table 5).

use super::machine::State;
use crate::config;
use crate::iface::interface::Interface;
use crate::iface::links::Out;
use crate::iface::output::{Packet, TrafficClass, header_and_data};
use crate::iface::unusual::Unusual;
use crate::socket::Room;
use crate::stats::Count;
use crate::storage::Class;
use crate::time::Instant;
use crate::wire::dhcpv4::{
    CLIENT_PORT, ClientHardware, MAX_LEN_FOR_ALL, MessageType, Options, Packet as Message, Repr, SERVER_PORT,
    Writer, code,
};
use crate::wire::{Addr, EthernetAddress, IpProtocol, Ipv4Address, ipv4, udp};

/// What a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Discover,
    /// A request that takes an offer.
    Select,
    /// A request for the address that we had.
    Reboot,
    /// A request to the server for more time.
    Renew,
    /// The same to all servers.
    Rebind,
    Inform,
    Decline,
    Release,
}

impl Kind {
    fn message_type(self) -> MessageType {
        match self {
            Kind::Discover => MessageType::DISCOVER,
            Kind::Select | Kind::Reboot | Kind::Renew | Kind::Rebind => MessageType::REQUEST,
            Kind::Inform => MessageType::INFORM,
            Kind::Decline => MessageType::DECLINE,
            Kind::Release => MessageType::RELEASE,
        }
    }

    /// Whether it is sent from the client's address, and says so.
    fn has_address(self) -> bool {
        matches!(self, Kind::Renew | Kind::Rebind | Kind::Inform | Kind::Release)
    }

    fn names_server(self) -> bool {
        matches!(self, Kind::Select | Kind::Decline | Kind::Release)
    }

    fn names_requested(self) -> bool {
        matches!(self, Kind::Discover | Kind::Select | Kind::Reboot | Kind::Decline)
    }

    /// Whether options are asked for.
    fn asks(self) -> bool {
        !matches!(self, Kind::Decline | Kind::Release)
    }
}

/// What is asked for anyway; routes come before routers (RFC 3442).
const PARAMETERS: [u8; 11] = [
    code::SUBNET_MASK,
    code::CLASSLESS_ROUTES,
    code::ROUTERS,
    code::DNS_SERVERS,
    code::DOMAIN_NAME,
    code::SEARCH_LIST,
    code::MTU,
    code::BROADCAST,
    code::NTP_SERVERS,
    code::RENEWAL_TIME,
    code::REBINDING_TIME,
];

/// Octets of options that a message for anybody has room for.
const OPTIONS_LEN: usize = MAX_LEN_FOR_ALL - crate::wire::dhcpv4::HEADER_LEN - 1;

impl State {
    /// Writes the options. Those of the application come last, and are left out where there is no room.
    fn write_options<'b>(&self, kind: Kind, client: &ClientHardware, buffer: &'b mut [u8]) -> &'b [u8] {
        let mut writer = Writer::new(buffer);
        writer.put(code::MESSAGE_TYPE, &[kind.message_type().0]);
        if let Some(addr) = self.addr.filter(|_| kind.names_requested()) {
            writer.put(code::REQUESTED_ADDRESS, &addr.octets());
        }
        if kind.names_server() {
            writer.put(code::SERVER_ID, &self.server.octets());
        }
        self.write_client(client, &mut writer);
        if !kind.asks() {
            return writer.finish();
        }
        let max_size = (config::DHCP_MESSAGE_LEN + udp::HEADER_LEN + ipv4::HEADER_LEN) as u16;
        writer.put(code::MAX_SIZE, &max_size.to_be_bytes());
        self.write_parameters(&mut writer);
        if kind == Kind::Discover && self.config.rapid_commit {
            writer.put(code::RAPID_COMMIT, &[]);
        }
        let texts = [
            (code::HOST_NAME, self.config.hostname.map(str::as_bytes)),
            (code::VENDOR_CLASS, self.config.vendor_class),
            (code::USER_CLASS, self.config.user_class),
        ];
        for (code, text) in texts {
            text.filter(|text| !text.is_empty()).map(|text| writer.put(code, text));
        }
        writer.finish()
    }

    /// RFC 2131 §4.2: the same in all messages, so that servers know us again.
    fn write_client(&self, client: &ClientHardware, writer: &mut Writer<'_>) {
        match self.config.client_id.filter(|id| id.len() >= 2) {
            Some(id) => writer.put(code::CLIENT_ID, id),
            None => {
                let mut id = [client.kind(), 0, 0, 0, 0, 0, 0];
                id.iter_mut().skip(1).zip(client.as_octets()).for_each(|(place, octet)| *place = *octet);
                writer.put(code::CLIENT_ID, &id)
            }
        };
    }

    fn write_parameters(&self, writer: &mut Writer<'_>) {
        let mut list = [0; 64];
        let wanted = self.config.requests.iter().filter(|code| !PARAMETERS.contains(code));
        let ipv6_only = Some(code::IPV6_ONLY).filter(|_| self.config.ipv6_only);
        let all = PARAMETERS.iter().copied().chain(ipv6_only).chain(wanted.copied());
        let count = list.iter_mut().zip(all).map(|(place, code)| *place = code).count();
        writer.put(code::PARAMETERS, list.get(..count).unwrap_or(&list));
    }
}

impl Interface<'_> {
    /// Sends a message: to the server if we have an address and it is meant alone, else to all.
    pub(super) fn send_dhcp(&mut self, kind: Kind, state: &State, now: Instant, out: &mut Out<'_>) {
        let client = ClientHardware::ethernet(EthernetAddress(self.hardware));
        let mut area = [0; OPTIONS_LEN];
        let Ok(options) = Options::new(state.write_options(kind, &client, &mut area)) else { return }; // never: just written
        let mut repr = Repr::request(client, state.xid, options);
        repr.secs = if kind.asks() { state.secs } else { 0 };
        let own = state.addr.filter(|_| kind.has_address()).unwrap_or(Ipv4Address::UNSPECIFIED);
        repr.ciaddr = own;
        let mut message = [0; MAX_LEN_FOR_ALL];
        let len = repr.buffer_len();
        repr.emit(&mut Message::new_unchecked(&mut message[..]));
        let everybody = Addr::v4([255; 4]);
        let server = Addr::v4(state.server.octets());
        let is_unicast = matches!(kind, Kind::Renew | Kind::Release);
        // Where no way to the server is known everybody hears it.
        let next_hop = if is_unicast { self.route(&server, now).map(|found| *found.next_hop) } else { None };
        let dst = if next_hop.is_some() { server } else { everybody };
        self.send_to_server(
            out,
            Addr::v4(own.octets()),
            dst,
            &next_hop.unwrap_or(everybody),
            message.get(..len).unwrap_or(&message),
        );
    }

    /// Whether a packet to a host can go at once, or never.
    pub(super) fn knows_way_to(&self, host: Ipv4Address, now: Instant) -> bool {
        let host = Addr::v4(host.octets());
        let next_hop = self.route(&host, now).map(|found| *found.next_hop);
        !self.link.up || next_hop.is_none_or(|next_hop| self.neighbors.known(&next_hop).is_some())
    }

    fn send_to_server(&mut self, out: &mut Out<'_>, src: Addr, dst: Addr, next_hop: &Addr, message: &[u8]) {
        let len = udp::HEADER_LEN + message.len();
        let packet = Packet {
            src,
            dst,
            protocol: IpProtocol::UDP,
            hop_limit: config::DEFAULT_HOP_LIMIT,
            traffic_class: TrafficClass::default(),
            unusual: Unusual::default(),
            len,
            segment_len: 0,
            room: Room::NONE,
        };
        let ([a, b], [c, d]) = (CLIENT_PORT.to_be_bytes(), SERVER_PORT.to_be_bytes());
        let [e, f] = (len as u16).to_be_bytes();
        let mut fill = header_and_data([a, b, c, d, e, f, 0, 0], message);
        if self.send_or_queue(out, &packet, next_hop, Class::Control, &mut fill) {
            self.stats.counters.add(Count::UdpOut, 1);
        }
    }
}
