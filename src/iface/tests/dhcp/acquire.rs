//! How a client comes to an address.

use super::*;
use crate::iface::{AddressOrigin, AddressState};

/// Covers: RFC 2131 §3.1, §4.1, §4.3.2, §4.4.1, RFC 3442
#[test]
fn four_messages_bring_an_address_that_is_checked_before_it_is_used() {
    let mut net = client();
    assert_eq!(state(&net), DhcpState::Init);
    let start = net.now;
    let discover = next(&mut net);
    assert!(net.now - start <= Duration::from_millis(1_003), "{}", net.now - start);
    assert_eq!(state(&net), DhcpState::Selecting);
    assert_eq!((discover.kind(), discover.src, discover.is_to_all()), (MessageType::DISCOVER, [0; 4], true));
    let repr = discover.repr();
    assert_eq!(
        (repr.operation, repr.client.kind(), repr.client.as_octets()),
        (Operation::Request, 1, &OUR_MAC[..])
    );
    assert!(!repr.broadcast && repr.secs == 0 && repr.hops == 0 && repr.xid != 0);
    assert!([repr.ciaddr, repr.yiaddr, repr.siaddr, repr.giaddr].iter().all(Ipv4Address::is_unspecified));
    let options = discover.options();
    assert_eq!(options.get(code::CLIENT_ID).unwrap().array(), Some([1, 2, 0, 0, 0, 0, 1]));
    let list: Vec<u8> = options.get(code::PARAMETERS).unwrap().octets().collect();
    let at = |code| list.iter().position(|wanted| *wanted == code).unwrap();
    assert!(at(code::CLASSLESS_ROUTES) < at(code::ROUTERS), "{list:?}");
    assert_eq!(options.get(code::MAX_SIZE).unwrap().array().map(u16::from_be_bytes), Some(1_052));
    assert!(options.get(code::REQUESTED_ADDRESS).is_none() && options.get(code::SERVER_ID).is_none());

    net.now += Duration::from_millis(2_500);
    let said = hear(&mut net, discover.answer(MessageType::OFFER, LENT, TERMS));
    let [request] = &said[..] else { panic!("{said:?}") };
    assert_eq!((request.kind(), request.src, request.is_to_all()), (MessageType::REQUEST, [0; 4], true));
    assert_eq!(
        (request.repr().xid, request.repr().secs, request.repr().ciaddr),
        (repr.xid, 0, [0; 4].into())
    );
    assert_eq!(request.options().address(code::SERVER_ID), Some(SERVER.into()));
    assert_eq!(request.options().address(code::REQUESTED_ADDRESS), Some(LENT.into()));
    let ids = [request.options(), options].map(|options| options.get(code::CLIENT_ID).unwrap().to_string());
    assert_eq!(ids[0], ids[1], "RFC 2131 §4.2");
    let again: Vec<u8> = request.options().get(code::PARAMETERS).unwrap().octets().collect();
    assert_eq!(again, list, "RFC 2131 §4.4.1: the same list as before");

    assert!(hear(&mut net, request.answer(MessageType::ACK, LENT, TERMS)).is_empty());
    assert_eq!((state(&net), addrs(&net)), (DhcpState::Checking, vec![]));
    assert!(net.iface.dhcp_lease().is_none());
    let info = net.iface.addresses().next().unwrap();
    assert_eq!((info.cidr, info.state, info.origin), (lent(), AddressState::Tentative, AddressOrigin::Dhcp));
    assert_eq!(info.valid_until, Some(request.at + HOUR));
    let until = net.now + secs(10);
    let sent = run(&mut net, until);
    let probes = sent.iter().filter(|(_, frame)| frame[28..32] == [0; 4] && frame[38..42] == LENT).count();
    assert_eq!(probes, 3, "RFC 5227 §2.1.1");
    assert_eq!((state(&net), addrs(&net)), (DhcpState::Bound, vec![lent()]));
    assert!(net.iface.take_configuration_changed());
    let lease = net.iface.dhcp_lease().unwrap();
    assert_eq!((lease.addr(), lease.server()), (LENT.into(), Some(SERVER.into())));
    assert_eq!(
        (lease.expires_at(), lease.rebinds_at()),
        (Some(request.at + HOUR), Some(request.at + secs(3_150)))
    );
    assert!(lease.dns_servers().eq([Ipv4Address::new(10, 0, 0, 53)]));
    // What is for elsewhere goes by the router.
    assert_eq!(route(&net), Some(SERVER));
}

/// By whom a packet to elsewhere goes.
pub(super) fn route(net: &Net) -> Option<[u8; 4]> {
    let elsewhere = crate::wire::Addr::v4([192, 0, 2, 1]);
    net.iface.route(&elsewhere, net.now).map(|found| found.next_hop.as_v4().unwrap())
}

