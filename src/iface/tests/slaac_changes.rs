//! What changes later of what routers advertise: the link's MTU, routers that go, and what the application hears of it.

use super::groups::{run, run_for};
use super::net::*;
use super::slaac::*;
use crate::iface::{AddressOrigin, AddressState};
use crate::phy::LinkState;
use crate::socket::{tcp, udp};
use crate::storage::SocketBuffer;
use crate::time::Duration;
use crate::wire::{IpAddress, Ipv6Address};

fn mtu(mtu: u32) -> Vec<u8> {
    [&[5, 1, 0, 0][..], &mtu.to_be_bytes()].concat()
}

/// Says it as the default router with this lifetime, and polls.
fn say(net: &mut Net, lifetime: u16, options: &[Vec<u8>]) {
    let message = [head(64, 0, lifetime, 0, 0), options.concat()].concat();
    net.exchange(advert_from(router(1), 255, message));
}

/// The MSS of the SYN of a new connection to the router's network.
fn mss(net: &mut Net) -> u16 {
    let buffer = || SocketBuffer::new(vec![0; 4_000]);
    let handle = net.sockets.add(tcp::Socket::new(buffer(), buffer()));
    let peer = IpAddress::Ipv6(Ipv6Address::from(v6("fd00:1::7")));
    net.sockets.get_mut::<tcp::Socket>(handle).connect((peer, 4_000), 0).unwrap();
    net.poll();
    let is_syn = |frame: &Vec<u8>| frame[12..14] == [0x86, 0xdd] && frame[20] == 6;
    let mut sent = net.sent();
    // The neighbour is asked for first, once.
    if !sent.iter().any(is_syn) {
        let lladdr = [&[2, 1][..], &PEER_MAC].concat();
        let message = [&[136, 0, 0, 0, 0x60, 0, 0, 0][..], &v6("fd00:1::7"), &lladdr].concat();
        let own = v6("fd00:1::ff:fe00:1");
        sent = net.exchange(ethernet(0x86dd, &icmp6(v6("fd00:1::7"), own, 255, message)));
    }
    let syn = sent.into_iter().find(is_syn).expect("a SYN");
    let at = syn.windows(2).skip(74).position(|pair| pair == [2, 4]).expect("an MSS") + 74;
    u16::from_be_bytes([syn[at + 2], syn[at + 3]])
}

/// Sends a datagram of so many octets, and gives the lengths of the packets that it leaves in.
fn packets_of(net: &mut Net, len: usize) -> Vec<usize> {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 2], vec![0; 4_000]);
    let handle = net.sockets.add(udp::Socket::new(buffer(), buffer()));
    net.sockets.bind(handle, 7).unwrap();
    let socket = net.sockets.get_mut::<udp::Socket>(handle);
    let peer = IpAddress::Ipv6(Ipv6Address::from(v6("fd00:1::7")));
    socket.send_slice(&vec![7; len], (peer, 9)).unwrap();
    net.poll();
    let sent = net.sent();
    net.sockets.remove(handle);
    sent.iter().map(|frame| frame.len() - 14).collect()
}

/// Covers: RFC 4861 §6.3.4
#[test]
fn the_advertised_mtu_bounds_segments_and_datagrams_as_long_as_the_link_is_up() {
    let mut net = settled();
    say(&mut net, 1_800, &[prefix("fd00:1::", 64, 0xc0, FOREVER, FOREVER)]);
    run_for(&mut net, 5);
    assert_eq!((mss(&mut net), packets_of(&mut net, 1_400)), (1_440, vec![1_448]));
    for said in [1_400, 1_280, 1_492] {
        say(&mut net, 1_800, &[mtu(said)]);
        assert_eq!((net.iface.ip_mtu(), mss(&mut net)), (said as usize, said as u16 - 60));
        let packets = packets_of(&mut net, 1_450);
        assert!(packets.len() == 2 && packets.iter().all(|len| *len <= said as usize), "{said} {packets:?}");
    }
    // What can't be changes nothing.
    for said in [1_279, 1_501] {
        say(&mut net, 1_800, &[mtu(said)]);
        assert_eq!(net.iface.ip_mtu(), 1_492);
    }
    say(&mut net, 1_800, &[mtu(1_500)]);
    assert_eq!(net.iface.ip_mtu(), 1_500);
    say(&mut net, 1_800, &[mtu(1_300)]);
    net.wire.link = LinkState::DOWN;
    net.poll();
    assert_eq!(net.iface.ip_mtu(), 1_500);
    net.wire.link = LinkState::UP;
    run_for(&mut net, 3);
    say(&mut net, 1_800, &[mtu(1_300)]);
    net.iface.set_slaac(None);
    assert_eq!(net.iface.ip_mtu(), 1_500);
}

