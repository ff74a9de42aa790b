//! What is said of datagrams in fragments: to the application of one that is whole, to the sender of one that is not.

use super::*;
use crate::iface::tests::forward::{Routed, frame, ula1, with_hop_limit};
use crate::stats::DropReason;
use crate::time::Duration;

/// What else of the header is reported is that of the first fragment, too.
#[test]
fn a_whole_has_the_hop_limit_of_its_first_fragment() {
    for family in BOTH {
        for order in [[0, 1], [1, 0]] {
            let mut net = Net::ip();
            let handle = bound(&mut net, 7);
            let pieces = family.cut(9, &family.udp(7, &octets(100)), &[40]);
            let pieces = [with_hop_limit(pieces[0].clone(), 33), with_hop_limit(pieces[1].clone(), 44)];
            exchange_all(&mut net, order.map(|ix| pieces[ix].clone()));
            let (data, metadata) = net.sockets.get_mut::<udp::Socket>(handle).recv().unwrap();
            assert_eq!((data, metadata.received.hop_limit), (&octets(100)[..], 33), "{family:?} {order:?}");
        }
    }
}

/// A link-local source can be on any link; all others are where routes say.
#[test]
fn the_sender_hears_of_missing_fragments_by_the_port_that_it_is_behind() {
    let on_link = |last: u8| [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    for (src, dst, from, to) in [
        (on_link(9), on_link(1), 0, 0),
        (on_link(9), on_link(1), 1, 1),
        (ula(9), ula1(1), 1, 0),
        (ula1(9), ula(1), 0, 1),
    ] {
        let mut net = Routed::new();
        let fragment = [17, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0];
        net.receive(from, frame(from, 0x86dd, &ipv6(src, dst, 44, 64, &fragment)));
        net.now += Duration::from_secs(61);
        net.poll();
        assert_eq!(net.drops(DropReason::ReassemblyTimeout), 1);
        // The message waits until it is known who that is; others are known, and asked for by themselves.
        let is_asked = net.sent().map(|frames| frames.iter().any(|frame| frame[0] == 0x33));
        assert_eq!(is_asked, [to == 0, to == 1], "{src:?} by {from}");
    }
}
