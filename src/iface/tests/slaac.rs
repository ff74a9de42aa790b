//! What routers advertise, and what becomes of it, in virtual time.

use super::groups::{run, run_for};
use super::net::*;
use crate::iface::{AddressInfo, AddressOrigin, AddressState, InterfaceId, SlaacConfig};
use crate::phy::{HardwareAddress, LinkState, Medium};
use crate::stats::DropReason;
use crate::time::{Duration, Instant};
use crate::wire::{Addr, IpAddress, IpCidr, Ipv6Address};

const ALL_NODES: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
pub(super) const FOREVER: u32 = u32::MAX;

pub(super) fn v6(text: &str) -> [u8; 16] {
    text.parse::<Ipv6Address>().unwrap().octets()
}

pub(super) fn router(last: u8) -> [u8; 16] {
    [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, last]
}

/// The header of an advertisement: hop limit, flags, lifetime, reachable time, retransmission timer.
pub(super) fn head(hop_limit: u8, flags: u8, lifetime: u16, reachable: u32, retrans: u32) -> Vec<u8> {
    let mut message = vec![134, 0, 0, 0, hop_limit, flags];
    message.extend(lifetime.to_be_bytes());
    message.extend([reachable.to_be_bytes(), retrans.to_be_bytes()].concat());
    message
}

pub(super) fn prefix(text: &str, len: u8, flags: u8, valid: u32, preferred: u32) -> Vec<u8> {
    let times = [valid.to_be_bytes(), preferred.to_be_bytes(), [0; 4]].concat();
    [&[3, 4, len, flags][..], &times, &v6(text)].concat()
}

pub(super) fn route(text: &str, len: u8, flags: u8, lifetime: u32) -> Vec<u8> {
    [&[24, 3, len, flags][..], &lifetime.to_be_bytes(), &v6(text)].concat()
}

pub(super) fn server(text: &str, lifetime: u32) -> Vec<u8> {
    [&[25, 3, 0, 0][..], &lifetime.to_be_bytes(), &v6(text)].concat()
}

pub(super) fn domain(name: &[u8], lifetime: u32) -> Vec<u8> {
    let mut option = [&[31, 0, 0, 0][..], &lifetime.to_be_bytes(), name].concat();
    option.resize(option.len().next_multiple_of(8), 0);
    option[1] = (option.len() / 8) as u8;
    option
}

pub(super) fn advert_from(src: [u8; 16], hop_limit: u8, message: Vec<u8>) -> Vec<u8> {
    let frame = ethernet(0x86dd, &icmp6(src, ALL_NODES, hop_limit, message));
    [&[0x33, 0x33, 0, 0, 0, 1], &frame[6..]].concat()
}

/// What a router says, in its usual form: a default router for half an hour.
pub(super) fn advert(options: &[Vec<u8>]) -> Vec<u8> {
    advert_from(router(1), 255, [head(64, 0, 1_800, 0, 0), options.concat()].concat())
}

/// A stack without addresses that listens to routers.
fn net_with(settings: SlaacConfig) -> Net {
    let mut net = Net::ethernet();
    for own in net.iface.ip_addrs().collect::<Vec<_>>() {
        net.iface.remove_address(own.address());
    }
    net.iface.set_slaac(Some(settings));
    net
}

pub(super) fn net() -> Net {
    net_with(SlaacConfig::default())
}

/// The same when its link-local address is in use, and nobody has answered yet.
pub(super) fn settled() -> Net {
    let mut net = net();
    run_for(&mut net, 3);
    net
}

pub(super) fn learned(net: &Net) -> Vec<AddressInfo> {
    net.iface.addresses().filter(|info| info.origin == AddressOrigin::RouterAdvertisement).collect()
}

/// The next hop to a destination.
pub(super) fn hop(net: &Net, dst: &str) -> Option<[u8; 16]> {
    let dst = Addr::v6(v6(dst));
    net.iface.route(&dst, net.now).and_then(|found| found.next_hop.as_v6().copied())
}

fn after(start: Instant, secs: u64) -> Option<Instant> {
    Some(start + Duration::from_secs(secs))
}

pub(super) fn solicitations(sent: Vec<(Instant, Vec<u8>)>) -> Vec<(Instant, Vec<u8>)> {
    sent.into_iter().filter(|(_, frame)| frame[12..14] == [0x86, 0xdd] && frame[54] == 133).collect()
}