/// Covers: RFC 4861 §6.3.7, RFC 7559 §2.1
#[test]
fn routers_are_asked_for_again_when_the_last_one_has_gone() {
    let mut net = settled();
    say(&mut net, 1_800, &[]);
    net.exchange(advert_from(router(2), 255, head(64, 0, 3_000, 0, 0)));
    let start = net.now;
    assert!(run_for(&mut net, 2_990).is_empty(), "another is there");
    let sent = solicitations(run_for(&mut net, 100));
    assert!(sent[0].0 - start < Duration::from_secs(3_002) && sent.len() > 2, "{}", sent.len());
    // One that says that it is none any more.
    say(&mut net, 1_800, &[]);
    assert!(solicitations(run_for(&mut net, 100)).is_empty());
    let start = net.now;
    say(&mut net, 0, &[]);
    let sent = solicitations(run_for(&mut net, 3));
    assert!(sent.len() == 1 && sent[0].0 - start < Duration::from_millis(1_003), "{}", sent.len());
}

#[test]
fn who_comes_and_goes_as_a_router_does_not_make_us_ask_all_the_time() {
    let mut net = settled();
    let mut count = 0;
    for _ in 0..400 {
        say(&mut net, 1_800, &[]);
        say(&mut net, 0, &[]);
        let until = net.now + Duration::from_millis(500);
        count += solicitations(run(&mut net, until)).len();
    }
    assert!((1..=50).contains(&count), "{count} in 200 s");
    // The application's own route to everywhere leaves no room for a router's, which is no reason to ask again.
    let mut net = settled();
    net.iface.add_default_ipv6_route(Ipv6Address::from(router(1))).unwrap();
    say(&mut net, 1_800, &[]);
    assert!(solicitations(run_for(&mut net, 4_000)).is_empty());
}

/// Covers: RFC 4861 §6.3.7
#[test]
fn a_router_that_becomes_a_host_asks_for_routers_with_the_next_poll() {
    for is_known in [false, true] {
        let mut net = settled();
        if is_known {
            say(&mut net, FOREVER as u16, &[]);
        }
        net.iface.set_forwarding(true);
        assert!(solicitations(run_for(&mut net, 1_000)).is_empty());
        assert_eq!(net.iface.poll_at(net.now, &mut net.sockets).is_some(), is_known, "a lifetime");
        net.iface.set_forwarding(false);
        assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), Some(net.now));
        let start = net.now;
        let sent = solicitations(run_for(&mut net, 3));
        assert!(sent.len() == 1 && sent[0].0 - start < Duration::from_millis(1_003));
        // It was none before.
        net.iface.set_forwarding(false);
        let next = net.iface.poll_at(net.now, &mut net.sockets);
        assert!(next > Some(net.now), "{next:?}");
    }
    let mut net = Net::ethernet();
    net.iface.set_forwarding(true);
    net.iface.set_forwarding(false);
    assert!(run_for(&mut net, 100).is_empty(), "nothing is configured");
}

#[test]
fn only_what_is_new_in_an_advertisement_is_a_change() {
    let all = || {
        vec![
            prefix("fd00:1::", 64, 0xc0, 7_300, 600),
            route("2001:db8:1::", 48, 0, 600),
            server("fd00::53", 600),
            domain(b"\x07example\0", 600),
            mtu(1_400),
        ]
    };
    let mut net = settled();
    say(&mut net, 1_800, &all());
    run_for(&mut net, 5);
    assert!(net.iface.take_configuration_changed());
    for _ in 0..3 {
        run_for(&mut net, 300);
        say(&mut net, 1_800, &all());
        assert!(!net.iface.take_configuration_changed());
    }
    let changes = [
        prefix("fd00:2::", 64, 0x40, 7_300, 600),
        prefix("fd00:3::", 64, 0x80, 7_300, 600),
        route("2001:db8:1::", 48, 8, 600),
        route("2001:db8:2::", 48, 0, 600),
        route("2001:db8:2::", 48, 0, 0),
        server("fd00::54", 600),
        server("fd00::54", 0),
        domain(b"\x03lan\0", 600),
        domain(b"\x03lan\0", 0),
        mtu(1_300),
        prefix("fd00:1::", 64, 0xc0, 7_300, 0),
    ];
    for option in changes {
        for is_new in [true, false] {
            say(&mut net, 1_800, std::slice::from_ref(&option));
            run_for(&mut net, 5);
            assert_eq!(net.iface.take_configuration_changed(), is_new, "{option:?}");
        }
    }
    for (hop_limit, flags, lifetime) in [(64, 0x40, 1_800), (64, 0xc0, 1_800), (9, 0xc0, 1_800), (9, 0xc0, 0)]
    {
        for is_new in [true, false] {
            net.exchange(advert_from(router(1), 255, head(hop_limit, flags, lifetime, 0, 0)));
            assert_eq!(net.iface.take_configuration_changed(), is_new, "{hop_limit} {flags} {lifetime}");
        }
    }
}

/// Turns on all that asks the link for something.
#[cfg(all(feature = "iface-dhcp", feature = "iface-autoip"))]
fn net_with_all() -> Net {
    let mut net = net();
    net.iface.set_dhcp(Some(crate::iface::DhcpConfig::default()));
    net.iface.set_autoip(Some(crate::iface::AutoIpMode::WithoutDhcp));
    net
}

