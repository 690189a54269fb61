//! A device for tests of the ring engine: it works through descriptors when it is told to, by the address it
//! was given, as a real one does. Its formats are as plain as they can be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use pagewire_bus::{DmaMapper, Iova};

use super::descriptors::Descriptors;
use super::split::SplitRule;
use super::{Completion, RxDevice, TxDevice};
use crate::dma::fake::FakeMapper;
use crate::port::{PacketLayout, TxLimits, TxOffload, Verdict};

const DONE: u64 = 1 << 32;
const END: u64 = 1 << 33;
const REPORT: u64 = 1 << 34;
const CONTEXT: u64 = 1 << 35;
const DAMAGED: u64 = 1 << 36;
const LINKED: u64 = 1 << 37;

/// What driver and test share of one ring.
#[derive(Debug)]
pub(crate) struct Ring {
    mapper: Arc<FakeMapper>,
    base: Iova,
    size: u32,
    head: AtomicU32,
    pub(crate) tail: AtomicU32,
    /// Whether turning the queue off is confirmed.
    pub(crate) confirms: AtomicBool,
    pub(crate) disabled: AtomicBool,
}

impl Ring {
    pub(crate) fn new(mapper: &Arc<FakeMapper>, descriptors: &Descriptors) -> Arc<Self> {
        Arc::new(Self {
            mapper: Arc::clone(mapper),
            base: descriptors.iova(),
            size: descriptors.bytes() / 16,
            head: AtomicU32::new(0),
            tail: AtomicU32::new(0),
            confirms: AtomicBool::new(true),
            disabled: AtomicBool::new(false),
        })
    }

    fn words(&self, slot: u32) -> [u64; 2] {
        let bytes = self.mapper.read(self.base.offset(u64::from(slot) * 16), 16);
        let word = |range: std::ops::Range<usize>| u64::from_le_bytes(bytes[range].try_into().unwrap());
        [word(0..8), word(8..16)]
    }

    fn set_second(&self, slot: u32, word: u64) {
        self.mapper
            .write(self.base.offset(u64::from(slot) * 16 + 8), &word.to_le_bytes());
    }

    /// The next descriptor that the driver published.
    fn fetch(&self) -> Option<(u32, [u64; 2])> {
        let head = self.head.load(Ordering::Relaxed);
        if head == self.tail.load(Ordering::Relaxed) {
            return None;
        }
        self.head.store((head + 1) % self.size, Ordering::Relaxed);
        Some((head, self.words(head)))
    }

    fn disable(&self) -> bool {
        self.disabled.store(true, Ordering::Relaxed);
        self.confirms.load(Ordering::Relaxed)
    }
}

/// A descriptor as the fake device read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fetched {
    Context([u64; 2]),
    Data {
        start: Iova,
        len: u32,
        end: bool,
        report: bool,
    },
}

impl Ring {
    /// Works through one transmit descriptor.
    pub(crate) fn transmit(&self) -> Option<Fetched> {
        let (slot, [first, second]) = self.fetch()?;
        assert_eq!(
            second & DONE,
            0,
            "a descriptor is published before the device is done with it"
        );
        if second & REPORT != 0 {
            self.set_second(slot, second | DONE);
        }
        if second & CONTEXT != 0 {
            return Some(Fetched::Context([first, second]));
        }
        let len = second as u32;
        Some(Fetched::Data {
            start: Iova(first),
            len,
            end: second & END != 0,
            report: second & REPORT != 0,
        })
    }

    /// Fills one receive buffer and reports it. `next`: the slot where the packet goes on. Returns the slot,
    /// or `None` where the driver offers nothing.
    pub(crate) fn deliver(
        &self,
        bytes: &[u8],
        claimed: u32,
        end: bool,
        damaged: bool,
        next: Option<u32>,
    ) -> Option<u32> {
        let (slot, [first, second]) = self.fetch()?;
        assert_eq!(second, 0, "a buffer is offered with a clean second word");
        self.mapper.write(Iova(first), bytes);
        let mut word = DONE | u64::from(claimed);
        word |= if end { END } else { 0 } | if damaged { DAMAGED } else { 0 };
        if let Some(next) = next {
            word |= LINKED | u64::from(next) << 40;
        }
        self.set_second(slot, word);
        Some(slot)
    }

    /// Slots that the driver offers and the device has not used.
    pub(crate) fn offered(&self) -> u32 {
        let (head, tail) = (
            self.head.load(Ordering::Relaxed),
            self.tail.load(Ordering::Relaxed),
        );
        (tail + self.size - head) % self.size
    }

    /// The slot that is used next.
    pub(crate) fn next_slot(&self, ahead: u32) -> u32 {
        (self.head.load(Ordering::Relaxed) + ahead) % self.size
    }
}

/// The transmit side.
#[derive(Debug)]
pub(crate) struct FakeTx(pub(crate) Arc<Ring>);

impl TxDevice for FakeTx {
    const LIMITS: TxLimits = TxLimits {
        max_frame: 9000,
        max_tso: 60_000,
        max_tso_header: 200,
        max_descriptors: 20,
        max_descriptor_bytes: 1000,
    };
    const SPLIT: SplitRule = SplitRule {
        max_bytes: 1000,
        boundary: 0,
        sentinel: 4,
    };
    const DONE: u64 = DONE;
    const REPORT: u64 = REPORT;
    const END: u64 = END;

    fn accepts(layout: &PacketLayout) -> bool {
        layout.l2_len == 14
    }

    fn context(offload: &TxOffload, _len: u32) -> Option<[u64; 2]> {
        let mss = match offload {
            TxOffload::Segment(_, mss) => mss.get(),
            _ => 0,
        };
        offload
            .layout()
            .map(|layout| [u64::from(mss), CONTEXT | u64::from(layout.l3_len)])
    }

    fn data(_: &TxOffload, _: u32) -> u64 {
        0
    }

    fn write_tail(&self, slot: u32) {
        self.0.tail.store(slot, Ordering::Relaxed);
    }

    fn disable(&mut self) -> bool {
        self.0.disable()
    }
}

/// The receive side.
#[derive(Debug)]
pub(crate) struct FakeRx(pub(crate) Arc<Ring>);

impl RxDevice for FakeRx {
    const DONE: u64 = DONE;
    const PLAIN_MASK: u64 = DONE | END | DAMAGED;
    const PLAIN: u64 = DONE | END;

    fn offer(buffer: Iova) -> [u64; 2] {
        [buffer.0, 0]
    }

    fn completion([_, second]: [u64; 2]) -> Completion {
        Completion {
            len: second as u32,
            end: second & END != 0,
            damaged: second & DAMAGED != 0,
            next: (second & LINKED != 0).then_some((second >> 40) as u32),
            verdict: Verdict::Unchecked,
            rss_hash: 0,
        }
    }

    fn write_tail(&self, slot: u32) {
        self.0.tail.store(slot, Ordering::Relaxed);
    }

    fn disable(&mut self) -> bool {
        self.0.disable()
    }
}

/// A mapper, as the device and as the driver see it.
pub(crate) fn mapper() -> (Arc<FakeMapper>, Arc<dyn DmaMapper>) {
    FakeMapper::new()
}
