//! What the transmit side costs: post, doorbell and reap. The device works between the two, untimed.

use std::hint::black_box;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use pagewire_bus::Function;
use pagewire_emu::{EmulatedNic, Model, Options};
use pagewire_nic::dma::{Frame, FramePool, GatherSlice, Region, ToDevice};
use pagewire_nic::port::{
    IpVersion, L4, Nic, NicConfig, Opened, PacketLayout, SleepDelay, TxOffload, TxQueue,
};
use pagewire_nic::{e1000, ixgbe};

/// Packets a doorbell.
const BURST: usize = 32;
/// Bytes of headers and payload of a large segment.
const HEADER: usize = 54;
const SEGMENT: usize = 64 << 10;

type Group<'a> = BenchmarkGroup<'a, criterion::measurement::WallTime>;

/// A NIC that nothing is plugged into: what it sends is gone.
struct Bench<T> {
    device: EmulatedNic,
    queue: T,
    pool: FramePool,
    freed: Vec<Frame>,
}

impl<T: TxQueue> Bench<T> {
    fn new<N: Nic, R>(device: EmulatedNic, opened: Opened<N, T, R>) -> (N, Self) {
        let pool = FramePool::new(&device.mapper(), 2 * BURST, 2048).expect("frames");
        let queue = opened.queues.into_iter().next().expect("a queue pair").0;
        (
            opened.nic,
            Self {
                device,
                queue,
                pool,
                freed: Vec::with_capacity(4096),
            },
        )
    }

    fn frames(&mut self, len: usize) -> Vec<Frame> {
        let mut frames: Vec<Frame> = std::iter::from_fn(|| self.pool.take()).take(BURST).collect();
        for frame in &mut frames {
            frame.set_len(len).expect("a short frame");
        }
        frames
    }

    /// The device sends what was posted; returns how long the driver took to get it back.
    fn complete(&mut self) -> Duration {
        self.device.step(Duration::ZERO);
        let start = Instant::now();
        let count = self.queue.reap(&mut self.freed);
        let took = start.elapsed();
        black_box(count);
        for frame in self.freed.drain(..) {
            self.pool.give(frame).expect("a frame of the pool");
        }
        assert_eq!(self.queue.posted(), 0);
        took
    }

    /// Bursts of frames of 64 bytes on the wire, posted one by one or all at once.
    fn frames_of_64_bytes(&mut self, group: &mut Group<'_>, family: &str) {
        group.throughput(Throughput::Elements(BURST as u64));
        group.bench_function(format!("{family}/post+reap 64-byte frames"), |bencher| {
            bencher.iter_custom(|rounds| {
                let mut took = Duration::ZERO;
                for _ in 0..rounds {
                    let frames = self.frames(60);
                    let start = Instant::now();
                    for frame in frames {
                        assert!(self.queue.post(frame, TxOffload::None).is_ok());
                    }
                    self.queue.doorbell();
                    took += start.elapsed() + self.complete();
                }
                took
            });
        });
        group.bench_function(format!("{family}/post_all+reap 64-byte frames"), |bencher| {
            bencher.iter_custom(|rounds| {
                let mut took = Duration::ZERO;
                for _ in 0..rounds {
                    let mut frames = self.frames(60);
                    let start = Instant::now();
                    assert_eq!(self.queue.post_all(&mut frames), BURST);
                    self.queue.doorbell();
                    took += start.elapsed() + self.complete();
                }
                took
            });
        });
    }

    /// A segmentation request of 64 KiB whose payload is file pages, named in `pieces` slices.
    fn segments(&mut self, group: &mut Group<'_>, family: &str, pieces: usize) {
        let layout = PacketLayout {
            l2_len: 14,
            l3_len: 20,
            l4_len: 20,
            ip: IpVersion::V4,
            l4: L4::Tcp,
        };
        let offload = TxOffload::Segment(layout, NonZeroU16::new(1460).expect("not 0"));
        let region = Region::<ToDevice>::allocate(&self.device.mapper(), SEGMENT).expect("memory");
        let region = Arc::new(region);
        let payload_len = SEGMENT - 128;
        let piece = payload_len.div_ceil(pieces);
        let slices: Vec<GatherSlice> = (0..pieces)
            .map(|index| {
                let (offset, len) = (index * piece, piece.min(payload_len - index * piece));
                GatherSlice::new(Arc::clone(&region), offset, len).expect("within the region")
            })
            .collect();
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("{family}/gather 64 KiB in {pieces} slices"), |bencher| {
            bencher.iter_custom(|rounds| {
                let mut took = Duration::ZERO;
                for _ in 0..rounds {
                    let mut payload = slices.clone();
                    let mut header = self.pool.take().expect("a frame");
                    header.set_len(HEADER).expect("a short frame");
                    header.bytes_mut()[14] = 0x45;
                    let start = Instant::now();
                    assert!(self.queue.post_gather(header, &mut payload, offload).is_ok());
                    self.queue.doorbell();
                    took += start.elapsed() + self.complete();
                }
                took
            });
        });
    }
}

fn device(model: Model) -> EmulatedNic {
    EmulatedNic::new(&Options::new(model, [2, 0, 0, 0, 0, 1]))
}

fn all<N: Nic, T: TxQueue>(criterion: &mut Criterion, family: &str, (nic, mut bench): (N, Bench<T>)) {
    let mut group = criterion.benchmark_group("transmit");
    bench.frames_of_64_bytes(&mut group, family);
    for pieces in [1, 16] {
        bench.segments(&mut group, family, pieces);
    }
    group.finish();
    nic.stop(&mut SleepDelay).expect("the device stops");
}

fn transmit(criterion: &mut Criterion) {
    let config = NicConfig::default();
    let nic = device(Model::E1000);
    let opened = e1000::open(Arc::new(nic.clone()), &config, &mut SleepDelay).expect("an open NIC");
    all(criterion, "e1000", Bench::new(nic, opened));
    let nic = device(Model::Ixgbe);
    let opened = ixgbe::open(Arc::new(nic.clone()), &config, &mut SleepDelay).expect("an open NIC");
    all(criterion, "ixgbe", Bench::new(nic, opened));
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = transmit
}
criterion_main!(benches);