/// How often it wants to be polled in an hour.
#[cfg(all(feature = "iface-dhcp", feature = "iface-autoip"))]
fn polls_in_an_hour(net: &mut Net) -> usize {
    let until = net.now + Duration::from_secs(3_600);
    net.poll();
    let mut count = 0;
    while let Some(at) = net.iface.poll_at(net.now, &mut net.sockets).filter(|at| *at <= until) {
        count += 1;
        // A poll may want another at once, to tell of what it has changed.
        if count > 1_000 {
            break;
        }
        net.now = at;
        net.poll();
        net.sent();
    }
    net.now = until;
    count
}

#[cfg(all(feature = "iface-dhcp", feature = "iface-autoip"))]
#[test]
fn nobody_is_woken_for_nothing_while_nobody_answers() {
    for forwards in [false, true] {
        let mut net = net_with_all();
        net.iface.set_forwarding(forwards);
        let hours: Vec<_> = (0..3).map(|_| polls_in_an_hour(&mut net)).collect();
        assert!(hours[0] <= 150 && hours[1..].iter().all(|count| *count <= 80), "{forwards} {hours:?}");
        // With what a router has said before it fell silent.
        net.iface.set_forwarding(false);
        let options = [prefix("fd00:1::", 64, 0xc0, 3_000, 2_000), server("fd00::53", 1_000), mtu(1_400)];
        say(&mut net, 1_800, &options);
        net.iface.set_forwarding(forwards);
        let count = polls_in_an_hour(&mut net);
        assert!(count <= 120, "{forwards} {count}");
        let states: Vec<_> = net.iface.addresses().map(|info| (info.origin, info.state)).collect();
        assert!(states.contains(&(AddressOrigin::LinkLocal, AddressState::Preferred)), "{states:?}");
        // Nor is the link's going.
        net.wire.link = LinkState::DOWN;
        assert!(polls_in_an_hour(&mut net) <= 3);
    }
}

#[cfg(feature = "iface-dhcp")]
#[test]
fn name_servers_are_those_of_routers_and_then_those_of_the_lease() {
    let (mut net, _) = super::dhcp::bound();
    let servers = |net: &Net| net.iface.name_servers().map(|addr| addr.to_string()).collect::<Vec<_>>();
    assert_eq!(servers(&net), ["10.0.0.53"]);
    net.iface.set_slaac(Some(Default::default()));
    say(&mut net, 1_800, &[server("fd00::53", 600), mtu(1_400)]);
    assert_eq!(servers(&net), ["fd00::53", "10.0.0.53"]);
    net.iface.set_dhcp(None);
    assert_eq!((servers(&net), net.iface.ip_mtu()), (vec!["fd00::53".to_string()], 1_400));
    net.iface.set_slaac(None);
    assert!(servers(&net).is_empty());
}

/// Of what a lease and a router say of the link the smaller counts.
#[cfg(feature = "iface-dhcp")]
#[test]
fn the_mtu_is_the_least_of_all_that_is_said() {
    let config = crate::iface::DhcpConfig { use_mtu: true, ..Default::default() };
    let terms = [super::dhcp::TERMS, &[26, 2, 5, 120]].concat();
    let (mut net, _) = super::dhcp::bound_with(config, &terms);
    net.iface.set_slaac(Some(Default::default()));
    assert_eq!(net.iface.ip_mtu(), 1_400);
    for (said, expected) in [(1_450, 1_400), (1_300, 1_300)] {
        say(&mut net, 1_800, &[mtu(said)]);
        assert_eq!(net.iface.ip_mtu(), expected);
    }
    net.iface.set_dhcp(None);
    assert_eq!(net.iface.ip_mtu(), 1_300);
    net.iface.set_slaac(None);
    assert_eq!(net.iface.ip_mtu(), 1_500);
}

/// Covers: RFC 4861 §7.2.5
#[test]
fn a_router_that_says_that_it_is_none_is_one_no_longer() {
    let far = crate::wire::Addr::v6(v6("2001:db8:9::9"));
    let has_way = |net: &Net| net.iface.route(&far, net.now).is_some();
    let lladdr = [&[2, 1][..], &PEER_MAC].concat();
    let own = v6("fe80::ff:fe00:1");
    for (flags, who, stays) in [(0xe0, router(1), true), (0x60, router(2), true), (0x60, router(1), false)] {
        let mut net = settled();
        say(&mut net, 1_800, &[]);
        run_for(&mut net, 1);
        assert!(has_way(&net));
        net.iface.take_configuration_changed();
        let message = [&[136, 0, 0, 0, flags, 0, 0, 0][..], &who, &lladdr].concat();
        net.exchange(ethernet(0x86dd, &icmp6(who, own, 255, message)));
        assert_eq!((has_way(&net), net.iface.take_configuration_changed()), (stays, !stays));
    }
}