/// Covers: RFC 4861 §6.3.7, §4.1, RFC 7559 §2, RFC 4862 §5.3
#[test]
fn routers_are_asked_for_after_a_random_delay_and_ever_more_rarely() {
    let mut net = net();
    let start = net.now;
    let sent = solicitations(run_for(&mut net, 3 * 3_600));
    assert!(sent[0].0 - start <= Duration::from_millis(1_003));
    let mut expected = 4_000;
    for pair in sent.windows(2) {
        let span = (pair[1].0 - pair[0].0).total_millis();
        assert!((expected * 9 / 10 - 2..=expected * 11 / 10 + 2).contains(&span), "{span} {expected}");
        expected = (span * 2).min(3_600_000);
    }
    assert!(sent.len() >= 11, "{}", sent.len());
    let own = v6("fe80::ff:fe00:1");
    for (index, (_, frame)) in sent.iter().enumerate() {
        assert_eq!(frame[..6], [0x33, 0x33, 0, 0, 0, 2]);
        assert_eq!((frame[21], &frame[38..54]), (255, &v6("ff02::2")[..]));
        assert_checksums(&frame[14..]);
        if index > 0 {
            assert_eq!((&frame[22..38], &frame[62..]), (&own[..], &[&[1, 1][..], &OUR_MAC].concat()[..]));
        } else if frame[22..38] == [0; 16] {
            assert_eq!(frame.len(), 62, "nobody can be answered at no address");
        }
    }
    let info = net.iface.addresses().next().unwrap();
    assert_eq!(info.cidr, IpCidr::new(Ipv6Address::from(own).into(), 64));
    assert_eq!((info.state, info.origin), (AddressState::Preferred, AddressOrigin::LinkLocal));
}

/// Covers: RFC 4861 §6.3.7
#[test]
fn a_default_router_ends_the_asking_and_one_that_is_none_does_not() {
    for (lifetime, is_over) in [(1_800, true), (0, false)] {
        let mut net = settled();
        net.exchange(advert_from(router(1), 255, head(64, 0, lifetime, 0, 0)));
        assert_eq!(solicitations(run_for(&mut net, 600)).is_empty(), is_over);
    }
}

/// Covers: RFC 4862 §5.5.3, §5.5.2, RFC 4861 §6.3.4, §6.3.3, RFC 5942 §4
#[test]
fn an_advertised_prefix_becomes_a_checked_address_and_a_way_that_both_end_in_time() {
    let mut net = settled();
    let start = net.now;
    let lladdr = [&[1, 1][..], &PEER_MAC].concat();
    net.exchange(advert(&[prefix("fd00:1::99", 64, 0xc0, 7_300, 600), lladdr]));
    assert_eq!(learned(&net).len(), 1);
    assert_eq!(learned(&net)[0].state, AddressState::Tentative);
    assert!(net.iface.take_configuration_changed());
    run_for(&mut net, 5);
    let info = learned(&net)[0];
    let own = v6("fd00:1::ff:fe00:1");
    assert_eq!(info.cidr, IpCidr::new(Ipv6Address::from(own).into(), 64));
    assert_eq!((info.state, info.preferred_until), (AddressState::Preferred, after(start, 600)));
    assert_eq!(info.valid_until, after(start, 7_300));
    assert_eq!(hop(&net, "fd00:1::7"), Some(v6("fd00:1::7")), "on the link");
    assert_eq!(hop(&net, "2001:db8::7"), Some(router(1)));
    assert_eq!(net.iface.neighbors.known(&Addr::v6(router(1))), Some(PEER_MAC));
    assert_eq!(net.iface.source_for(&Addr::v6(v6("2001:db8::7"))), Some(Addr::v6(own)));
    let echo = ethernet(0x86dd, &icmp6(router(1), own, 255, vec![128, 0, 0, 0, 0, 1, 0, 1]));
    assert_eq!(net.exchange(echo).len(), 1);
    run(&mut net, start + Duration::from_secs(1_799));
    assert_eq!(learned(&net)[0].state, AddressState::Deprecated);
    assert!(hop(&net, "2001:db8::7").is_some());
    net.iface.take_configuration_changed();
    run(&mut net, start + Duration::from_secs(1_801));
    assert_eq!(hop(&net, "2001:db8::7"), None);
    assert!(net.iface.take_configuration_changed());
    run(&mut net, start + Duration::from_secs(7_301));
    assert!(learned(&net).is_empty() && hop(&net, "fd00:1::7").is_none());
}

