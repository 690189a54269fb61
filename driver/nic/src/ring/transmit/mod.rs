//! The transmit side: post, doorbell, reap.
//!
//! **Report-status policy.** The device writes a descriptor's done bit only where it is asked to, and each
//! such write costs it a bus transaction and the driver a cache miss. So it is asked at the last packet
//! before a doorbell and after every quarter ring, at a packet's last descriptor. Those positions are the
//! *marks*. The device works in order, so a mark that is done vouches for everything before it:
//! [`TxQueue::reap`] looks at marks and at nothing else.
//!
//! **Who owns what.** Frames and slices that are posted wait in two queues of their own, in the order they
//! were posted; a mark knows how far each of them had come. So a reap moves what a mark covers in one go, and
//! descriptors that own nothing (contexts, all but the last piece of a buffer) cost nothing.
#![allow(
    unsafe_code,
    reason = "a ring with a free descriptor has room for its owner: no second test"
)]

mod burst;

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use pagewire_bus::DmaMapper;

use super::descriptors::Descriptors;
use super::fifo::Fifo;
use super::headers;
use super::plan::Plan;
use super::split::{Pieces, SplitRule};
use crate::dma::{DmaError, Frame, GatherSlice};
use crate::life::Life;
use crate::port::{Full, PacketLayout, Received, TxCounters, TxLimits, TxOffload, TxQueue};

/// What one family's transmit queue looks like: its descriptor formats and its two registers.
pub trait TxDevice: Send {
    /// What one packet may look like.
    const LIMITS: TxLimits;
    /// How buffers are cut into descriptors.
    const SPLIT: SplitRule;
    /// Second word: the device is done.
    const DONE: u64;
    /// Second word: the device shall set the done bit.
    const REPORT: u64;
    /// Second word: the packet's last descriptor, and what goes with it.
    const END: u64;

    /// Whether the context descriptor has room for such lengths.
    fn accepts(layout: &PacketLayout) -> bool;

    /// The descriptor that tells the device where the headers lie; none where it has nothing to do to them.
    /// The layout is one that the device [accepts](Self::accepts). `len`: as for [`data`](Self::data).
    fn context(offload: &TxOffload, len: u32) -> Option<[u64; 2]>;

    /// What the second words of all of a packet's data descriptors have in common; the low bits are the
    /// length's. `len` counts the bytes of the packet, or those of the payload alone where it is to be cut
    /// into segments.
    fn data(offload: &TxOffload, len: u32) -> u64;

    /// Writes the tail register: the one register access of the hot path.
    fn write_tail(&self, slot: u32);

    /// Turns the queue off. Returns whether the device confirmed that it will touch its memory no more.
    fn disable(&mut self) -> bool;
}

/// A descriptor that reports, and what it vouches for.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Position after it, among the descriptors.
    end: usize,
    /// How many frames were posted up to there, ever.
    frames: usize,
    /// How many slices.
    slices: usize,
}

/// A transmit queue of either family.
pub struct Transmitter<D: TxDevice> {
    descriptors: Descriptors,
    /// Position of the next descriptor to write: how many were written, ever.
    tail: usize,
    /// Position of the first descriptor that is not known to be done.
    head: usize,
    /// Position at which the ring is full: one descriptor always stays free, because head equal to tail means
    /// an empty ring to the device.
    full: usize,
    /// Position from which on a mark is due.
    mark_due: usize,
    /// Frames that are posted; never more than there are descriptors posted.
    frames: Fifo<Frame>,
    /// Slices that are posted; never more than there are descriptors posted.
    slices: Fifo<GatherSlice>,
    /// Frames that go on with the packet of the one before.
    continued: u64,
    /// Reports that are asked for; never more than there are descriptors posted.
    marks: Fifo<Mark>,
    /// Position that the tail register has.
    rung: usize,
    /// Position after the last mark.
    marked: usize,
    /// The context that the device has.
    context: Option<[u64; 2]>,
    /// Whether the last packet was a segmentation request.
    after_segment: bool,
    counters: TxCounters,
    device: D,
    life: Arc<Life>,
}

