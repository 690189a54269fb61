//! Many packets in one call: what a packet costs by itself is paid once for a run of them.

use super::{Transmitter, TxDevice};
use crate::dma::Frame;
use crate::port::{Full, Received, TxOffload};
use crate::ring::descriptors::Descriptor;
use crate::ring::split::Pieces;

impl<D: TxDevice> Transmitter<D> {
    /// [`TxQueue::post_all`](crate::port::TxQueue::post_all).
    #[inline]
    pub(super) fn post_frames(&mut self, frames: &mut Vec<Frame>) -> usize {
        let mut posted = 0;
        while !frames.is_empty() {
            posted += match self.post_run(frames, frame_itself, |frame| frame) {
                0 if !self.post_first(frames) => break,
                0 => 1,
                run => run,
            };
        }
        posted
    }

    /// [`TxQueue::post_received`](crate::port::TxQueue::post_received).
    #[inline]
    pub(super) fn post_packets(&mut self, packets: &mut Vec<Received>) -> usize {
        let mut posted = 0;
        while !packets.is_empty() {
            posted += match self.post_run(packets, only_frame, |packet| packet.frame) {
                0 if !self.post_first_packet(packets) => break,
                0 => 1,
                run => run,
            };
        }
        posted
    }

    /// Packets from the front of `packets`, for as long as each is a plain frame, and no more than until a
    /// mark is due or the rings wrap. `frame` shows a packet's frame, where that is all of it.
    #[inline]
    fn post_run<U>(
        &mut self,
        packets: &mut Vec<U>,
        frame: impl Fn(&U) -> Option<&Frame>,
        unwrap: impl Fn(U) -> Frame,
    ) -> usize {
        let uncut = self.is_uncut();
        let limit = self.free().min(self.mark_due - self.tail);
        let mut bytes = 0u32;
        let look = |descriptor: &Descriptor, packet: &U| {
            let Some(frame) = frame(packet).filter(|frame| uncut && Self::is_short(frame)) else {
                return false;
            };
            let len = frame.len() as u32;
            descriptor.write([frame.iova().0, Self::plain_word(len)]);
            bytes += len;
            true
        };
        let run = self
            .frames
            .push_beside(self.descriptors.run(self.tail, limit), packets, look, unwrap);
        self.tail += run;
        self.counters.bytes += u64::from(bytes);
        self.mark_if_due();
        run
    }

    /// The first frame, which is not a plain one. Returns false where it stays.
    #[cold]
    fn post_first(&mut self, frames: &mut Vec<Frame>) -> bool {
        let first = frames.remove(0);
        match self.post_packet(first, &mut Vec::new(), TxOffload::None) {
            Ok(()) => true,
            Err(Full(frame)) => {
                frames.insert(0, frame);
                false
            }
        }
    }

    /// The first packet, of whatever many buffers. Returns false where it stays.
    #[cold]
    fn post_first_packet(&mut self, packets: &mut Vec<Received>) -> bool {
        let Some(last) = packets.iter().position(|buffer| buffer.end) else {
            return false;
        };
        let Some((len, needed)) = self.measure(&packets[..=last]) else {
            self.counters.refused += 1;
            return false;
        };
        if needed > self.free() {
            return false;
        }
        let end = self.tail + needed - 1;
        let common = D::data(&TxOffload::None, len);
        for (index, buffer) in packets.drain(..=last).enumerate() {
            let pieces = self.plain_pieces(&buffer.frame, index == last);
            self.push_buffer(pieces, common, end);
            let pushed = self.frames.push(buffer.frame);
            debug_assert!(pushed.is_ok(), "there are fewer frames than descriptors");
        }
        self.continued += last as u64;
        self.counters.bytes += u64::from(len);
        self.after_segment = false;
        self.mark_if_due();
        true
    }

    /// Bytes and descriptors of a packet, or `None` where the device can never take it.
    fn measure(&self, packet: &[Received]) -> Option<(u32, usize)> {
        let (mut len, mut needed) = (0u32, 0);
        for (index, buffer) in packet.iter().enumerate() {
            let bytes = u32::try_from(buffer.frame.len())
                .ok()
                .filter(|bytes| *bytes != 0)?;
            len = len.checked_add(bytes).filter(|len| *len <= D::LIMITS.max_frame)?;
            needed += self
                .plain_pieces(&buffer.frame, index + 1 == packet.len())
                .number();
        }
        let most = usize::from(D::LIMITS.max_descriptors).min(self.frames.capacity() - 1);
        (needed <= most).then_some((len, needed))
    }

    /// Where one buffer of a packet without offload is cut.
    fn plain_pieces(&self, frame: &Frame, last: bool) -> Pieces {
        Pieces::new(
            D::SPLIT,
            frame.iova(),
            frame.len() as u32,
            last && self.after_segment,
        )
    }
}

/// The frame of a packet, where that is all of it.
#[inline]
fn only_frame(packet: &Received) -> Option<&Frame> {
    packet.end.then_some(&packet.frame)
}

/// As [`only_frame`], for a packet that is nothing but a frame.
#[inline]
fn frame_itself(frame: &Frame) -> Option<&Frame> {
    Some(frame)
}
