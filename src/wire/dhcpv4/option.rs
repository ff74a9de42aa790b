//! Options of DHCP (RFC 2132): how they lie in a message, and how they are written.
//!
//! An option may be cut into several of its code, whose data belong together, and the fields for names may
//! hold options, too (RFC 2132 §9.3, RFC 3396). So an option's data are a [`Value`] of one or more pieces,
//! and nothing is copied to put them together.
//!
//! ```text
//! | code (1)  | length (1) | data …      but codes 0, padding, and 255, the end, have neither
//! ```

use core::fmt;

use crate::wire::{Error, Result};

/// Codes.
pub mod code {
    /// Padding, without a length.
    pub const PAD: u8 = 0;
    /// The mask of the client's network.
    pub const SUBNET_MASK: u8 = 1;
    /// Routers, the best first.
    pub const ROUTERS: u8 = 3;
    /// DNS servers, the best first.
    pub const DNS_SERVERS: u8 = 6;
    /// The client's name.
    pub const HOST_NAME: u8 = 12;
    /// The domain to look for names in.
    pub const DOMAIN_NAME: u8 = 15;
    /// The MTU of the client's link.
    pub const MTU: u8 = 26;
    /// The broadcast address of the client's network.
    pub const BROADCAST: u8 = 28;
    /// NTP servers, the best first.
    pub const NTP_SERVERS: u8 = 42;
    /// The address that the client would like to have.
    pub const REQUESTED_ADDRESS: u8 = 50;
    /// Seconds for which the address is lent.
    pub const LEASE_TIME: u8 = 51;
    /// Which fields for names hold options.
    pub const OVERLOAD: u8 = 52;
    /// What kind of message it is.
    pub const MESSAGE_TYPE: u8 = 53;
    /// The server that sends it, or is meant.
    pub const SERVER_ID: u8 = 54;
    /// The options that the client would like to have.
    pub const PARAMETERS: u8 = 55;
    /// Text about an error.
    pub const MESSAGE: u8 = 56;
    /// Octets of the largest message that the sender takes, with its UDP and IP headers.
    pub const MAX_SIZE: u8 = 57;
    /// Seconds until the client asks its server for more time.
    pub const RENEWAL_TIME: u8 = 58;
    /// Seconds until the client asks any server for more time.
    pub const REBINDING_TIME: u8 = 59;
    /// The kind of client.
    pub const VENDOR_CLASS: u8 = 60;
    /// Who the client is, other than by its hardware address.
    pub const CLIENT_ID: u8 = 61;
    /// The TFTP server's name.
    pub const TFTP_SERVER: u8 = 66;
    /// The name of a boot file.
    pub const BOOT_FILE: u8 = 67;
    /// What kind of user or application the client is for (RFC 3004).
    pub const USER_CLASS: u8 = 77;
    /// Two messages instead of four (RFC 4039).
    pub const RAPID_COMMIT: u8 = 80;
    /// Seconds for which a host that can do without IPv4 does so (RFC 8925).
    pub const IPV6_ONLY: u8 = 108;
    /// Domains to look for names in (RFC 3397).
    pub const SEARCH_LIST: u8 = 119;
    /// Routes (RFC 3442).
    pub const CLASSLESS_ROUTES: u8 = 121;
    /// The end, without a length.
    pub const END: u8 = 255;
}

/// The longest piece of an option.
const MAX_PIECE: usize = 255;

/// Which fields hold options, as the overload option has it.
const IN_FILE: u8 = 1;
const IN_SNAME: u8 = 2;

/// An option's code, its data, and what follows it.
type Split<'a> = (u8, &'a [u8], &'a [u8]);

/// Splits off one option; `None` at the end, which RFC 2131 §4.1 wants to be marked, and many forget.
fn split(mut area: &[u8]) -> Result<Option<Split<'_>>> {
    while let [code::PAD, rest @ ..] = area {
        area = rest;
    }
    match *area {
        [] | [code::END, ..] => Ok(None),
        [_] => Err(Error::Malformed),
        [code, len, ref rest @ ..] => {
            let (data, rest) = rest.split_at_checked(usize::from(len)).ok_or(Error::Malformed)?;
            Ok(Some((code, data, rest)))
        }
    }
}

