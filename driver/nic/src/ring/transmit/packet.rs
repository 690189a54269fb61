//! The descriptors of one packet.
//!
//! A plain frame takes the short way: one descriptor, and no question but whether there is one. All else takes the long
//! way: planned first, so that it is posted whole or not at all.
#![allow(
    unsafe_code,
    reason = "a ring with a free descriptor has room for its owner: no second test"
)]

use super::{Transmitter, TxDevice};
use crate::dma::{Frame, GatherSlice};
use crate::port::{Full, TxOffload};
use crate::ring::headers;
use crate::ring::plan::Plan;
use crate::ring::split::Pieces;

impl<D: TxDevice> Transmitter<D> {
    /// One frame in one descriptor, as it is: the short way.
    #[inline]
    pub(super) fn post_plain(&mut self, frame: Frame) -> Result<(), Full<Frame>> {
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
    pub(super) fn is_uncut(&self) -> bool {
        D::SPLIT.boundary == 0 && (D::SPLIT.sentinel == 0 || !self.after_segment)
    }

    /// Whether a frame is short enough for one descriptor.
    #[inline]
    pub(super) fn is_short(frame: &Frame) -> bool {
        (1..=D::SPLIT.max_bytes.min(D::LIMITS.max_frame) as usize).contains(&frame.len())
    }

    /// The first descriptor word's partner for a plain frame.
    #[inline]
    pub(super) fn plain_word(len: u32) -> u64 {
        D::data(&TxOffload::None, len) | D::END | u64::from(len)
    }

    /// Any packet: the long way.
    pub(super) fn post_packet(
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
    pub(super) fn push_buffer(&mut self, pieces: Pieces, common: u64, last: usize) {
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