/// Covers: RFC 2131 §4.1, §4.4.1
#[test]
fn without_an_answer_it_looks_less_often_but_for_ever() {
    let mut spreads = Vec::new();
    for seed in 0..20 {
        let mut net = net(seed);
        net.iface.set_dhcp(Some(DhcpConfig::default()));
        let said = listen(&mut net, secs(400));
        assert!(
            said.len() >= 8
                && said.iter().all(|said| said.kind() == MessageType::DISCOVER && said.is_to_all())
        );
        let first = said[0].repr();
        for ((pair, expected), repr) in
            said.windows(2).zip([4, 8, 16, 32, 64, 64, 64]).zip(said[1..].iter().map(Said::repr))
        {
            let gap = (pair[1].at - pair[0].at).total_millis() as i64 - expected * 1_000;
            assert!((-1_000..=1_003).contains(&gap), "{expected} s and {gap} ms");
            spreads.push(gap);
            assert_eq!(repr.xid, first.xid);
            let began = said[0].at.total_millis();
            assert_eq!(i64::from(repr.secs), (pair[1].at.total_millis() - began) / 1_000);
        }
        assert_eq!(state(&net), DhcpState::Selecting);
    }
    spreads.sort();
    assert!(spreads[0] < -800 && spreads[spreads.len() - 1] > 800, "{spreads:?}");
}

/// Covers: RFC 2131 §3.1, §4.4.1
#[test]
fn an_offer_that_nobody_confirms_is_given_up_after_a_minute() {
    let mut net = client();
    let discover = next(&mut net);
    let first = hear(&mut net, discover.answer(MessageType::OFFER, LENT, TERMS)).remove(0);
    let said = listen(&mut net, secs(70));
    let kinds: Vec<_> = said.iter().map(Said::kind).collect();
    assert_eq!(kinds[..3], [MessageType::REQUEST; 3]);
    assert_eq!(kinds[3], MessageType::DISCOVER);
    assert!(
        said[3].at - first.at >= secs(56) && said[3].at - first.at <= secs(65),
        "{}",
        said[3].at - first.at
    );
    assert_ne!(said[3].repr().xid, first.repr().xid);
    assert_eq!(
        said[3].options().address(code::REQUESTED_ADDRESS),
        Some(LENT.into()),
        "it would like that one"
    );
}

/// Covers: RFC 2131 §3.1 step 4, §4.4.1
#[test]
fn a_refusal_begins_anew_and_the_more_there_are_the_later() {
    let mut net = client();
    let (mut waits, mut discover) = (Vec::new(), next(&mut net));
    for _ in 0..9 {
        assert_eq!(discover.options().get(code::REQUESTED_ADDRESS), None);
        let request = hear(&mut net, discover.answer(MessageType::OFFER, LENT, TERMS)).remove(0);
        let nak = request.answer(MessageType::NAK, [0; 4], &[54, 4, 10, 0, 0, 2]);
        let refused_at = net.now;
        let at_once = hear(&mut net, nak);
        discover = at_once.into_iter().next().unwrap_or_else(|| next(&mut net));
        assert_eq!(discover.kind(), MessageType::DISCOVER);
        assert_ne!(discover.repr().xid, request.repr().xid);
        waits.push((discover.at - refused_at).total_millis() / 1_000);
    }
    assert_eq!(waits, [0, 1, 3, 7, 15, 31, 63, 63, 63]);
}

/// Covers: RFC 2131 §3.1 step 5, §4.4.1, §4.4.4; RFC 5227 §2.1.1
#[test]
fn an_address_that_another_host_has_is_declined() {
    for is_probe in [false, true] {
        let mut net = client();
        to_ack(&mut net, TERMS);
        net.now += secs(2);
        net.poll();
        net.sent();
        let (sha, spa, tpa) = ([2, 0, 0, 0, 0, 9], if is_probe { [0; 4] } else { LENT }, LENT);
        let said = hear(&mut net, arp(if is_probe { 1 } else { 2 }, sha, spa, [0; 6], tpa));
        let [decline] = &said[..] else { panic!("{said:?}") };
        assert_eq!((decline.kind(), decline.src, decline.is_to_all()), (MessageType::DECLINE, [0; 4], true));
        assert_eq!(decline.repr().ciaddr, Ipv4Address::UNSPECIFIED);
        assert_eq!(decline.options().address(code::REQUESTED_ADDRESS), Some(LENT.into()));
        assert_eq!(decline.options().address(code::SERVER_ID), Some(SERVER.into()));
        assert!(decline.options().codes().eq([53, 50, 54, 61]), "table 5: none else");
        assert_eq!((state(&net), addrs(&net)), (DhcpState::Declined, vec![]));
        assert_eq!(net.iface.addresses().count(), 0);
        let again = next(&mut net);
        assert!(again.at - decline.at >= secs(10) && again.at - decline.at < secs(11));
        assert_eq!(
            (again.kind(), again.options().get(code::REQUESTED_ADDRESS)),
            (MessageType::DISCOVER, None)
        );
    }
}

