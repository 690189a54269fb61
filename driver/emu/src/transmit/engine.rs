//! Walks the published descriptors of one queue.

use super::build::Builder;
use crate::base::Core;
use crate::family::{Data, Family, Transmit};
use crate::memory::{Reach, Ring};
use crate::queue::{Live, Queue};
use crate::sanitizer::Rule;
use crate::wire::{Delivery, Inlet};

/// What has been sent since the statistics registers were last told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TxStats {
    /// Frames on the wire (a whole segment counts as one).
    pub(crate) frames: u64,
    /// Their octets, FCS included.
    pub(crate) octets: u64,
    /// Segmentation requests.
    pub(crate) segmented: u64,
    pub(crate) multicast: u64,
    pub(crate) broadcast: u64,
    /// By length: 64, to 127, 255, 511, 1023, and more.
    pub(crate) by_len: [u64; 6],
    /// Done bits were written.
    pub(crate) reported: bool,
}

impl TxStats {
    #[inline]
    pub(crate) fn count(&mut self, frame_len: usize, destination: &[u8]) {
        let octets = frame_len as u64 + 4;
        self.frames += 1;
        self.octets += octets;
        self.by_len[len_class(octets)] += 1;
        if destination.first().is_some_and(|first| first & 1 == 1) {
            let all = destination.iter().take(6).all(|byte| *byte == 0xff);
            *(if all {
                &mut self.broadcast
            } else {
                &mut self.multicast
            }) += 1;
        }
    }
}

/// Which of the counters by length a frame of so many octets belongs to.
#[inline]
pub(crate) fn len_class(octets: u64) -> usize {
    match octets {
        0..=64 => 0,
        65..=127 => 1,
        128..=255 => 2,
        256..=511 => 3,
        512..=1023 => 4,
        _ => 5,
    }
}

/// What one queue's engine keeps from batch to batch: contexts, and buffers that are reused.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    pub(crate) builder: Builder,
    pub(super) parts: Vec<Part>,
    reports: Vec<(u32, u64)>,
    pub(crate) stats: TxStats,
    /// The cable had no room: what is published from the packet at hand on waits for the next batch.
    pub(crate) held_up: bool,
}

/// A data descriptor of the packet at hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) descriptor: u32,
    pub(super) data: Data,
}

/// What an engine works on during a batch.
pub(super) struct Batch<'b> {
    pub(super) core: &'b Core,
    pub(super) queue: &'b Queue,
    pub(super) live: &'b Live,
    pub(super) reach: &'b Reach<'b>,
}

impl Engine {
    /// Forgets contexts: the queue was switched on.
    pub(crate) fn restart(&mut self) {
        self.builder.contexts = [None; 2];
        self.builder.passed = 0;
    }

    /// Sends what is published at the moment of the call. Returns the number of packets.
    pub(crate) fn run<F: Family>(
        &mut self,
        core: &Core,
        queue: &Queue,
        live: &Live,
        reach: &Reach<'_>,
        inlet: &mut dyn Inlet,
    ) -> usize {
        let (start, tail) = (live.head(), live.tail());
        self.held_up = false;
        if start == tail {
            return 0;
        }
        let ring = match reach.ring(live.base, live.slots) {
            Ok(ring) => ring,
            Err(refusal) => {
                core.refuse(queue.place(start), &refusal);
                return 0;
            }
        };
        let batch = Batch {
            core,
            queue,
            live,
            reach,
        };
        let mut packets = 0;
        // A packet's, and those of the parts of it that go together.
        let mut pieces = Vec::with_capacity(160);
        let mut index = start;
        self.begin();
        while index != tail {
            let words = ring.load(index);
            if !live.is_as_published(index, words) {
                let text = format!("is {words:x?} now");
                core.violation(Rule::DescriptorChangedAfterDoorbell, queue.place(index), &text);
            }
            let next = live.next(index);
            let ended = match F::transmit(words) {
                Transmit::Context(slot, context) => {
                    self.builder.contexts[slot & 1] = Some(context);
                    false
                }
                Transmit::Data(data) => {
                    self.parts.push(Part {
                        descriptor: index,
                        data,
                    });
                    if data.report {
                        self.reports.push((index, words[1]));
                    }
                    data.end
                }
                Transmit::Malformed { why, end, report } => {
                    core.violation(Rule::MalformedDescriptor, queue.place(index), why);
                    self.builder.spoiled = true;
                    if report {
                        self.reports.push((index, words[1]));
                    }
                    end
                }
            };
            index = next;
            if ended {
                if self.send::<F>(&batch, &mut pieces, inlet) == Some(Delivery::Busy) {
                    self.held_up = true;
                    return packets;
                }
                self.finish::<F>(&batch, &ring, index);
                packets += 1;
            }
        }
        self.give_up_endless::<F>(&batch, &ring, index);
        packets
    }

    fn begin(&mut self) {
        self.parts.clear();
        self.reports.clear();
        self.builder.spoiled = false;
    }

    fn send<'r, F: Family>(
        &mut self,
        batch: &Batch<'r>,
        pieces: &mut Vec<crate::memory::Piece<'r>>,
        inlet: &mut dyn Inlet,
    ) -> Option<Delivery> {
        if self.builder.spoiled {
            return None;
        }
        let outcome = self
            .builder
            .send::<F>(batch, &self.parts, pieces, &mut self.stats, inlet);
        if outcome == Some(Delivery::SourceFault) {
            batch
                .core
                .dma_faults
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        outcome
    }

    /// The packet is over: its memory is free, its done bits are written.
    fn finish<F: Family>(&mut self, batch: &Batch<'_>, ring: &Ring<'_>, end: u32) {
        let live = batch.live;
        if batch.core.strict {
            for part in &self.parts {
                if !live.payload_is_as_published(batch.reach, part.descriptor) {
                    let place = batch.queue.place(part.descriptor);
                    batch.core.violation(
                        Rule::PayloadChangedBeforeDone,
                        place,
                        &format!("iova {:#x}", part.data.iova),
                    );
                }
            }
        }
        self.builder.passed = 0;
        live.retire(batch.reach, end, !self.reports.is_empty());
        for (index, word) in &self.reports {
            ring.store_second(*index, F::transmitted(*word));
            self.stats.reported = true;
        }
        self.begin();
    }

    /// A ring full of descriptors of which none ends a packet would stand still for ever.
    fn give_up_endless<F: Family>(&mut self, batch: &Batch<'_>, ring: &Ring<'_>, end: u32) {
        let waiting = batch.live.distance(batch.live.head(), end);
        if waiting + 1 == batch.live.slots {
            let why = "the ring is full and no descriptor ends a packet";
            batch
                .core
                .violation(Rule::MalformedDescriptor, batch.queue.place(end), why);
            self.finish::<F>(batch, ring, end);
        }
    }
}
