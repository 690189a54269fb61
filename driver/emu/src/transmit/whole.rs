//! A segment that travels uncut, in one or in parts of whole frames.

use super::engine::TxStats;
use crate::memory::Piece;
use crate::offload::segment::{self, Cut, SegmentError, Segmenter};
use crate::wire::{BURST, Checksums, Delivery, Inlet, IpVersion, LONGEST_IP, Segmentation, WireFrame};

/// A segment that goes uncut, as far as the inlet takes it.
pub(super) struct Whole<'b> {
    /// As software left it.
    pub(super) header: &'b [u8],
    pub(super) plan: &'b Segmentation,
    /// Where the headers that go are written.
    pub(super) buffer: &'b mut Vec<u8>,
    /// Payload bytes that the cable has taken.
    pub(super) passed: &'b mut usize,
}

impl Whole<'_> {
    /// Sends it in one, or in as few parts as the inlet wants. [`Delivery::CutFirst`] where it wants frames.
    pub(super) fn send(
        &mut self,
        pieces: &mut Vec<Piece<'_>>,
        payload_len: usize,
        stats: &mut TxStats,
        inlet: &mut dyn Inlet,
    ) -> Result<Delivery, SegmentError> {
        let headers = usize::from(self.plan.l3_len) + usize::from(self.plan.l4_len);
        let longest = match self.plan.ip {
            IpVersion::V4 => inlet.longest(),
            // A longer one would need an option that says so (RFC 2675), which software has left no room for.
            IpVersion::V6 => LONGEST_IP,
        };
        let room = longest.saturating_sub(headers);
        if payload_len > room {
            let room = room.min(LONGEST_IP.saturating_sub(headers));
            return self.send_parts(pieces, payload_len, room, stats, inlet);
        }
        self.buffer.clear();
        self.buffer.extend_from_slice(self.header);
        segment::complete_whole(self.buffer, self.plan, payload_len)?;
        let frame = WireFrame::whole(self.buffer, pieces, *self.plan);
        let delivery = inlet.deliver(&frame);
        count_sent(stats, &frame, delivery);
        Ok(delivery)
    }

    /// Sends parts of whole frames, each with at most `room` bytes of payload.
    fn send_parts(
        &mut self,
        pieces: &mut Vec<Piece<'_>>,
        payload_len: usize,
        room: usize,
        stats: &mut TxStats,
        inlet: &mut dyn Inlet,
    ) -> Result<Delivery, SegmentError> {
        let mss = usize::from(self.plan.mss).max(1);
        let Some(most) = u16::try_from(room / mss * mss).ok().filter(|most| *most > 0) else {
            return Ok(Delivery::CutFirst);
        };
        let parts = Segmentation {
            mss: most,
            ..*self.plan
        };
        let mut parts = Segmenter::new(self.header, &parts, payload_len)?;
        let (all, header_len) = (pieces.len(), self.header.len());
        let mut last = Delivery::Accepted;
        loop {
            // The headers and ranges of a burst, then its frames, which borrow both.
            self.buffer.resize(BURST * header_len, 0);
            let mut ends = [(0, 0); BURST];
            let mut count = 0;
            for (header, end) in self.buffer.chunks_exact_mut(header_len).zip(&mut ends) {
                let Some(part) = next_after(&mut parts, header, *self.passed) else {
                    break;
                };
                append_range(pieces, all, part.offset, part.len);
                *end = (pieces.len(), part.offset + part.len);
                count += 1;
            }
            if count == 0 {
                return Ok(last);
            }
            let mut frames = [WireFrame::single(&[], Checksums::Owed); BURST];
            let mut start = all;
            for ((frame, header), (end, _)) in frames
                .iter_mut()
                .zip(self.buffer.chunks_exact(header_len))
                .zip(ends)
                .take(count)
            {
                *frame = WireFrame::whole(header, &pieces[start..end], *self.plan);
                start = end;
            }
            let mut passed = ends.iter().map(|(_, passed)| *passed);
            last = inlet.deliver_all(&frames[..count], &mut |frame, delivery| {
                count_sent(stats, frame, delivery);
                if let Some(to) = passed.next().filter(|_| !delivery.stops()) {
                    *self.passed = to;
                }
            });
            pieces.truncate(all);
            if last.stops() {
                return Ok(last);
            }
        }
    }
}

/// Counts a frame that the device has sent, or tried to.
fn count_sent(stats: &mut TxStats, frame: &WireFrame<'_>, delivery: Delivery) {
    if !matches!(delivery, Delivery::Busy | Delivery::CutFirst) {
        stats.count(frame.len(), frame.head());
    }
}

/// Writes the header of the next part that has not passed yet.
fn next_after(parts: &mut Segmenter<'_>, header: &mut [u8], passed: usize) -> Option<Cut> {
    loop {
        let part = parts.next_header(header)?;
        if part.offset + part.len > passed {
            return Some(part);
        }
    }
}

/// Appends `len` bytes from `offset` of the first `count` pieces, as pieces of their own.
fn append_range(pieces: &mut Vec<Piece<'_>>, count: usize, offset: usize, len: usize) {
    let (mut skip, mut left) = (offset, len);
    for index in 0..count {
        let piece = pieces[index];
        if skip >= piece.len() {
            skip -= piece.len();
            continue;
        }
        let part = piece.part(skip, left);
        (skip, left) = (0, left - part.len());
        pieces.push(part);
        if left == 0 {
            return;
        }
    }
}
