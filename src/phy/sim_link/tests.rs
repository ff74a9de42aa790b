//! A link as its two ends see it.

use super::*;
use crate::phy::testing::{number, numbered, receive, send};

#[cfg(feature = "medium-ip")]
const MEDIUM: Medium = Medium::Ip;
#[cfg(not(feature = "medium-ip"))]
const MEDIUM: Medium = Medium::Ethernet;

fn pair(path: PathConfig) -> (SimPort, SimPort) {
    SimLink::pair(SimConfig::symmetric(MEDIUM, path), 1)
}

fn at(micros: i64) -> Instant {
    Instant::from_micros(micros)
}

/// Sends `count` numbered frames of 100 octets, one each 100 µs.
fn send_many(port: &mut SimPort, count: u32) {
    for number in 0..count {
        send(port, at(i64::from(number) * 100), &numbered(number, 100));
    }
}

/// Everything that ever arrives: when, and which.
fn drain(port: &mut SimPort) -> Vec<(i64, u32)> {
    let mut arrived = Vec::new();
    let mut now = Instant::ZERO;
    while let Some(next) = port.poll_at(now) {
        now = next;
        while let Some(frame) = receive(port, now) {
            arrived.push((now.total_micros(), number(&frame)));
        }
    }
    arrived
}

fn numbers(arrived: &[(i64, u32)]) -> Vec<u32> {
    arrived.iter().map(|&(_, number)| number).collect()
}

fn assert_adds_up(port: &SimPort) {
    let counters = port.tx_counters();
    let known = counters.delivered + counters.total_lost() + port.in_flight() as u64;
    assert_eq!(counters.sent + counters.duplicated, known, "{counters:?}");
}

#[test]
fn a_perfect_link_delivers_everything_at_once_and_in_order() {
    let (mut a, mut b) = pair(PathConfig::default());
    send(&mut a, at(7), &numbered(1, 60));
    send(&mut a, at(7), &numbered(2, 1_500));
    send(&mut b, at(7), &numbered(3, 4));
    assert_eq!(b.poll_at(at(7)), Some(at(7)));
    assert_eq!(receive(&mut b, at(7)), Some(numbered(1, 60)));
    assert_eq!(receive(&mut b, at(7)), Some(numbered(2, 1_500)));
    assert_eq!(receive(&mut b, at(7)), None);
    assert_eq!(receive(&mut a, at(7)), Some(numbered(3, 4)));
    assert_eq!((a.poll_at(at(7)), b.poll_at(at(7))), (None, None));
    assert_eq!(a.tx_counters().delivered_octets, 1_560);
    assert_eq!(a.rx_counters(), b.tx_counters());
}

#[test]
fn nothing_arrives_before_its_delay_and_poll_at_says_when() {
    let (mut a, mut b) = pair(PathConfig { delay: Duration::from_millis(5), ..PathConfig::default() });
    send(&mut a, at(100), &[1]);
    assert_eq!(b.poll_at(at(100)), Some(at(5_100)));
    assert_eq!(receive(&mut b, at(5_099)), None);
    assert_eq!(receive(&mut b, at(5_100)), Some(vec![1]));
}

#[test]
fn frames_leave_at_the_rate_without_drift() {
    // 1,000 frames of 125 octets at 3 Mbit/s: a third of a millisecond each.
    let (mut a, mut b) = pair(PathConfig { rate: 3_000_000, ..PathConfig::default() });
    for number in 0..1_000 {
        send(&mut a, at(0), &numbered(number, 125));
    }
    let arrived = drain(&mut b);
    assert_eq!(arrived[0], (334, 0));
    assert_eq!(arrived[1].0 - arrived[0].0, 333);
    let last_micros = arrived[999].0;
    assert!((333_333..=333_335).contains(&last_micros), "{last_micros}");
}

#[test]
fn a_full_queue_loses_frames_and_counts_them() {
    let path = PathConfig { rate: 1_000_000, queue_frames: 5, ..PathConfig::default() };
    let (mut a, mut b) = pair(path);
    send_many(&mut a, 8);
    // One leaves each 800 µs: at 700 µs none has left, and five are in.
    assert_eq!(a.tx_counters().queue_full, 3);
    assert_eq!(numbers(&drain(&mut b)), [0, 1, 2, 3, 4]);
    assert!(send(&mut a, at(900), &[0; 4]));
    assert_eq!(a.tx_counters().queue_full, 3);

    let (mut a, _b) = pair(PathConfig { queue_octets: 350, queue_frames: usize::MAX, ..path });
    send_many(&mut a, 8);
    assert_eq!(a.tx_counters().queue_full, 5);
    assert_adds_up(&a);
}

