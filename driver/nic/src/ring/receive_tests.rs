//! The receive ring against a fake device.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;

use super::Receiver;
use super::fake::{FakeRx, Ring, mapper};
use crate::dma::fake::FakeMapper;
use crate::dma::{Frame, FramePool};
use crate::life::Life;
use crate::port::{Received, RxQueue};

struct Bench {
    fake: Arc<FakeMapper>,
    ring: Arc<Ring>,
    queue: Receiver<FakeRx>,
    life: Arc<Life>,
}

const BUFFER: usize = 256;

impl Bench {
    fn new(size: u16, frames: usize, links: bool) -> Self {
        let (fake, mapper) = mapper();
        let life = Arc::new(Life::new());
        let pool = FramePool::new(&mapper, frames, BUFFER).unwrap();
        let mut ring = None;
        let mut queue = Receiver::new(&mapper, size, pool, links, Arc::clone(&life), |descriptors| {
            FakeRx(Arc::clone(ring.insert(Ring::new(&fake, descriptors))))
        })
        .unwrap();
        queue.refill();
        Self {
            fake,
            ring: ring.unwrap(),
            queue,
            life,
        }
    }

    /// A packet over as many buffers as it needs, in consecutive descriptors.
    fn deliver(&self, packet: &[u8]) {
        let pieces: Vec<&[u8]> = packet.chunks(BUFFER).collect();
        for (index, piece) in pieces.iter().enumerate() {
            let end = index + 1 == pieces.len();
            self.ring
                .deliver(piece, piece.len() as u32, end, false, None)
                .unwrap();
        }
    }

    fn receive(&mut self) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        self.queue.receive(usize::MAX, &mut out);
        let packets = packets(&out);
        out.into_iter()
            .for_each(|received| self.queue.recycle(received.frame));
        packets
    }
}

/// The packets' bytes.
fn packets(received: &[Received]) -> Vec<Vec<u8>> {
    assert!(
        received.last().is_none_or(|last| last.end),
        "only whole packets are handed out"
    );
    received
        .split_inclusive(|buffer| buffer.end)
        .map(|buffers| {
            buffers
                .iter()
                .flat_map(|buffer| buffer.frame.bytes().to_vec())
                .collect()
        })
        .collect()
}

#[test]
fn a_packet_over_several_buffers_waits_for_its_last_and_lies_in_one_piece() {
    let mut bench = Bench::new(16, 16, false);
    let packet: Vec<u8> = (0..600u32).map(|index| index as u8).collect();
    bench.ring.deliver(&packet[..256], 256, false, false, None);
    bench.ring.deliver(&packet[256..512], 256, false, false, None);
    let mut out = Vec::new();
    assert_eq!(bench.queue.receive(32, &mut out), 0);
    assert_eq!(bench.queue.posted() + bench.queue.spare(), 16);
    bench.ring.deliver(&packet[512..], 88, true, false, None);
    assert_eq!(bench.queue.receive(32, &mut out), 1);
    assert_eq!(out.len(), 3);
    let joined = Frame::joined(&out[0].frame, out[1..].iter().map(|received| &received.frame));
    assert_eq!(joined, Some(&packet[..]));
}

#[test]
fn at_most_the_packets_asked_for_are_handed_out() {
    let mut bench = Bench::new(16, 16, false);
    for _ in 0..5 {
        bench.deliver(&[7; 300]);
    }
    let mut out = Vec::new();
    assert_eq!(bench.queue.receive(2, &mut out), 2);
    assert_eq!(out.len(), 4);
    assert_eq!(bench.queue.counters().packets, 2);
    assert_eq!(bench.queue.counters().bytes, 600);
}

#[test]
fn damaged_packets_and_impossible_lengths_are_recycled_and_counted() {
    let mut bench = Bench::new(16, 16, false);
    bench.ring.deliver(&[1; 256], 256, false, false, None);
    bench.ring.deliver(&[2; 10], 10, true, true, None);
    bench.ring.deliver(&[3; 10], 0xffff, true, false, None);
    bench.deliver(&[4; 60]);
    assert_eq!(bench.receive(), [[4; 60]]);
    assert_eq!(bench.queue.counters().errors, 2);
    assert_eq!(bench.queue.posted() + bench.queue.spare(), 16);
}

#[test]
fn coalesced_packets_that_interleave_come_out_whole() {
    let mut bench = Bench::new(16, 16, true);
    // Slots 0 and 1 belong to packet A, 2 and 4 to B, 3 to one of its own; A ends in 5.
    bench.ring.deliver(b"a1", 2, false, false, Some(1));
    bench.ring.deliver(b"a2", 2, false, false, Some(5));
    bench.ring.deliver(b"b1", 2, false, false, Some(4));
    bench.ring.deliver(b"c", 1, true, false, None);
    assert_eq!(bench.receive(), [b"c"]);
    assert_eq!(bench.queue.posted() + bench.queue.spare(), 16);
    bench.ring.deliver(b"b2", 2, true, false, None);
    bench.ring.deliver(b"a3", 2, true, false, None);
    assert_eq!(bench.receive(), [b"b1b2".to_vec(), b"a1a2a3".to_vec()]);
}