/// Covers: RFC 4039 §3.1
#[test]
fn with_rapid_commit_two_messages_do() {
    let terms = [TERMS, &[80, 0]].concat();
    for (rapid_commit, answer, expected) in [
        (true, &terms[..], DhcpState::Checking),
        (true, TERMS, DhcpState::Selecting),
        (false, &terms, DhcpState::Selecting),
    ] {
        let mut net = client_with(DhcpConfig { rapid_commit, ..DhcpConfig::default() });
        let discover = next(&mut net);
        assert_eq!(discover.options().get(code::RAPID_COMMIT).is_some(), rapid_commit);
        assert!(hear(&mut net, discover.answer(MessageType::ACK, LENT, answer)).is_empty());
        assert_eq!(state(&net), expected);
    }
    // A server that does not know it makes an offer.
    let (net, _) = bound_with(DhcpConfig { rapid_commit: true, ..DhcpConfig::default() }, TERMS);
    assert_eq!(addrs(&net), [lent()]);
}

/// Covers: RFC 8925 §3.2, §3.4
#[test]
fn where_ipv6_is_all_there_is_no_address_is_asked_for() {
    let terms = |secs: u8| [TERMS, &[108, 4, 0, 0, secs, 8]].concat();
    for (wait, expected) in [(0, 300), (7, 1_800)] {
        let mut net = client_with(DhcpConfig { ipv6_only: true, ..DhcpConfig::default() });
        let discover = next(&mut net);
        assert!(discover.options().get(code::PARAMETERS).unwrap().octets().any(|code| code == 108));
        assert!(hear(&mut net, discover.answer(MessageType::OFFER, LENT, &terms(wait))).is_empty());
        assert_eq!(state(&net), DhcpState::Ipv6Only);
        let again = next(&mut net);
        assert_eq!((again.kind(), again.at - net.now), (MessageType::DISCOVER, Duration::ZERO));
        let waited = again.at - discover.at;
        assert!(waited >= secs(expected) && waited < secs(expected + 1), "{waited}");
    }
    // Who does not ask takes the address.
    let mut net = client();
    let discover = next(&mut net);
    assert!(discover.options().get(code::PARAMETERS).unwrap().octets().all(|code| code != 108));
    assert_eq!(hear(&mut net, discover.answer(MessageType::OFFER, LENT, &terms(7))).len(), 1);
}

#[test]
fn an_answer_to_all_is_taken_like_one_to_the_address() {
    let mut net = client();
    let discover = next(&mut net);
    let mut to_all = discover.answer(MessageType::OFFER, LENT, TERMS);
    to_all[..6].fill(0xff);
    let (packet, message) = (&to_all[14..], to_all[42..].to_vec());
    assert_eq!(packet[16..20], LENT);
    let to_all =
        [&[0xff; 6][..], &ethernet(0x800, &udp4((SERVER, 67), ([255; 4], 68), &message))[6..]].concat();
    let request = hear(&mut net, to_all).remove(0);
    assert_eq!(request.kind(), MessageType::REQUEST);
}

/// Covers: RFC 2131 §4.1
#[test]
fn what_is_for_an_address_that_is_not_ours_is_taken_only_while_a_client_waits() {
    let (mut net, _) = bound();
    let before = net.iface.stats().drops(crate::stats::DropReason::NotOurAddress);
    let other = [10, 0, 0, 99];
    assert!(net.exchange(ethernet(0x800, &udp4((SERVER, 67), (other, 68), &[0; 300]))).is_empty());
    let mut net2 = client();
    next(&mut net2);
    for (src, dst) in [(68, 68), (67, 69), (53, 68)] {
        assert!(net2.exchange(ethernet(0x800, &udp4((SERVER, src), (other, dst), &[0; 300]))).is_empty());
    }
    assert!(net2.exchange(ethernet(0x800, &ipv4(SERVER, other, 6, &[0, 67, 0, 68, 0, 0, 0, 0]))).is_empty());
    assert_eq!(net.iface.stats().drops(crate::stats::DropReason::NotOurAddress), before + 1);
    assert_eq!(net2.iface.stats().drops(crate::stats::DropReason::NotOurAddress), 4);
}
