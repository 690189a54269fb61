//! A descriptor queue: what the doorbell records, and what stands between head and tail.
//!
//! ```text
//!      reported          head                 tail
//!  ───────┼────────────────┼────────────────────┼───────
//!         │ done, driver    │ published: shadowed │ software's
//!         │ not yet told    │ and marked occupied │
//! ```
//! A doorbell runs on the driver's thread and does no DMA to payload. It copies the newly published
//! descriptors into the *shadow*, marks the memory that they name as occupied, and moves the tail (Release).
//! The engine, which may run on another thread, takes the tail (Acquire), compares descriptors with their
//! shadow, and moves the head *before* it writes a done bit: so a driver that saw the done bit always finds
//! room again.
//!
//! While a queue is on, engine and doorbells share its lock; switching it off waits for the engine.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::base::{Core, Place, Side};
use crate::memory::Reach;
use crate::sanitizer::Rule;

/// Which memory a descriptor names, by its words and the queue's buffer length.
pub(crate) type Extent = fn([u64; 2], u32) -> Option<(u64, usize)>;

/// A queue of a device: off, or live.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) side: Side,
    pub(crate) number: usize,
    pub(crate) live: RwLock<Option<Live>>,
}

/// A queue that is on.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) base: u64,
    pub(crate) slots: u32,
    /// Bytes of a receive buffer; 0 for transmit.
    pub(crate) buffer_len: u32,
    extent: Extent,
    tail: AtomicU32,
    head: AtomicU32,
    reported: AtomicU32,
    shadow: Box<[[AtomicU64; 2]]>,
    /// Level full: hash of the payload of each published transmit descriptor, 0 where there is none.
    hashes: Box<[AtomicU64]>,
}

impl Live {
    /// A ring that begins empty, at `head`.
    pub(crate) fn new(
        core: &Core,
        base: u64,
        slots: u32,
        head: u32,
        buffer_len: u32,
        extent: Extent,
    ) -> Self {
        let head = if head < slots { head } else { 0 };
        let hashes = if core.strict { slots } else { 0 };
        Self {
            base,
            slots,
            buffer_len,
            extent,
            tail: AtomicU32::new(head),
            head: AtomicU32::new(head),
            reported: AtomicU32::new(head),
            shadow: (0..slots).map(|_| Default::default()).collect(),
            hashes: (0..hashes).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// First descriptor that is not the device's.
    #[inline]
    pub(crate) fn tail(&self) -> u32 {
        self.tail.load(Ordering::Acquire)
    }

    /// First descriptor that the device has not worked through.
    #[inline]
    pub(crate) fn head(&self) -> u32 {
        self.head.load(Ordering::Acquire)
    }

    /// How many descriptors lie from `from` to `to`.
    #[inline]
    pub(crate) fn distance(&self, from: u32, to: u32) -> u32 {
        if to >= from {
            to - from
        } else {
            to + self.slots - from
        }
    }

    #[inline]
    pub(crate) fn next(&self, index: u32) -> u32 {
        if index + 1 == self.slots { 0 } else { index + 1 }
    }

    /// Whether a descriptor is as it was when its doorbell rang.
    #[inline]
    pub(crate) fn is_as_published(&self, index: u32, words: [u64; 2]) -> bool {
        let shadow = &self.shadow[index as usize];
        shadow[0].load(Ordering::Relaxed) == words[0] && shadow[1].load(Ordering::Relaxed) == words[1]
    }

    /// The device is done with `[head, end)`. Whether a done bit follows decides if software may know of it.
    #[inline]
    pub(crate) fn retire(&self, reach: &Reach<'_>, end: u32, told: bool) {
        let mut index = self.head.load(Ordering::Relaxed);
        while index != end {
            if let Some((iova, len)) = self.published(index) {
                reach.vacate(iova, len);
            }
            index = self.next(index);
        }
        self.head.store(end, Ordering::Release);
        if told {
            self.reported.store(end, Ordering::Release);
        }
    }

    /// Software has looked at the head register.
    pub(crate) fn tell_head(&self) -> u32 {
        let head = self.head();
        self.reported.store(head, Ordering::Release);
        head
    }

    /// Level full: whether the payload of a descriptor is still what it was at the doorbell.
    pub(crate) fn payload_is_as_published(&self, reach: &Reach<'_>, index: u32) -> bool {
        let Some(hash) = self.hashes.get(index as usize) else {
            return true;
        };
        let then = hash.swap(0, Ordering::Relaxed);
        let now = self
            .published(index)
            .filter(|_| then != 0)
            .map(|(iova, len)| hash_of(reach, iova, len));
        now.is_none_or(|now| now == 0 || now == then)
    }

    /// The memory that the shadow of a descriptor names.
    #[inline]
    pub(crate) fn published(&self, index: u32) -> Option<(u64, usize)> {
        let shadow = &self.shadow[index as usize];
        (self.extent)(
            [
                shadow[0].load(Ordering::Relaxed),
                shadow[1].load(Ordering::Relaxed),
            ],
            self.buffer_len,
        )
    }

    /// The first descriptor that software has not been told is done, and that names memory in the range; or
    /// the ring itself.
    pub(crate) fn holds(&self, start: u64, end: u64) -> Option<Held> {
        if self.base < end && start < self.base.saturating_add(u64::from(self.slots) * 16) {
            return Some(Held::Ring);
        }
        let (mut index, tail) = (self.reported.load(Ordering::Acquire), self.tail());
        while index != tail {
            if let Some((iova, len)) = self.published(index)
                && iova < end
                && start < iova.saturating_add(len as u64)
            {
                return Some(Held::Descriptor(index));
            }
            index = self.next(index);
        }
        None
    }
}

/// What of a queue lies in some memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Held {
    Ring,
    Descriptor(u32),
}

impl Queue {
    pub(crate) fn new(side: Side, number: usize) -> Self {
        Self {
            side,
            number,
            live: RwLock::new(None),
        }
    }

