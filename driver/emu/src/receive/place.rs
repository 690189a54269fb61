//! A frame into the buffers of a queue: the one copy of a payload byte.

use crate::base::Core;
use crate::family::{Family, Received};
use crate::memory::{Reach, Ring, Room};
use crate::offload::checksum::Verdicts;
use crate::offload::hash::RssType;
use crate::offload::headers::IpPacket;
use crate::queue::{Live, Queue, note_early_reads};
use crate::sanitizer::Rule;
use crate::wire::WireFrame;

/// What is known of a frame before it is placed.
#[derive(Debug)]
pub(super) struct Info<'f> {
    pub(super) verdicts: Verdicts,
    pub(super) packet: Option<&'f IpPacket>,
    pub(super) hash: Option<(RssType, u32)>,
    pub(super) inexact: bool,
    pub(super) keep_fcs: bool,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    Done,
    NoDescriptors,
    SourceFault,
}

/// Bytes of a frame still to be written: its head, then its payload pieces.
struct Source<'f> {
    frame: &'f WireFrame<'f>,
    head_at: usize,
    piece: usize,
    piece_at: usize,
    /// What goes to memory behind the frame: its check sequence, or nothing.
    fcs: [u8; 4],
    fcs_at: usize,
}

impl Source<'_> {
    /// Fills `room` as far as the frame goes.
    #[inline]
    fn fill(&mut self, room: &mut Room<'_>) {
        let mut at = room.write(0, &self.frame.head()[self.head_at..]);
        self.head_at += at;
        while let Some(piece) = self.frame.payload().get(self.piece) {
            let part = piece.part(self.piece_at, usize::MAX);
            let wrote = room.write_piece(at, &part);
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

    fn is_real(&self) -> bool {
        self.frame.payload().iter().all(|piece| piece.check().is_ok())
    }
}

/// Writes `frame` into as many buffers as it needs, and their descriptors back; or nothing at all.
#[inline]
pub(super) fn place<F: Family>(
    core: &Core,
    queue: &Queue,
    live: &Live,
    reach: &Reach<'_>,
    frame: &WireFrame<'_>,
    info: &Info<'_>,
) -> Placed {
    let buffer_len = live.buffer_len as usize;
    let len = frame.len() + if info.keep_fcs { 4 } else { 0 };
    let (head, tail) = (live.head(), live.tail());
    let needed = len.div_ceil(buffer_len.max(1));
    if needed > live.distance(head, tail) as usize {
        return Placed::NoDescriptors;
    }
    let ring = match reach.ring(live.base, live.slots) {
        Ok(ring) => ring,
        Err(refusal) => {
            core.refuse(queue.place(head), &refusal);
            return Placed::NoDescriptors;
        }
    };
    let (fcs, fcs_at) = if info.keep_fcs {
        (fcs(frame.head()), 0)
    } else {
        ([0; 4], 4)
    };
    let mut source = Source {
        frame,
        head_at: 0,
        piece: 0,
        piece_at: 0,
        fcs,
        fcs_at,
    };
    let (mut index, mut refused) = (head, None);
    for _ in 0..needed {
        let words = ring.load(index);
        if !live.is_as_published(index, words) {
            let text = format!("is {words:x?} now");
            core.violation(Rule::DescriptorChangedAfterDoorbell, queue.place(index), &text);
        }
        if core.strict
            && let Some((iova, len)) = live.published(index)
        {
            note_early_reads(core, reach.unshield(iova, len));
        }
        match reach.room(words[0], buffer_len) {
            Ok(mut room) => source.fill(&mut room),
            Err(refusal) => {
                core.refuse(queue.place(index), &refusal);
                refused = Some(index);
                break;
            }
        }
        index = live.next(index);
    }
    if let Some(bad) = refused {
        give_back::<F>(live, reach, &ring, head, bad);
        return Placed::NoDescriptors;
    }
    if !source.is_real() {
        return Placed::SourceFault;
    }
    write_back::<F>(live, reach, &ring, (head, index), len, frame, info);
    Placed::Done
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

/// Descriptors up to the one whose buffer cannot be written come back, empty and marked bad: a driver that
/// made the mistake sees it, and the queue goes on.
#[cold]
fn give_back<F: Family>(live: &Live, reach: &Reach<'_>, ring: &Ring<'_>, head: u32, bad: u32) {
    let end = live.next(bad);
    live.retire(reach, end, true);
    let mut index = head;
    while index != end {
        let next = live.next(index);
        let slot = Received {
            address: ring.load(index)[0],
            len: 0,
            end: next == end,
            next,
            coalesced: false,
            inexact: false,
            verdicts: Verdicts::UNCHECKED,
            packet: None,
            hash: None,
            error: true,
        };
        ring.store(index, F::received(&slot));
        index = next;
    }
}

#[inline]
fn write_back<F: Family>(
    live: &Live,
    reach: &Reach<'_>,
    ring: &Ring<'_>,
    (head, end): (u32, u32),
    len: usize,
    frame: &WireFrame<'_>,
    info: &Info<'_>,
) {
    live.retire(reach, end, true);
    let (mut index, mut left) = (head, len);
    while index != end {
        let next = live.next(index);
        let here = left.min(live.buffer_len as usize);
        left -= here;
        let slot = Received {
            address: ring.load(index)[0],
            // A buffer is at most 16 KiB.
            len: here as u16,
            end: next == end,
            next,
            coalesced: frame.segmentation().is_some(),
            inexact: info.inexact,
            verdicts: info.verdicts,
            packet: info.packet,
            hash: info.hash,
            error: false,
        };
        ring.store(index, F::received(&slot));
        index = next;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_check_sequence_is_that_of_the_standard() {
        assert_eq!(super::fcs(b"123456789"), 0xcbf4_3926_u32.to_le_bytes());
    }
}