impl<D: TxDevice> Transmitter<D> {
    /// A ring of `size` descriptors for `device`, which is told of it by the family's init.
    pub(crate) fn new(
        mapper: &Arc<dyn DmaMapper>,
        size: u16,
        life: Arc<Life>,
        device: impl FnOnce(&Descriptors) -> D,
    ) -> Result<Self, DmaError> {
        let size = usize::from(size);
        let descriptors = Descriptors::new(mapper, size)?;
        Ok(Self {
            tail: 0,
            head: 0,
            full: size - 1,
            mark_due: size / 4,
            frames: Fifo::new(size),
            slices: Fifo::new(size),
            continued: 0,
            marks: Fifo::new(size),
            rung: 0,
            marked: 0,
            context: None,
            after_segment: false,
            counters: TxCounters::default(),
            device: device(&descriptors),
            descriptors,
            life,
        })
    }

    /// Free descriptors.
    #[inline]
    fn free(&self) -> usize {
        self.full - self.tail
    }

    /// Writes the next descriptor. The caller made sure that there is one.
    #[inline]
    fn push(&mut self, words: [u64; 2]) {
        debug_assert!(self.free() > 0, "room was checked before");
        self.descriptors.write(self.tail, words);
        self.tail += 1;
    }

    /// Asks for a report where enough was posted since the last one.
    #[inline]
    fn mark_if_due(&mut self) {
        if self.tail >= self.mark_due {
            self.mark();
        }
    }

    /// Asks for a report on the last descriptor posted, which the device does not own yet.
    fn mark(&mut self) {
        self.descriptors.add_bits(self.tail - 1, D::REPORT);
        let mark = Mark {
            end: self.tail,
            frames: self.frames.tail(),
            slices: self.slices.tail(),
        };
        let pushed = self.marks.push(mark);
        debug_assert!(pushed.is_ok(), "there are fewer marks than descriptors");
        self.marked = self.tail;
        self.mark_due = self.tail + self.frames.capacity() / 4;
    }

    /// One frame in one descriptor, as it is: the short way.
    #[inline]
    fn post_plain(&mut self, frame: Frame) -> Result<(), Full<Frame>> {
        if self.free() == 0 {
            return Err(Full(frame));
        }
        let len = frame.len() as u32;
        self.push([frame.iova().0, Self::plain_word(len)]);
        // SAFETY: there are at most as many posted frames as posted descriptors. One of those was free, and
        // the queue has room for as many frames as the ring has descriptors.
        unsafe { self.frames.push_unchecked(frame) };
        self.counters.bytes += u64::from(len);
        self.mark_if_due();
        Ok(())
    }

    /// Whether a frame is cut for no other reason than its length.
    #[inline]
    fn is_uncut(&self) -> bool {
        D::SPLIT.boundary == 0 && (D::SPLIT.sentinel == 0 || !self.after_segment)
    }

    /// Whether a frame is short enough for one descriptor.
    #[inline]
    fn is_short(frame: &Frame) -> bool {
        (1..=D::SPLIT.max_bytes.min(D::LIMITS.max_frame) as usize).contains(&frame.len())
    }

    /// The first descriptor word's partner for a plain frame.
    #[inline]
    fn plain_word(len: u32) -> u64 {
        D::data(&TxOffload::None, len) | D::END | u64::from(len)
    }

    /// Any packet: the long way.
    fn post_packet(
        &mut self,
        mut header: Frame,
        payload: &mut Vec<GatherSlice>,
        offload: TxOffload,
    ) -> Result<(), Full<Frame>> {
        let Some(plan) = Plan::of::<D>(&header, payload, offload, self.after_segment) else {
            return self.refuse(header);
        };
        let context = D::context(&plan.offload, plan.work_len()).filter(|words| self.context != Some(*words));
        let needed = plan.descriptors + usize::from(context.is_some());
        if needed > self.frames.capacity() - 1 {
            return self.refuse(header);
        }
        if needed > self.free() {
            return Err(Full(header));
        }
        if !headers::prepare(header.bytes_mut(), &plan.offload, plan.len) {
            return self.refuse(header);
        }

        if let Some(words) = context {
            self.push(words);
            self.context = context;
            self.counters.contexts += 1;
        }
        let common = D::data(&plan.offload, plan.work_len());
        let last = self.tail + plan.descriptors - 1;
        let mut others = payload.len();
        let pieces = plan.pieces::<D>(header.iova(), header.len() as u32, others == 0);
        self.push_buffer(pieces, common, last);
        let pushed = self.frames.push(header);
        debug_assert!(pushed.is_ok(), "there are fewer frames than descriptors");
        for slice in payload.drain(..) {
            others -= 1;
            let pieces = plan.pieces::<D>(slice.iova(), slice.len(), others == 0);
            self.push_buffer(pieces, common, last);
            let pushed = self.slices.push(slice);
            debug_assert!(pushed.is_ok(), "there are fewer slices than descriptors");
        }
        debug_assert_eq!(self.tail, last + 1, "the plan counted right");

        self.counters.bytes += u64::from(plan.len);
        self.after_segment = matches!(plan.offload, TxOffload::Segment(..));
        self.counters.segments += u64::from(self.after_segment);
        self.mark_if_due();
        Ok(())
    }

