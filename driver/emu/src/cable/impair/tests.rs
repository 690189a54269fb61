//! What an impaired cable does to ten thousand frames.

use proptest::prelude::*;

use super::super::lay;
use super::super::testing::{Answer, TestPort, number_of, numbered};
use super::*;
use crate::offload::samples::Sample;
use crate::wire::{IpVersion, Segmentation};

const FRAMES: u32 = 10_000;
const STEP: Duration = Duration::from_micros(2);

/// When a frame arrived, and its bytes.
type Trace = Vec<(Duration, Vec<u8>)>;

/// Sends numbered frames in batches of seven, a step of time apart, until the cable is empty.
fn run(impairments: &Impairments, way: Way, frames: u32) -> (Trace, WireCounters) {
    let port = TestPort::new();
    let cable = lay(port.clone(), impairments, way, None);
    let mut trace = Trace::new();
    let mut now = Duration::ZERO;
    let mut deliver = |now| {
        cable.deliver_due(now);
        let arrived = port.frames();
        trace.extend(arrived.into_iter().map(|(_, bytes)| (now, bytes)));
        port.clear();
        balanced(&cable.counters());
    };
    let mut number = 0;
    while number < frames {
        cable.carry(now, &mut |inlet| {
            for _ in 0..7.min(frames - number) {
                let delivery = inlet.deliver(&WireFrame::single(&numbered(number), Checksums::Inserted));
                assert_eq!(delivery, Delivery::Accepted);
                number += 1;
            }
        });
        deliver(now);
        now += STEP;
    }
    while let Some(next) = cable.next_event() {
        assert!(
            next >= now || next + STEP >= now,
            "an event in the past was not delivered"
        );
        now = now.max(next);
        deliver(now);
    }
    let counters = cable.counters();
    assert_eq!(counters.in_flight, 0);
    (trace, counters)
}

/// Nothing is lost silently.
fn balanced(counters: &WireCounters) {
    let WireCounters {
        frames,
        duplicated,
        delivered,
        refused,
        no_buffer,
        lost,
        queue_full,
        in_flight,
        ..
    } = *counters;
    assert_eq!(
        frames + duplicated,
        delivered + refused + no_buffer + lost + queue_full + in_flight,
        "{counters:?}"
    );
}

fn numbers(trace: &Trace) -> Vec<u32> {
    trace.iter().map(|(_, bytes)| number_of(bytes)).collect()
}

fn bad() -> Impairments {
    Impairments {
        loss: 0.01,
        duplicate: 0.02,
        reorder: 0.03,
        corrupt: 0.04,
        seed: 7,
        latency: Duration::ZERO,
    }
}

/// Within five standard deviations of a binomial distribution.
fn plausible(count: u64, probability: f64) -> bool {
    let mean = f64::from(FRAMES) * probability;
    (count as f64 - mean).abs() < 5.0 * (mean * (1.0 - probability)).sqrt()
}

