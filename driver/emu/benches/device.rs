//! What the device itself costs: a batch of small frames, and one large segment, from doorbell to done.
//!
//! The driver is a raw one; what it does (writing descriptors) is not measured. `step` is the device's work,
//! `doorbells` what a driver's thread spends in the device.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

#[path = "../tests/raw/mod.rs"]
mod raw;

use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pagewire_bus::{Bar, Direction};
use pagewire_emu::Model;
use pagewire_emu::sanitizer::Level;
use raw::{MAC_A, MAC_B, Memory, Offload, Raw, Setup, frame, headers, pair_of};

const BATCH: u32 = 32;
const SEGMENT: usize = 61_440;

fn pair(model: Model, buffer_len: usize) -> (Raw, Raw) {
    let mut setups = [Setup::new(model, MAC_A), Setup::new(model, MAC_B)];
    for setup in &mut setups {
        setup.options.sanitizer = Level::On;
        setup.buffer_len = buffer_len;
        setup.coalesce = true;
    }
    pair_of(&setups[0], &setups[1])
}

/// Time in doorbells and in the step of one batch of small frames.
fn small_frames(a: &mut Raw, b: &mut Raw) -> (Duration, Duration) {
    for index in 0..BATCH {
        let words = a.data(a.out.iova + u64::from(index) * 2048, 60, true, None, 60);
        let quiet = words[1] & !(1 << 27);
        a.put([words[0], if index + 1 == BATCH { words[1] } else { quiet }]);
        let address = b.inn.iova + u64::from(b.rx.next) * b.buffer_len as u64;
        b.rx.memory.set_words(b.rx.next, [address, 0]);
        b.rx.next = (b.rx.next + 1) % raw::SLOTS;
    }
    let start = Instant::now();
    b.bar.write32(b.rx.tail, b.rx.next);
    a.bar.write32(a.tx.tail, a.tx.next);
    let rung = Instant::now();
    assert_eq!(a.step(), BATCH as usize);
    (rung - start, rung.elapsed())
}

fn bench(criterion: &mut Criterion) {
    for model in [Model::Ixgbe, Model::E1000] {
        let mut group = criterion.benchmark_group(format!("{model:?}, {BATCH} frames of 64 bytes"));
        group.throughput(Throughput::Elements(BATCH.into()));
        let (mut a, mut b) = pair(model, 2048);
        for index in 0..BATCH as usize {
            a.out.write(index * 2048, &frame(MAC_B, 60));
        }
        group.bench_function("step", |bencher| {
            bencher.iter_custom(|rounds| (0..rounds).map(|_| small_frames(&mut a, &mut b).1).sum());
        });
        group.bench_function("doorbells", |bencher| {
            bencher.iter_custom(|rounds| (0..rounds).map(|_| small_frames(&mut a, &mut b).0).sum());
        });
        group.finish();
        a.assert_clean();
        b.assert_clean();

        let mut group = criterion.benchmark_group(format!("{model:?}, a segment of {SEGMENT} bytes"));
        group.throughput(Throughput::Bytes(SEGMENT as u64));
        let (mut a, mut b) = pair(model, 16_384);
        let pages = Memory::new(&a.nic, 64 << 20, Direction::ToDevice);
        for at in (0..pages.len).step_by(4096) {
            pages.write(at, &[1]);
        }
        a.out.write(0, &headers(MAC_B, true, None, 1));
        let offload = Offload { v4: true, mss: 1460 };
        let mut at = 0;
        group.bench_function("step, payload out of memory", |bencher| {
            bencher.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                for _ in 0..rounds {
                    let context = a.context(offload, SEGMENT);
                    a.put(context);
                    let words = a.data(a.out.iova, 54, false, Some(offload), SEGMENT);
                    a.put(words);
                    for part in 0..4 {
                        let from = pages.iova + (at + part * SEGMENT / 4) as u64;
                        let words = a.data(from, SEGMENT / 4, part == 3, Some(offload), SEGMENT);
                        a.put(words);
                    }
                    at = (at + SEGMENT) % (pages.len - 2 * SEGMENT);
                    b.post(4);
                    a.ring();
                    let start = Instant::now();
                    assert_eq!(a.step(), 1);
                    spent += start.elapsed();
                }
                spent
            });
        });
        group.bench_function("memcpy of as much", |bencher| {
            let (from, mut to) = (vec![1_u8; 64 << 20], vec![0_u8; 16 * SEGMENT]);
            let (mut at, mut lands) = (0, 0);
            bencher.iter_batched(
                || (),
                |()| {
                    to[lands..lands + SEGMENT].copy_from_slice(&from[at..at + SEGMENT]);
                    at = (at + SEGMENT) % (from.len() - 2 * SEGMENT);
                    lands = (lands + SEGMENT) % (15 * SEGMENT);
                },
                BatchSize::NumIterations(64),
            );
        });
        group.finish();
        a.assert_clean();
        b.assert_clean();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
