//! What options of DHCP mean (RFC 2132, RFC 3397, RFC 3442).

use core::fmt;

use super::option::{Options, Value, code};
use crate::wire::ndisc::SearchName;
use crate::wire::tlv::fmt_list;
use crate::wire::{Ipv4Address, Ipv4Cidr};

/// What kind of message it is (RFC 2132 §9.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageType(pub u8);

impl MessageType {
    /// A client looks for servers.
    pub const DISCOVER: MessageType = MessageType(1);
    /// A server's answer to it.
    pub const OFFER: MessageType = MessageType(2);
    /// A client takes an offer, asks for its address again, or for more time.
    pub const REQUEST: MessageType = MessageType(3);
    /// Somebody else has the address.
    pub const DECLINE: MessageType = MessageType(4);
    /// The server says yes.
    pub const ACK: MessageType = MessageType(5);
    /// The server says no.
    pub const NAK: MessageType = MessageType(6);
    /// The client gives its address back.
    pub const RELEASE: MessageType = MessageType(7);
    /// A client that has an address asks for the rest.
    pub const INFORM: MessageType = MessageType(8);
    /// The server wants the client to ask for its address again (RFC 3203).
    pub const FORCE_RENEW: MessageType = MessageType(9);
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            ["discover", "offer", "request", "decline", "ack", "nak", "release", "inform", "force-renew"];
        match usize::from(self.0).checked_sub(1).and_then(|index| names.get(index)) {
            Some(name) => f.write_str(name),
            None => write!(f, "message {}", self.0),
        }
    }
}

impl<'a> Value<'a> {
    /// Addresses, if there is one at least and nothing besides.
    pub fn addresses(&self) -> Option<impl Iterator<Item = Ipv4Address> + Clone + use<'a>> {
        let len = self.len();
        let mut octets = self.octets();
        (len > 0 && len.is_multiple_of(4)).then(|| {
            core::iter::from_fn(move || {
                Some(Ipv4Address::from([octets.next()?, octets.next()?, octets.next()?, octets.next()?]))
            })
        })
    }

    /// An address, if it is just one.
    pub fn address(&self) -> Option<Ipv4Address> {
        self.array::<4>().map(Ipv4Address::from)
    }

    /// A number of four octets.
    pub fn number(&self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Routes (RFC 3442), if all are well-formed and there is one at least.
    pub fn routes(&self) -> Option<Routes<impl Iterator<Item = u8> + Clone + use<'a>>> {
        let routes = Routes(self.octets());
        let read: usize = routes.clone().map(|(network, _)| 5 + significant(network.prefix_len())).sum();
        (read > 0 && read == self.len()).then_some(routes)
    }

    /// Domains to look for names in (RFC 3397): up to the first that is none.
    pub fn names(&self) -> Names<'a> {
        Names { value: *self, at: 0 }
    }
}

/// Octets of a network's address that are sent.
fn significant(prefix_len: u8) -> usize {
    usize::from(prefix_len).div_ceil(8)
}

/// Routes: networks, and the router to each; the router `0.0.0.0` says that the network is on the link.
#[derive(Debug, Clone)]
pub struct Routes<I>(I);

impl<I: Iterator<Item = u8>> Iterator for Routes<I> {
    type Item = (Ipv4Cidr, Ipv4Address);

    fn next(&mut self) -> Option<(Ipv4Cidr, Ipv4Address)> {
        let prefix_len = self.0.next().filter(|len| *len <= 32)?;
        let mut network = [0; 4];
        for place in network.iter_mut().take(significant(prefix_len)) {
            *place = self.0.next()?;
        }
        let mut router = [0; 4];
        for place in &mut router {
            *place = self.0.next()?;
        }
        // RFC 3442: bits beyond the mask are to be ignored.
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix_len)).unwrap_or(0);
        let network = Ipv4Address::from_bits(u32::from_be_bytes(network) & mask);
        Some((Ipv4Cidr::new(network, prefix_len), router.into()))
    }
}

