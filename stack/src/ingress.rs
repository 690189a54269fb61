//! The way in: frames from the RX queue, put together into packets.
//!
//! smoltcp reads a packet as one slice. A packet that fills several buffers is one slice where they lie
//! side by side in memory, which is the rule, since the pool gives them out in order; where the chain wraps
//! around the pool's end it is copied together.

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

    /// Takes a batch from the ring and calls `each` with every packet and the device's word on it, in
    /// order; returns how many there were. A packet on our VLAN is shown without its tag.
    pub(crate) fn receive(&mut self, mut each: impl FnMut(&[u8], Verdict)) -> usize {
        let packets = self.queue.receive(BATCH, &mut self.received);
        let start = vlan::tag_len(self.vlan);
        let mut rest = &mut self.received[..];
        while let Some(last) = rest.iter().position(|part| part.end) {
            let (packet, after) = rest.split_at_mut(last + 1);
            rest = after;
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
            let packet = &*packet;
            let joined = Frame::joined(&packet[0].frame, packet[1..].iter().map(|part| &part.frame));
            let bytes = joined.unwrap_or_else(|| {
                self.counters.linearised += 1;
                self.linear.clear();
                for part in packet {
                    self.linear.extend_from_slice(part.frame.bytes());
                }
                &self.linear
            });
            each(&bytes[start..], verdict);
        }
        for part in self.received.drain(..) {
            self.queue.recycle(part.frame);
        }
        packets
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
