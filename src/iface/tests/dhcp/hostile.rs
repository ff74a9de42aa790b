//! What servers that are none, or that are wrong, may not do.

use super::*;
use crate::stats::DropReason;

/// The message in a frame of a server, changed.
fn changed(frame: &[u8], change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut message = frame[42..].to_vec();
    change(&mut message);
    let dst = frame[30..34].try_into().unwrap();
    from_server(dst, &message)
}

/// Covers: RFC 2131 §4.4.1, §4.1, table 3
#[test]
fn what_answers_nothing_that_was_asked_changes_nothing() {
    let mut net = client();
    let discover = next(&mut net);
    let good = discover.answer(MessageType::OFFER, LENT, TERMS);
    let without = |code: u8| {
        let mut terms = TERMS.to_vec();
        let at = match code {
            51 => 0..6,
            _ => 24..30,
        };
        terms.drain(at);
        terms
    };
    let unexpected = DropReason::UnexpectedDhcp;
    let cases = [
        ("a request", changed(&good, |m| m[0] = 1), unexpected),
        ("neither", changed(&good, |m| m[0] = 7), DropReason::Malformed),
        ("another kind of hardware", changed(&good, |m| m[1] = 6), unexpected),
        ("a longer hardware address", changed(&good, |m| m[2] = 7), unexpected),
        ("another's number", changed(&good, |m| m[7] ^= 1), unexpected),
        ("another's hardware address", changed(&good, |m| m[33] ^= 1), unexpected),
        ("no DHCP", changed(&good, |m| m[236] = 0), DropReason::UnknownProtocol),
        ("cut", changed(&good, |m| m.truncate(239)), DropReason::Truncated),
        ("cut within an option", changed(&good, |m| m.truncate(246)), DropReason::Malformed),
        ("no server", discover.answer(MessageType::OFFER, LENT, &without(54)), unexpected),
        ("no time", discover.answer(MessageType::OFFER, LENT, &without(51)), unexpected),
        ("no time at all", changed(&good, |m| m[245..249].fill(0)), unexpected),
        ("no address", discover.answer(MessageType::OFFER, [0; 4], TERMS), unexpected),
        ("a group", discover.answer(MessageType::OFFER, [224, 0, 0, 9], TERMS), unexpected),
        ("a loopback address", changed(&good, |m| m[16..20].copy_from_slice(&[127, 0, 0, 1])), unexpected),
        ("an acknowledgment", discover.answer(MessageType::ACK, LENT, TERMS), unexpected),
        ("a refusal", discover.answer(MessageType::NAK, [0; 4], TERMS), unexpected),
        ("a discovery", discover.answer(MessageType::DISCOVER, LENT, TERMS), unexpected),
    ];
    for (name, frame, reason) in cases {
        // A group's frame comes in only if it goes to all.
        let frame = if frame[30] == 224 { from_server([0; 4], &frame[42..]) } else { frame };
        let before = net.iface.stats().drops(reason);
        assert!(hear(&mut net, frame).is_empty(), "{name}");
        assert_eq!(net.iface.stats().drops(reason), before + 1, "{name}");
        assert_eq!(state(&net), DhcpState::Selecting, "{name}");
    }
    let mut other_port = good.clone();
    other_port[14..].copy_from_slice(&udp4((SERVER, 68), (LENT, 68), &good[42..]));
    assert!(hear(&mut net, other_port).is_empty() && state(&net) == DhcpState::Selecting);
    assert_eq!(hear(&mut net, good).len(), 1);
}

#[test]
fn only_the_server_whose_offer_was_taken_confirms_or_refuses_it() {
    let mut net = client();
    let discover = next(&mut net);
    let request = hear(&mut net, discover.answer(MessageType::OFFER, LENT, TERMS)).remove(0);
    let other = [&TERMS[..29], &[3]].concat();
    for kind in [MessageType::ACK, MessageType::NAK, MessageType::OFFER] {
        assert!(hear(&mut net, request.answer(kind, LENT, &other)).is_empty());
        assert_eq!(state(&net), DhcpState::Requesting);
    }
    assert!(
        hear(&mut net, discover.answer(MessageType::OFFER, LENT, TERMS)).is_empty(),
        "one offer is enough"
    );
    assert_eq!(state(&net), DhcpState::Requesting);
}

