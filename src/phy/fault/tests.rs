//! The injector around a device that records what it gets.

use super::*;
use crate::phy::testing::{Probe, assert_passes_meta_on, assert_passes_on, receive, send};
use crate::phy::{Medium, PathConfig, SimConfig, SimLink, WhenFull};

#[cfg(feature = "medium-ip")]
const MEDIUM: Medium = Medium::Ip;
#[cfg(not(feature = "medium-ip"))]
const MEDIUM: Medium = Medium::Ethernet;
const NONE: FaultConfig = FaultConfig::NONE;

fn injector(rx: FaultConfig, tx: FaultConfig) -> FaultInjector<Probe> {
    FaultInjector::new(Probe::new(MEDIUM), rx, tx, 1)
}

#[test]
fn without_faults_everything_passes() {
    let mut device = injector(NONE, NONE);
    device.get_mut().to_receive.push(vec![1, 2]);
    assert_passes_on(&mut device, |device| device.get_ref());
    assert_passes_meta_on(&mut device, |device| device.get_ref());
}

#[test]
fn lost_frames_do_not_hide_the_ones_behind_them() {
    let mut device = injector(FaultConfig { drop_ppm: 900_000, ..NONE }, NONE);
    device.get_mut().to_receive = vec![vec![1; 20]; 1_000];
    let mut received = 0;
    while receive(&mut device, Instant::ZERO).is_some() {
        received += 1;
    }
    assert!((50..200).contains(&received), "{received}");
    assert_eq!(device.rx_counters().dropped + received, 1_000);
    assert!(device.get_ref().to_receive.is_empty());
}

#[test]
fn a_lost_frame_is_still_written_by_its_sender() {
    let mut device = injector(NONE, FaultConfig { drop_ppm: 1_000_000, ..NONE });
    assert!(send(&mut device, Instant::ZERO, &[1, 2, 3]));
    assert!(device.get_ref().sent.is_empty());
    assert_eq!(device.tx_counters().dropped, 1);
}

#[test]
fn damage_inverts_one_bit_and_takes_the_vouching_away() {
    let all = FaultConfig { corrupt_ppm: 1_000_000, ..NONE };
    let mut device = injector(all, all);
    device.get_mut().to_receive.push(vec![0; 30]);
    let (rx, _) = device.receive(Instant::ZERO).unwrap();
    assert!(!rx.meta().checksum_ok);
    assert_eq!(rx.consume(|frame| frame.iter().map(|o| o.count_ones()).sum::<u32>()), 1);
    send(&mut device, Instant::ZERO, &[0; 30]);
    assert_eq!(device.get_ref().sent[0].iter().map(|o| o.count_ones()).sum::<u32>(), 1);
    assert_eq!((device.rx_counters().corrupted, device.tx_counters().corrupted), (1, 1));
}

#[test]
fn frames_above_the_size_limit_are_lost() {
    let mut device = injector(NONE, FaultConfig { max_frame_len: Some(4), ..NONE });
    send(&mut device, Instant::ZERO, &[0; 4]);
    send(&mut device, Instant::ZERO, &[0; 5]);
    assert_eq!(device.get_ref().sent.len(), 1);
    assert_eq!(device.tx_counters().too_long, 1);
}

/// The first octet of every frame that went out.
fn sent(device: &FaultInjector<Probe>) -> Vec<u8> {
    device.get_ref().sent.iter().map(|frame| frame[0]).collect()
}

/// What is received up to now, by its first octet.
fn received(device: &mut FaultInjector<Probe>, now: Instant) -> Vec<u8> {
    core::iter::from_fn(|| receive(device, now)).map(|frame| frame[0]).collect()
}

/// The probe takes the last first.
fn to_receive(numbers: core::ops::Range<u8>) -> Vec<Vec<u8>> {
    numbers.rev().map(|number| vec![number; 4]).collect()
}

const ALL_HELD: FaultConfig = FaultConfig { reorder_ppm: 1_000_000, reorder_count: 2, ..NONE };

#[test]
fn a_pause_fills_the_bucket_to_its_burst_and_no_further() {
    let limit = RateLimit { rate: 100, burst: 2 };
    let mut device = injector(NONE, FaultConfig { max_rate: Some(limit), ..NONE });
    // One every 10 ms comes in: at 9 ms not yet, at 10 ms one, after a second only two.
    for (millis, number) in [0, 1, 9, 10, 11, 19, 20, 1_000, 1_001, 1_002].into_iter().zip(0..) {
        send(&mut device, Instant::from_millis(millis), &[number; 4]);
    }
    assert_eq!(sent(&device), [0, 1, 3, 6, 7, 8]);
    assert_eq!(device.tx_counters().over_rate, 4);
}

