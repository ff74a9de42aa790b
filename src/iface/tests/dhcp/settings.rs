//! What the application says, and what it may rely on.

use super::acquire::route;
use super::*;
use crate::iface::{Port, Route, Router, SocketHandle};
use crate::socket::udp;
use crate::wire::IpAddress;

#[test]
fn what_is_set_is_said_in_each_message_that_asks() {
    let config = DhcpConfig {
        hostname: Some("bird"),
        client_id: Some(&[0, 1, 2, 3]),
        vendor_class: Some(b"crest"),
        user_class: Some(&[3, b'a', b'b', b'c']),
        requests: &[252, 3, 66],
        requested: Some(LENT.into()),
        ..DhcpConfig::default()
    };
    let mut net = client_with(config);
    let discover = next(&mut net);
    assert_eq!(discover.options().address(code::REQUESTED_ADDRESS), Some(LENT.into()));
    let request = hear(&mut net, discover.answer(MessageType::OFFER, LENT, TERMS)).remove(0);
    for said in [&discover, &request] {
        let text = |code| said.options().get(code).unwrap().octets().collect::<Vec<_>>();
        assert_eq!((text(code::HOST_NAME), text(code::VENDOR_CLASS)), (b"bird".to_vec(), b"crest".to_vec()));
        assert_eq!(
            (text(code::CLIENT_ID), text(code::USER_CLASS)),
            (vec![0, 1, 2, 3], vec![3, b'a', b'b', b'c'])
        );
        let list = text(code::PARAMETERS);
        assert!(
            list.ends_with(&[252, 66]) && list.iter().filter(|code| **code == 3).count() == 1,
            "{list:?}"
        );
    }
}

/// What finds no room is left out, and the message can be read.
#[test]
fn a_message_is_never_longer_than_all_servers_take() {
    let config = DhcpConfig {
        hostname: Some("a-name-of-some-length"),
        vendor_class: Some(&[b'v'; 300]),
        user_class: Some(&[7; 100]),
        requests: &[200; 255],
        ..DhcpConfig::default()
    };
    let discover = next(&mut client_with(config));
    assert!(discover.data.len() <= 548);
    let options = discover.options();
    assert!(options.get(code::HOST_NAME).is_some() && options.get(code::USER_CLASS).is_some());
    assert!(options.get(code::VENDOR_CLASS).is_none());
}

/// Covers: RFC 3442
#[test]
fn classless_routes_go_before_routers_and_leave_with_the_lease() {
    let routes = [121, 20, 0, 10, 0, 0, 9, 24, 192, 0, 2, 10, 0, 0, 8, 16, 198, 51, 0, 0, 0, 0, 0];
    let terms = [TERMS, &routes].concat();
    let mut net = client();
    let ours =
        Route::new(IpCidr::new(IpAddress::v4(192, 0, 2, 0), 24), Some(IpAddress::v4(10, 0, 0, 8))).unwrap();
    net.iface.routes_mut().add(ours).unwrap();
    to_ack(&mut net, &terms);
    to_bound(&mut net);
    let by = |net: &Net, dst: [u8; 4]| {
        let dst = crate::wire::Addr::v4(dst);
        net.iface.route(&dst, net.now).map(|found| found.next_hop.as_v4().unwrap())
    };
    assert_eq!(by(&net, [203, 0, 113, 1]), Some([10, 0, 0, 9]), "not the router of option 3");
    assert_eq!(by(&net, [198, 51, 7, 7]), Some([198, 51, 7, 7]), "on the link");
    assert_eq!(by(&net, [192, 0, 2, 1]), Some([10, 0, 0, 8]));
    // With the next message they are others.
    net.iface.dhcp_renew();
    let request = next(&mut net);
    hear(&mut net, request.answer(MessageType::ACK, LENT, TERMS));
    assert_eq!(by(&net, [203, 0, 113, 1]), Some(SERVER));
    assert_eq!(by(&net, [198, 51, 7, 7]), Some(SERVER));
    net.iface.set_dhcp(None);
    assert_eq!(by(&net, [203, 0, 113, 1]), None);
    assert_eq!(by(&net, [192, 0, 2, 1]), Some([10, 0, 0, 8]), "ours stays");
    let (net, _) = bound_with(DhcpConfig { use_routes: false, ..DhcpConfig::default() }, TERMS);
    assert_eq!((route(&net), addrs(&net)), (None, vec![lent()]));
}

