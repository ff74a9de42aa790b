//! The IPv6 extension headers, walked with a bound (RFC 8200 §4, RFC 6946, RFC 8504 §5.3).
//!
//! Hop-by-hop options, destination options, routing and fragment headers are gone through until a
//! protocol, a real fragment or the end is reached. No option is acted upon: those that may be
//! skipped are, and for all else the walk says what the RFC wants done. AH and ESP count as protocols.
//!
//! ```text
//!  0                   1                   2                   3
//! |  next header  |  length / 8   |  options: type, length, data …
//! |  next header  |  length / 8   | routing type  | segments left |
//! |  next header  |   reserved    |   fragment offset       |0 0|M|  fragment
//! |                        identification                         |
//! ```

use super::IpProtocol;

/// How many extension headers of one packet are gone through.
pub const MAX_HEADERS: usize = 8;

/// Octets of the fragment header.
pub const FRAGMENT_HEADER_LEN: usize = 8;

/// A hop-by-hop header with a router alert for multicast listener discovery (RFC 2711, RFC 3810 §5),
/// in front of ICMPv6.
pub const ROUTER_ALERT_HEADER: [u8; 8] = [IpProtocol::ICMPV6.0, 0, 5, 2, 0, 0, 1, 0];

/// ICMPv6 parameter problem: a field holds what it may not.
const ERRONEOUS_FIELD: u8 = 0;
/// ICMPv6 parameter problem: a next header is not known, or not here.
const UNRECOGNIZED_NEXT_HEADER: u8 = 1;
/// ICMPv6 parameter problem: an option is not known.
const UNRECOGNIZED_OPTION: u8 = 2;

/// What a fragment header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// What the fragments of one packet have in common.
    pub ident: u32,
    /// Where in the whole the payload belongs, in octets: a multiple of 8.
    pub offset: u16,
    /// Whether another fragment follows.
    pub more: bool,
}

/// Where a walk ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk<'a> {
    /// What the payload is; `IPV6_NO_NEXT` if nothing. Of a fragment, what its header names, which may
    /// be a further extension header.
    pub protocol: IpProtocol,
    /// What follows the last header gone through.
    pub payload: &'a [u8],
    /// Octets from the packet's start to the field that names `protocol`: what a parameter problem
    /// points at when the protocol is not known.
    pub next_header_at: u16,
    /// Set if the packet is a real fragment; one that is also the whole is none (RFC 6946).
    pub fragment: Option<Fragment>,
}

/// Why a walk ended, and what RFC 8200 wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Drop it silently: cut short, or with an option that wants just that.
    Discard,
    /// Drop it silently: more than [`MAX_HEADERS`] headers.
    TooMany,
    /// Drop it and send an ICMPv6 parameter problem.
    ParamProblem {
        /// The message's code.
        code: u8,
        /// Octets from the packet's start to what is wrong.
        pointer: u16,
        /// Whether to send it even if the destination was a group.
        even_if_multicast: bool,
    },
}

const fn problem(code: u8, pointer: usize) -> Stop {
    Stop::ParamProblem { code, pointer: pointer as u16, even_if_multicast: false }
}

/// Goes through the extension headers of a packet, `first` being its header's next header and
/// `payload` what follows that header.
///
/// Pointers assume an unfragmented packet: `payload` begins 40 octets into it.
pub fn walk(first: IpProtocol, payload: &[u8]) -> Result<Walk<'_>, Stop> {
    let mut protocol = first;
    let mut next_header_at = 6;
    let mut rest = payload;
    for count in 0..=MAX_HEADERS {
        let at = super::ipv6::HEADER_LEN + (payload.len() - rest.len());
        let fixed = match protocol {
            IpProtocol::HOP_BY_HOP if count > 0 => {
                // RFC 8200 §4: hop-by-hop options stand first or nowhere.
                return Err(problem(UNRECOGNIZED_NEXT_HEADER, next_header_at));
            }
            IpProtocol::HOP_BY_HOP
            | IpProtocol::IPV6_OPTIONS
            | IpProtocol::IPV6_ROUTE
            | IpProtocol::IPV6_FRAGMENT => rest.first_chunk::<8>(),
            _ => {
                let next_header_at = next_header_at as u16;
                return Ok(Walk { protocol, payload: rest, next_header_at, fragment: None });
            }
        };
        let Some(fixed) = fixed else { return Err(Stop::Discard) };
        let len = match protocol {
            IpProtocol::IPV6_FRAGMENT => FRAGMENT_HEADER_LEN,
            _ => (usize::from(fixed[1]) + 1) * 8,
        };
        let Some((header, after)) = rest.split_at_checked(len) else { return Err(Stop::Discard) };
        match protocol {
            IpProtocol::IPV6_FRAGMENT => {
                if let Some(fragment) = read_fragment(fixed, after.len(), at)? {
                    let (protocol, next_header_at) = (IpProtocol(fixed[0]), at as u16);
                    return Ok(Walk { protocol, payload: after, next_header_at, fragment: Some(fragment) });
                }
            }
            // RFC 8200 §4.4: a routing type that is not known is in the way only if segments are
            // left. None is known: type 0 is withdrawn (RFC 5095), hosts need no other.
            IpProtocol::IPV6_ROUTE if fixed[3] != 0 => return Err(problem(ERRONEOUS_FIELD, at + 2)),
            IpProtocol::IPV6_ROUTE => {}
            _ => check_options(header, at)?,
        }
        protocol = IpProtocol(fixed[0]);
        next_header_at = at;
        rest = after;
    }
    Err(Stop::TooMany)
}

