//! The descriptor array: pairs of 64-bit words that driver and device both write.
#![allow(
    unsafe_code,
    reason = "masked positions need no bounds check, and the words no detour through the region"
)]

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pagewire_bus::{DmaMapper, Iova};

use crate::dma::{Bidirectional, DmaError, Region};

/// Bytes of one descriptor, in both families.
const DESCRIPTOR_BYTES: usize = pagewire_spec::DESCRIPTOR_LEN;

/// A ring's descriptors. Positions count freely, as in [`Fifo`](super::fifo::Fifo); the slot is the position
/// modulo the size.
#[derive(Debug)]
pub(crate) struct Descriptors {
    /// The first of `2 * (mask + 1)` words, in `region`.
    words: NonNull<AtomicU64>,
    /// The number of descriptors, a power of two, less one.
    mask: usize,
    /// Keeps the words where they are.
    region: Arc<Region<Bidirectional>>,
}

// SAFETY: the words are atomics, in memory that `region` holds and that is bound to no thread.
unsafe impl Send for Descriptors {}

impl Descriptors {
    /// Zeroed memory for `size` descriptors, a power of two, mapped for the device to read and write.
    pub(crate) fn new(mapper: &Arc<dyn DmaMapper>, size: usize) -> Result<Self, DmaError> {
        assert!(size.is_power_of_two(), "a ring's size is a power of two");
        let region = Region::<Bidirectional>::allocate(mapper, size * DESCRIPTOR_BYTES)?;
        let words = region.words();
        assert!(words.len() >= size * 2, "the region holds all descriptors");
        Ok(Self {
            words: NonNull::from(words).cast(),
            mask: size - 1,
            region,
        })
    }

    /// Where the device finds the first.
    pub(crate) fn iova(&self) -> Iova {
        self.region.iova()
    }

    /// Length of the array in bytes: what the ring's length register says.
    pub(crate) fn bytes(&self) -> u32 {
        ((self.mask + 1) * DESCRIPTOR_BYTES) as u32
    }

    /// The slot of a position: what the tail register says.
    #[inline]
    pub(crate) fn slot(&self, position: usize) -> u32 {
        (position & self.mask) as u32
    }

    /// A handle that keeps the memory alive.
    pub(crate) fn memory(&self) -> Arc<Region<Bidirectional>> {
        Arc::clone(&self.region)
    }

    /// The two words of a descriptor.
    #[inline]
    fn pair(&self, position: usize) -> &Descriptor {
        let first = (position & self.mask) * 2;
        // SAFETY: the slot is at most `mask`, so both words are among the `2 * (mask + 1)` that `new` found
        // in the region (and whose slice the pointer is derived from). The region lives as long as `self`.
        // Words of a descriptor ring are only ever reached as atomics, and a `Descriptor` is nothing but two
        // of them.
        unsafe { self.words.add(first).cast().as_ref() }
    }

    /// The descriptors from a position on, `count` of them at the most: as many as lie in one piece.
    #[inline]
    pub(crate) fn run(&self, position: usize, count: usize) -> &[Descriptor] {
        let first = position & self.mask;
        let count = count.min(self.mask + 1 - first);
        // SAFETY: as in `pair`, for `count` of them: the last is at most `mask`.
        unsafe { std::slice::from_raw_parts(self.words.add(first * 2).cast().as_ptr(), count) }
    }

    /// Writes a descriptor that the driver owns. The device sees it after the doorbell.
    #[inline]
    pub(crate) fn write(&self, position: usize, words: [u64; 2]) {
        self.pair(position).write(words);
    }

    /// Sets bits in the second word of a descriptor that the driver still owns.
    #[inline]
    pub(crate) fn add_bits(&self, position: usize, bits: u64) {
        let Descriptor([_, second]) = self.pair(position);
        second.store(second.load(Ordering::Relaxed) | bits.to_le(), Ordering::Relaxed);
    }

    /// The word that holds the done bit: see [`Descriptor::done_word`].
    #[inline]
    pub(crate) fn done_word(&self, position: usize) -> u64 {
        self.pair(position).done_word()
    }

    /// The other word: see [`Descriptor::first_word`].
    #[inline]
    pub(crate) fn first_word(&self, position: usize) -> u64 {
        self.pair(position).first_word()
    }
}

/// One descriptor in memory that both sides write: two little-endian words.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Descriptor([AtomicU64; 2]);

impl Descriptor {
    /// Writes both words, as their driver, who owns the descriptor.
    #[inline]
    pub(crate) fn write(&self, words: [u64; 2]) {
        let Self([first, second]) = self;
        first.store(words[0].to_le(), Ordering::Relaxed);
        second.store(words[1].to_le(), Ordering::Relaxed);
    }

    /// The word that holds the done bit. What the device wrote before it set that bit is visible afterwards.
    #[inline]
    pub(crate) fn done_word(&self) -> u64 {
        u64::from_le(self.0[1].load(Ordering::Acquire))
    }

    /// The other word; valid after [`done_word`](Self::done_word) said that the device is done.
    #[inline]
    pub(crate) fn first_word(&self) -> u64 {
        u64::from_le(self.0[0].load(Ordering::Relaxed))
    }
}