/// Covers: RFC 2132 §5.1
#[test]
fn the_mtu_is_lowered_if_it_is_wanted_and_comes_back() {
    for (mtu, use_mtu, expected) in [
        (1_400_u16, true, 1_400),
        (1_400, false, 1_500),
        (600, true, 1_280),
        (9_000, true, 1_500),
        (60, true, 1_500),
    ] {
        let [high, low] = mtu.to_be_bytes();
        let terms = [TERMS, &[26, 2, high, low]].concat();
        let (mut net, _) = bound_with(DhcpConfig { use_mtu, ..DhcpConfig::default() }, &terms);
        assert_eq!(net.iface.ip_mtu(), expected, "{mtu}");
        net.iface.set_dhcp(None);
        assert_eq!(net.iface.ip_mtu(), 1_500);
    }
}

#[test]
fn all_that_the_server_says_can_be_read() {
    let more = [
        &[15, 8, b'l', b'a', b'n', b'.', b't', b'e', b's', b't', 42, 8, 10, 0, 0, 1, 10, 0, 0, 2][..],
        &[
            119, 5, 3, b'l', b'a', b'n', 0, 12, 2, b'u', b's', 66, 1, b's', 67, 1, b'f', 26, 2, 5, 120, 224,
            2, 7, 7,
        ],
    ]
    .concat();
    let (net, _) = bound_with(DhcpConfig::default(), &[TERMS, &more].concat());
    let lease = net.iface.dhcp_lease().unwrap();
    assert_eq!(lease.cidr(), Ipv4Cidr::new(LENT.into(), 24));
    assert_eq!((lease.mtu(), lease.is_lent()), (Some(1_400), true));
    assert!(lease.ntp_servers().eq([[10, 0, 0, 1], [10, 0, 0, 2]].map(Ipv4Address::from)));
    assert!(lease.routers().eq([Ipv4Address::from(SERVER)]));
    let texts = [lease.domain(), lease.hostname(), lease.boot_file(), lease.boot_server_name()];
    assert_eq!(texts.map(|text| text.unwrap().to_string()), ["lan.test", "us", "f", "s"]);
    assert!(lease.search_list().unwrap().map(|name| name.to_string()).eq(["lan"]));
    assert_eq!(lease.options().get(224).unwrap().array(), Some([7, 7]));
    assert_eq!(lease.next_server(), None);
    assert!(format!("{lease:?}").starts_with("Lease(10.0.0.77/24, Times"), "{lease:?}");
}

#[test]
fn a_server_that_tells_no_mask_means_that_of_the_class() {
    for (addr, prefix_len) in [([10, 0, 0, 9], 8), ([172, 16, 0, 9], 16), ([192, 168, 0, 9], 24)] {
        let mut net = client();
        let terms = [&TERMS[..6], &TERMS[24..]].concat();
        let discover = next(&mut net);
        let request = hear(&mut net, discover.answer(MessageType::OFFER, addr, &terms)).remove(0);
        hear(&mut net, request.answer(MessageType::ACK, addr, &terms));
        to_bound(&mut net);
        assert_eq!(addrs(&net), [IpCidr::Ipv4(Ipv4Cidr::new(addr.into(), prefix_len))]);
    }
}

