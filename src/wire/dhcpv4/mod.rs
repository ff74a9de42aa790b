//! DHCP for IPv4 (RFC 2131, RFC 2132): hosts get their address and more from a server.
//!
//! Messages without the magic number behind the fields are BOOTP's (RFC 951), and not spoken here.
//!
//! ```text
//!  0                   1                   2                   3
//! |      op       |     htype     |     hlen      |     hops      |
//! |                              xid                              |
//! |             secs              |B|           zero              |
//! | ciaddr, yiaddr, siaddr, giaddr (4 octets each)                |
//! | chaddr (16), sname (64), file (128), magic number (4)         |
//! |  options: `option` …
//! ```

use core::fmt;

use super::field::{octets, u16_at, u32_at};
use super::{Error, EthernetAddress, Ipv4Address, Result};

mod content;
mod option;
#[cfg(test)]
mod tests;

pub use content::{MessageType, Name, Names, Routes};
pub use option::{Options, Pieces, Value, Writer, code};

/// Where clients send to.
pub const SERVER_PORT: u16 = 67;
/// Where servers send to.
pub const CLIENT_PORT: u16 = 68;

/// Octets before the options.
pub const HEADER_LEN: usize = 240;
/// Octets of the shortest message: relays of BOOTP drop shorter ones (RFC 1542 §2.1).
pub const MIN_LEN: usize = 300;
/// Octets of a message that everybody takes (RFC 2131 §2): with IP and UDP headers 576.
pub const MAX_LEN_FOR_ALL: usize = 548;

/// What tells DHCP from BOOTP (RFC 2131 §3).
const MAGIC: [u8; 4] = [99, 130, 83, 99];
/// The answer is to be sent to all.
const BROADCAST: u16 = 0x8000;

/// Who sends a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A client.
    Request,
    /// A server.
    Reply,
}

/// A client's hardware address of any kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientHardware {
    kind: u8,
    len: u8,
    octets: [u8; 16],
}

impl ClientHardware {
    /// An address of a kind that RFC 1700 has a number for; `None` if it is longer than 16 octets.
    pub fn new(kind: u8, addr: &[u8]) -> Option<ClientHardware> {
        let mut octets = [0; 16];
        octets.get_mut(..addr.len())?.copy_from_slice(addr);
        Some(ClientHardware { kind, len: addr.len() as u8, octets })
    }

    /// Ethernet's.
    pub const fn ethernet(addr: EthernetAddress) -> ClientHardware {
        let EthernetAddress([a, b, c, d, e, f]) = addr;
        ClientHardware { kind: 1, len: 6, octets: [a, b, c, d, e, f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] }
    }

    /// The kind of hardware; 1 is Ethernet.
    pub const fn kind(&self) -> u8 {
        self.kind
    }

    /// The address.
    pub fn as_octets(&self) -> &[u8] {
        self.octets.get(..self.len.into()).unwrap_or(&self.octets)
    }
}

impl fmt::Debug for ClientHardware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:?}", self.kind, self.as_octets())
    }
}

impl fmt::Display for ClientHardware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, octet) in self.as_octets().iter().enumerate() {
            write!(f, "{}{octet:02x}", if index == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

/// The fields before the options.
#[derive(Clone, Copy)]
pub struct Header<'a>(&'a [u8; HEADER_LEN]);

impl<'a> Header<'a> {
    /// Splits a message into its fields and its options; none of them is looked at.
    pub fn split(data: &'a [u8]) -> Result<(Header<'a>, &'a [u8])> {
        let (header, rest) = data.split_first_chunk().ok_or(Error::Truncated)?;
        Ok((Header(header), rest))
    }

    /// Whether a client or a server sends it: 1 or 2.
    pub fn op(self) -> u8 {
        self.0[0]
    }

    /// How many relays it has passed.
    pub fn hops(self) -> u8 {
        self.0[3]
    }

    /// What tells answers to a request from others.
    pub fn xid(self) -> u32 {
        u32_at::<4, HEADER_LEN>(self.0)
    }