#[test]
fn a_rate_holds_over_a_long_time_and_a_clock_that_stands_or_runs_back_gives_nothing() {
    let limit = RateLimit { rate: 7_000, burst: 10 };
    let mut device = injector(NONE, FaultConfig { max_rate: Some(limit), ..NONE });
    for micros in 0..100_000 {
        send(&mut device, Instant::from_micros(10 * micros), &[0; 4]);
    }
    assert!((7_005..=7_010).contains(&device.get_ref().sent.len()), "{}", device.get_ref().sent.len());
    let before = device.tx_counters();
    for micros in [999_990, 0, 999_990, 0, 999_990] {
        send(&mut device, Instant::from_micros(micros), &[0; 4]);
    }
    assert_eq!(device.tx_counters().over_rate, before.over_rate + 5);
}

#[test]
fn a_doubled_frame_is_followed_by_its_copy() {
    let all = FaultConfig { duplicate_ppm: 1_000_000, ..NONE };
    let mut device = injector(all, all);
    device.get_mut().to_receive = to_receive(0..3);
    assert_eq!(received(&mut device, Instant::ZERO), [0, 0, 1, 1, 2, 2]);
    for number in 0..3 {
        send(&mut device, Instant::ZERO, &[number; 4]);
    }
    // The last copy waits for the next call, and says so.
    assert_eq!(sent(&device), [0, 0, 1, 1, 2]);
    assert_eq!((device.poll_at(Instant::ZERO), device.held_count()), (Some(Instant::ZERO), 1));
    assert!(device.receive(Instant::ZERO).is_none());
    assert_eq!(sent(&device), [0, 0, 1, 1, 2, 2]);
    assert_eq!((device.rx_counters().duplicated, device.tx_counters().duplicated), (3, 3));
    assert_eq!((device.rx_counters().passed, device.held_count()), (3, 0));
}

#[test]
fn a_held_frame_goes_on_behind_so_many_later_ones() {
    let mut device = injector(ALL_HELD, ALL_HELD);
    device.get_mut().to_receive = to_receive(0..1);
    assert!(received(&mut device, Instant::ZERO).is_empty());
    send(&mut device, Instant::ZERO, &[0; 4]);
    device.set_rx(NONE);
    device.set_tx(NONE);
    device.get_mut().to_receive = to_receive(1..4);
    assert_eq!(received(&mut device, Instant::ZERO), [1, 2, 0, 3]);
    for number in 1..4 {
        send(&mut device, Instant::ZERO, &[number; 4]);
    }
    assert_eq!(sent(&device), [1, 2, 0, 3]);
    assert_eq!((device.rx_counters().reordered, device.tx_counters().reordered), (1, 1));
}

#[test]
fn a_held_frame_goes_on_in_time_when_nothing_else_moves() {
    let mut device = injector(ALL_HELD, ALL_HELD);
    let due_at = Instant::ZERO + ALL_HELD.reorder_delay;
    let wakes_at = |device: &mut FaultInjector<Probe>, now| {
        // The probe wants to be polled 77 µs after whenever it is asked.
        device.poll_at(now).filter(|at| *at != now + Duration::from_micros(77))
    };
    assert_eq!(wakes_at(&mut device, Instant::ZERO), None);
    device.get_mut().to_receive = to_receive(0..1);
    assert!(received(&mut device, Instant::ZERO).is_empty());
    let before = due_at - Duration::from_micros(1);
    assert_eq!(wakes_at(&mut device, before), Some(due_at));
    assert!(received(&mut device, before).is_empty());
    assert_eq!(received(&mut device, due_at), [0]);
    send(&mut device, Instant::ZERO, &[1; 4]);
    assert_eq!(wakes_at(&mut device, before), Some(due_at));
    assert!(received(&mut device, before).is_empty());
    assert!(sent(&device).is_empty());
    assert_eq!(wakes_at(&mut device, due_at), Some(due_at));
    assert!(received(&mut device, due_at).is_empty());
    assert_eq!(sent(&device), [1]);
    assert_eq!(wakes_at(&mut device, due_at), None);
}