#[cfg(feature = "medium-ip")]
#[test]
fn a_long_queue_marks_what_heeds_marks_and_loses_nothing_before_it_is_full() {
    let path = PathConfig { rate: 1_000_000, mark_octets: 300, queue_octets: 700, ..PathConfig::default() };
    let (mut a, mut b) = pair(path);
    for ecn in [2, 2, 2, 2, 0, 1, 3, 2] {
        let mut packet = vec![0; 100];
        packet[..2].copy_from_slice(&[0x60, ecn << 4]);
        send(&mut a, at(0), &packet);
    }
    // Three wait and are not told; of those that follow two heed, and the last finds the queue full.
    assert_eq!((a.tx_counters().marked, a.tx_counters().queue_full), (2, 1));
    let arrived: Vec<u8> =
        core::iter::from_fn(|| receive(&mut b, at(10_000))).map(|frame| frame[1] >> 4).collect();
    assert_eq!(arrived, [2, 2, 2, 3, 0, 3, 3]);
    assert_adds_up(&a);
}

#[test]
fn a_busy_queue_gives_no_token_until_poll_at() {
    let path = PathConfig { rate: 1_000_000, queue_frames: 1, ..PathConfig::default() };
    let (mut a, mut b) = pair(PathConfig { when_full: WhenFull::Busy, ..path });
    assert!(send(&mut a, at(0), &[0; 100]));
    assert!(!send(&mut a, at(799), &[0; 100]));
    assert_eq!(a.poll_at(at(1)), Some(at(800)));
    send(&mut b, at(0), &[0; 4]);
    let (_, answer) = a.receive(at(100)).unwrap();
    assert!(answer.is_none());
    assert!(send(&mut a, at(800), &[0; 100]));
    assert_eq!(a.tx_counters().queue_full, 0);
}

#[test]
fn loss_takes_its_share() {
    let (mut a, mut b) = pair(PathConfig { loss_ppm: 100_000, ..PathConfig::default() });
    send_many(&mut a, 10_000);
    let arrived_count = drain(&mut b).len() as u64;
    assert!((8_800..9_200).contains(&arrived_count), "{arrived_count}");
    assert_eq!(a.tx_counters().lost, 10_000 - arrived_count);
    assert_adds_up(&a);
}

#[test]
fn bursts_have_the_mean_length_that_was_asked_for() {
    let burst = BurstLoss { enter_ppm: 10_000, leave_ppm: 100_000, loss_ppm: 1_000_000 };
    let (mut a, mut b) = pair(PathConfig { burst: Some(burst), ..PathConfig::default() });
    send_many(&mut a, 100_000);
    let arrived = numbers(&drain(&mut b));
    let bursts = arrived.windows(2).filter(|pair| pair[1] - pair[0] > 1).count() as u64;
    let lost = a.tx_counters().burst_lost;
    // A tenth of 1 % turns of 10 frames: about 9 % lost, in bursts of ten.
    assert!((8..=12).contains(&(lost / bursts)), "{lost} in {bursts}");
    assert!((7_000..11_000).contains(&lost), "{lost}");
    assert_adds_up(&a);
}

#[test]
fn jitter_spreads_arrivals_but_keeps_the_order() {
    let path = PathConfig { delay: Duration::from_millis(1), ..PathConfig::default() };
    let (mut a, mut b) = pair(PathConfig { jitter: Duration::from_millis(1), ..path });
    send_many(&mut a, 1_000);
    let arrived = drain(&mut b);
    assert_eq!(numbers(&arrived), (0..1_000).collect::<Vec<_>>());
    let took = |&(micros, number): &(i64, u32)| micros - i64::from(number) * 100;
    assert!(arrived.iter().all(|frame| (1_000..=2_000).contains(&took(frame))));
    assert!(arrived.iter().any(|frame| took(frame) < 1_300));
    assert!(arrived.iter().any(|frame| took(frame) > 1_900));
}

#[test]
fn frames_that_are_held_back_arrive_late_and_others_pass_them() {
    let reorder_delay = Duration::from_micros(250);
    let path = PathConfig { reorder_ppm: 100_000, reorder_delay, ..PathConfig::default() };
    let (mut a, mut b) = pair(path);
    send_many(&mut a, 1_000);
    let arrived = drain(&mut b);
    let late_count = arrived.iter().filter(|&&(micros, n)| micros == i64::from(n) * 100 + 250).count();
    assert_eq!(late_count as u64, a.tx_counters().reordered);
    assert!((60..140).contains(&late_count), "{late_count}");
    let mut sorted = numbers(&arrived);
    assert!(!sorted.is_sorted());
    sorted.sort();
    assert_eq!(sorted, (0..1_000).collect::<Vec<_>>());
}

#[test]
fn doubles_arrive_right_behind() {
    let (mut a, mut b) = pair(PathConfig { duplicate_ppm: 1_000_000, ..PathConfig::default() });
    send_many(&mut a, 3);
    assert_eq!(numbers(&drain(&mut b)), [0, 0, 1, 1, 2, 2]);
    assert_eq!(a.tx_counters().duplicated, 3);
    assert_adds_up(&a);
}