    /// The descriptors of one buffer. The packet ends with the one at position `last`.
    #[inline]
    fn push_buffer(&mut self, pieces: Pieces, common: u64, last: usize) {
        for (start, bytes) in pieces {
            let end = if self.tail == last { D::END } else { 0 };
            self.push([start.0, common | end | u64::from(bytes)]);
        }
    }

    /// A packet that the device can never take.
    #[cold]
    fn refuse(&mut self, frame: Frame) -> Result<(), Full<Frame>> {
        self.counters.refused += 1;
        Err(Full(frame))
    }
}

impl<D: TxDevice> TxQueue for Transmitter<D> {
    #[inline]
    fn room(&self) -> usize {
        self.free()
    }

    #[inline]
    fn post(&mut self, frame: Frame, offload: TxOffload) -> Result<(), Full<Frame>> {
        if matches!(offload, TxOffload::None) && self.is_uncut() && Self::is_short(&frame) {
            self.post_plain(frame)
        } else {
            self.post_packet(frame, &mut Vec::new(), offload)
        }
    }

    #[inline]
    fn post_all(&mut self, frames: &mut Vec<Frame>) -> usize {
        self.post_frames(frames)
    }

    #[inline]
    fn post_received(&mut self, packets: &mut Vec<Received>) -> usize {
        self.post_packets(packets)
    }

    #[inline]
    fn post_gather(
        &mut self,
        header: Frame,
        payload: &mut Vec<GatherSlice>,
        offload: TxOffload,
    ) -> Result<(), Full<Frame>> {
        self.post_packet(header, payload, offload)
    }

    #[inline]
    fn doorbell(&mut self) {
        if self.tail == self.rung {
            return;
        }
        if self.tail != self.marked {
            self.mark();
        }
        self.rung = self.tail;
        self.counters.doorbells += 1;
        if self.life.is_running() {
            // The descriptors, and the packets they name, are written before the device is told of them.
            fence(Ordering::Release);
            self.device.write_tail(self.descriptors.slot(self.tail));
        }
    }

    #[inline]
    fn reap(&mut self, freed: &mut Vec<Frame>) -> usize {
        let mut last = None;
        while let Some(&mark) = self.marks.first() {
            if self.descriptors.done_word(mark.end - 1) & D::DONE == 0 {
                break;
            }
            last = self.marks.pop();
        }
        let Some(mark) = last else { return 0 };
        let count = mark.end - self.head;
        self.head = mark.end;
        self.full = mark.end + self.frames.capacity() - 1;
        self.frames
            .pop_into(mark.frames.wrapping_sub(self.frames.head()), freed);
        while self.slices.head() != mark.slices {
            drop(self.slices.pop());
        }
        count
    }

    #[inline]
    fn posted(&self) -> usize {
        self.tail - self.head
    }

    fn counters(&self) -> TxCounters {
        // Each packet begins with a frame, each descriptor moved the tail on by one.
        let packets = self.frames.tail() as u64 - self.continued;
        TxCounters {
            packets,
            descriptors: self.tail as u64,
            ..self.counters
        }
    }
}

impl<D: TxDevice> Drop for Transmitter<D> {
    fn drop(&mut self) {
        let confirmed = self.life.is_running() && self.device.disable();
        let frames = std::mem::replace(&mut self.frames, Fifo::new(1));
        let slices = std::mem::replace(&mut self.slices, Fifo::new(1));
        self.life
            .retire((frames, slices, self.descriptors.memory()), confirmed);
    }
}

impl<D: TxDevice> std::fmt::Debug for Transmitter<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transmitter")
            .field("posted", &(self.tail - self.head))
            .field("counters", &self.counters)
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}
