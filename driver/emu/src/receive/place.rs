//! A frame into the buffers of a queue: the one copy of a payload byte.

use crate::base::Core;
use crate::family::{Family, Received};
use crate::memory::{Posting, Reach, Ring, Room};
use crate::offload::checksum::Verdicts;
use crate::offload::hash::RssType;
use crate::offload::headers::IpPacket;
use crate::queue::{Live, Queue, note_early_reads};
use crate::sanitizer::Rule;
use crate::wire::WireFrame;

/// What is known of a frame before it is placed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Info {
    pub(super) verdicts: Verdicts,
    pub(super) packet: Option<IpPacket>,
    pub(super) hash: Option<(RssType, u32)>,
    pub(super) inexact: bool,
    pub(super) keep_fcs: bool,
}

impl Info {
    /// Of a frame that is not there.
    const NOTHING: Self = Self {
        verdicts: Verdicts::UNCHECKED,
        packet: None,
        hash: None,
        inexact: false,
        keep_fcs: false,
    };
}

/// Bytes of a frame still to be written: its head, then its payload pieces.
#[derive(Debug)]
struct Source<'f> {
    frame: &'f WireFrame<'f>,
    head_at: usize,
    piece: usize,
    piece_at: usize,
    /// What goes to memory behind the frame: its check sequence, or nothing.
    fcs: [u8; 4],
    fcs_at: usize,
}

impl<'f> Source<'f> {
    fn new(frame: &'f WireFrame<'f>, keep_fcs: bool) -> Self {
        let (fcs, fcs_at) = if keep_fcs {
            (fcs(frame.head()), 0)
        } else {
            ([0; 4], 4)
        };
        Self {
            frame,
            head_at: 0,
            piece: 0,
            piece_at: 0,
            fcs,
            fcs_at,
        }
    }

    /// Fills `room` as far as the frame goes.
    #[inline]
    fn fill(&mut self, mut room: Room<'f>, mut posting: Option<&mut Posting<'_, 'f>>) {
        let mut at = room.write(0, &self.frame.head()[self.head_at..]);
        self.head_at += at;
        while let Some(piece) = self.frame.payload().get(self.piece) {
            let part = piece.part(self.piece_at, usize::MAX);
            let wrote = match &mut posting {
                Some(posting) => posting.write_piece(&room, at, &part),
                None => room.write_piece(at, &part),
            };
            at += wrote;
            if wrote < part.len() {
                self.piece_at += wrote;
                return;
            }
            self.piece += 1;
            self.piece_at = 0;
        }
        if self.fcs_at < self.fcs.len() && self.head_at == self.frame.head().len() {
            self.fcs_at += room.write(at, &self.fcs[self.fcs_at..]);
        }
    }
}

/// A frame on its way into a queue's buffers, one after the other.
#[derive(Debug)]
pub(super) struct Filling<'f> {
    core: &'f Core,
    queue: &'f Queue,
    live: &'f Live,
    reach: &'f Reach<'f>,
    ring: Ring<'f>,
    source: Source<'f>,
    /// Its first descriptor, the one that is next, and how many are still to come.
    start: u32,
    index: u32,
    left: usize,
    spoiled: bool,
}

impl<'f> Filling<'f> {
    /// A frame that goes into the descriptors from `start` on. `None` where there are not enough of them.
    #[inline]
    pub(super) fn new(
        core: &'f Core,
        queue: &'f Queue,
        live: &'f Live,
        reach: &'f Reach<'f>,
        frame: &'f WireFrame<'f>,
        keep_fcs: bool,
        start: u32,
    ) -> Option<Self> {
        let len = frame.len() + if keep_fcs { 4 } else { 0 };
        let left = len.div_ceil((live.buffer_len as usize).max(1));
        if left > live.distance(start, live.tail()) as usize {
            return None;
        }
        let ring = match reach.ring(live.base, live.slots) {
            Ok(ring) => ring,
            Err(refusal) => {
                core.refuse(queue.place(start), &refusal);
                return None;
            }
        };
        Some(Self {
            core,
            queue,
            live,
            reach,
            ring,
            source: Source::new(frame, keep_fcs),
            start,
            index: start,
            left,
            spoiled: false,
        })
    }

    /// Fills the next buffer. `false` after the last, and where one cannot be written: a driver that made the mistake
    /// sees its descriptors come back empty and marked bad, and the queue goes on.
    #[inline]
    pub(super) fn next(&mut self, posting: Option<&mut Posting<'_, 'f>>) -> bool {
        if self.left == 0 {
            return false;
        }
        let (core, live, reach, index) = (self.core, self.live, self.reach, self.index);
        let words = self.ring.load(index);
        if !live.is_as_published(index, words) {
            let text = format!("is {words:x?} now");
            core.violation(
                Rule::DescriptorChangedAfterDoorbell,
                self.queue.place(index),
                &text,
            );
        }
        if core.strict
            && let Some((iova, len)) = live.published(index)
        {
            note_early_reads(core, reach.unshield(iova, len));
        }
        self.index = live.next(index);
        self.left -= 1;
        match reach.room(words[0], live.buffer_len as usize) {
            Ok(room) => {
                // Counted from the frame's end, every fourth buffer, and never the last three: the other thread also reads
                // what has arrived.
                let posting = posting.filter(|_| self.left % 4 == 3);
                self.source.fill(room, posting);
            }
            Err(refusal) => {
                core.refuse(self.queue.place(index), &refusal);
                self.spoiled = true;
                self.left = 0;
            }
        }
        true
    }

    /// The descriptor behind the frame's last.
    pub(super) fn end(&self) -> u32 {
        self.index
    }

    /// A buffer could not be written.
    pub(super) fn is_spoiled(&self) -> bool {
        self.spoiled
    }

    /// Whether all that was copied was there.
    pub(super) fn is_real(&self) -> bool {
        self.source
            .frame
            .payload()
            .iter()
            .all(|piece| piece.check().is_ok())
    }

    /// Writes the descriptors back: the frame is the driver's.
    #[inline]
    pub(super) fn write_back<F: Family>(&self, info: &Info) {
        let (live, frame) = (self.live, self.source.frame);
        live.retire(self.reach, self.index, true);
        let (info, mut left) = match self.spoiled {
            true => (&Info::NOTHING, 0),
            false => (info, frame.len() + if info.keep_fcs { 4 } else { 0 }),
        };
        let mut index = self.start;
        while index != self.index {
            let next = live.next(index);
            let here = left.min(live.buffer_len as usize);
            left -= here;
            let slot = Received {
                address: self.ring.load(index)[0],
                // A buffer is at most 16 KiB.
                len: here as u16,
                end: next == self.index,
                next,
                coalesced: frame.segmentation().is_some() && !self.spoiled,
                inexact: info.inexact,
                verdicts: info.verdicts,
                packet: info.packet.as_ref(),
                hash: info.hash,
                error: self.spoiled,
            };
            self.ring.store(index, F::received(&slot));
            index = next;
        }
    }
}

/// The frame check sequence (IEEE 802.3 §3.2.9), as it stands in memory.
fn fcs(frame: &[u8]) -> [u8; 4] {
    let crc = frame.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    });
    (!crc).to_le_bytes()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_check_sequence_is_that_of_the_standard() {
        assert_eq!(super::fcs(b"123456789"), 0xcbf4_3926_u32.to_le_bytes());
    }
}
