//! What a packet costs a stack that has 1, 1,000 or 10,000 connections: an application writes 1,000 bytes
//! on one of them, they are acknowledged, and the next connection's turn comes. And what it costs where 100 of
//! 100, or of 10,000, have turns, and the others are at rest.
//!
//! Only the time inside the sending stack is counted: the devices, the far stack and the set-up are not.

use std::sync::Arc;
use std::time::{Duration as WallDuration, Instant as WallInstant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pagewire_emu::sanitizer::Level;
use pagewire_nic::dma::{GatherSlice, Region, ToDevice};
use pagewire_stack::source::{Source, SourceError};
use pagewire_stack::{ConnectionId, Duration, SocketSizes};
use pagewire_tests::{Pair, Setup, address_v4};

const LENGTH: usize = 1_000;

/// The same bytes for every write: no memory is mapped or unmapped in the part that is measured.
struct Shared(Arc<Region<ToDevice>>);

impl Source for Shared {
    fn len(&self) -> u64 {
        LENGTH as u64
    }

    fn gather(&mut self, offset: u64, len: usize, out: &mut Vec<GatherSlice>) -> Result<(), SourceError> {
        out.push(GatherSlice::new(Arc::clone(&self.0), offset as usize, len)?);
        Ok(())
    }

    fn release(&mut self, _offset: u64) {}

    fn verify(&mut self) -> Result<(), SourceError> {
        Ok(())
    }
}

struct Population {
    pair: Pair,
    payload: Arc<Region<ToDevice>>,
    /// Those that have turns; the others are open.
    ends: Vec<(ConnectionId, ConnectionId)>,
    next: usize,
}

impl Population {
    /// `count` connections, of which `active` have turns: they lie far apart.
    fn new(count: usize, active: usize) -> Self {
        let setup = Setup {
            level: Level::On,
            configure: |config| {
                config.sockets = SocketSizes {
                    receive: 4 << 10,
                    transmit: 4 << 10,
                }
            },
            ..Setup::default()
        };
        let mut pair = Pair::new(&setup);
        let ends: Vec<_> = (0..count).map(|_| pair.connect(address_v4(2))).collect();
        let payload =
            Region::<ToDevice>::allocate(pair.near.stack.mapper(), LENGTH).expect("there is memory");
        Self {
            pair,
            payload: Arc::new(payload),
            ends: ends.into_iter().step_by(count / active).collect(),
            next: 0,
        }
    }

    /// One write on the next connection, until it is acknowledged; the time spent in the sending stack.
    fn write(&mut self) -> WallDuration {
        // A stride that visits all, far from the last one: no neighbour in any cache.
        self.next = (self.next + 7_919) % self.ends.len();
        let (near, far) = self.ends[self.next];
        let pair = &mut self.pair;
        let source = Box::new(Shared(Arc::clone(&self.payload)));
        let mut spent = WallDuration::ZERO;
        let begin = WallInstant::now();
        pair.near.stack.send(near, source);
        spent += begin.elapsed();
        for _ in 0..3 {
            let begin = WallInstant::now();
            pair.near.stack.poll(pair.now);
            spent += begin.elapsed();
            let wall = WallDuration::from_micros(pair.now.total_micros() as u64);
            pair.near.device.step(wall);
            pair.far.stack.poll(pair.now);
            pair.far.stack.receive(far, <[u8]>::len);
            pair.far.stack.poll(pair.now);
            pair.far.device.step(wall);
            pair.now += Duration::from_micros(1);
        }
        let status = pair.near.stack.status(near).expect("it is open");
        assert_eq!(
            status.acknowledged, status.promised,
            "the write was not acknowledged"
        );
        spent
    }
}

fn packets(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("packet_and_its_ack");
    group.throughput(Throughput::Elements(1));
    for count in [1, 1_000, 10_000] {
        let mut population = Population::new(count, count);
        for _ in 0..2 * count {
            population.write();
        }
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| population.write()).sum());
        });
    }
    group.finish();
}

fn hundred_active(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("packet_of_100_active");
    group.throughput(Throughput::Elements(1));
    for count in [100, 10_000] {
        let mut population = Population::new(count, 100);
        for _ in 0..1_000 {
            population.write();
        }
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| population.write()).sum());
        });
    }
    group.finish();
}

criterion_group!(benches, packets, hundred_active);
criterion_main!(benches);