/// Whether a first fragment has all headers through that of an upper layer (RFC 7112 §5): `first` and
/// `payload` as for [`walk`], from behind the fragment header on.
pub fn has_whole_chain(first: IpProtocol, payload: &[u8]) -> bool {
    let (mut protocol, mut rest) = (first, payload);
    for _ in 0..MAX_HEADERS {
        let upper_len = match protocol {
            IpProtocol::HOP_BY_HOP | IpProtocol::IPV6_OPTIONS | IpProtocol::IPV6_ROUTE => {
                let next = header_at(rest).and_then(|(header, len)| Some((header[0], rest.get(len..)?)));
                let Some((next, after)) = next else { return false };
                (protocol, rest) = (IpProtocol(next), after);
                continue;
            }
            IpProtocol::TCP => 20,
            IpProtocol::UDP | IpProtocol::UDP_LITE | IpProtocol::ICMPV6 => 8,
            _ => 0,
        };
        return rest.len() >= upper_len;
    }
    true // too many: refused when the whole is walked through
}

/// Whether a packet, header included, has a fragment header, even if that says that the packet is whole.
pub fn has_fragment_header(packet: &[u8]) -> bool {
    let mut protocol = packet.get(6).copied().map(IpProtocol);
    let mut rest = packet.get(super::ipv6::HEADER_LEN..).unwrap_or_default(); // too short: no headers
    for _ in 0..=MAX_HEADERS {
        match protocol {
            Some(IpProtocol::IPV6_FRAGMENT) => return true,
            Some(IpProtocol::HOP_BY_HOP | IpProtocol::IPV6_OPTIONS | IpProtocol::IPV6_ROUTE) => {}
            _ => return false,
        }
        let Some((header, len)) = header_at(rest) else { return false };
        protocol = Some(IpProtocol(header[0]));
        rest = rest.get(len..).unwrap_or_default(); // cut short: no more headers
    }
    false
}

/// The fixed part of an extension header with a length, and that length.
fn header_at(rest: &[u8]) -> Option<(&[u8; 8], usize)> {
    rest.first_chunk::<8>().map(|fixed| (fixed, (usize::from(fixed[1]) + 1) * 8))
}

/// Reads a fragment header `at` octets into the packet, which `len` octets follow; `None` if the
/// packet is whole.
fn read_fragment(header: &[u8; 8], len: usize, at: usize) -> Result<Option<Fragment>, Stop> {
    let [_, _, o0, o1, i0, i1, i2, i3] = *header;
    let (offset, more) = (u16::from_be_bytes([o0, o1]) & !7, o1 & 1 != 0);
    if offset == 0 && !more {
        return Ok(None);
    }
    if more && !len.is_multiple_of(8) {
        // RFC 8200 §4.5: points at the payload length.
        return Err(problem(ERRONEOUS_FIELD, 4));
    }
    if usize::from(offset) + len > usize::from(u16::MAX) {
        // RFC 8200 §4.5: points at the fragment offset.
        return Err(problem(ERRONEOUS_FIELD, at + 2));
    }
    Ok(Some(Fragment { ident: u32::from_be_bytes([i0, i1, i2, i3]), offset, more }))
}