    /// Seconds since the client has begun.
    pub fn secs(self) -> u16 {
        u16_at::<8, HEADER_LEN>(self.0)
    }

    /// Whether the answer is to be sent to all.
    pub fn broadcast(self) -> bool {
        u16_at::<10, HEADER_LEN>(self.0) & BROADCAST != 0
    }

    /// The address that the client has.
    pub fn ciaddr(self) -> Ipv4Address {
        Ipv4Address::from(*octets::<12, 4, HEADER_LEN>(self.0))
    }

    /// The address that the client gets.
    pub fn yiaddr(self) -> Ipv4Address {
        Ipv4Address::from(*octets::<16, 4, HEADER_LEN>(self.0))
    }

    /// The server for the next step of booting.
    pub fn siaddr(self) -> Ipv4Address {
        Ipv4Address::from(*octets::<20, 4, HEADER_LEN>(self.0))
    }

    /// The relay that it came by.
    pub fn giaddr(self) -> Ipv4Address {
        Ipv4Address::from(*octets::<24, 4, HEADER_LEN>(self.0))
    }

    /// The client's hardware address; `None` if it is longer than its field.
    fn client(self) -> Option<ClientHardware> {
        let [_, kind, len, ..] = *self.0;
        (len <= 16).then(|| ClientHardware { kind, len, octets: *octets::<28, 16, HEADER_LEN>(self.0) })
    }

    fn sname(self) -> &'a [u8; 64] {
        octets::<44, 64, HEADER_LEN>(self.0)
    }

    fn file(self) -> &'a [u8; 128] {
        octets::<108, 128, HEADER_LEN>(self.0)
    }

    fn magic(self) -> &'a [u8; 4] {
        octets::<236, 4, HEADER_LEN>(self.0)
    }
}

packet! {
    /// A message in a buffer.
    Packet, |data| Header::split(data).map(|_| ())
}

getters! { Packet:
    op -> u8;
    hops -> u8;
    xid -> u32;
    secs -> u16;
    broadcast -> bool;
    ciaddr -> Ipv4Address;
    yiaddr -> Ipv4Address;
    siaddr -> Ipv4Address;
    giaddr -> Ipv4Address;
}

setters! { Packet:
    set_hops(hops: u8) at 3 = [hops];
    set_xid(xid: u32) at 4 = xid.to_be_bytes();
    set_secs(secs: u16) at 8 = secs.to_be_bytes();
    set_ciaddr(ciaddr: Ipv4Address) at 12 = ciaddr.octets();
    set_yiaddr(yiaddr: Ipv4Address) at 16 = yiaddr.octets();
    set_siaddr(siaddr: Ipv4Address) at 20 = siaddr.octets();
    set_giaddr(giaddr: Ipv4Address) at 24 = giaddr.octets();
}

/// A message in a form that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr<'a> {
    /// Who sends it.
    pub operation: Operation,
    /// The client's hardware address.
    pub client: ClientHardware,
    /// How many relays it has passed.
    pub hops: u8,
    /// What tells answers to a request from others.
    pub xid: u32,
    /// Seconds since the client has begun.
    pub secs: u16,
    /// Whether the answer is to be sent to all: the client takes nothing for its own address yet.
    pub broadcast: bool,
    /// The address that the client has and answers ARP for.
    pub ciaddr: Ipv4Address,
    /// The address that the client gets.
    pub yiaddr: Ipv4Address,
    /// The server for the next step of booting.
    pub siaddr: Ipv4Address,
    /// The relay that it came by.
    pub giaddr: Ipv4Address,
    /// Its options, the kind of message among them, and its fields for names.
    pub options: Options<'a>,
}

