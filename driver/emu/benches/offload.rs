//! What the emulated card itself costs a byte: the internet checksum, and cutting a 64 KiB segment into frames.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pagewire_emu::offload::checksum::Sum;
use pagewire_emu::offload::segment;
use pagewire_emu::wire::{IpVersion, Piece, Segmentation};

fn checksum(c: &mut Criterion) {
    let mut group = c.benchmark_group("checksum");
    for len in [64, 1_460, 65_536] {
        let bytes = vec![0x5a; len];
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_with_input(BenchmarkId::from_parameter(len), &bytes, |b, bytes| {
            b.iter(|| {
                let mut sum = Sum::default();
                sum.add(black_box(bytes));
                sum.checksum()
            });
        });
    }
    group.finish();
}

fn cut(c: &mut Criterion) {
    let mut header = [0; 54];
    header[14] = 0x45;
    header[23] = 6;
    header[46] = 0x50;
    let payload = vec![0x5a; 65_000];
    let pieces = [
        Piece::from_bytes(&payload[..4_000]),
        Piece::from_bytes(&payload[4_000..]),
    ];
    let mut buffer = Vec::new();
    let mut group = c.benchmark_group("segment");
    group.throughput(Throughput::Bytes(payload.len() as u64));
    for mss in [1_460, 8_960] {
        let plan = Segmentation {
            mss,
            l2_len: 14,
            l3_len: 20,
            l4_len: 20,
            ip: IpVersion::V4,
        };
        group.bench_function(BenchmarkId::from_parameter(mss), |b| {
            b.iter(|| {
                segment::cut(&header, &pieces, &plan, &mut buffer, |frame| {
                    black_box(frame);
                    true
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, checksum, cut);
criterion_main!(benches);