/// Covers: RFC 4862 §5.5.3
#[test]
fn nobody_ends_an_address_by_one_message() {
    let cases = [
        // Seconds valid, then advertised, then left.
        (86_400, 100, 7_200),
        (86_400, 7_201, 7_201),
        (86_400, 90_000, 90_000),
        (3_600, 100, 3_600),
        (3_600, 4_000, 4_000),
        (3_600, 0, 3_600),
        (FOREVER, 100, 7_200),
        (FOREVER, 0, 7_200),
        (86_400, FOREVER, FOREVER),
    ];
    for (first, second, left) in cases {
        let mut net = settled();
        net.exchange(advert(&[prefix("fd00:1::", 64, 0x40, first, first)]));
        let start = net.now;
        net.exchange(advert(&[prefix("fd00:1::", 64, 0x40, second, 0)]));
        let info = learned(&net)[0];
        assert_eq!(
            info.valid_until,
            after(start, left.into()).filter(|_| left != FOREVER),
            "{first} {second}"
        );
        // RFC 4862 §5.5.3: what is preferred is as advertised, whatever is valid.
        assert_eq!(info.preferred_until, Some(start));
    }
}

/// Covers: RFC 4862 §5.5.3, RFC 4861 §6.3.4
#[test]
fn what_is_no_prefix_for_addresses_makes_none() {
    let cases = [
        (prefix("fd00:1::", 63, 0xc0, 100, 100), false, true),
        (prefix("fd00:1::", 65, 0xc0, 100, 100), false, true),
        (prefix("fd00:1::", 64, 0xc0, 100, 101), false, true),
        (prefix("fd00:1::", 64, 0x80, 100, 100), false, true),
        (prefix("fd00:1::", 64, 0x40, 100, 100), true, false),
        (prefix("fd00:1::", 64, 0xc0, 0, 0), false, false),
        (prefix("fe80:0:0:1::", 64, 0xc0, 100, 100), false, true),
        (prefix("ff05::", 64, 0xc0, 100, 100), false, false),
        (prefix("::", 0, 0xc0, 100, 100), false, false),
    ];
    for (option, has_address, _) in &cases {
        let mut net = settled();
        net.exchange(advert(std::slice::from_ref(option)));
        assert_eq!(!learned(&net).is_empty(), *has_address, "{option:?}");
    }
    for (option, _, is_on_link) in cases {
        let mut net = settled();
        net.exchange(advert_from(router(1), 255, [head(64, 0, 0, 0, 0), option.clone()].concat()));
        let dst = Ipv6Address::from(<[u8; 16]>::try_from(&option[16..]).unwrap());
        if !dst.is_multicast() {
            assert_eq!(hop(&net, &dst.to_string()).is_some(), is_on_link, "{option:?}");
        }
    }
}

/// Covers: RFC 4191 §2.2, §3.1, RFC 4861 §6.3.4
#[test]
fn the_preferred_router_is_used_until_it_is_none_and_what_the_application_says_comes_first() {
    let mut net = settled();
    let say = |net: &mut Net, last, flags, lifetime, options: &[Vec<u8>]| {
        let message = [head(64, flags, lifetime, 0, 0), options.concat()].concat();
        net.exchange(advert_from(router(last), 255, message));
    };
    say(&mut net, 1, 0x18, 1_800, &[]);
    assert_eq!(hop(&net, "2001:db8::7"), Some(router(1)));
    say(&mut net, 2, 0x10, 1_800, &[]);
    assert_eq!(hop(&net, "2001:db8::7"), Some(router(2)), "the reserved value is medium");
    say(&mut net, 3, 0x08, 1_800, &[route("2001:db8:1::", 48, 0, 1_800)]);
    assert_eq!(hop(&net, "2001:db8::7"), Some(router(3)));
    say(&mut net, 1, 0x18, 1_800, &[route("2001:db8:1::", 48, 8, 100), route("fe80::", 10, 8, 100)]);
    assert_eq!(hop(&net, "2001:db8:1::7"), Some(router(1)), "the same prefix, and preferred");
    assert_eq!(hop(&net, "fe80::7"), Some(v6("fe80::7")));
    let later = net.now + Duration::from_secs(101);
    run(&mut net, later);
    assert_eq!(hop(&net, "2001:db8:1::7"), Some(router(3)));
    // An option for all destinations is in place of the header's preference.
    say(&mut net, 2, 0, 1_800, &[route("::", 0, 8, 1_800)]);
    say(&mut net, 3, 0x08, 0, &[route("2001:db8:1::", 48, 0, 0)]);
    assert_eq!(hop(&net, "2001:db8::7"), Some(router(2)));
    assert_eq!(hop(&net, "2001:db8:1::7"), Some(router(2)));
    net.iface.add_default_ipv6_route("fe80::9".parse().unwrap()).unwrap();
    say(&mut net, 2, 0x08, 1_800, &[]);
    assert_eq!(hop(&net, "2001:db8::7"), Some(v6("fe80::9")));
    // Nor does a router's word end it.
    let message = head(64, 0, 0, 0, 0);
    net.exchange(advert_from(v6("fe80::9"), 255, message));
    assert_eq!(hop(&net, "2001:db8::7"), Some(v6("fe80::9")));
}

