//! Our own stack over two emulated NICs on a cable: both ends are ours.

use std::io;
use std::sync::atomic::AtomicU64;

use pagewire_kernel_methods::Receiver;

use super::case::Case;
use super::course::Missed;
use super::paths::MTU;
use super::sample::Sample;
use super::subject::Subject;
use crate::hash::Xxh3;
use crate::interrupt::Interrupt;
use crate::transfer::{self, Impairments, Mode, NicModel, Plan, SanitizerLevel, Sink};

/// Sends the file once. A receiver that blocks is one whose thread rests when nothing comes; one that spins never does.
pub(super) fn run(
    case: Case,
    mode: Mode,
    subject: &Subject,
    resident: f64,
    hash: Option<&mut Xxh3>,
    interrupt: &Interrupt,
) -> Result<Sample, Missed> {
    let plan = Plan {
        file: subject.reopened().map_err(Missed::NotAvailable)?,
        declared_len: subject.bytes,
        nic: NicModel::Ixgbe,
        mode,
        mtu: MTU,
        tso: true,
        impairments: Impairments {
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            corrupt: 0.0,
            seed: 1,
        },
        virtual_time: false,
        sanitizer: SanitizerLevel::On,
        spinning_receiver: case.receiver == Receiver::Spinning,
        pcap: None,
    };
    let mut sink = Arriving {
        room: vec![0; ROOM],
        copied: 0,
        hash,
    };
    let outcome = transfer::run(plan, &mut sink, &AtomicU64::new(0), interrupt.flag())?;
    if let Some(first) = outcome.violations.first() {
        return Err(Missed::NotAvailable(format!(
            "the driver broke a rule of the device ({first}); this is a fault of pagewire: please report it"
        )));
    }
    Ok(Sample::of_pair(&outcome, sink.copied, mode, case.cache, resident))
}

/// What a receiver of the kernel's takes at a time.
const ROOM: usize = 256 << 10;

/// A receiver that copies what arrives, as one of the kernel's does; for the proof it looks at it as well.
struct Arriving<'a> {
    room: Vec<u8>,
    copied: u64,
    hash: Option<&'a mut Xxh3>,
}

impl Sink for Arriving<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut at = (self.copied % ROOM as u64) as usize;
        let mut left = bytes;
        while !left.is_empty() {
            let (now, later) = left.split_at(left.len().min(ROOM - at));
            self.room[at..at + now.len()].copy_from_slice(now);
            std::hint::black_box(&self.room);
            (at, left) = (0, later);
        }
        self.copied += bytes.len() as u64;
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        Ok(())
    }
}
