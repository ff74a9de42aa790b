//! Messages of others, hostile ones, and how options are cut and put together.

use super::*;
use crate::wire::frames::hex;
use crate::wire::{bar, captured};

const CASES: [(&str, &str); 2] = [
    (
        captured::DHCP_OFFER,
        "DHCP offer xid=0x4f2a11c3 client=02:00:00:00:00:01 yiaddr=10.9.0.55 siaddr=10.9.0.7 server=10.9.0.1 \
         lease=120s tftp-server=boot boot-file=boot.img renewal=60s rebinding=105s mask=255.255.255.0 \
         broadcast=10.9.0.255 option 252 len=200 ipv6-only=1800s \
         routes={192.0.2.0/24 by 10.9.0.9, 0.0.0.0/0 by 10.9.0.1} search={example.org, lan.example.org} \
         ntp={10.9.0.123} mtu=1400 domain=lan.example.org dns={10.9.0.53, 10.9.0.54} routers={10.9.0.1}",
    ),
    (
        captured::DHCP_NAK,
        "DHCP nak xid=0x4f2a11c3 client=02:00:00:00:00:01 broadcast server=10.9.0.1 message=wrong address",
    ),
];

/// The message behind the headers of Ethernet, IPv4 and UDP.
fn message(frame: &str) -> Vec<u8> {
    hex(frame)[14 + 20 + 8..].to_vec()
}

fn parse(data: &[u8]) -> Result<Repr<'_>> {
    Repr::parse(&Packet::new_unchecked(data))
}

fn rewrite(data: &[u8]) -> Result<(String, Vec<u8>)> {
    let repr = parse(data)?;
    let mut copy = Packet::new_unchecked(vec![0xff; repr.buffer_len()]);
    repr.emit(&mut copy);
    Ok((format!("{repr:?} {repr}"), copy.into_inner()))
}

/// Lengths that end behind an option, or behind the end of all.
fn ends(data: &[u8]) -> Vec<usize> {
    let (mut at, mut ends) = (HEADER_LEN, vec![]);
    while data[at] != code::END {
        at += 2 + usize::from(data[at + 1]);
        ends.push(at);
    }
    ends.extend(at + 1..data.len());
    ends
}

#[test]
fn messages_of_dnsmasq_parse_and_are_written_again() {
    for (frame, text) in CASES {
        let data = message(frame);
        assert_eq!(parse(&data).unwrap().to_string(), text);
        bar::is_canonical(text, &data, &rewrite);
    }
}

#[test]
fn cuts_and_flips_are_found_or_survived() {
    for (frame, text) in CASES {
        let data = message(frame);
        bar::cuts_are_found(text, &data, &ends(&data), &bar::as_it_is, &rewrite);
        assert!(bar::flips_are_survived(text, &data, &bar::as_it_is, &rewrite) > 1_000, "{text}");
    }
}

/// A request with these options.
fn with(area: &[u8]) -> Vec<u8> {
    let mut data = message(captured::DHCP_NAK);
    data[0] = 1;
    data.truncate(HEADER_LEN);
    data.extend_from_slice(area);
    data
}

/// Covers: RFC 2131 §3, §4.1; RFC 2132 §9.3, §9.6
#[test]
fn what_breaks_the_format_gets_its_error() {
    let changed = |at: usize, value: u8| {
        let mut data = with(&[53, 1, 1, 255]);
        data[at] = value;
        data
    };
    let cases = [
        ("nothing", vec![], Error::Truncated),
        ("one octet less than the fields", with(&[])[..239].to_vec(), Error::Truncated),
        ("BOOTP", changed(239, 98), Error::Unsupported),
        ("neither request nor reply", changed(0, 3), Error::Malformed),
        ("an operation of zero", changed(0, 0), Error::Malformed),
        ("a hardware address of 17 octets", changed(2, 17), Error::Malformed),
        ("no kind", with(&[255]), Error::Malformed),
        ("no kind before the end", with(&[255, 53, 1, 1]), Error::Malformed),
        ("a kind of two octets", with(&[53, 2, 1, 1, 255]), Error::Malformed),
        ("a code without a length", with(&[53, 1, 1, 12]), Error::Malformed),
        ("an option beyond the end", with(&[53, 1, 1, 12, 3, 1, 2]), Error::Malformed),
        ("an overload of no field", with(&[53, 1, 1, 52, 1, 0, 255]), Error::Malformed),
        ("an overload of more fields than there are", with(&[53, 1, 1, 52, 1, 4, 255]), Error::Malformed),
        ("an overload of two octets", with(&[53, 1, 1, 52, 2, 1, 1, 255]), Error::Malformed),
    ];
    for (name, data, error) in cases {
        assert_eq!(parse(&data).err(), Some(error), "{name}");
    }
    for (at, field) in [(108, 1), (44, 2), (108, 3), (44, 3)] {
        let mut data = with(&[53, 1, 1, 52, 1, field, 255]);
        assert!(parse(&data).is_ok());
        (data[at], data[at + 1]) = (12, 200);
        assert_eq!(parse(&data).err(), Some(Error::Malformed), "an option beyond its field");
    }
}

