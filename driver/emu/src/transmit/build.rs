//! Makes frames out of the descriptors of one packet.

use super::engine::{Batch, Part, TxStats};
use super::whole::Whole;
use crate::family::{Context, Family};
use crate::memory::{Piece, SourceFault};
use crate::offload::checksum::insert;
use crate::offload::segment::{self, SegmentError};
use crate::sanitizer::Rule;
use crate::wire::{Checksums, Delivery, Inlet, Segmentation, WireFrame};

/// The shortest frame, without FCS.
pub(crate) const MIN_FRAME: usize = 60;
/// The longest header that segmentation replicates: all the bits that a context has for lengths.
const MAX_HEADER: usize = 127 + 511 + 255;

/// Contexts and packet buffer of one queue.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    pub(super) contexts: [Option<Context>; 2],
    /// A descriptor of the packet at hand means nothing: it is not sent.
    pub(super) spoiled: bool,
    /// Short frames are padded.
    pub(crate) pads: bool,
    /// Payload bytes of the segment at hand that the cable took before it was busy.
    pub(super) passed: usize,
    /// Frames are put together here.
    buffer: Vec<u8>,
    /// A segment's headers, as software left them and as those of the whole.
    header: Vec<u8>,
    whole: Vec<u8>,
}

impl Builder {
    /// Sends one packet. `None` where it could not be built, which has been reported.
    pub(super) fn send<'r, F: Family>(
        &mut self,
        batch: &Batch<'r>,
        parts: &[Part],
        pieces: &mut Vec<Piece<'r>>,
        stats: &mut TxStats,
        inlet: &mut dyn Inlet,
    ) -> Option<Delivery> {
        let first = parts.first()?;
        let malformed = |why: &str| {
            batch.core.violation(
                Rule::MalformedDescriptor,
                batch.queue.place(first.descriptor),
                why,
            );
            None
        };
        if parts.len() > F::MAX_DESCRIPTORS {
            return malformed("more descriptors than a packet may have");
        }
        pieces.clear();
        let mut total = 0;
        for part in parts {
            match batch.reach.piece(part.data.iova, part.data.len) {
                Ok(piece) => pieces.push(piece),
                Err(refusal) => {
                    batch.core.refuse(batch.queue.place(part.descriptor), &refusal);
                    return None;
                }
            }
            total += part.data.len;
        }
        let context = self.contexts[first.data.context & 1];
        if first.data.segment {
            let Some(context) = context else {
                return malformed("segmentation without a context");
            };
            let Some(plan) = context.segmentation else {
                return malformed("segmentation with a context that has no MSS, or headers that overlap");
            };
            let header_len = plan.header_len();
            if header_len > MAX_HEADER || header_len >= total {
                return malformed("a segment no longer than its headers");
            }
            let declared = first.data.declared_len.or(context.payload_len);
            if declared.is_some_and(|declared| declared != total - header_len) {
                return malformed("PAYLEN is not the TCP payload that the descriptors name");
            }
            return self.send_segment(batch, first, &plan, pieces, total, stats, inlet);
        }
        if total > F::MAX_FRAME {
            return malformed("a frame longer than the device sends");
        }
        if first.data.declared_len.is_some_and(|declared| declared != total) {
            return malformed("PAYLEN is not the length of the descriptors' data");
        }
        if (first.data.ip || first.data.l4) && context.is_none() {
            return malformed("checksum insertion without a context");
        }
        let Ok(frame) = gather(&mut self.buffer, pieces, total) else {
            return Some(Delivery::SourceFault);
        };
        let ip = context.filter(|_| first.data.ip).map(|context| context.ip);
        let l4 = context.filter(|_| first.data.l4).map(|context| context.l4);
        if l4.is_some_and(|l4| l4.is_none()) {
            return malformed("checksum insertion for a protocol that the context does not name");
        }
        for wanted in [ip, l4.flatten(), first.data.own_insertion].into_iter().flatten() {
            if !insert(
                &mut frame[..total],
                wanted.covered(total),
                wanted.at,
                wanted.field,
            ) {
                return malformed("a checksum outside the frame");
            }
        }
        let frame = &frame[..if self.pads { total.max(MIN_FRAME) } else { total }];
        let delivery = inlet.deliver(&WireFrame::single(frame, Checksums::Unverified));
        if delivery != Delivery::Busy {
            stats.count(frame.len(), frame);
        }
        Some(delivery)
    }

    #[expect(clippy::too_many_arguments, reason = "they are one packet's")]
    fn send_segment<'r>(
        &mut self,
        batch: &Batch<'r>,
        first: &Part,
        plan: &Segmentation,
        pieces: &mut Vec<Piece<'r>>,
        total: usize,
        stats: &mut TxStats,
        inlet: &mut dyn Inlet,
    ) -> Option<Delivery> {
        let header_len = plan.header_len();
        let payload_len = total - header_len;
        if split_header(&mut self.header, pieces, header_len).is_err() {
            return Some(Delivery::SourceFault);
        }
        let bad_header = |why: &SegmentError| {
            let place = batch.queue.place(first.descriptor);
            batch
                .core
                .violation(Rule::MalformedDescriptor, place, &why.to_string());
            None
        };
        let vouched = segment::left_sum_is_right(&self.header, plan);
        if vouched && total >= MIN_FRAME {
            let mut whole = Whole {
                header: &self.header,
                plan,
                buffer: &mut self.whole,
                passed: &mut self.passed,
            };
            match whole.send(pieces, payload_len, stats, inlet) {
                Err(why) => return bad_header(&why),
                Ok(Delivery::CutFirst) => {}
                Ok(delivery) => {
                    stats.segmented += u64::from(delivery != Delivery::Busy);
                    return Some(delivery);
                }
            }
        }
        let checksums = if vouched {
            Checksums::Inserted
        } else {
            Checksums::Unverified
        };
        let (mut last, pads) = (Delivery::Accepted, self.pads);
        let (passed, mut sent) = (&mut self.passed, 0);
        let cut = segment::cut(&self.header, pieces, plan, &mut self.buffer, |frame| {
            sent += frame.len() - header_len;
            if sent <= *passed {
                return true;
            }
            let padded;
            let mut frame = frame;
            if pads && frame.len() < MIN_FRAME {
                padded = pad(frame);
                frame = &padded;
            }
            last = inlet.deliver(&WireFrame::single(frame, checksums));
            if last == Delivery::Busy {
                return false;
            }
            *passed = sent;
            stats.count(frame.len(), frame);
            true
        });
        stats.segmented += u64::from(last != Delivery::Busy);
        match cut {
            Ok(_) => Some(last),
            Err(SegmentError::Source(_)) => Some(Delivery::SourceFault),
            Err(why) => bad_header(&why),
        }
    }
}

