//! Files that are large: beyond 2^32 bytes in one connection, and beyond what memory should hold.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pagewire::transfer::{self, Impairments, Mode, NicModel, Outcome, Plan, SanitizerLevel, Sink};
use pagewire_cost::private_memory;
use twox_hash::XxHash3_128;

struct Hash(XxHash3_128);

impl Sink for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write(bytes);
        Ok(())
    }
}

/// A file of `len` bytes that is mostly holes, with its own offset written every `stride` bytes.
fn sparse(len: u64, stride: u64) -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(len).unwrap();
    for offset in (0..len - stride).step_by(stride as usize) {
        file.write_all_at(&(!offset).to_le_bytes(), offset + offset / stride % (stride - 8))
            .unwrap();
    }
    file
}

fn content(file: &File, len: u64) -> u128 {
    let mut hash = XxHash3_128::new();
    let mut block = vec![0; 1 << 20];
    let mut at = 0;
    while at < len {
        let read = file.read_at(&mut block, at).unwrap();
        hash.write(&block[..read]);
        at += read as u64;
    }
    hash.finish_128()
}

fn send(file: &File, len: u64, impairments: Impairments, virtual_time: bool) -> (Outcome, u128) {
    let plan = Plan {
        file: file.try_clone().unwrap(),
        declared_len: len,
        nic: NicModel::Ixgbe,
        mode: Mode::ZeroCopy,
        mtu: 1500,
        tso: true,
        impairments,
        virtual_time,
        sanitizer: SanitizerLevel::On,
        spinning_receiver: false,
        pcap: None,
    };
    let mut sink = Hash(XxHash3_128::new());
    let outcome = transfer::run(plan, &mut sink, &AtomicU64::new(0), &AtomicBool::new(false)).unwrap();
    (outcome, sink.0.finish_128())
}

#[test]
fn more_than_four_gigabytes_survive_loss_duplication_and_reordering() {
    // Over 2^32, and no multiple of anything: an error of 2^32 in a sequence number would show.
    let len = (1 << 32) + 123_456_789;
    let file = sparse(len, 16 << 10);
    let impairments = Impairments {
        loss: 0.01,
        duplicate: 0.01,
        reorder: 0.01,
        corrupt: 0.0,
        seed: 11,
    };
    let (outcome, received) = send(&file, len, impairments, true);
    assert_eq!(outcome.bytes_received, len);
    assert_eq!(
        received,
        content(&file, len),
        "the bytes that arrived are not the file's"
    );
    assert_eq!(outcome.payload_bytes_copied, 0);
    assert!(outcome.retransmitted_bytes > 0 && outcome.frames_lost_on_wire > 10_000);
    assert_eq!(outcome.violations, Vec::<String>::new());
}

#[test]
fn ten_gibibytes_are_sent_with_under_256_mebibytes_of_private_memory() {
    let len = 10 << 30;
    let file = sparse(len, 1 << 20);
    let done = AtomicBool::new(false);
    let peak = AtomicU64::new(0);
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // Clean pages of mapped files included.
                let private = private_memory(std::process::id()).unwrap().all;
                peak.fetch_max(private, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let none = Impairments {
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            corrupt: 0.0,
            seed: 0,
        };
        let (outcome, _) = send(&file, len, none, false);
        done.store(true, Ordering::Relaxed);
        outcome
    });
    assert_eq!(outcome.bytes_received, len);
    let peak = peak.into_inner() >> 20;
    assert!(peak < 256, "{peak} MiB of private memory at the most");
}