#[test]
fn impairments_strike_as_often_as_they_are_told_to() {
    let (trace, counters) = run(&bad(), Way::Forth, FRAMES);
    assert!(plausible(counters.lost, 0.01), "{counters:?}");
    assert!(plausible(counters.duplicated, 0.02), "{counters:?}");
    assert!(plausible(counters.reordered, 0.03), "{counters:?}");
    assert!(plausible(counters.corrupted, 0.04), "{counters:?}");
    assert_eq!(trace.len() as u64, counters.delivered);
    assert_eq!(counters.frames, u64::from(FRAMES));
    assert_eq!(counters.bytes, u64::from(FRAMES) * 60);
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_does_not() {
    let latency = Duration::from_micros(33);
    let impairments = Impairments { latency, ..bad() };
    let first = run(&impairments, Way::Forth, 2_000);
    assert_eq!(run(&impairments, Way::Forth, 2_000), first);
    assert_ne!(
        run(
            &Impairments {
                seed: 8,
                ..impairments
            },
            Way::Forth,
            2_000
        ),
        first
    );
    assert_ne!(
        run(&impairments, Way::Back, 2_000),
        first,
        "the two directions have dice of their own"
    );
}

#[test]
fn one_probability_does_not_shuffle_the_decisions_of_another() {
    let lost = |impairments| {
        let mut arrived = numbers(&run(&impairments, Way::Forth, 2_000).0);
        arrived.sort_unstable();
        arrived.dedup();
        arrived
    };
    let corrupt = 0.0;
    let base = lost(Impairments { corrupt, ..bad() });
    assert_eq!(
        lost(Impairments {
            corrupt,
            duplicate: 0.5,
            reorder: 0.0,
            ..bad()
        }),
        base
    );
    // A higher probability of loss loses the same frames, and more.
    let more = lost(Impairments {
        corrupt,
        loss: 0.1,
        ..bad()
    });
    assert!(more.len() < base.len() && more.iter().all(|number| base.contains(number)));
}

#[test]
fn a_duplicate_arrives_twice_back_to_back() {
    let impairments = Impairments {
        duplicate: 1.0,
        ..Impairments::none()
    };
    let (trace, counters) = run(&impairments, Way::Forth, 100);
    let expected: Vec<_> = (0..100).flat_map(|number| [number, number]).collect();
    assert_eq!(numbers(&trace), expected);
    assert_eq!(
        (counters.duplicated, counters.delivered, counters.reordered),
        (100, 200, 0)
    );
}

#[test]
fn a_reordered_frame_is_overtaken_by_one_to_eight_later_ones() {
    let impairments = Impairments {
        reorder: 0.01,
        seed: 3,
        ..Impairments::none()
    };
    let (trace, counters) = run(&impairments, Way::Forth, FRAMES);
    let arrived = numbers(&trace);
    assert_eq!(arrived.len(), FRAMES as usize);
    let (mut late, mut highest) = (0, 0);
    let mut distances = [0; 9];
    for (position, &number) in arrived.iter().enumerate() {
        if number < highest {
            late += 1;
            let overtaken_by = arrived[..position]
                .iter()
                .filter(|&&other| other > number)
                .count();
            distances[overtaken_by] += 1;
        }
        highest = highest.max(number);
    }
    assert_eq!(counters.reordered, late);
    assert!(plausible(late, 0.01), "{late}");
    assert!(
        distances[1..].iter().all(|&count| count > 0),
        "every distance occurs: {distances:?}"
    );
}

#[test]
fn reordering_everything_still_delivers_everything() {
    let (trace, counters) = run(
        &Impairments {
            reorder: 1.0,
            ..Impairments::none()
        },
        Way::Forth,
        1_000,
    );
    let mut arrived = numbers(&trace);
    assert!(counters.reordered > 300, "{counters:?}");
    arrived.sort_unstable();
    assert!(arrived.into_iter().eq(0..1_000));
}

#[test]
fn what_nothing_overtakes_goes_on_after_the_hold() {
    let port = TestPort::new();
    let cable = lay(
        port.clone(),
        &Impairments {
            reorder: 1.0,
            ..Impairments::none()
        },
        Way::Forth,
        None,
    );
    cable.carry(STEP, &mut |inlet| {
        let _ = inlet.deliver(&WireFrame::single(&numbered(1), Checksums::Inserted));
    });
    assert_eq!(cable.deliver_due(STEP), 0);
    assert_eq!(cable.next_event(), Some(STEP + REORDER_HOLD));
    assert_eq!(cable.counters().in_flight, 1);
    assert_eq!(cable.deliver_due(STEP + REORDER_HOLD), 1);
    assert_eq!((cable.next_event(), cable.counters().reordered), (None, 0));
}

#[test]
fn latency_delays_every_frame_by_the_same_time() {
    let latency = Duration::from_micros(100);
    let port = TestPort::new();
    let cable = lay(
        port.clone(),
        &Impairments {
            latency,
            ..Impairments::none()
        },
        Way::Forth,
        None,
    );
    for number in 0..3 {
        cable.carry(STEP * number, &mut |inlet| {
            let _ = inlet.deliver(&WireFrame::single(&numbered(number), Checksums::Inserted));
        });
    }
    for number in 0..3 {
        let due = latency + STEP * number;
        assert_eq!(cable.next_event(), Some(due));
        assert_eq!(cable.deliver_due(due - Duration::from_nanos(1)), 0);
        assert_eq!(cable.deliver_due(due), 1);
    }
    assert_eq!(port.numbers(), [0, 1, 2]);
}

#[test]
fn corruption_flips_one_bit_anywhere_and_vouches_for_nothing() {
    let port = TestPort::new();
    let cable = lay(
        port.clone(),
        &Impairments {
            corrupt: 1.0,
            ..Impairments::none()
        },
        Way::Forth,
        None,
    );
    let original = vec![0x55; 60];
    let mut bits = [false; 60 * 8];
    for _ in 0..8_000 {
        cable.carry(STEP, &mut |inlet| {
            let _ = inlet.deliver(&WireFrame::single(&original, Checksums::Inserted));
        });
        cable.deliver_due(STEP);
    }
    for (checksums, bytes) in port.frames() {
        assert_eq!(checksums, Checksums::Unverified);
        let flipped: Vec<_> = (0..bits.len())
            .filter(|&bit| (bytes[bit / 8] ^ original[bit / 8]) >> (bit % 8) & 1 == 1)
            .collect();
        assert_eq!(flipped.len(), 1);
        bits[flipped[0]] = true;
    }
    assert!(bits.iter().all(|&seen| seen));
    assert_eq!(cable.counters().corrupted, 8_000);
}

#[test]
fn a_whole_segment_is_sent_back_to_be_cut() {
    let port = TestPort::new();
    let cable = lay(
        port,
        &Impairments {
            loss: 0.5,
            ..Impairments::none()
        },
        Way::Forth,
        None,
    );
    let header = Sample::v4(6).build(b"");
    let plan = Segmentation {
        mss: 1460,
        l2_len: 14,
        l3_len: 20,
        l4_len: 20,
        ip: IpVersion::V4,
    };
    cable.carry(STEP, &mut |inlet| {
        assert_eq!(
            inlet.deliver(&WireFrame::whole(&header, &[], plan)),
            Delivery::CutFirst
        );
    });
    assert_eq!(cable.counters(), WireCounters::default());
}

#[test]
fn a_receiver_without_buffers_is_counted_and_so_is_a_full_cable() {
    let port = TestPort::new();
    port.answer(Answer::Buffers(10));
    let latency = Duration::from_millis(1);
    let cable = lay(
        port.clone(),
        &Impairments {
            latency,
            duplicate: 0.5,
            ..Impairments::none()
        },
        Way::Forth,
        None,
    );
    cable.carry(STEP, &mut |inlet| {
        for number in 0..MAX_IN_FLIGHT as u32 {
            let _ = inlet.deliver(&WireFrame::single(&numbered(number), Checksums::Inserted));
        }
    });
    let full = cable.counters();
    assert_eq!(full.in_flight, MAX_IN_FLIGHT as u64);
    assert!(full.queue_full > 0);
    balanced(&full);
    cable.deliver_due(STEP + latency);
    let counters = cable.counters();
    assert_eq!(
        (counters.delivered, counters.no_buffer),
        (10, MAX_IN_FLIGHT as u64 - 10)
    );
    balanced(&counters);
}

#[test]
fn buffers_are_used_again() {
    let impairments = Impairments {
        latency: STEP,
        ..Impairments::none()
    };
    let mut line = Line::new(&impairments, Way::Forth);
    for round in 0..100 {
        for _ in 0..5 {
            line.enter(&[1; 1_514], STEP * round);
        }
        while let Some(flight) = line.pop_due(STEP * (round + 1)) {
            line.spare.push(flight.bytes);
        }
    }
    assert_eq!(line.spare.len(), 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_mixture_repeats_and_accounts_for_every_frame(
        loss in 0.0..0.5, duplicate in 0.0..1.0, reorder in 0.0..1.0, corrupt in 0.0..0.5, seed: u64, micros in 0_u64..50,
    ) {
        let latency = Duration::from_micros(micros);
        let impairments = Impairments { loss, duplicate, reorder, corrupt, seed, latency };
        let first = run(&impairments, Way::Forth, 300);
        prop_assert_eq!(first.0.len() as u64, first.1.frames + first.1.duplicated - first.1.lost);
        prop_assert_eq!(run(&impairments, Way::Forth, 300), first);
    }
}