/// Covers: RFC 2131 §3.4, §4.4.3
#[test]
fn an_interface_with_an_address_of_its_own_asks_for_the_rest() {
    let mut net = Net::ethernet();
    net.iface.remove_address(IpAddress::v6(0xfe80, 0, 0, 0, 0, 0, 0, 1));
    assert!(net.iface.dhcp_inform(DhcpConfig::default()));
    let inform = next(&mut net);
    assert_eq!((inform.kind(), inform.src, inform.is_to_all()), (MessageType::INFORM, OUR_IP, true));
    assert_eq!((inform.repr().ciaddr, state(&net)), (OUR_IP.into(), DhcpState::Informing));
    let options = inform.options();
    assert!(options.get(code::REQUESTED_ADDRESS).is_none() && options.get(code::LEASE_TIME).is_none());
    let again = next(&mut net);
    assert!(again.at - inform.at >= secs(3) && again.repr().xid == inform.repr().xid);
    assert!(hear(&mut net, again.answer(MessageType::ACK, [0; 4], &TERMS[6..])).is_empty());
    assert_eq!(state(&net), DhcpState::Informed);
    let lease = net.iface.dhcp_lease().unwrap();
    assert_eq!((lease.addr(), lease.is_lent(), lease.expires_at()), (OUR_IP.into(), false, None));
    assert!(lease.dns_servers().eq([Ipv4Address::new(10, 0, 0, 53)]));
    assert_eq!(route(&net), Some(SERVER));
    assert!(listen(&mut net, secs(10_000)).is_empty());
    assert!(!net.iface.dhcp_release(), "there is nothing to give back");
    assert!(net.iface.dhcp_renew() && next(&mut net).kind() == MessageType::INFORM);
    net.iface.set_dhcp(None);
    assert_eq!(net.iface.ip_addrs().count(), 2, "the address is ours");
    assert!(net.iface.dhcp_inform(DhcpConfig::default()));
    assert_eq!(state(&net), DhcpState::Informing);
    assert!(!client().iface.dhcp_inform(DhcpConfig::default()), "from which address?");
}

#[test]
fn nothing_is_asked_from_an_address_that_is_gone() {
    let mut net = Net::ethernet();
    assert!(net.iface.dhcp_inform(DhcpConfig::default()));
    assert_eq!(next(&mut net).kind(), MessageType::INFORM);
    net.iface.remove_address(IpAddress::Ipv4(OUR_IP.into()));
    assert!(listen(&mut net, secs(300)).is_empty());
    assert_eq!(state(&net), DhcpState::Released);
    // One that was lent is asked for anew, as from the beginning.
    let (mut net, _) = bound();
    net.iface.remove_address(IpAddress::Ipv4(LENT.into()));
    let first = next(&mut net);
    assert_eq!((first.kind(), first.src), (MessageType::DISCOVER, [0; 4]));
    // Nor is one given back that is gone.
    let (mut net, _) = bound();
    net.iface.remove_address(IpAddress::Ipv4(LENT.into()));
    net.iface.dhcp_release();
    assert!(listen(&mut net, secs(10)).is_empty());
}

#[test]
fn an_address_that_the_application_had_before_stays_its_own() {
    let mut net = client();
    net.iface.add_address(lent()).unwrap();
    let discover = next(&mut net);
    let request = hear(&mut net, discover.answer(MessageType::OFFER, LENT, TERMS)).remove(0);
    assert!(hear(&mut net, request.answer(MessageType::ACK, LENT, TERMS)).is_empty());
    assert_eq!((state(&net), addrs(&net)), (DhcpState::Bound, vec![lent()]));
    net.iface.set_dhcp(None);
    assert_eq!((addrs(&net), route(&net)), (vec![lent()], None));
}

#[test]
fn on_a_link_of_bare_ip_there_is_nobody_to_ask() {
    let mut net = Net::ip();
    net.poll();
    net.iface.set_dhcp(Some(DhcpConfig::default()));
    assert_eq!(net.iface.dhcp_state(), None);
    assert!(!net.iface.dhcp_inform(DhcpConfig::default()));
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
}

