//! Any sequence of calls loses no frame and shows the device what was posted.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Bench, FRAMES, ranges, segment, tcp};
use crate::port::{Full, Received, TxOffload, TxQueue, Verdict};
use crate::ring::fake::Fetched;

#[derive(Clone, Debug)]
enum Step {
    PostAll(Vec<usize>),
    PostReceived(Vec<usize>),
    Post { len: usize, checksum: bool },
    Gather { slices: Vec<(usize, usize)>, mss: u16 },
    Doorbell,
    Device(usize),
    Reap,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let post = (54usize..2000, any::<bool>()).prop_map(|(len, checksum)| Step::Post { len, checksum });
    let slice = (0usize..60_000, 1usize..3000);
    let gather = (prop::collection::vec(slice, 0..5), 500u16..520)
        .prop_map(|(slices, mss)| Step::Gather { slices, mss });
    let step = prop_oneof![
        4 => post,
        2 => prop::collection::vec(1usize..2048, 0..12).prop_map(Step::PostAll),
        2 => prop::collection::vec(1usize..2048, 0..12).prop_map(Step::PostReceived),
        3 => gather,
        3 => Just(Step::Doorbell),
        4 => (0usize..20).prop_map(Step::Device),
        2 => Just(Step::Reap),
    ];
    prop::collection::vec(step, 0..150)
}

proptest! {
    /// Every frame is in the pool, in the ring, or with the caller; the device is shown exactly the bytes
    /// that were posted, in order; a ring that refuses changes nothing.
    #[test]
    fn frames_and_bytes_are_conserved(steps in steps()) {
        let mut bench = Bench::new(32);
        let mut expected = Vec::new();
        let mut seen = Vec::new();
        let mut in_ring = 0;
        for step in steps {
            match step {
                Step::Post { len, checksum } => {
                    let Some(mut frame) = bench.pool.take() else { continue };
                    frame.set_len(len).unwrap();
                    let named = (frame.iova(), len as u32);
                    let offload = if checksum { TxOffload::Checksum(tcp()) } else { TxOffload::None };
                    match bench.queue.post(frame, offload) {
                        Ok(()) => { expected.push(named); in_ring += 1; }
                        Err(Full(frame)) => bench.pool.give(frame).unwrap(),
                    }
                }
                Step::PostAll(lens) => {
                    let mut frames: Vec<_> = lens
                        .iter()
                        .map_while(|len| {
                            let mut frame = bench.pool.take()?;
                            frame.set_len(*len).unwrap();
                            Some(frame)
                        })
                        .collect();
                    let named: Vec<_> =
                        frames.iter().map(|frame| (frame.iova(), frame.len() as u32)).collect();
                    let posted = bench.queue.post_all(&mut frames);
                    prop_assert_eq!(posted + frames.len(), named.len());
                    expected.extend_from_slice(&named[..posted]);
                    in_ring += posted;
                    frames.into_iter().for_each(|frame| bench.pool.give(frame).unwrap());
                }
                Step::PostReceived(lens) => {
                    let mut packets: Vec<_> = lens
                        .iter()
                        .map_while(|len| {
                            let mut frame = bench.pool.take()?;
                            frame.set_len(*len).unwrap();
                            Some(Received { frame, rss_hash: 0, end: len % 3 != 0, verdict: Verdict::Good })
                        })
                        .collect();
                    let named: Vec<_> = packets
                        .iter()
                        .map(|packet| (packet.frame.iova(), packet.frame.len() as u32, packet.end))
                        .collect();
                    let posted = bench.queue.post_received(&mut packets);
                    let gone = &named[..named.len() - packets.len()];
                    prop_assert_eq!(gone.iter().filter(|(.., end)| *end).count(), posted);
                    expected.extend(gone.iter().map(|(start, len, _)| (*start, *len)));
                    in_ring += gone.len();
                    packets.into_iter().for_each(|packet| bench.pool.give(packet.frame).unwrap());
                }
                Step::Gather { slices, mss } => {
                    let Some(mut frame) = bench.pool.take() else { continue };
                    frame.set_len(54).unwrap();
                    let mut payload: Vec<_> =
                        slices.iter().map(|(offset, len)| bench.slice(*offset, *len)).collect();
                    let mut named = vec![(frame.iova(), 54)];
                    named.extend(payload.iter().map(|slice| (slice.iova(), slice.len())));
                    match bench.queue.post_gather(frame, &mut payload, segment(mss)) {
                        Ok(()) => {
                            prop_assert!(payload.is_empty());
                            expected.extend(named);
                            in_ring += 1;
                        }
                        Err(Full(frame)) => {
                            prop_assert_eq!(payload.len(), slices.len());
                            bench.pool.give(frame).unwrap();
                        }
                    }
                }
                Step::Doorbell => bench.queue.doorbell(),
                Step::Device(count) => seen.extend((0..count).map_while(|_| bench.ring.transmit())),
                Step::Reap => {
                    let before = bench.pool.available();
                    bench.reap();
                    in_ring -= bench.pool.available() - before;
                }
            }
            prop_assert_eq!(bench.queue.room() + bench.queue.posted(), 31);
            prop_assert_eq!(bench.pool.available() + in_ring, FRAMES);
        }
        bench.queue.doorbell();
        seen.extend(bench.drain());
        bench.reap();
        prop_assert_eq!(bench.pool.available(), FRAMES);
        prop_assert_eq!(bench.queue.posted(), 0);
        prop_assert_eq!(Arc::strong_count(&bench.file), 1);
        prop_assert_eq!(bench.queue.counters().descriptors, seen.len() as u64);
        let expected: Vec<_> = expected
            .iter()
            .map(|(start, len)| Fetched::Data { start: *start, len: *len, end: false, report: false })
            .collect();
        prop_assert_eq!(ranges(&seen), ranges(&expected));
        let ends = seen.iter().filter(|f| matches!(f, Fetched::Data { end: true, .. })).count();
        prop_assert_eq!(ends as u64, bench.queue.counters().packets);
    }
}
