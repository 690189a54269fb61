//! The transmit ring against a fake device.

mod conservation;

use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_bus::Iova;

use super::Transmitter;
use super::fake::{FakeTx, Fetched, Ring, mapper};
use crate::dma::fake::FakeMapper;
use crate::dma::{Frame, FramePool, GatherSlice, Region, ToDevice};
use crate::life::Life;
use crate::port::{Full, IpVersion, L4, PacketLayout, Received, TxOffload, TxQueue, Verdict};

struct Bench {
    fake: Arc<FakeMapper>,
    ring: Arc<Ring>,
    queue: Transmitter<FakeTx>,
    life: Arc<Life>,
    pool: FramePool,
    file: Arc<Region<ToDevice>>,
}

const FRAMES: usize = 64;

impl Bench {
    fn new(size: u16) -> Self {
        let (fake, mapper) = mapper();
        let life = Arc::new(Life::new());
        let mut ring = None;
        let queue = Transmitter::new(&mapper, size, Arc::clone(&life), |descriptors| {
            FakeTx(Arc::clone(ring.insert(Ring::new(&fake, descriptors))))
        })
        .unwrap();
        let pool = FramePool::new(&mapper, FRAMES, 2048).unwrap();
        let file = Arc::new(Region::<ToDevice>::allocate(&mapper, 1 << 16).unwrap());
        Self {
            fake,
            ring: ring.unwrap(),
            queue,
            life,
            pool,
            file,
        }
    }

    fn frame(&mut self, len: usize) -> Frame {
        let mut frame = self.pool.take().unwrap();
        frame.set_len(len).unwrap();
        frame
    }

    fn slice(&self, offset: usize, len: usize) -> GatherSlice {
        GatherSlice::new(Arc::clone(&self.file), offset, len).unwrap()
    }

    /// All the device fetches now.
    fn drain(&self) -> Vec<Fetched> {
        std::iter::from_fn(|| self.ring.transmit()).collect()
    }

    fn reap(&mut self) -> usize {
        let mut freed = Vec::new();
        let count = self.queue.reap(&mut freed);
        freed.into_iter().for_each(|frame| self.pool.give(frame).unwrap());
        count
    }
}

fn tcp() -> PacketLayout {
    PacketLayout {
        l2_len: 14,
        l3_len: 20,
        l4_len: 20,
        ip: IpVersion::V4,
        l4: L4::Tcp,
    }
}

fn segment(mss: u16) -> TxOffload {
    TxOffload::Segment(tcp(), NonZeroU16::new(mss).unwrap())
}

/// Which bytes a run of data descriptors names, where they adjoin as one range.
fn ranges(fetched: &[Fetched]) -> Vec<(Iova, u32)> {
    let mut all: Vec<(Iova, u32)> = Vec::new();
    for descriptor in fetched {
        let Fetched::Data { start, len, .. } = *descriptor else {
            continue;
        };
        match all.last_mut() {
            Some((before, total)) if before.offset(u64::from(*total)) == start => *total += len,
            _ => all.push((start, len)),
        }
    }
    all
}

#[test]
fn nothing_is_seen_before_the_doorbell_and_one_register_write_publishes_all() {
    let mut bench = Bench::new(16);
    for _ in 0..5 {
        let frame = bench.frame(64);
        bench.queue.post(frame, TxOffload::None).unwrap();
    }
    assert_eq!(bench.drain(), []);
    bench.queue.doorbell();
    bench.queue.doorbell();
    assert_eq!(bench.queue.counters().doorbells, 1);
    assert_eq!(bench.drain().len(), 5);
}

#[test]
fn report_status_is_asked_at_the_doorbell_and_at_each_quarter_ring_only() {
    let mut bench = Bench::new(16);
    for _ in 0..10 {
        let frame = bench.frame(64);
        bench.queue.post(frame, TxOffload::None).unwrap();
    }
    bench.queue.doorbell();
    let reports: Vec<bool> = bench
        .drain()
        .into_iter()
        .map(|fetched| matches!(fetched, Fetched::Data { report: true, .. }))
        .collect();
    let expected: Vec<bool> = (1..=10).map(|number| [4, 8, 10].contains(&number)).collect();
    assert_eq!(reports, expected);
}

#[test]
fn reap_frees_up_to_the_last_report_and_nothing_beyond() {
    let mut bench = Bench::new(16);
    for _ in 0..10 {
        let frame = bench.frame(64);
        bench.queue.post(frame, TxOffload::None).unwrap();
    }
    bench.queue.doorbell();
    for _ in 0..7 {
        bench.ring.transmit();
    }
    assert_eq!(bench.reap(), 4);
    bench.ring.transmit();
    assert_eq!(bench.reap(), 4);
    assert_eq!(bench.reap(), 0);
    bench.drain();
    assert_eq!(bench.reap(), 2);
    assert_eq!(bench.pool.available(), FRAMES);
}