/// Covers: RFC 2132 §9.3, RFC 3396 §5, §6
#[test]
fn pieces_of_an_option_are_one_in_the_order_options_file_sname() {
    let mut data = with(&[53, 1, 1, 12, 2, b'a', b'b', 52, 1, 3, 0, 0, 12, 1, b'c', 255, 12, 1, b'x']);
    data[44..48].copy_from_slice(&[12, 1, b'e', 255]);
    data[108..115].copy_from_slice(&[0, 12, 1, b'd', 12, 0, 255]);
    let options = parse(&data).unwrap().options;
    let name = options.get(code::HOST_NAME).unwrap();
    assert_eq!((name.to_string().as_str(), name.len(), name.is_empty()), ("abcde", 5, false));
    assert_eq!(name.pieces().collect::<Vec<_>>(), [&b"ab"[..], b"c", b"d", b"", b"e"]);
    assert_eq!(name.copy_to(&mut [0; 4]), None);
    assert_eq!(name.copy_to(&mut [0; 9]), Some(&b"abcde"[..]));
    assert_eq!((name.array::<5>(), name.array::<6>(), name.array::<4>()), (Some(*b"abcde"), None, None));
    assert!(options.codes().eq([53, 12, 52]));
    assert_eq!((options.server_name(), options.boot_file()), (None, None), "both hold options");
    assert_eq!(options.get(99), None);
    bar::is_kept("overloaded", &data, &rewrite);
}

#[test]
fn fields_hold_names_that_an_option_goes_before() {
    let mut data = with(&[53, 1, 2, 255]);
    data[44..48].copy_from_slice(b"host");
    data[108..236].fill(b'f');
    let options = parse(&data).unwrap().options;
    assert_eq!(options.server_name().unwrap().to_string(), "host");
    assert_eq!(options.boot_file().unwrap().to_string(), "f".repeat(128));
    let data = [&data[..HEADER_LEN], &[53, 1, 2, 67, 2, b'g', b'h', 52, 1, 2, 255]].concat();
    let mut data = data;
    data[44..108].fill(0);
    let options = parse(&data).unwrap().options;
    assert_eq!(options.boot_file().unwrap().to_string(), "gh");
    assert_eq!(options.server_name(), None);
    assert_eq!(Options::NONE.boot_file(), None);
}

/// Covers: RFC 3396 §6
#[test]
fn options_longer_than_a_piece_are_cut_as_they_are_written() {
    for len in [0_usize, 1, 254, 255, 256, 510, 511, 700] {
        let data: Vec<u8> = (0..len).map(|n| n as u8).collect();
        let need = len + 2 * len.div_ceil(255).max(1);
        let mut buffer = vec![0xff; 3 + need];
        let mut writer = Writer::new(&mut buffer);
        assert!(writer.put(code::MESSAGE_TYPE, &[3]) && writer.put(77, &data), "{len}");
        assert!(!writer.put(78, &[]), "there is no room");
        let area = writer.finish();
        assert_eq!(area.len(), 3 + need);
        let options = Options::new(area).unwrap();
        assert_eq!(options.message_type(), Some(MessageType::REQUEST));
        let value = options.get(77).unwrap();
        assert!(value.octets().eq(data.iter().copied()), "{len}");
        assert_eq!(value.pieces().count(), len.div_ceil(255).max(1));
        let mut short = vec![0; need - 1];
        let mut writer = Writer::new(&mut short);
        assert!(!writer.put(77, &data) && writer.finish().is_empty());
    }
}