/// The longest name, its lengths included (RFC 1035 §3.1).
const MAX_NAME_LEN: usize = 255;

/// A domain, as labels behind their lengths, not compressed.
#[derive(Clone, Copy)]
pub struct Name {
    octets: [u8; MAX_NAME_LEN],
    len: u8,
}

impl Name {
    /// The labels, each behind its length, the last one empty.
    pub fn as_octets(&self) -> &[u8] {
        self.octets.get(..self.len.into()).unwrap_or_default() // it is never longer
    }

    /// Reads a name; says where the next begins.
    fn read(value: &Value<'_>, at: usize) -> Option<(Name, usize)> {
        let mut name = Name { octets: [0; MAX_NAME_LEN], len: 0 };
        let (mut start, mut after) = (at, None);
        loop {
            match name.read_labels(value, start)? {
                (None, end) => return Some((name, after.unwrap_or(end))),
                // Only to what stands before it: so this ends.
                (Some(target), end) => {
                    (start, after) = (Some(target).filter(|target| *target < start)?, after.or(Some(end)));
                }
            }
        }
    }

    /// Reads labels until they end, or a pointer says where they go on (RFC 1035 §4.1.4); and where it ended.
    fn read_labels(&mut self, value: &Value<'_>, start: usize) -> Option<(Option<usize>, usize)> {
        let mut octets = value.octets().skip(start);
        let mut at = start;
        loop {
            let len = octets.next()?;
            at += 1;
            match len >> 6 {
                0 => {}
                3 => return Some((Some(usize::from(len & 63) << 8 | usize::from(octets.next()?)), at + 1)),
                _ => return None,
            }
            self.push(len)?;
            if len == 0 {
                return Some((None, at));
            }
            for _ in 0..len {
                self.push(octets.next()?)?;
            }
            at += usize::from(len);
        }
    }

    fn push(&mut self, octet: u8) -> Option<()> {
        *self.octets.get_mut(usize::from(self.len))? = octet;
        self.len += 1;
        Some(())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SearchName::new(self.as_octets()).fmt(f)
    }
}

/// Domains of a list.
#[derive(Clone)]
pub struct Names<'a> {
    value: Value<'a>,
    at: usize,
}

impl Iterator for Names<'_> {
    type Item = Name;

    fn next(&mut self) -> Option<Name> {
        let (name, after) = Name::read(&self.value, self.at)?;
        self.at = after;
        Some(name)
    }
}

/// What is often asked for.
impl<'a> Options<'a> {
    /// What kind of message it is.
    pub fn message_type(&self) -> Option<MessageType> {
        self.get(code::MESSAGE_TYPE)?.array().map(|[kind]| MessageType(kind))
    }

    /// An option that is one address.
    pub fn address(&self, code: u8) -> Option<Ipv4Address> {
        self.get(code)?.address()
    }

    /// An option that is a number of four octets, as those of time are, in seconds; all ones is for ever.
    pub fn number(&self, code: u8) -> Option<u32> {
        self.get(code)?.number()
    }

    /// An option that is addresses.
    pub fn addresses(&self, code: u8) -> impl Iterator<Item = Ipv4Address> + Clone + use<'a> {
        self.get(code).and_then(|value| value.addresses()).into_iter().flatten()
    }

    /// The length of the network's prefix; `None` also if the mask has holes.
    pub fn prefix_len(&self) -> Option<u8> {
        let mask = self.number(code::SUBNET_MASK)?;
        (mask.leading_ones() + mask.trailing_zeros() == 32).then_some(mask.leading_ones() as u8)
    }

    /// The MTU of the client's link; `None` also if it is less than any may be, 68 (RFC 2132 §5.1).
    pub fn mtu(&self) -> Option<u16> {
        self.get(code::MTU)?.array().map(u16::from_be_bytes).filter(|mtu| *mtu >= 68)
    }
}