/// The part of an area that holds options, if each length is right.
fn check(area: &[u8]) -> Result<&[u8]> {
    let mut rest = area;
    while let Some((_, _, after)) = split(rest)? {
        rest = after;
    }
    Ok(area.get(..area.len() - rest.len()).unwrap_or_default()) // never: it is a part of it
}

/// The pieces of all options, in the order in which they belong together (RFC 3396 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pieces<'a> {
    area: &'a [u8],
    then: [&'a [u8]; 2],
}

impl<'a> Iterator for Pieces<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        loop {
            if let Ok(Some((code, data, rest))) = split(self.area) {
                self.area = rest;
                return Some((code, data));
            }
            let [next, last] = self.then;
            if next.is_empty() && last.is_empty() {
                self.area = &[];
                return None;
            }
            (self.area, self.then) = (next, [last, &[]]);
        }
    }
}

/// The options of a message and its fields for names, all lengths found right.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Options<'a> {
    area: &'a [u8],
    sname: &'a [u8; 64],
    file: &'a [u8; 128],
    overload: u8,
}

impl<'a> Options<'a> {
    /// None.
    pub const NONE: Options<'static> = Options { area: &[], sname: &[0; 64], file: &[0; 128], overload: 0 };

    /// Checks options where the fields for names are empty.
    pub fn new(area: &'a [u8]) -> Result<Options<'a>> {
        Options::parse(area, &[0; 64], &[0; 128])
    }

    /// Checks options, and those in the fields for the server's and the boot file's names.
    ///
    /// # Errors
    /// `Malformed` if an option is longer than what is there, or if it is not clear which fields hold any.
    pub fn parse(area: &'a [u8], sname: &'a [u8; 64], file: &'a [u8; 128]) -> Result<Options<'a>> {
        let mut options = Options { area: check(area)?, sname, file, overload: 0 };
        if let Some(value) = options.get(code::OVERLOAD) {
            options.overload = value
                .array()
                .map(u8::from_be_bytes)
                .filter(|o| matches!(o, 1..=3))
                .ok_or(Error::Malformed)?;
        }
        options.overloaded(IN_FILE, file).map(check).transpose()?;
        options.overloaded(IN_SNAME, sname).map(check).transpose()?;
        Ok(options)
    }

    /// A field, if it holds options.
    fn overloaded(&self, flag: u8, field: &'a [u8]) -> Option<&'a [u8]> {
        (self.overload & flag != 0).then_some(field)
    }

    /// The pieces of all options with their codes, none of them padding or the end.
    pub fn pieces(&self) -> Pieces<'a> {
        let file = self.overloaded(IN_FILE, self.file).unwrap_or_default();
        let sname = self.overloaded(IN_SNAME, self.sname).unwrap_or_default();
        Pieces { area: self.area, then: [file, sname] }
    }

    /// The data of an option.
    pub fn get(&self, code: u8) -> Option<Value<'a>> {
        let mut rest = self.pieces();
        let (_, first) = rest.find(|(this, _)| *this == code)?;
        Some(Value { first, rest: Some((code, rest)) })
    }

    /// The codes of the options, each once.
    pub fn codes(&self) -> impl Iterator<Item = u8> + use<'a> {
        let mut seen = [0_u64; 4];
        self.pieces().map(|(code, _)| code).filter(move |code| {
            let (word, bit) = (&mut seen[usize::from(code >> 6)], 1 << (code & 63));
            let is_new = *word & bit == 0;
            *word |= bit;
            is_new
        })
    }