#[test]
fn a_successor_that_does_not_exist_or_is_taken_costs_that_packet_only() {
    let mut bench = Bench::new(16, 16, true);
    bench.ring.deliver(b"a", 1, false, false, Some(99));
    bench.ring.deliver(b"b", 1, false, false, Some(9));
    bench.ring.deliver(b"c", 1, false, false, Some(9));
    bench.deliver(b"whole");
    assert_eq!(bench.receive(), [b"whole"]);
    assert_eq!(bench.queue.counters().errors, 2);
    assert_eq!(bench.queue.posted() + bench.queue.spare(), 16);
}

#[test]
fn a_doorbell_is_rung_for_a_batch_not_for_a_frame() {
    let mut bench = Bench::new(64, 64, false);
    assert_eq!((bench.queue.posted(), bench.queue.counters().doorbells), (63, 1));
    for _ in 0..15 {
        bench.deliver(&[0; 60]);
        bench.receive();
        bench.queue.refill();
    }
    assert_eq!(bench.queue.counters().doorbells, 1);
    bench.deliver(&[0; 60]);
    bench.receive();
    bench.queue.refill();
    assert_eq!((bench.queue.posted(), bench.queue.counters().doorbells), (63, 2));
}

#[test]
fn a_ring_that_runs_short_is_fed_with_whatever_there_is() {
    let mut bench = Bench::new(64, 8, false);
    let mut out = Vec::new();
    for _ in 0..8 {
        bench.deliver(&[0; 60]);
    }
    bench.queue.receive(8, &mut out);
    assert_eq!(bench.ring.offered(), 0);
    bench.queue.recycle(out.pop().unwrap().frame);
    bench.queue.refill();
    assert_eq!(bench.ring.offered(), 1);
}

#[test]
fn frames_of_another_pool_do_not_enter() {
    let mut bench = Bench::new(16, 16, false);
    let (_, other) = mapper();
    let mut pool = FramePool::new(&other, 1, BUFFER).unwrap();
    bench.queue.recycle(pool.take().unwrap());
    assert_eq!(bench.queue.posted() + bench.queue.spare(), bench.queue.total());
}

#[test]
fn a_dropped_queue_frees_its_memory_when_the_device_confirmed_and_not_before() {
    for confirmed in [true, false] {
        let bench = Bench::new(16, 16, false);
        bench.ring.confirms.store(confirmed, Ordering::Relaxed);
        drop(bench.queue);
        assert_eq!(bench.fake.mapped().len(), if confirmed { 0 } else { 2 });
        bench.life.end(false);
        assert_eq!(bench.fake.mapped().len(), if confirmed { 0 } else { 2 });
    }
}

#[derive(Clone, Debug)]
enum Step {
    Deliver(usize),
    Damaged,
    Receive(usize),
    Recycle(usize),
    Refill,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1usize..1200).prop_map(Step::Deliver),
        1 => Just(Step::Damaged),
        3 => (0usize..6).prop_map(Step::Receive),
        3 => (0usize..12).prop_map(Step::Recycle),
        2 => Just(Step::Refill),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    /// Packets come out in order, whole and unchanged; posted + spare + held is always the pool, whatever
    /// happens; with links between descriptors as without.
    #[test]
    fn frames_are_conserved_and_packets_whole(steps in steps(), links in any::<bool>()) {
        const FRAMES: usize = 24;
        let mut bench = Bench::new(16, FRAMES, links);
        let mut sent: Vec<Vec<u8>> = Vec::new();
        let mut got = Vec::new();
        let mut held: Vec<Received> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Deliver(len) => {
                    let buffers = len.div_ceil(BUFFER);
                    if (bench.ring.offered() as usize) < buffers {
                        continue;
                    }
                    let packet: Vec<u8> = (0..len).map(|index| (index * 7 + number) as u8).collect();
                    for (index, piece) in packet.chunks(BUFFER).enumerate() {
                        let end = index + 1 == buffers;
                        let next = (links && !end && len % 2 == 0).then(|| bench.ring.next_slot(1));
                        bench.ring.deliver(piece, piece.len() as u32, end, false, next);
                    }
                    sent.push(packet);
                }
                Step::Damaged => { bench.ring.deliver(&[], 0, true, true, None); }
                Step::Receive(max) => {
                    let mut out = Vec::new();
                    let count = bench.queue.receive(max, &mut out);
                    prop_assert!(count <= max);
                    let whole = packets(&out);
                    prop_assert_eq!(whole.len(), count);
                    got.extend(whole);
                    held.extend(out);
                }
                Step::Recycle(count) => {
                    for received in held.drain(..count.min(held.len())) {
                        bench.queue.recycle(received.frame);
                    }
                }
                Step::Refill => bench.queue.refill(),
            }
            prop_assert_eq!(bench.queue.posted() + bench.queue.spare() + held.len(), FRAMES);
        }
        let mut out = Vec::new();
        bench.queue.receive(usize::MAX, &mut out);
        got.extend(packets(&out));
        prop_assert_eq!(got, sent);
    }
}