impl<'a> Repr<'a> {
    /// A client's message with nothing in its fields yet.
    pub const fn request(client: ClientHardware, xid: u32, options: Options<'a>) -> Repr<'a> {
        const NONE: Ipv4Address = Ipv4Address::UNSPECIFIED;
        Repr {
            operation: Operation::Request,
            client,
            hops: 0,
            xid,
            secs: 0,
            broadcast: false,
            ciaddr: NONE,
            yiaddr: NONE,
            siaddr: NONE,
            giaddr: NONE,
            options,
        }
    }

    /// Reads a message. What its options mean is not looked at, but that their lengths are right, and that it says what
    /// kind of message it is.
    ///
    /// # Errors
    /// `Unsupported` if it is one of BOOTP; `Malformed` if it is neither request nor reply, if the hardware address
    /// is longer than its field, if an option is longer than what is there, or if it is of no kind.
    pub fn parse<T: AsRef<[u8]> + ?Sized>(packet: &Packet<&'a T>) -> Result<Repr<'a>> {
        let (header, area) = Header::split(packet.buffer.as_ref())?;
        if *header.magic() != MAGIC {
            return Err(Error::Unsupported);
        }
        let operation = match header.op() {
            1 => Operation::Request,
            2 => Operation::Reply,
            _ => return Err(Error::Malformed),
        };
        let options = Options::parse(area, header.sname(), header.file())?;
        options.message_type().ok_or(Error::Malformed)?;
        Ok(Repr {
            operation,
            client: header.client().ok_or(Error::Malformed)?,
            hops: header.hops(),
            xid: header.xid(),
            secs: header.secs(),
            broadcast: header.broadcast(),
            ciaddr: header.ciaddr(),
            yiaddr: header.yiaddr(),
            siaddr: header.siaddr(),
            giaddr: header.giaddr(),
            options,
        })
    }

    /// Octets of the message, with the end of its options and what it takes to be as long as all are.
    pub const fn buffer_len(&self) -> usize {
        let len = HEADER_LEN + self.options.as_octets().len() + 1;
        if len < MIN_LEN { MIN_LEN } else { len }
    }

    /// Writes the message.
    ///
    /// # Panics
    /// If the buffer is shorter than that.
    pub fn emit<T: AsRef<[u8]> + AsMut<[u8]>>(&self, packet: &mut Packet<T>) {
        let buffer = &mut packet.buffer.as_mut()[..self.buffer_len()];
        buffer.fill(0);
        let (op, (sname, file)) =
            (if self.operation == Operation::Request { 1 } else { 2 }, self.options.fields());
        buffer[..3].copy_from_slice(&[op, self.client.kind, self.client.len]);
        let flags = if self.broadcast { BROADCAST } else { 0 };
        buffer[10..12].copy_from_slice(&flags.to_be_bytes());
        buffer[28..44].copy_from_slice(&self.client.octets);
        buffer[44..108].copy_from_slice(sname);
        buffer[108..236].copy_from_slice(file);
        buffer[236..240].copy_from_slice(&MAGIC);
        let area = self.options.as_octets();
        buffer[HEADER_LEN..HEADER_LEN + area.len()].copy_from_slice(area);
        buffer[HEADER_LEN + area.len()] = code::END;
        packet.set_hops(self.hops);
        packet.set_xid(self.xid);
        packet.set_secs(self.secs);
        packet.set_ciaddr(self.ciaddr);
        packet.set_yiaddr(self.yiaddr);
        packet.set_siaddr(self.siaddr);
        packet.set_giaddr(self.giaddr);
    }
}

impl fmt::Display for Repr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DHCP ")?;
        match self.options.message_type() {
            Some(kind) => kind.fmt(f)?,
            None => f.write_str("message")?,
        }
        write!(f, " xid={:#010x} client={}", self.xid, self.client)?;
        let addresses = [
            ("ciaddr", self.ciaddr),
            ("yiaddr", self.yiaddr),
            ("siaddr", self.siaddr),
            ("giaddr", self.giaddr),
        ];
        for (name, addr) in addresses.into_iter().filter(|(_, addr)| !addr.is_unspecified()) {
            write!(f, " {name}={addr}")?;
        }
        f.write_str(if self.broadcast { " broadcast" } else { "" })?;
        self.options.fmt(f)
    }
}
