//! Any frames, any calls, in any order: what holds at all times.

use super::*;

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32 % bound
    }
}

fn any_address(random: &mut Random) -> [u8; 6] {
    match random.below(12) {
        0 => EVERYBODY,
        1 => GROUP,
        2 => OWN,
        3 => [1, 0x80, 0xc2, 0, 0, random.below(20) as u8],
        4 => [0; 6],
        _ => station(random.below(14)),
    }
}

fn any_frame(random: &mut Random) -> Vec<u8> {
    let (dst, src) = (any_address(random), any_address(random));
    let mut octets = frame(dst, src, 14);
    octets.extend(
        (0..random.below(70)).map(|_| [0, 6, 8, 0x45, 0x81, 0x86, 0xdd, 20][random.below(8) as usize]),
    );
    match random.below(4) {
        0 => octets[12..14].copy_from_slice(&[8, 0]),
        1 => octets[12..14].copy_from_slice(&[0x86, 0xdd]),
        2 => octets[12..14].copy_from_slice(&[0x81, 0]),
        _ => octets.truncate(random.below(90) as usize),
    }
    octets
}

fn step(lan: &mut Lan<'_, '_>, random: &mut Random) {
    let port = random.below(3) as usize;
    match random.below(40) {
        0 => lan.wait(u64::from(random.below(400))),
        1 => lan.cables[port].with(|state| state.link = LinkState::DOWN),
        2 => lan.cables[port].with(|state| state.link = LinkState::UP),
        3 => drop(
            lan.bridge.add_static(EthernetAddress(any_address(random)), PortSet(u64::from(random.below(8)))),
        ),
        4..7 => drop(lan.bridge.remove_static(EthernetAddress(any_address(random)))),
        7 => drop(lan.bridge.set_port_enabled(port, random.below(3) > 0)),
        8 => lan.bridge.ports_mut()[port]
            .set_quota([None, Some(0), Some(2), Some(99)][random.below(4) as usize]),
        9 => lan.cables[port].with(|state| state.room = random.below(3) as usize),
        10 => lan.cables[port].with(|state| state.room = usize::MAX),
        _ => {
            let meta = RxMeta {
                checksum_partial: random.below(4) == 0,
                segment_len: [0, 0, 0, 7][random.below(4) as usize],
                ..RxMeta::default()
            };
            lan.cables[port].put_with(meta, any_frame(random));
        }
    }
}

/// What each port counts as learned is what the table has of it, and no address is in it twice.
fn check(lan: &Lan<'_, '_>) {
    let (mut seen, mut counts) = (Vec::new(), [0; 3]);
    // Nothing is older than the beginning: this way aged entries show, too.
    for (address, whereabouts) in lan.bridge.entries(Instant::ZERO) {
        assert!(!seen.contains(&address), "{address}");
        assert!(address.0 != [0; 6] && address.0 != OWN);
        if let Whereabouts::Learned { port, .. } = whereabouts {
            assert!(address.is_unicast());
            counts[port] += 1;
        }
        assert_eq!(lan.bridge.lookup(Instant::ZERO, address), Some(whereabouts));
        seen.push(address);
    }
    let learned: Vec<_> = lan.bridge.ports().iter().map(Port::learned_count).collect();
    assert_eq!(learned, counts);
    assert!(seen.len() <= 8);
}

#[test]
fn random_use_keeps_table_and_lists_in_step() {
    with_lan(3, 8, |lan| {
        let mut random = Random(0x6f1d_ce57);
        let mut sent = 0;
        for _ in 0..60_000 {
            step(lan, &mut random);
            if random.below(3) == 0 {
                lan.poll();
                check(lan);
                sent += lan.cables.iter().map(|cable| cable.take().len()).sum::<usize>();
                lan.handed_up();
            }
        }
        let counters = lan.bridge.table_counters();
        assert!(sent > 1_000, "{sent}");
        let TableCounters { learned, moved, aged, evicted, unlearned } = counters;
        assert!(
            [learned, moved, aged, evicted, unlearned].into_iter().all(|count| count > 10),
            "{counters:?}"
        );
    });
}