fn pad(frame: &[u8]) -> [u8; MIN_FRAME] {
    let mut padded = [0; MIN_FRAME];
    padded[..frame.len()].copy_from_slice(frame);
    padded
}

/// Copies a frame's pieces, `total` bytes, into the packet buffer, with zeros behind a short one.
fn gather<'b>(
    buffer: &'b mut Vec<u8>,
    pieces: &[Piece<'_>],
    total: usize,
) -> Result<&'b mut [u8], SourceFault> {
    let len = total.max(MIN_FRAME);
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    let frame = &mut buffer[..len];
    let mut rest = &mut frame[..];
    for piece in pieces {
        let (to, behind) = rest.split_at_mut(piece.len());
        piece.copy_to(to)?;
        rest = behind;
    }
    rest.fill(0);
    Ok(frame)
}

/// Copies the first `len` bytes into `header` and leaves the rest in `pieces`.
fn split_header(header: &mut Vec<u8>, pieces: &mut Vec<Piece<'_>>, len: usize) -> Result<(), SourceFault> {
    header.resize(len, 0);
    let (mut at, mut used) = (0, 0);
    for piece in pieces.iter_mut() {
        let take = piece.len().min(len - at);
        piece.copy_to(&mut header[at..at + take])?;
        at += take;
        if take < piece.len() {
            *piece = piece.part(take, usize::MAX);
            break;
        }
        used += 1;
    }
    pieces.drain(..used);
    Ok(())
}