/// Goes through the options of a header that is `at` octets into the packet; none is known but padding.
fn check_options(header: &[u8], at: usize) -> Result<(), Stop> {
    let mut options = header.get(2..).unwrap_or_default(); // headers have at least 8 octets
    while let [kind, rest @ ..] = options {
        if *kind == 0 {
            options = rest; // Pad1 has no length
            continue;
        }
        let [len, data @ ..] = rest else { return Err(Stop::Discard) };
        let Some(next) = data.get(usize::from(*len)..) else { return Err(Stop::Discard) };
        let pointer = (at + header.len() - options.len()) as u16;
        // RFC 8200 §4.2: the two highest bits say what to do with an option that is not known. Those
        // of PadN say skip.
        let even_if_multicast = match kind >> 6 {
            0 => {
                options = next;
                continue;
            }
            1 => return Err(Stop::Discard),
            action => action == 2,
        };
        return Err(Stop::ParamProblem { code: UNRECOGNIZED_OPTION, pointer, even_if_multicast });
    }
    Ok(())
}

/// Writes a fragment header.
pub fn emit_fragment(header: &mut [u8; FRAGMENT_HEADER_LEN], next_header: IpProtocol, fragment: &Fragment) {
    debug_assert!(fragment.offset.is_multiple_of(8));
    let [o0, o1] = (fragment.offset | u16::from(fragment.more)).to_be_bytes();
    let [i0, i1, i2, i3] = fragment.ident.to_be_bytes();
    *header = [next_header.0, 0, o0, o1, i0, i1, i2, i3];
}

#[cfg(test)]
mod tests {
    use super::*;

    const HBH: IpProtocol = IpProtocol::HOP_BY_HOP;
    const OPTS: IpProtocol = IpProtocol::IPV6_OPTIONS;
    const ROUTE: IpProtocol = IpProtocol::IPV6_ROUTE;
    const FRAG: IpProtocol = IpProtocol::IPV6_FRAGMENT;

    fn problem_at(code: u8, pointer: u16, even_if_multicast: bool) -> Stop {
        Stop::ParamProblem { code, pointer, even_if_multicast }
    }

    #[test]
    fn a_chain_of_every_header_leads_to_the_protocol() {
        let data = [
            60, 0, 5, 2, 0, 0, 1, 0, // hop-by-hop: router alert, PadN
            43, 0, 0, 0, 0, 0, 0, 0, // destination options: six Pad1
            44, 2, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, // routing, done
            17, 0xff, 0, 0, 1, 2, 3, 4, // a fragment that is the whole
            0xaa, 0xbb,
        ];
        let walk = walk(HBH, &data).unwrap();
        assert_eq!(walk.protocol, IpProtocol::UDP);
        assert_eq!(walk.payload, [0xaa, 0xbb]);
        assert_eq!(walk.next_header_at, 40 + 40);
        assert_eq!(walk.fragment, None);
    }

    #[test]
    fn without_extension_headers_the_payload_is_all() {
        for protocol in [6, 17, 50, 51, 58, 59, 135, 253, 255] {
            let expected =
                Walk { protocol: IpProtocol(protocol), payload: &[1, 2], next_header_at: 6, fragment: None };
            assert_eq!(walk(IpProtocol(protocol), &[1, 2]), Ok(expected));
        }
    }

    /// Covers: RFC 8200 §4.5
    #[test]
    fn a_fragment_ends_the_walk() {
        let mut header = [0xff; 8];
        let fragment = Fragment { ident: 0x0102_0304, offset: 0x1238, more: true };
        emit_fragment(&mut header, OPTS, &fragment);
        assert_eq!(header, [60, 0, 0x12, 0x39, 1, 2, 3, 4]);
        let data = [&header[..], &[7; 16]].concat();
        let expected =
            Walk { protocol: OPTS, payload: &[7; 16], next_header_at: 40, fragment: Some(fragment) };
        assert_eq!(walk(FRAG, &data), Ok(expected));
        // The last one may have any length.
        let last = [17, 0, 0, 8, 0, 0, 0, 1, 5];
        let walk = walk(FRAG, &last).unwrap();
        assert_eq!(walk.fragment, Some(Fragment { ident: 1, offset: 8, more: false }));
    }

    /// Covers: RFC 7112 §5
    #[test]
    fn a_first_fragment_without_an_upper_header_is_told() {
        assert!(has_whole_chain(IpProtocol::UDP, &[0; 8]));
        assert!(!has_whole_chain(IpProtocol::UDP, &[0; 7]));
        assert!(!has_whole_chain(IpProtocol::TCP, &[0; 16]));
        assert!(has_whole_chain(IpProtocol::IPV6_NO_NEXT, &[]));
        let options = [[17, 0, 1, 4, 0, 0, 0, 0], [0; 8]].concat();
        assert!(has_whole_chain(OPTS, &options));
        assert!(!has_whole_chain(OPTS, &options[..8]));
        assert!(!has_whole_chain(OPTS, &[17, 3, 1, 4, 0, 0, 0, 0]));
        assert!(has_whole_chain(OPTS, &[60, 0, 1, 4, 0, 0, 0, 0].repeat(20)));
    }