#[test]
fn damage_inverts_one_bit() {
    let (mut a, mut b) = pair(PathConfig { corrupt_ppm: 1_000_000, ..PathConfig::default() });
    send(&mut a, at(0), &[0; 200]);
    let frame = receive(&mut b, at(0)).unwrap();
    assert_eq!(frame.iter().map(|octet| octet.count_ones()).sum::<u32>(), 1);
    assert_eq!(a.tx_counters().corrupted, 1);
}

#[test]
fn frames_above_the_mtu_are_lost() {
    let (mut a, mut b) = pair(PathConfig::default());
    let mtu = a.capabilities().max_transmission_unit;
    send(&mut a, at(0), &vec![0; mtu + 1]);
    assert_eq!(receive(&mut b, at(0)), None);
    assert_eq!(a.tx_counters().too_long, 1);
}

#[test]
fn a_pulled_cable_loses_what_is_on_the_way_and_both_ends_see_it() {
    let path = PathConfig { delay: Duration::from_micros(500), ..PathConfig::default() };
    let (mut a, mut b) = pair(PathConfig { rate: 8_000_000, ..path });
    for number in 0..10 {
        send(&mut a, at(0), &numbered(number, 100));
    }
    // Arrivals at 600, 700, ..: two have come when the cable is pulled.
    b.set_cable(at(800), false);
    assert_eq!((a.link(), b.link()), (LinkState::DOWN, LinkState::DOWN));
    assert_eq!(numbers(&drain(&mut b)), [0, 1]);
    send(&mut a, at(900), &[0; 4]);
    assert_eq!(a.tx_counters().link_down, 9);
    a.set_cable(at(1_000), true);
    assert_eq!(b.link(), LinkState { up: true, speed: 8_000, full_duplex: true });
    send(&mut a, at(1_000), &numbered(11, 100));
    assert_eq!(drain(&mut b), [(1_600, 11)]);
    assert_adds_up(&a);
}

#[test]
fn a_flapping_link_goes_down_for_both_ends_at_the_times_that_poll_at_names() {
    let flap = Flap { up: Duration::from_millis(100), down: Duration::from_millis(20) };
    let config = SimConfig { flap: Some(flap), ..SimConfig::new(MEDIUM) };
    let (mut a, mut b) = SimLink::pair(config, 9);
    let (mut now, mut down_micros, mut change_count) = (at(0), 0, 0);
    while now < Instant::from_secs(12) {
        let next = a.poll_at(now).unwrap();
        assert_eq!(b.poll_at(now), Some(next));
        assert_eq!(a.link(), b.link());
        assert!(send(&mut a, now, &[0; 4]));
        assert_eq!(receive(&mut b, now).is_some(), a.link().up);
        if !a.link().up {
            down_micros += (next - now).total_micros();
        }
        assert!(next > now);
        now = next;
        change_count += 1;
    }
    assert!((150..250).contains(&change_count), "{change_count}");
    assert!((1_500_000..2_500_000).contains(&down_micros), "{down_micros}");
    assert_adds_up(&a);
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let path = PathConfig {
        delay: Duration::from_millis(3),
        jitter: Duration::from_millis(2),
        rate: 10_000_000,
        queue_frames: 3,
        loss_ppm: 20_000,
        burst: Some(BurstLoss { enter_ppm: 5_000, leave_ppm: 200_000, loss_ppm: 900_000 }),
        corrupt_ppm: 0,
        duplicate_ppm: 20_000,
        reorder_ppm: 20_000,
        ..PathConfig::default()
    };
    let run = |seed| {
        let (mut a, mut b) = SimLink::pair(SimConfig::symmetric(MEDIUM, path), seed);
        send_many(&mut a, 2_000);
        let arrived = drain(&mut b);
        assert_adds_up(&a);
        (arrived, a.tx_counters())
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5).0, run(6).0);
}

#[test]
fn what_one_direction_draws_leaves_the_other_as_it_was() {
    let path = PathConfig { loss_ppm: 300_000, ..PathConfig::default() };
    let run = |answers| {
        let (mut a, mut b) = pair(path);
        for number in 0..200 {
            send(&mut a, at(number), &numbered(number as u32, 10));
            for _ in 0..answers {
                send(&mut b, at(number), &[0; 10]);
            }
        }
        numbers(&drain(&mut b))
    };
    assert_eq!(run(0), run(3));
}

#[test]
fn buffers_are_used_again() {
    let (mut a, mut b) = pair(PathConfig::default());
    for number in 0..1_000 {
        send(&mut a, at(number), &[0; 64]);
        receive(&mut b, at(number));
    }
    assert!(lock(&a.link).from(End::A).spare.len() <= 2);
}