#[test]
fn a_full_ring_returns_the_frame_and_leaves_the_payload() {
    let mut bench = Bench::new(8);
    for _ in 0..6 {
        let frame = bench.frame(64);
        bench.queue.post(frame, TxOffload::None).unwrap();
    }
    let mut payload = vec![bench.slice(0, 500)];
    let frame = bench.frame(54);
    let Full(frame) = bench
        .queue
        .post_gather(frame, &mut payload, TxOffload::None)
        .unwrap_err();
    assert_eq!((frame.len(), payload.len()), (54, 1));
    bench.queue.post(frame, TxOffload::None).unwrap();
    assert_eq!(bench.queue.room(), 0);
    let frame = bench.frame(64);
    assert!(bench.queue.post(frame, TxOffload::None).is_err());
    assert_eq!(bench.queue.counters().refused, 0);
}

#[test]
fn headers_of_a_packet_that_found_no_room_are_untouched() {
    let mut bench = Bench::new(8);
    for _ in 0..6 {
        let frame = bench.frame(64);
        bench.queue.post(frame, TxOffload::None).unwrap();
    }
    let mut frame = bench.frame(54);
    frame.bytes_mut().fill(0xaa);
    let Full(frame) = bench.queue.post(frame, TxOffload::Checksum(tcp())).unwrap_err();
    assert!(frame.bytes().iter().all(|byte| *byte == 0xaa));
}

#[test]
fn a_context_is_posted_only_when_it_differs_from_the_last() {
    let mut bench = Bench::new(64);
    for mss in [1460, 1460, 536, 536, 1460] {
        let frame = bench.frame(54);
        let mut payload = vec![bench.slice(0, 600)];
        bench
            .queue
            .post_gather(frame, &mut payload, segment(mss))
            .unwrap();
        let plain = bench.frame(64);
        bench.queue.post(plain, TxOffload::None).unwrap();
    }
    assert_eq!(bench.queue.counters().contexts, 3);
    assert_eq!(bench.queue.counters().segments, 5);
    bench.queue.doorbell();
    let contexts = bench
        .drain()
        .iter()
        .filter(|f| matches!(f, Fetched::Context(_)))
        .count();
    assert_eq!(contexts, 3);
}

#[test]
fn the_last_bytes_of_a_request_and_of_the_packet_after_it_stand_alone() {
    let mut bench = Bench::new(64);
    let frame = bench.frame(54);
    let mut payload = vec![bench.slice(0, 1500), bench.slice(5000, 700)];
    bench
        .queue
        .post_gather(frame, &mut payload, segment(1000))
        .unwrap();
    for _ in 0..2 {
        let frame = bench.frame(64);
        bench.queue.post(frame, TxOffload::None).unwrap();
    }
    bench.queue.doorbell();
    let lens: Vec<(u32, bool)> = bench
        .drain()
        .iter()
        .filter_map(|fetched| match fetched {
            Fetched::Data { len, end, .. } => Some((*len, *end)),
            Fetched::Context(_) => None,
        })
        .collect();
    let expected = [
        (54, false),
        (1000, false),
        (500, false),
        (696, false),
        (4, true), // the request
        (60, false),
        (4, true),  // the packet after it
        (64, true), // and one that is far enough away
    ];
    assert_eq!(lens, expected);
}

#[test]
fn what_the_device_can_never_take_is_refused_and_counted() {
    let mut bench = Bench::new(64);
    let offloads = [
        TxOffload::None, // 9,001 bytes
        TxOffload::Segment(PacketLayout { l4: L4::Udp, ..tcp() }, NonZeroU16::MIN),
        TxOffload::Checksum(PacketLayout { l2_len: 18, ..tcp() }),
        TxOffload::Checksum(PacketLayout {
            l3_len: 2000,
            ..tcp()
        }),
        segment(8990), // with headers more than the wire takes
    ];
    for (number, offload) in (1..).zip(offloads) {
        let frame = bench.frame(54);
        let mut payload = vec![bench.slice(0, 8947)];
        let Full(frame) = bench.queue.post_gather(frame, &mut payload, offload).unwrap_err();
        assert_eq!(
            (bench.queue.counters().refused, payload.len()),
            (number, 1),
            "{offload:?}"
        );
        bench.pool.give(frame).unwrap();
    }
    let frame = bench.frame(54);
    let mut payload: Vec<_> = (0..20).map(|index| bench.slice(index * 100, 10)).collect();
    assert!(
        bench
            .queue
            .post_gather(frame, &mut payload, segment(1000))
            .is_err()
    );
    let empty = bench.frame(0);
    assert!(bench.queue.post(empty, TxOffload::None).is_err());
    assert_eq!(bench.queue.counters().refused, 7);
    assert_eq!(bench.queue.posted(), 0);
}

#[test]
fn a_segmentation_request_without_payload_becomes_one_packet() {
    let mut bench = Bench::new(16);
    let frame = bench.frame(54);
    bench.queue.post(frame, segment(1000)).unwrap();
    assert_eq!(
        (bench.queue.counters().segments, bench.queue.counters().packets),
        (0, 1)
    );
}

