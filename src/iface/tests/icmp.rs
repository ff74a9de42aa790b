use super::net::*;
use crate::stats::DropReason;

fn echo_request() -> Vec<u8> {
    [&[8, 0, 0, 0, 0x12, 0x34, 0, 9][..], b"twenty octets of data"].concat()
}

#[test]
fn an_echo_request_is_answered_with_its_data() {
    let mut net = Net::ethernet();
    net.meet(PEER_IP);
    let answers = net.exchange(ethernet(0x800, &icmp4(PEER_IP, OUR_IP, echo_request())));
    assert_eq!(answers.len(), 1);
    let answer = &answers[0];
    assert_eq!(answer[..6], PEER_MAC);
    assert_checksums(&answer[14..]);
    assert_eq!(answer[34], 0);
    assert_eq!(answer[38..], echo_request()[4..]);
}

#[test]
fn an_icmpv6_echo_request_is_answered_on_bare_ip() {
    let mut net = Net::ip();
    let mut request = echo_request();
    request[0] = 128;
    let answers = net.exchange(icmp6(ula(2), ula(1), 64, request));
    assert_eq!(answers.len(), 1);
    assert_checksums(&answers[0]);
    assert_eq!(answers[0][40], 129);
    assert_eq!(answers[0][24..40], ula(2));
}

#[test]
fn a_datagram_to_a_closed_port_is_refused_by_an_error_that_quotes_it() {
    let mut net = Net::ip();
    let datagram = udp4((PEER_IP, 4_000), (OUR_IP, 9), b"hello?");
    let answers = net.exchange(datagram.clone());
    assert_eq!(answers.len(), 1);
    assert_checksums(&answers[0]);
    assert_eq!(answers[0][20..22], [3, 3]);
    assert_eq!(answers[0][28..], datagram);
    assert_eq!(net.iface.stats().drops(DropReason::NoSocket), 1);
}

#[test]
fn no_error_answers_an_error_a_broadcast_or_nobody() {
    let mut net = Net::ip();
    let quoted = udp4((OUR_IP, 1), (PEER_IP, 2), b"");
    let error = [&[3, 3, 0, 0, 0, 0, 0, 0][..], &quoted].concat();
    assert!(net.exchange(icmp4(PEER_IP, OUR_IP, error)).is_empty());
    assert!(net.exchange(udp4((PEER_IP, 4_000), ([10, 0, 0, 255], 9), b"")).is_empty());
    assert!(net.exchange(udp4((PEER_IP, 4_000), ([255; 4], 9), b"")).is_empty());
    assert!(net.exchange(udp4(([0; 4], 4_000), (OUR_IP, 9), b"")).is_empty());
    assert!(net.exchange(udp4(([224, 0, 0, 9], 4_000), (OUR_IP, 9), b"")).is_empty());
}

#[test]
fn errors_are_limited_in_rate() {
    let mut net = Net::ip();
    let mut errors = 0;
    for _ in 0..1_000 {
        errors += net.exchange(udp4((PEER_IP, 4_000), (OUR_IP, 9), b"")).len();
    }
    assert_eq!(errors, usize::from(crate::config::ICMP_ERROR_BURST));
    assert_eq!(net.iface.stats().drops(DropReason::RateLimited), 950);
}

#[test]
fn an_unknown_protocol_is_refused_in_both_families() {
    let mut net = Net::ip();
    let answers = net.exchange(ipv4(PEER_IP, OUR_IP, 200, b"what"));
    assert_eq!(answers[0][20..22], [3, 2]);
    let answers = net.exchange(ipv6(ula(2), ula(1), 200, 64, b"what"));
    assert_checksums(&answers[0]);
    assert_eq!(answers[0][40..42], [4, 1]);
    assert_eq!(answers[0][44..48], [0, 0, 0, 6], "points at the next header");
}

#[test]
fn an_unknown_option_that_wants_it_is_reported() {
    let mut net = Net::ip();
    let packet = ipv6(ula(2), ula(1), 60, 64, &[17, 0, 0x9e, 4, 0, 0, 0, 0]);
    let answers = net.exchange(packet);
    assert_checksums(&answers[0]);
    assert_eq!(answers[0][40..42], [4, 2]);
    assert_eq!(answers[0][44..48], [0, 0, 0, 42]);
}

/// Covers: RFC 4443 §2.4 (c)
#[test]
fn an_error_does_not_exceed_the_minimum_mtu() {
    let mut net = Net::ip();
    let answers = net.exchange(ipv6(ula(2), ula(1), 200, 64, &[0x55; 1_400]));
    assert_eq!(answers[0].len(), 1_280);
    assert_checksums(&answers[0]);
}

/// Covers: RFC 8200 §4, RFC 1122 §3.2.2.1
#[test]
fn icmp_of_the_other_family_is_an_unknown_protocol() {
    let mut net = Net::ip();
    let answers = net.exchange(ipv6(ula(2), ula(1), 1, 64, &echo_request()));
    assert_eq!(answers[0][40..42], [4, 1]);
    let answers = net.exchange(ipv4(PEER_IP, OUR_IP, 58, &echo_request()));
    assert_eq!(answers[0][20..22], [3, 2]);
    assert_eq!(net.iface.stats().drops(DropReason::UnknownProtocol), 2);
}

/// Covers: RFC 894, RFC 4443 §3.1
#[test]
fn the_links_padding_is_not_quoted() {
    let mut net = Net::ethernet();
    net.meet(PEER_IP);
    let body = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &ula(1), &[1, 1], &PEER_MAC].concat();
    net.exchange(ethernet(0x86dd, &icmp6(ula(2), ula(1), 255, body)));
    for (ether_type, packet, quoted_at) in [
        (0x800, udp4((PEER_IP, 1), (OUR_IP, 9), b""), 14 + 28),
        (0x86dd, udp6((ula(2), 1), (ula(1), 9), 64, b""), 14 + 48),
    ] {
        let answers = net.exchange(ethernet(ether_type, &[&packet[..], &[0xee; 30]].concat()));
        assert_eq!(answers[0][quoted_at..], packet);
    }
}
