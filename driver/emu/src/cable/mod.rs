//! Cables: what carries frames from one device's port to another's.
//!
//! ```text
//!  a's TX engine ──► Cable ──► b's Port          one object a direction
//!                      │
//!                      └─► PcapTap               one for both directions
//! ```
//! - `direct`: nothing between the two. The receiver's RX engine runs within the sender's step, and whole
//!   segments pass uncut where the receiver takes them.
//! - `impair`: loses, duplicates, reorders, flips bits and delays, by the dice of a seed. It owns copies of
//!   what is on its way, so segments are cut before they enter.
//! - `kernel`: into this machine's own network stack, by a TAP or a packet socket.
//! - `pcap`: writes down what enters a cable, before anything happens to it.
//!
//! Time comes with each call and chance from a seed: the same run twice is the same run.

mod direct;
mod impair;
mod kernel;
mod pcap;
#[cfg(test)]
mod testing;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use kernel::{AttachError, Attachment, Lost};
pub use pcap::PcapTap;

use crate::wire::{Cable, Delivery, Port, WireCounters};

/// What a cable does to frames in one direction. Probabilities are from 0 to 1, for each frame by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Impairments {
    /// Probability that a frame is lost.
    pub loss: f64,
    /// Probability that a frame arrives twice.
    pub duplicate: f64,
    /// Probability that one to eight later frames overtake a frame. One that nothing overtakes within
    /// [`REORDER_HOLD`] goes on in order.
    pub reorder: f64,
    /// Probability that one bit of a frame arrives flipped, as out of a switch with a broken memory: the
    /// frame check sequence was made after the flip and does not show it, so the checksums of IP and TCP
    /// must. A flip in the destination address makes the receiver's address filter drop the frame; one in
    /// the rest of the Ethernet header is noticed by nobody who does not look at that field.
    pub corrupt: f64,
    /// Where the dice start. Each decision has a stream of its own: a change of one probability leaves the
    /// others' decisions as they are. The two directions of a cable differ with equal seeds.
    pub seed: u64,
    /// How long every frame takes.
    pub latency: Duration,
}

impl Impairments {
    /// A perfect cable.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether frames pass untouched and at once, whatever the seed.
    #[must_use]
    pub fn is_none(&self) -> bool {
        let chances = [self.loss, self.duplicate, self.reorder, self.corrupt];
        chances.iter().all(|&chance| chance <= 0.0) && self.latency.is_zero()
    }
}

/// How long a frame that is to be overtaken waits for others to do so.
pub const REORDER_HOLD: Duration = Duration::from_micros(500);

/// Most frames on their way in one direction; more are lost and counted as `queue_full`. At 9018 bytes they
/// are 148 MB, at 1514 bytes 25 MB: the product of 10 Gb/s and 20 ms.
pub const MAX_IN_FLIGHT: usize = 16_384;

/// Which way of a cable: the two do not share dice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the first end to the second.
    Forth = 0,
    /// From the second end to the first.
    Back = 1,
}

/// One direction of a cable, that ends at the port `to`.
#[must_use]
pub fn lay(
    to: Arc<dyn Port>,
    impairments: &Impairments,
    way: Way,
    tap: Option<Arc<PcapTap>>,
) -> Arc<dyn Cable> {
    if impairments.is_none() {
        Arc::new(direct::Direct::new(to, tap))
    } else {
        Arc::new(impair::Impaired::new(to, impairments, way, tap))
    }
}

/// Counters that several senders' batches add to.
#[derive(Debug, Default)]
struct Tally {
    frames: AtomicU64,
    bytes: AtomicU64,
    delivered: AtomicU64,
    refused: AtomicU64,
    no_buffer: AtomicU64,
}

impl Tally {
    /// Adds what one batch counted.
    fn add(&self, batch: &Batch) {
        for (total, count) in [
            (&self.frames, batch.frames),
            (&self.bytes, batch.bytes),
            (&self.delivered, batch.delivered),
            (&self.refused, batch.refused),
            (&self.no_buffer, batch.no_buffer),
        ] {
            if count > 0 {
                total.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    fn counters(&self) -> WireCounters {
        WireCounters {
            frames: self.frames.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            delivered: self.delivered.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            no_buffer: self.no_buffer.load(Ordering::Relaxed),
            ..WireCounters::default()
        }
    }
}

/// What one batch counts, before it is added to the total.
#[derive(Debug, Default)]
struct Batch {
    frames: u64,
    bytes: u64,
    delivered: u64,
    refused: u64,
    no_buffer: u64,
}

impl Batch {
    /// A frame went onto the cable.
    fn sent(&mut self, len: usize) {
        self.frames += 1;
        self.bytes += len as u64;
    }

    /// What the receiver said to it.
    fn arrived(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Accepted => self.delivered += 1,
            Delivery::NoBuffer => self.no_buffer += 1,
            // A cut frame that is told to be cut would be the receiver's mistake: it did not take the frame.
            Delivery::Filtered | Delivery::BadLength | Delivery::SourceFault | Delivery::CutFirst => {
                self.refused += 1;
            }
            // It is where it was.
            Delivery::Busy => {}
        }
    }
}