    /// Covers: RFC 6980 §5
    #[test]
    fn a_fragment_header_is_found_behind_others() {
        let packet = |first: u8, rest: &[u8]| [&[0x60, 0, 0, 0, 0, 0, first][..], &[0; 33], rest].concat();
        assert!(has_fragment_header(&packet(44, &[58, 0, 0, 0, 0, 0, 0, 0])));
        assert!(has_fragment_header(&packet(60, &[44, 0, 1, 4, 0, 0, 0, 0, 58])));
        assert!(!has_fragment_header(&packet(60, &[58, 0, 1, 4, 0, 0, 0, 0, 44])));
        assert!(!has_fragment_header(&packet(58, &[44, 44])));
        assert!(!has_fragment_header(&packet(60, &[44, 0])));
        assert!(!has_fragment_header(&[0x60; 6]));
    }

    /// Covers: RFC 8200 §4, §4.2, §4.4, §4.5
    #[test]
    fn what_must_not_pass_gets_what_the_rfc_wants() {
        let cases: &[(&str, IpProtocol, &[u8], Stop)] = &[
            ("no header", HBH, &[], Stop::Discard),
            ("header cut", HBH, &[17, 0, 1, 4, 0, 0, 0], Stop::Discard),
            ("length beyond the packet", OPTS, &[17, 1, 1, 4, 0, 0, 0, 0], Stop::Discard),
            ("option without length", OPTS, &[17, 0, 1, 3, 0, 0, 0, 5], Stop::Discard),
            ("option beyond the header", OPTS, &[17, 0, 1, 5, 0, 0, 0, 0], Stop::Discard),
            ("option that wants silence", OPTS, &[17, 0, 0x40, 4, 0, 0, 0, 0], Stop::Discard),
            ("option that wants an error", OPTS, &[17, 0, 0, 0x80, 0, 0, 0, 0], problem_at(2, 43, true)),
            ("the same for unicast", OPTS, &[17, 0, 1, 0, 0xc2, 0, 0, 0], problem_at(2, 44, false)),
            ("hop-by-hop second", OPTS, &[0, 0, 1, 4, 0, 0, 0, 0], problem_at(1, 40, false)),
            ("segments left", ROUTE, &[17, 0, 0, 1, 0, 0, 0, 0], problem_at(0, 42, false)),
            ("fragment not of eights", FRAG, &[17, 0, 0, 1, 0, 0, 0, 0, 9], problem_at(0, 4, false)),
            (
                "fragment beyond 65,535",
                FRAG,
                &[17, 0, 0xff, 0xf8, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
                problem_at(0, 42, false),
            ),
        ];
        for (name, first, data, expected) in cases {
            assert_eq!(walk(*first, data), Err(*expected), "{name}");
        }
    }

    #[test]
    fn at_most_eight_headers_are_gone_through() {
        let mut data = [60, 0, 1, 4, 0, 0, 0, 0].repeat(MAX_HEADERS);
        data[(MAX_HEADERS - 1) * 8] = 17;
        assert_eq!(walk(OPTS, &data).unwrap().protocol, IpProtocol::UDP);
        let data = [60, 0, 1, 4, 0, 0, 0, 0].repeat(1000);
        assert_eq!(walk(OPTS, &data), Err(Stop::TooMany));
    }

    #[test]
    fn no_octets_make_the_walk_panic() {
        let mut state = 1_u32;
        for _ in 0..20_000 {
            let data: [u8; 64] = core::array::from_fn(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let octet = (state >> 24) as u8;
                // Mostly numbers that lead on.
                if octet < 0xa0 { [0, 43, 44, 60, 0, 1, 2, 4][usize::from(octet & 7)] } else { octet }
            });
            for len in 0..=data.len() {
                let _ = walk(HBH, &data[..len]);
            }
        }
    }

    /// Covers: RFC 8200 §4.5
    #[test]
    fn a_whole_of_65535_octets_is_the_largest() {
        let at_the_end = |len: usize| {
            let header = [17, 0, 0xff, 0xf8, 0, 0, 0, 1];
            walk(FRAG, &[&header[..], &vec![7; len]].concat()).map(|walk| walk.fragment.is_some())
        };
        assert_eq!(at_the_end(7), Ok(true));
        assert_eq!(at_the_end(8), Err(problem_at(0, 42, false)));
    }
}