    /// The field for the server's name, if it holds one.
    pub fn server_name(&self) -> Option<Value<'a>> {
        if self.overload & IN_SNAME == 0 { Value::of_field(self.sname) } else { None }
    }

    /// The name of the boot file, from its option or from its field.
    pub fn boot_file(&self) -> Option<Value<'a>> {
        let field = if self.overload & IN_FILE == 0 { Value::of_field(self.file) } else { None };
        self.get(code::BOOT_FILE).or(field)
    }

    /// The options that do not stand in fields for names, without their end.
    pub const fn as_octets(&self) -> &'a [u8] {
        self.area
    }

    pub(super) const fn fields(&self) -> (&'a [u8; 64], &'a [u8; 128]) {
        (self.sname, self.file)
    }
}

/// The data of an option, in one or more pieces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    first: &'a [u8],
    /// Where others of the code are found.
    rest: Option<(u8, Pieces<'a>)>,
}

impl<'a> Value<'a> {
    /// A field up to its first zero; `None` if it is empty.
    fn of_field(field: &'a [u8]) -> Option<Value<'a>> {
        let first = field.split(|octet| *octet == 0).next().filter(|text| !text.is_empty())?;
        Some(Value { first, rest: None })
    }

    /// The pieces.
    pub fn pieces(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let code = self.rest.map(|(code, _)| code);
        let rest = self.rest.into_iter().flat_map(|(_, pieces)| pieces);
        core::iter::once(self.first)
            .chain(rest.filter(move |(this, _)| Some(*this) == code).map(|(_, data)| data))
    }

    /// The octets.
    pub fn octets(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        self.pieces().flatten().copied()
    }

    /// How many octets it has.
    pub fn len(&self) -> usize {
        self.pieces().map(<[u8]>::len).sum()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The octets, if there are `N`.
    pub fn array<const N: usize>(&self) -> Option<[u8; N]> {
        let mut array = [0; N];
        let copied = self.copy_to(&mut array)?.len();
        (copied == N).then_some(array)
    }

    /// Copies the octets; `None` if there is no room for all.
    pub fn copy_to<'b>(&self, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let mut len = 0;
        for piece in self.pieces() {
            let place = buffer.get_mut(len..)?.get_mut(..piece.len())?;
            place.copy_from_slice(piece);
            len += piece.len();
        }
        buffer.get(..len)
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.octets().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl<'a> Value<'a> {
    /// The octets without zeros at their end, which text may have, and should not (RFC 2132 §2).
    pub fn text(&self) -> impl Iterator<Item = u8> + use<'a> {
        let len =
            self.octets().enumerate().filter(|(_, octet)| *octet != 0).last().map_or(0, |(at, _)| at + 1);
        self.octets().take(len)
    }
}

/// As text; octets that are none print as numbers.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().try_for_each(|octet| match octet {
            b' '..=b'[' | b']'..=b'~' => write!(f, "{}", char::from(octet)),
            _ => write!(f, "\\{octet:03}"),
        })
    }
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = (self.server_name(), self.boot_file());
        f.debug_map().entries(self.pieces()).entry(&"names", &names).finish()
    }
}

/// Writes options one behind the other.
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    len: usize,
}

impl<'b> Writer<'b> {
    /// From the beginning of a buffer.
    pub fn new(buffer: &'b mut [u8]) -> Writer<'b> {
        Writer { buffer, len: 0 }
    }

    /// Writes an option, in pieces if it is longer than one; says whether there was room for all of it, and writes
    /// nothing otherwise.
    pub fn put(&mut self, code: u8, data: &[u8]) -> bool {
        let pieces = data.len().div_ceil(MAX_PIECE).max(1);
        let end = self.len + 2 * pieces + data.len();
        let Some(mut place) = self.buffer.get_mut(self.len..end) else { return false };
        let mut rest = data;
        while !place.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(MAX_PIECE));
            let (option, left) = place.split_at_mut(2 + piece.len());
            option[..2].copy_from_slice(&[code, piece.len() as u8]);
            option[2..].copy_from_slice(piece);
            (rest, place) = (after, left);
        }
        self.len = end;
        true
    }

    /// What was written.
    pub fn finish(self) -> &'b [u8] {
        self.buffer.get(..self.len).unwrap_or_default() // it is never longer than that
    }
}
