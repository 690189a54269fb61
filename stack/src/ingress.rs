//! The way in: frames from the RX queue, put together into packets.
//!
//! smoltcp reads a packet as one slice. A packet that fills several buffers is one slice where they lie
//! side by side in memory, which is the rule, since the pool gives them out in order; where the chain wraps
//! around the pool's end it is copied together.
//!
//! The frames of a batch are given back when the batch is [recycled](Ingress::recycle): as a rule at the end of the
//! round, and one round later where somebody still reads in them.

use pagewire_nic::dma::Frame;
use pagewire_nic::port::{Received, RxQueue, Verdict};

use crate::vlan::{self, VlanId};

/// Most packets taken from the ring at once.
const BATCH: usize = 64;

/// What the way in has seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IngressCounters {
    /// Packets received.
    pub packets: u64,
    /// Packets whose checksums the device found wrong.
    pub bad_checksums: u64,
    /// Packets without the tag of our VLAN, where we are on one.
    pub other_vlan: u64,
    /// Packets that had to be copied together from buffers that are not neighbours.
    pub linearised: u64,
}

/// A packet of the batch at hand that lies in one piece.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) first: usize,
    pub(crate) parts: usize,
}

/// A packet that has arrived.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) bytes: &'a [u8],
    /// What the device says of its checksums.
    pub(crate) verdict: Verdict,
    /// Where it stays until the batch is recycled; `None` where it was copied together.
    pub(crate) place: Option<Place>,
}

/// An RX queue and the packets of the batch at hand.
pub(crate) struct Ingress<R> {
    queue: R,
    received: Vec<Received>,
    linear: Vec<u8>,
    /// The network whose tag every packet must have.
    vlan: Option<VlanId>,
    counters: IngressCounters,
}

impl<R: RxQueue> Ingress<R> {
    pub(crate) fn new(queue: R, vlan: Option<VlanId>) -> Self {
        // A chain has at most 64 KiB in buffers of 1 KiB.
        let received = Vec::with_capacity(BATCH * 64);
        Self {
            queue,
            received,
            linear: Vec::with_capacity(1 << 16),
            vlan,
            counters: IngressCounters::default(),
        }
    }

    /// Takes a batch from the ring, the last one having been recycled, and calls `each` with every packet, in order;
    /// returns how many there were. A packet on our VLAN is shown without its tag.
    pub(crate) fn receive(&mut self, mut each: impl FnMut(Arrival<'_>)) -> usize {
        debug_assert!(self.received.is_empty(), "the last batch was recycled");
        let packets = self.queue.receive(BATCH, &mut self.received);
        let start = vlan::tag_len(self.vlan);
        let mut first = 0;
        while let Some(last) = self.received[first..].iter().position(|part| part.end) {
            let parts = last + 1;
            let place = Place { first, parts };
            let packet = &mut self.received[first..first + parts];
            first += parts;
            self.counters.packets += 1;
            // The verdict of the whole comes with the last buffer (82599 §7.1.6).
            let verdict = packet[last].verdict;
            if verdict == Verdict::Bad {
                self.counters.bad_checksums += 1;
                continue;
            }
            if let Some(vlan) = self.vlan
                && !vlan.untag(packet[0].frame.bytes_mut())
            {
                self.counters.other_vlan += 1;
                continue;
            }
            match joined(packet) {
                Some(bytes) => each(Arrival {
                    bytes: &bytes[start..],
                    verdict,
                    place: Some(place),
                }),
                None => {
                    self.counters.linearised += 1;
                    self.linear.clear();
                    for part in packet {
                        self.linear.extend_from_slice(part.frame.bytes());
                    }
                    each(Arrival {
                        bytes: &self.linear[start..],
                        verdict,
                        place: None,
                    });
                }
            }
        }
        packets
    }

    /// A packet of the batch at hand, as [`receive`](Self::receive) has shown it. Of a batch that is gone: nothing.
    pub(crate) fn packet(&self, place: Place) -> &[u8] {
        let parts = self.received.get(place.first..place.first + place.parts);
        let bytes = parts.and_then(joined).unwrap_or_default();
        &bytes[vlan::tag_len(self.vlan).min(bytes.len())..]
    }

    /// The batch is done with: its frames go back to the queue.
    pub(crate) fn recycle(&mut self) {
        for part in self.received.drain(..) {
            self.queue.recycle(part.frame);
        }
    }

    /// Frames of the batch at hand.
    pub(crate) fn held(&self) -> usize {
        self.received.len()
    }

    /// Gives free buffers to the device again.
    pub(crate) fn refill(&mut self) {
        self.queue.refill();
    }

    pub(crate) fn queue(&self) -> &R {
        &self.queue
    }

    pub(crate) fn counters(&self) -> IngressCounters {
        self.counters
    }
}

/// The bytes of a packet, where its buffers are neighbours.
fn joined(packet: &[Received]) -> Option<&[u8]> {
    let (first, rest) = packet.split_first()?;
    Frame::joined(&first.frame, rest.iter().map(|part| &part.frame))
}