/// The value of an option in one piece, or cut in two at `at`.
fn value(data: &[u8], at: usize, check: impl Fn(&Value<'_>)) {
    let mut buffer = vec![0; data.len() + 4];
    let mut writer = Writer::new(&mut buffer);
    writer.put(1, &data[..at]);
    writer.put(1, &data[at..]);
    check(&Options::new(writer.finish()).unwrap().get(1).unwrap());
}

/// Covers: RFC 3442
#[test]
fn routes_are_read_however_they_are_cut() {
    let data = [
        0, 10, 0, 0, 1, 24, 192, 0, 2, 10, 0, 0, 9, 17, 10, 17, 255, 10, 0, 0, 8, 32, 1, 2, 3, 4, 0, 0, 0, 0,
    ];
    let text = |value: &Value<'_>| {
        value.routes().map(|routes| routes.map(|(net, by)| format!("{net} {by}")).collect::<Vec<_>>())
    };
    for at in 0..=data.len() {
        value(&data, at, |value| {
            let expected = [
                "0.0.0.0/0 10.0.0.1",
                "192.0.2.0/24 10.0.0.9",
                "10.17.128.0/17 10.0.0.8",
                "1.2.3.4/32 0.0.0.0",
            ];
            assert_eq!(text(value).unwrap(), expected, "bits beyond the mask are ignored");
        });
    }
    let ends = [5, 13, 21, 30];
    for len in 0..=data.len() {
        value(&data[..len], 0, |value| assert_eq!(text(value).is_some(), ends.contains(&len), "{len}"));
    }
    value(&[33, 1, 2, 3, 4, 5, 1, 1, 1, 1], 0, |value| assert_eq!(text(value), None, "a mask of 33 bits"));
    value(&[0, 1, 1, 1, 1, 255], 0, |value| assert_eq!(text(value), None, "and one behind a right one"));
}

/// Covers: RFC 3397 §2
#[test]
fn a_search_list_is_read_however_it_is_cut_and_its_pointers_end() {
    let data = b"\x07example\x03org\x00\x03lan\xc0\x00\x01a\x03lan\xc0\x00\xc0\x0d";
    let text = |value: &Value<'_>| value.names().map(|name| name.to_string()).collect::<Vec<_>>();
    for at in 0..=data.len() {
        value(data, at, |value| {
            assert_eq!(
                text(value),
                ["example.org", "lan.example.org", "a.lan.example.org", "lan.example.org"]
            );
        });
    }
    let cases: [(&str, &[u8], &[&str]); 8] = [
        ("a pointer to itself", &[0xc0, 0], &[]),
        ("two that point to each other", &[1, b'a', 0xc0, 4, 1, b'b', 0xc0, 0], &[]),
        ("a pointer ahead", &[0xc0, 2, 1, b'a', 0], &[]),
        ("a pointer into nowhere", &[1, b'a', 0, 0xff, 0xff], &["a"]),
        ("half a pointer", &[1, b'a', 0, 0xc0], &["a"]),
        ("a label of a kind that there is not", &[0x41, b'a', 0], &[]),
        ("a label beyond the end", &[1, b'a', 0, 2, b'b'], &["a"]),
        ("a label without an end", &[1, b'a'], &[]),
    ];
    for (name, data, expected) in cases {
        value(data, 0, |value| assert_eq!(text(value), expected, "{name}"));
    }
    let label = [&[63][..], &[b'x'; 63]].concat();
    let longest = [&label.repeat(3)[..], &[61], &[b'y'; 61], &[0]].concat();
    value(&longest, 9, |value| assert_eq!(value.names().next().unwrap().as_octets(), longest));
    let longer = [&label.repeat(3)[..], &[62], &[b'y'; 62], &[0]].concat();
    value(&longer, 9, |value| assert_eq!(value.names().count(), 0, "256 octets are no name"));
}

/// Covers: RFC 2132 §2
#[test]
fn text_is_read_without_zeros_at_its_end() {
    for (data, text) in [
        (&b"bird"[..], "bird"),
        (b"bird\0\0", "bird"),
        (b"b\0ird\\\xff\0", "b\\000ird\\092\\255"),
        (b"\0", ""),
    ] {
        value(data, data.len() / 2, |value| assert_eq!(value.to_string(), text));
    }
}