#[test]
fn who_floods_the_link_with_advertisements_pushes_nobody_out() {
    let mut net = settled();
    net.exchange(advert(&[
        prefix("fd00:1::", 64, 0xc0, FOREVER, FOREVER),
        route("2001:db8:1::", 48, 0, FOREVER),
        server("fd00::53", FOREVER),
        domain(b"\x07example\0", FOREVER),
    ]));
    for n in 0..1_000_u16 {
        let [high, low] = n.to_be_bytes();
        let own = format!("fd00:2:{n:x}::");
        let name = [&[4][..], format!("{n:04}").as_bytes(), &[0]].concat();
        let options = [
            prefix(&own, 64, 0xc0, FOREVER, FOREVER),
            route(&own, 48, 8, FOREVER),
            server(&format!("fd00:2::{n:x}"), FOREVER),
            domain(&name, FOREVER),
        ];
        let src = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, high, low];
        net.exchange(advert_from(src, 255, [head(64, 0, 1_800, 0, 0), options.concat()].concat()));
    }
    run_for(&mut net, 5);
    assert_eq!(learned(&net).len(), crate::config::SLAAC_ADDRESSES);
    assert!(learned(&net)[0].cidr.to_string().starts_with("fd00:1:"));
    assert_eq!(hop(&net, "2001:db8:1::7"), Some(router(1)));
    assert_eq!(hop(&net, "2001:db8:ffff::7"), Some(router(1)));
    assert_eq!(net.iface.name_servers().next(), Some("fd00::53".parse::<IpAddress>().unwrap()));
    assert_eq!(net.iface.name_servers().count(), crate::config::NAME_SERVERS);
    assert_eq!(net.iface.search_domains().next().unwrap().to_string(), "example");
    assert_eq!(net.iface.search_domains().count(), crate::config::SEARCH_NAMES);
    // A preferred router takes the place of one of the others.
    net.exchange(advert_from(router(2), 255, head(64, 8, 1_800, 0, 0)));
    assert_eq!(hop(&net, "2001:db8:ffff::7"), Some(router(2)));
}

/// Covers: RFC 8106 §5.1, §5.2, §5.3.1
#[test]
fn name_servers_and_search_domains_last_as_long_as_is_said() {
    let mut net = settled();
    let name = b"\x03lan\x07example\0";
    net.exchange(advert(&[server("fd00::53", 100), server("fd00::54", FOREVER), domain(name, 100)]));
    net.exchange(advert(&[server("ff02::fb", 100), server("::", 100)]));
    let servers = |net: &Net| net.iface.name_servers().map(|addr| addr.to_string()).collect::<Vec<_>>();
    let domains = |net: &Net| net.iface.search_domains().map(|name| name.to_string()).collect::<Vec<_>>();
    assert_eq!(
        (servers(&net), domains(&net)),
        (vec!["fd00::53".into(), "fd00::54".into()], vec!["lan.example".into()])
    );
    net.iface.take_configuration_changed();
    let start = net.now;
    run(&mut net, start + Duration::from_secs(99));
    assert_eq!(servers(&net).len(), 2);
    run(&mut net, start + Duration::from_secs(101));
    assert_eq!((servers(&net), domains(&net).len()), (vec!["fd00::54".to_string()], 0));
    assert!(net.iface.take_configuration_changed());
    net.exchange(advert(&[server("fd00::54", 0), domain(name, 50)]));
    assert_eq!((servers(&net).len(), domains(&net).len()), (0, 1));
    net.exchange(advert(&[server("fd00::55", 0), domain(name, 0)]));
    assert_eq!((servers(&net).len(), domains(&net).len()), (0, 0));
}