/// How an option is printed.
fn fmt_option(f: &mut fmt::Formatter<'_>, code: u8, value: &Value<'_>) -> fmt::Result {
    let name = name_of(code);
    match code {
        code::SUBNET_MASK | code::BROADCAST | code::REQUESTED_ADDRESS | code::SERVER_ID => {
            match value.address() {
                Some(addr) => write!(f, " {name}={addr}"),
                None => fmt_unknown(f, code, value),
            }
        }
        code::ROUTERS | code::DNS_SERVERS | code::NTP_SERVERS => match value.addresses() {
            Some(addrs) => {
                write!(f, " {name}=")?;
                fmt_list(f, addrs)
            }
            None => fmt_unknown(f, code, value),
        },
        code::LEASE_TIME | code::RENEWAL_TIME | code::REBINDING_TIME | code::IPV6_ONLY => {
            match value.number() {
                Some(seconds) => write!(f, " {name}={seconds}s"),
                None => fmt_unknown(f, code, value),
            }
        }
        code::MTU | code::MAX_SIZE => match value.array() {
            Some(octets) => write!(f, " {name}={}", u16::from_be_bytes(octets)),
            None => fmt_unknown(f, code, value),
        },
        code::HOST_NAME
        | code::DOMAIN_NAME
        | code::MESSAGE
        | code::VENDOR_CLASS
        | code::TFTP_SERVER
        | code::BOOT_FILE => write!(f, " {name}={value}"),
        code::PARAMETERS => {
            write!(f, " {name}=")?;
            fmt_list(f, value.octets())
        }
        code::CLIENT_ID => write!(f, " {name}={value:?}"),
        code::RAPID_COMMIT => write!(f, " {name}"),
        code::SEARCH_LIST => {
            write!(f, " {name}=")?;
            fmt_list(f, value.names().take(MAX_NAMES_PRINTED))
        }
        code::CLASSLESS_ROUTES => match value.routes() {
            Some(routes) => {
                write!(f, " {name}=")?;
                fmt_list(f, routes.map(|(network, router)| RouteText(network, router)))
            }
            None => fmt_unknown(f, code, value),
        },
        code::MESSAGE_TYPE | code::OVERLOAD => Ok(()), // said by the message, and of no meaning to readers
        _ => fmt_unknown(f, code, value),
    }
}

/// More than that are not looked at: each may be as long as 255 octets, though it takes but two.
const MAX_NAMES_PRINTED: usize = 16;

struct RouteText(Ipv4Cidr, Ipv4Address);

impl fmt::Display for RouteText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.0, self.1)
    }
}

fn fmt_unknown(f: &mut fmt::Formatter<'_>, code: u8, value: &Value<'_>) -> fmt::Result {
    write!(f, " option {code} len={}", value.len())
}

const fn name_of(code: u8) -> &'static str {
    match code {
        code::SUBNET_MASK => "mask",
        code::ROUTERS => "routers",
        code::DNS_SERVERS => "dns",
        code::HOST_NAME => "host",
        code::DOMAIN_NAME => "domain",
        code::MTU => "mtu",
        code::BROADCAST => "broadcast",
        code::NTP_SERVERS => "ntp",
        code::REQUESTED_ADDRESS => "requested",
        code::LEASE_TIME => "lease",
        code::SERVER_ID => "server",
        code::PARAMETERS => "parameters",
        code::MESSAGE => "message",
        code::MAX_SIZE => "max-size",
        code::RENEWAL_TIME => "renewal",
        code::REBINDING_TIME => "rebinding",
        code::VENDOR_CLASS => "vendor",
        code::CLIENT_ID => "client-id",
        code::TFTP_SERVER => "tftp-server",
        code::BOOT_FILE => "boot-file",
        code::RAPID_COMMIT => "rapid-commit",
        code::IPV6_ONLY => "ipv6-only",
        code::SEARCH_LIST => "search",
        code::CLASSLESS_ROUTES => "routes",
        _ => "option",
    }
}

impl fmt::Display for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for code in self.codes() {
            if let Some(value) = self.get(code) {
                fmt_option(f, code, &value)?;
            }
        }
        Ok(())
    }
}