#[test]
fn while_an_address_is_good_nobody_takes_it_away_unasked() {
    let mut net = client();
    let request = to_ack(&mut net, TERMS);
    to_bound(&mut net);
    for kind in [MessageType::NAK, MessageType::ACK, MessageType::OFFER, MessageType::FORCE_RENEW] {
        assert!(hear(&mut net, request.answer(kind, LENT, TERMS)).is_empty());
        assert_eq!((state(&net), addrs(&net)), (DhcpState::Bound, vec![lent()]));
    }
    assert_eq!(net.iface.stats().drops(DropReason::UnexpectedDhcp), 4);
}

#[test]
fn a_message_longer_than_we_take_is_dropped() {
    let mut net = client();
    let discover = next(&mut net);
    let long = |last: u8| {
        let fill = [&[224, 255][..], &[0; 255], &[225, 255], &[0; 255], &[226, last]].concat();
        [TERMS, &fill, &vec![0; last.into()]].concat()
    };
    let request = hear(&mut net, discover.answer(MessageType::OFFER, LENT, &long(255))).remove(0);
    hear(&mut net, request.answer(MessageType::ACK, LENT, &long(235)));
    assert_eq!((state(&net), net.iface.stats().drops(DropReason::TooBig)), (DhcpState::Requesting, 1));
    let ack = request.answer(MessageType::ACK, LENT, &long(234));
    assert_eq!(ack.len() - 42, crate::config::DHCP_MESSAGE_LEN);
    hear(&mut net, ack);
    assert_eq!(state(&net), DhcpState::Checking);
}

/// Whatever comes: no panic, a wake in time, and no address that nobody lent.
#[test]
fn random_answers_do_no_harm() {
    let mut random = 0x1234_5678_9abc_def0_u64;
    let mut draw = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random >> 16
    };
    let mut bound_count = 0;
    for round in 0..300 {
        let mut net = net(round as u8);
        net.iface.set_dhcp(Some(DhcpConfig {
            rapid_commit: true,
            use_mtu: true,
            ipv6_only: true,
            ..DhcpConfig::default()
        }));
        let mut last = next(&mut net);
        for _ in 0..40 {
            let kind = MessageType([2, 5, 5, 5, 6, 2, 9, 1][draw() as usize % 8]);
            let mut terms = [TERMS, &[121, 8, 24, 192, 0, 2, 10, 0, 0, 9, 26, 2, 5, 120, 80, 0]].concat();
            if draw() % 3 == 0 {
                let at = draw() as usize % terms.len();
                terms[at] = draw() as u8;
            }
            let Ok(_) = Options::new(&terms) else { continue };
            let mut frame = last.answer(kind, [10, 0, 0, draw() as u8], &terms);
            if draw() % 4 == 0 {
                let at = 14 + draw() as usize % (frame.len() - 14);
                frame[at] ^= 1 << (draw() % 8);
            }
            net.wire.to_stack.push_back(frame);
            if draw() % 16 == 0 {
                net.wire.link.up = !net.wire.link.up;
            }
            let span = secs([0, 1, 8, 60, 2_000][draw() as usize % 5]);
            if let Some(said) = listen(&mut net, span).pop() {
                last = said;
            }
            bound_count += u32::from(net.iface.dhcp_lease().is_some());
            let is_used = net.iface.dhcp_lease().map(|lease| IpCidr::Ipv4(lease.cidr()));
            assert!(is_used.is_none() || addrs(&net) == [is_used.unwrap()], "{:?}", state(&net));
            assert!(addrs(&net).len() <= 1);
        }
    }
    assert!(bound_count > 500, "{bound_count}");
}