/// Covers: RFC 4861 §6.3.4, §6.3.2
#[test]
fn parameters_of_the_link_are_taken_within_bounds() {
    let mut net = settled();
    assert_eq!(net.iface.advertised(), Default::default());
    let mtu = |mtu: u32| [&[5, 1, 0, 0][..], &mtu.to_be_bytes()].concat();
    let say = |net: &mut Net, head: Vec<u8>, options: Vec<u8>| {
        net.exchange(advert_from(router(1), 255, [head, options].concat()));
    };
    say(&mut net, head(7, 0xc0, 1_800, 20_000, 3_000), mtu(1_400));
    let told = net.iface.advertised();
    assert_eq!((told.managed, told.other, told.hop_limit, told.mtu), (true, true, Some(7), Some(1_400)));
    let times = net.iface.neighbors.times();
    assert_eq!(times.retransmit, Duration::from_secs(3).to_ticks());
    let reachable = u64::from(times.reachable) * 1_024 / 1_000;
    assert!((10_000..=30_001).contains(&reachable), "{reachable}");
    // What is not said, or can't be, changes nothing.
    for (head, mtu_said) in [(head(0, 0x40, 1_800, 0, 0), 1_279), (head(0, 0x40, 9, 3_600_001, 1), 1_501)] {
        say(&mut net, head, mtu(mtu_said));
        let told = net.iface.advertised();
        assert_eq!((told.managed, told.other, told.hop_limit, told.mtu), (false, true, Some(7), Some(1_400)));
        let now = net.iface.neighbors.times();
        assert_eq!((now.reachable, now.retransmit), (times.reachable, times.retransmit));
    }
    // The link's own times go with it.
    net.wire.link = LinkState::DOWN;
    net.poll();
    assert_eq!(net.iface.advertised(), Default::default());
    assert_ne!(net.iface.neighbors.times().retransmit, times.retransmit);
}

/// Covers: RFC 4861 §6.1.2
#[test]
fn an_advertisement_that_breaks_a_rule_teaches_nothing() {
    let good = [head(64, 0, 1_800, 0, 0), prefix("fd00:1::", 64, 0xc0, 100, 100)].concat();
    let with = |at: usize, value: u8| {
        let mut message = good.clone();
        message[at] = value;
        message
    };
    let mut wrong_checksum = advert_from(router(1), 255, good.clone());
    wrong_checksum[56] ^= 1;
    let cases = [
        advert_from(router(1), 254, good.clone()),
        advert_from(ula(9), 255, good.clone()),
        advert_from(router(1), 255, with(1, 1)),
        advert_from(router(1), 255, with(17, 0)),
        advert_from(router(1), 255, with(17, 9)),
        advert_from(router(1), 255, good[..15].to_vec()),
        wrong_checksum,
    ];
    for (index, frame) in cases.into_iter().enumerate() {
        let mut net = settled();
        net.exchange(frame);
        let drops =
            [DropReason::BadNeighborMessage, DropReason::Checksum].map(|r| net.iface.stats().drops(r));
        assert_eq!(drops.iter().sum::<u32>(), 1, "{index}");
        assert!(learned(&net).is_empty() && hop(&net, "2001:db8::7").is_none(), "{index}");
    }
    let mut net = settled();
    net.exchange(advert_from(router(1), 255, good));
    assert!(!learned(&net).is_empty());
}