#[test]
fn numbers_and_addresses_have_their_length() {
    let area = [
        &[1, 4, 255, 255, 254, 0, 3, 8, 10, 0, 0, 1, 10, 0, 0, 2, 6, 5, 1, 2, 3, 4, 5, 26, 2, 2, 64][..],
        &[28, 3, 1, 2, 3, 42, 0, 51, 4, 255, 255, 255, 255, 54, 4, 10, 0, 0, 9, 58, 3, 0, 0, 1, 200, 1, 7],
    ]
    .concat();
    let options = Options::new(&area).unwrap();
    assert_eq!((options.prefix_len(), options.mtu()), (Some(23), Some(576)));
    assert!(options.addresses(code::ROUTERS).eq([[10, 0, 0, 1], [10, 0, 0, 2]].map(Ipv4Address::from)));
    assert_eq!(options.addresses(code::DNS_SERVERS).count(), 0, "one and a quarter");
    assert_eq!(options.addresses(code::NTP_SERVERS).count(), 0);
    assert_eq!(options.address(code::BROADCAST), None);
    assert_eq!(options.address(code::SERVER_ID), Some([10, 0, 0, 9].into()));
    assert_eq!(options.address(code::ROUTERS), None, "two are not one");
    assert_eq!(options.number(code::LEASE_TIME), Some(u32::MAX));
    assert_eq!(options.number(code::RENEWAL_TIME), None);
    assert_eq!(options.get(200).unwrap().to_string(), "\\007");
    assert!(options.to_string().ends_with(" option 58 len=3 option 200 len=1"), "{options}");
    for (mask, expected) in
        [([0; 4], Some(0)), ([255; 4], Some(32)), ([255, 0, 255, 0], None), ([127, 0, 0, 0], None)]
    {
        let area = [&[1, 4][..], &mask].concat();
        assert_eq!(Options::new(&area).unwrap().prefix_len(), expected);
    }
    for (mtu, expected) in [(67, None), (68, Some(68))] {
        assert_eq!(Options::new(&[26, 2, 0, mtu]).unwrap().mtu(), expected);
    }
}

#[test]
fn what_is_written_is_read() {
    let client = ClientHardware::ethernet(EthernetAddress([2, 0, 0, 0, 0, 1]));
    assert_eq!((client.kind(), client.as_octets()), (1, &[2, 0, 0, 0, 0, 1][..]));
    assert_eq!(ClientHardware::new(1, &[2, 0, 0, 0, 0, 1]), Some(client));
    assert!(ClientHardware::new(6, &[0; 16]).is_some() && ClientHardware::new(6, &[0; 17]).is_none());
    let area = [53, 1, 3, 80, 0, 55, 2, 1, 3, 61, 3, 255, 1, 2];
    let mut repr = Repr::request(client, 0x0102_0304, Options::new(&area).unwrap());
    repr.broadcast = true;
    (repr.hops, repr.secs) = (3, 0x506);
    repr.ciaddr = [10, 0, 0, 1].into();
    repr.yiaddr = [10, 0, 0, 2].into();
    repr.siaddr = [10, 0, 0, 3].into();
    repr.giaddr = [10, 0, 0, 4].into();
    let mut packet = Packet::new_unchecked([0xff; 400]);
    repr.emit(&mut packet);
    assert_eq!(repr.buffer_len(), MIN_LEN);
    assert_eq!(parse(&packet.as_ref()[..MIN_LEN]), Ok(repr));
    assert_eq!(packet.as_ref()[HEADER_LEN + area.len()], code::END);
    assert_eq!((packet.op(), packet.hops(), packet.xid(), packet.secs()), (1, 3, 0x0102_0304, 0x506));
    assert!(packet.broadcast() && packet.ciaddr() == repr.ciaddr && packet.giaddr() == repr.giaddr);
    assert!(packet.yiaddr() == repr.yiaddr && packet.siaddr() == repr.siaddr);
    let text = "DHCP request xid=0x01020304 client=02:00:00:00:00:01 ciaddr=10.0.0.1 yiaddr=10.0.0.2 \
                siaddr=10.0.0.3 giaddr=10.0.0.4 broadcast rapid-commit parameters={1, 3} client-id=ff0102";
    assert_eq!(repr.to_string(), text);
    let names = [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 10].map(|kind| MessageType(kind).to_string());
    assert_eq!(names[8..], ["force-renew", "message 0", "message 10"]);
    assert!(
        names[..8]
            .iter()
            .map(String::as_str)
            .eq("discover offer request decline ack nak release inform".split(' '))
    );
}