#[test]
fn a_dropped_queue_frees_its_memory_when_the_device_confirmed_and_not_before() {
    for confirmed in [true, false] {
        let mut bench = Bench::new(16);
        bench.ring.confirms.store(confirmed, Ordering::Relaxed);
        let mut payload = vec![bench.slice(0, 500)];
        let frame = bench.frame(54);
        bench
            .queue
            .post_gather(frame, &mut payload, TxOffload::None)
            .unwrap();
        bench.queue.doorbell();
        let before = bench.fake.mapped().len();
        drop(bench.queue);
        assert!(bench.ring.disabled.load(Ordering::Relaxed));
        let held = if confirmed { 1 } else { 2 };
        assert_eq!(Arc::strong_count(&bench.file), held);
        assert_eq!(bench.fake.mapped().len(), before - usize::from(confirmed));
        bench.life.end(true);
        assert_eq!(Arc::strong_count(&bench.file), 1);
        assert_eq!(bench.fake.mapped().len(), before - 1);
    }
}

#[test]
fn a_queue_of_a_stopped_device_leaves_its_registers_alone() {
    let mut bench = Bench::new(16);
    let frame = bench.frame(64);
    bench.life.end(true);
    bench.queue.post(frame, TxOffload::None).unwrap();
    bench.queue.doorbell();
    assert_eq!(bench.ring.tail.load(Ordering::Relaxed), 0);
    let ring = Arc::clone(&bench.ring);
    drop(bench);
    assert!(!ring.disabled.load(Ordering::Relaxed));
}

/// A packet as it was received, over buffers of these lengths.
fn received(bench: &mut Bench, lens: &[usize]) -> Vec<Received> {
    let buffers: Vec<_> = lens.iter().map(|len| bench.frame(*len)).collect();
    let last = buffers.len() - 1;
    let packet = |(index, frame)| Received {
        frame,
        rss_hash: 0,
        end: index == last,
        verdict: Verdict::Good,
    };
    buffers.into_iter().enumerate().map(packet).collect()
}

#[test]
fn received_packets_go_on_as_they_are_buffer_by_buffer() {
    let mut bench = Bench::new(16);
    let mut packets = Vec::new();
    for lens in [&[60][..], &[1500, 20], &[64], &[1000, 1000, 1]] {
        packets.extend(received(&mut bench, lens));
    }
    assert_eq!(bench.queue.post_received(&mut packets), 4);
    assert!(packets.is_empty());
    bench.queue.doorbell();
    let lens: Vec<(u32, bool)> = bench
        .drain()
        .iter()
        .filter_map(|fetched| match fetched {
            Fetched::Data { len, end, .. } => Some((*len, *end)),
            Fetched::Context(_) => None,
        })
        .collect();
    let expected = [
        (60, true),
        (1000, false),
        (500, false),
        (20, true),
        (64, true),
        (1000, false),
        (1000, false),
        (1, true),
    ];
    assert_eq!(lens, expected);
    let counters = bench.queue.counters();
    assert_eq!(
        (counters.packets, counters.bytes, counters.descriptors),
        (4, 60 + 1520 + 64 + 2001, 8)
    );
    bench.reap();
    assert_eq!(bench.pool.available(), FRAMES);
}

#[test]
fn what_finds_no_room_stays_whole_and_in_front() {
    let mut bench = Bench::new(8);
    let mut packets = Vec::new();
    for lens in [&[60][..], &[61], &[900, 900, 900], &[500, 500, 500]] {
        packets.extend(received(&mut bench, lens));
    }
    assert_eq!(bench.queue.post_received(&mut packets), 3);
    assert!(
        packets
            .iter()
            .map(|packet| packet.frame.len())
            .eq([500, 500, 500])
    );
    bench.queue.doorbell();
    bench.drain();
    bench.reap();
    assert_eq!(bench.queue.post_received(&mut packets), 1);

    // Frames alone, likewise.
    let mut frames: Vec<_> = [100, 1500, 101, 102, 103]
        .into_iter()
        .map(|len| bench.frame(len))
        .collect();
    assert_eq!(bench.queue.post_all(&mut frames), 3);
    assert!(frames.iter().map(Frame::len).eq([102, 103]));
    assert_eq!(bench.queue.counters().refused, 0);
}

#[test]
fn a_packet_that_the_device_never_takes_or_that_has_no_end_stays() {
    let mut bench = Bench::new(64);
    let mut long = received(&mut bench, &[2000; 5]);
    assert_eq!(bench.queue.post_received(&mut long), 0);
    assert_eq!((long.len(), bench.queue.counters().refused), (5, 1));
    let mut open = received(&mut bench, &[60, 60]);
    open.pop();
    assert_eq!(bench.queue.post_received(&mut open), 0);
    assert_eq!((open.len(), bench.queue.counters().refused), (1, 1));
}