#[test]
fn a_copy_that_is_held_leaves_the_frame_alone() {
    let config = FaultConfig { duplicate_ppm: 1_000_000, ..ALL_HELD };
    let mut device = injector(config, config);
    device.get_mut().to_receive = to_receive(0..4);
    assert_eq!(received(&mut device, Instant::ZERO), [0, 1, 2, 0, 3, 1]);
    assert_eq!(received(&mut device, Instant::from_secs(1)), [2, 3]);
}

#[test]
fn no_more_are_held_than_may_be() {
    let config = FaultConfig { held_count: 2, ..ALL_HELD };
    let config = FaultConfig { reorder_count: 100, ..config };
    let mut device = injector(config, config);
    device.get_mut().to_receive = to_receive(0..5);
    assert_eq!(received(&mut device, Instant::ZERO), [2, 3, 4]);
    for number in 0..5 {
        send(&mut device, Instant::ZERO, &[number; 4]);
    }
    assert_eq!((sent(&device), device.held_count()), (vec![2, 3, 4], 4));
    assert_eq!((device.rx_counters().held_full, device.tx_counters().held_full), (3, 3));
    assert_eq!((device.rx_counters().reordered, device.tx_counters().reordered), (2, 2));
}

#[test]
fn what_is_known_of_a_frame_goes_with_it_and_its_copy() {
    for config in [ALL_HELD, FaultConfig { duplicate_ppm: 1_000_000, ..NONE }] {
        let mut device = injector(config, config);
        let meta = TxMeta { checksum_start: 1, checksum_offset: 2, segment_len: 3, packet_id: 4 };
        device.get_mut().to_receive = to_receive(0..1);
        let later = Instant::from_secs(1);
        let mut metas = Vec::new();
        for now in [Instant::ZERO, later] {
            while let Some((rx, _)) = device.receive(now) {
                metas.push(rx.meta());
                rx.consume(|_| ());
            }
        }
        assert!(!metas.is_empty() && metas.iter().all(|meta| meta.checksum_partial && meta.packet_id == 9));
        let mut tx = device.transmit(Instant::ZERO).unwrap();
        tx.set_meta(meta);
        tx.consume(8, |_| ());
        device.get_mut().tx_meta = TxMeta::default();
        assert!(device.receive(later).is_none());
        // A second copy has no number: whoever waits for the packet's stamp hears of the first.
        let packet_id = if config == ALL_HELD { 4 } else { 0 };
        assert_eq!(device.get_ref().tx_meta, TxMeta { packet_id, ..meta });
    }
}

#[test]
fn a_device_without_room_is_asked_again_soon() {
    // 1,000 octets take a second.
    let (rate, queue_frames, when_full) = (8_000, 2, WhenFull::Busy);
    let path = PathConfig { rate, queue_frames, when_full, ..PathConfig::default() };
    let (mut port, device) = SimLink::pair(SimConfig::symmetric(MEDIUM, path), 1);
    let mut device = FaultInjector::new(device, NONE, ALL_HELD, 1);
    let frame = [0; 1_000];
    assert!(send(&mut device, Instant::ZERO, &frame));
    device.set_tx(NONE);
    // They fill the link, so that the held one has to wait.
    assert!(send(&mut device, Instant::ZERO, &frame) && send(&mut device, Instant::ZERO, &frame));
    let now = Instant::from_millis(10);
    assert!(!send(&mut device, now, &frame));
    assert_eq!((device.held_count(), device.poll_at(now)), (1, Some(now + RETRY_INTERVAL)));
    let later = Instant::from_secs(10);
    assert!(device.receive(later).is_none());
    assert_eq!(device.held_count(), 0);
    let arrived = core::iter::from_fn(|| receive(&mut port, Instant::from_secs(20))).count();
    assert_eq!(arrived, 3);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let config = FaultConfig {
        drop_ppm: 100_000,
        corrupt_ppm: 100_000,
        duplicate_ppm: 100_000,
        reorder_ppm: 100_000,
        ..NONE
    };
    let run = |seed| {
        let mut device = FaultInjector::new(Probe::new(MEDIUM), config, config, seed);
        for number in 0..200 {
            send(&mut device, Instant::from_millis(number.into()), &[number; 8]);
        }
        let held_count = device.held_count();
        (device.tx_counters(), held_count, device.into_inner().sent)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).2, run(2).2);
    let (counters, held_count, sent) = run(1);
    assert_eq!(counters.passed + counters.dropped, 200);
    for count in [counters.dropped, counters.corrupted, counters.duplicated, counters.reordered] {
        assert!((8..40).contains(&count), "{counters:?}");
    }
    assert_eq!((sent.len() + held_count) as u64, counters.passed + counters.duplicated);
}