/// Covers: RFC 4862 §5.5, RFC 4861 §6.2.7
#[test]
fn who_forwards_heeds_no_router_unless_told_to_and_nobody_does_who_was_not_told() {
    let message = advert(&[prefix("fd00:1::", 64, 0xc0, 100, 100)]);
    let mut net = settled();
    net.iface.set_forwarding(true);
    assert!(solicitations(run_for(&mut net, 100)).is_empty());
    net.exchange(message.clone());
    assert!(learned(&net).is_empty());
    let mut net = net_with(SlaacConfig::default().with_while_forwarding(true));
    net.iface.set_forwarding(true);
    run_for(&mut net, 3);
    net.exchange(message.clone());
    assert_eq!(learned(&net).len(), 1);
    net.iface.set_slaac(None);
    assert_eq!((net.iface.slaac(), net.iface.addresses().count()), (None, 0), "the link-local one as well");
    assert!(hop(&net, "2001:db8::7").is_none());
    net.exchange(message);
    assert!(run_for(&mut net, 100).is_empty() && learned(&net).is_empty());
    assert_eq!(net.iface.poll_at(net.now, &mut net.sockets), None);
}

/// Covers: RFC 4861 §6.3.7, RFC 4862 §5.3
#[test]
fn what_was_learned_goes_with_the_link_and_routers_are_asked_for_when_it_comes() {
    let mut net = settled();
    net.exchange(advert(&[prefix("fd00:1::", 64, 0xc0, FOREVER, FOREVER), server("fd00::53", FOREVER)]));
    run_for(&mut net, 5);
    net.wire.link = LinkState::DOWN;
    net.poll();
    assert!(learned(&net).is_empty() && hop(&net, "2001:db8::7").is_none());
    assert_eq!(net.iface.name_servers().count(), 0);
    assert!(run_for(&mut net, 100).is_empty());
    net.wire.link = LinkState::UP;
    assert_eq!(solicitations(run_for(&mut net, 3)).len(), 1);
    let states: Vec<_> = net.iface.addresses().map(|info| (info.origin, info.state)).collect();
    assert_eq!(states, [(AddressOrigin::LinkLocal, AddressState::Preferred)]);
}

/// Covers: RFC 7217 §5, §6, RFC 4862 §5.4.5
#[test]
fn a_stable_identifier_that_is_a_duplicate_gives_way_to_another_three_times() {
    let settings = SlaacConfig::default().with_interface_id(InterfaceId::Stable([9; 32]));
    let mut net = net_with(settings);
    let mut tried = Vec::new();
    for _ in 0..5 {
        run_for(&mut net, 1);
        let info = net.iface.addresses().next().unwrap();
        let IpAddress::Ipv6(addr) = info.cidr.address() else { panic!() };
        tried.push(addr);
        let message = [&[136, 0, 0, 0, 0x20, 0, 0, 0][..], &addr.octets(), &[2, 1], &PEER_MAC].concat();
        let frame = ethernet(0x86dd, &icmp6(router(7), ALL_NODES, 255, message));
        net.exchange([&[0x33, 0x33, 0, 0, 0, 1], &frame[6..]].concat());
        net.poll();
    }
    tried.dedup();
    assert_eq!(tried.len(), 4, "{tried:?}");
    assert_eq!(net.iface.addresses().next().unwrap().state, AddressState::Duplicate);
    // Another prefix has another identifier, and it is the same after a restart.
    let mut first = Vec::new();
    for _ in 0..2 {
        let mut net = net_with(settings);
        run_for(&mut net, 3);
        net.exchange(advert(&[prefix("fd00:1::", 64, 0x40, 100, 100)]));
        let all: Vec<_> = net.iface.addresses().map(|info| info.cidr.to_string()).collect();
        assert!(all[0].starts_with("fe80::") && all[1].starts_with("fd00:1:") && all[0][6..] != all[1][9..]);
        first.push(all);
    }
    assert_eq!(first[0], first[1]);
    let net =
        net_with(SlaacConfig::default().with_interface_id(InterfaceId::Fixed([0, 0, 0, 0, 0, 0, 0, 7])));
    assert_eq!(net.iface.addresses().next().unwrap().cidr.to_string(), "fe80::7/64");
    assert!(!format!("{settings:?}").contains('9'), "a secret is not printed");
}

#[test]
fn a_link_of_bare_ip_has_no_routers_to_listen_to() {
    let mut net = Net::new(Medium::Ip);
    net.iface.set_slaac(Some(SlaacConfig::default()));
    assert_eq!((net.iface.slaac(), net.iface.hardware_addr()), (None, HardwareAddress::Ip));
    assert!(run_for(&mut net, 100).is_empty());
}