fn socket_at_68(net: &mut Net) -> SocketHandle {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4], vec![0; 2_048]);
    let handle = net.sockets.add(udp::Socket::new(buffer(), buffer()));
    net.sockets.bind(handle, 68).unwrap();
    handle
}

#[test]
fn the_clients_port_is_a_sockets_while_there_is_no_client() {
    let mut net = net(7);
    let handle = socket_at_68(&mut net);
    net.exchange(from_server([0; 4], b"hello"));
    assert_eq!(net.sockets.get_mut::<udp::Socket<'_>>(handle).recv().unwrap().0, b"hello");
    net.iface.set_dhcp(Some(DhcpConfig::default()));
    let discover = next(&mut net);
    let offer = discover.answer(MessageType::OFFER, LENT, TERMS);
    assert_eq!(hear(&mut net, offer).len(), 1);
    assert!(net.sockets.get_mut::<udp::Socket<'_>>(handle).recv().is_err());
}

/// Each asks on its own link.
#[test]
fn two_ports_have_a_client_each() {
    let (mut first, mut second) = (client(), client());
    second.iface = interface(Config::new(HardwareAddress::Ethernet([2, 0, 0, 0, 0, 7])), &second.wire, 0);
    second.iface.set_dhcp(Some(DhcpConfig::default()));
    let (mut sockets, mut now) = (SocketSet::with_capacity(1, Keys::new([3; 32])), first.now);
    let mut sent: [Vec<Said>; 2] = [vec![], vec![]];
    let answer = |wire: &mut Wire, now: Instant, sent: &mut Vec<Said>, lent: [u8; 4]| {
        let frames: Vec<_> = wire.from_stack.drain(..).collect();
        for said in frames.iter().filter_map(|frame| Said::of(now, frame)) {
            let kind =
                if said.kind() == MessageType::DISCOVER { MessageType::OFFER } else { MessageType::ACK };
            let mut frame = said.answer(kind, lent, TERMS);
            frame[..6].copy_from_slice(said.repr().client.as_octets());
            wire.to_stack.push_back(frame);
            sent.push(said);
        }
    };
    for _ in 0..100 {
        Router::new(vec![
            Port::new(&mut first.iface, &mut first.wire),
            Port::new(&mut second.iface, &mut second.wire),
        ])
        .poll(now, &mut sockets);
        answer(&mut first.wire, now, &mut sent[0], LENT);
        answer(&mut second.wire, now, &mut sent[1], [10, 0, 1, 78]);
        now += Duration::from_millis(100);
    }
    assert_eq!(addrs(&first), [lent()]);
    assert_eq!(addrs(&second), [IpCidr::Ipv4(Ipv4Cidr::new([10, 0, 1, 78].into(), 24))]);
    for sent in &sent {
        assert!(sent.iter().map(Said::kind).eq([MessageType::DISCOVER, MessageType::REQUEST]));
    }
    assert_ne!(sent[0][0].repr().xid, sent[1][0].repr().xid);
}

#[test]
fn without_room_for_the_address_it_is_tried_again_later() {
    let mut net = client();
    for last in 1..=8 {
        net.iface.add_address(IpCidr::new(IpAddress::v4(10, 9, 0, last), 24)).unwrap();
    }
    let discover = next(&mut net);
    let request = hear(&mut net, discover.answer(MessageType::OFFER, LENT, TERMS)).remove(0);
    assert!(hear(&mut net, request.answer(MessageType::ACK, LENT, TERMS)).is_empty());
    assert_eq!((state(&net), net.iface.dhcp_lease().is_none()), (DhcpState::Init, true));
    let again = next(&mut net);
    assert!(again.at - request.at >= secs(10) && again.kind() == MessageType::DISCOVER);
    net.iface.remove_address(IpAddress::v4(10, 9, 0, 8));
    let request = hear(&mut net, again.answer(MessageType::OFFER, LENT, TERMS)).remove(0);
    hear(&mut net, request.answer(MessageType::ACK, LENT, TERMS));
    to_bound(&mut net);
}