    pub(crate) fn place(&self, descriptor: u32) -> Place {
        Place {
            side: self.side,
            queue: self.number,
            descriptor,
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.live.read_recursive().is_some()
    }

    /// A tail write: publishes descriptors up to `value`. Returns false if the queue is off.
    #[inline]
    pub(crate) fn doorbell(&self, core: &Core, value: u32) -> bool {
        let live = self.live.read_recursive();
        let Some(live) = live.as_ref() else { return false };
        let (old, head) = (live.tail.load(Ordering::Relaxed), live.head());
        if value >= live.slots {
            core.violation(
                Rule::DoorbellBeyondRing,
                self.place(value),
                &format!("the ring has {}", live.slots),
            );
            return true;
        }
        let free = live.slots - 1 - live.distance(head, old);
        if live.distance(old, value) > free {
            let words = format!("the tail, at {old}, overtakes the head, at {head}");
            core.violation(Rule::FetchOutsideHeadTail, self.place(value), &words);
            return true;
        }
        let reach = core.iommu.hold_nested();
        if !core.may_master(&reach) {
            core.violation(
                Rule::RegisterMisuse,
                self.place(value),
                "doorbell while bus mastering is off",
            );
        }
        match reach.ring(live.base, live.slots) {
            Ok(ring) => {
                let mut index = old;
                while index != value {
                    let words = ring.load(index);
                    let shadow = &live.shadow[index as usize];
                    shadow[0].store(words[0], Ordering::Relaxed);
                    shadow[1].store(words[1], Ordering::Relaxed);
                    self.occupy(core, &reach, live, index, words);
                    index = live.next(index);
                }
            }
            Err(refusal) => core.refuse(self.place(old), &refusal),
        }
        live.tail.store(value, Ordering::Release);
        true
    }

    #[inline]
    fn occupy(&self, core: &Core, reach: &Reach<'_>, live: &Live, index: u32, words: [u64; 2]) {
        let Some((iova, len)) = (live.extent)(words, live.buffer_len) else {
            return;
        };
        if reach.occupy(iova, len) {
            let words = format!("{len} bytes at iova {iova:#x} stand in another posted descriptor");
            core.violation(Rule::FramePostedTwice, self.place(index), &words);
        }
        if core.strict {
            match self.side {
                Side::Receive => reach.shield(iova, len),
                Side::Transmit => {
                    let hash = if reach.is_ours(iova, len) {
                        hash_of(reach, iova, len)
                    } else {
                        0
                    };
                    live.hashes[index as usize].store(hash, Ordering::Relaxed);
                }
            }
        }
    }

    /// Switches the queue off: waits for the engine, and gives back the memory of what was posted. Returns head and
    /// tail; `None` where it was off.
    pub(crate) fn switch_off(&self, core: &Core) -> Option<(u32, u32)> {
        let live = self.live.write().take()?;
        let reach = core.iommu.hold_nested();
        let (head, tail) = (live.head(), live.tail());
        let mut index = head;
        while index != tail {
            if let Some((iova, len)) = live.published(index) {
                reach.vacate(iova, len);
                if core.strict && self.side == Side::Receive {
                    note_early_reads(core, reach.unshield(iova, len));
                }
            }
            index = live.next(index);
        }
        Some((head, tail))
    }
}

/// Reports touches of receive memory that was closed.
pub(crate) fn note_early_reads(core: &Core, early: Option<(u64, u64)>) {
    if let Some((count, iova)) = early {
        core.sanitizer.record_many(Rule::RxReadBeforeDone, count, || {
            format!("software touched iova {iova:#x}, which stands in a posted receive descriptor")
        });
    }
}

/// A hash of memory that the device may read; 0 where it may not, or where pages are gone.
fn hash_of(reach: &Reach<'_>, iova: u64, len: usize) -> u64 {
    let Ok(piece) = reach.piece(iova, len) else {
        return 0;
    };
    let mut buffer = [0; 4096];
    let (mut hash, mut offset) = (1, 0);
    while offset < len {
        let part = piece.part(offset, buffer.len());
        if part.copy_to(&mut buffer).is_err() {
            return 0;
        }
        hash = xxhash_rust::xxh3::xxh3_64_with_seed(&buffer[..part.len()], hash);
        offset += part.len();
    }
    hash.max(1)
}
