//! A cable that loses, duplicates, reorders, corrupts and delays.
//!
//! A frame that enters meets the dice in this order: lost; else a bit flipped; a copy made; held back to be
//! overtaken. What remains waits in a queue ordered by (time due, order of entry) until the next
//! [`deliver_due`](Cable::deliver_due) at or after its time. A duplicate is not held back, so it follows its
//! original at once or, if that is held, comes first.
//!
//! A frame that is held back leaves when as many later frames have entered as its dice say (1 to 8), due right
//! behind the last of them, or after [`REORDER_HOLD`] if that many do not come. So its displacement is bounded
//! in frames, whatever the rate, and nothing waits for ever at the end of a transfer.
//!
//! Buffers are recycled, and frames in flight are limited to [`MAX_IN_FLIGHT`]: the cable's memory is bounded.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::pcap::{PcapTap, Recorder};
use super::{Batch, Impairments, MAX_IN_FLIGHT, REORDER_HOLD, Way};
use crate::wire::{Cable, Checksums, Delivery, Inlet, Port, WireCounters, WireFrame};

/// Most frames that overtake one that is held back.
const MAX_OVERTAKERS: u64 = 8;

/// One direction of a bad cable.
#[derive(Debug)]
pub(super) struct Impaired {
    to: Arc<dyn Port>,
    tap: Option<Arc<PcapTap>>,
    line: Mutex<Line>,
}

impl Impaired {
    pub(super) fn new(
        to: Arc<dyn Port>,
        impairments: &Impairments,
        way: Way,
        tap: Option<Arc<PcapTap>>,
    ) -> Self {
        Self {
            to,
            tap,
            line: Mutex::new(Line::new(impairments, way)),
        }
    }
}

impl Cable for Impaired {
    fn carry(&self, now: Duration, batch: &mut dyn FnMut(&mut dyn Inlet)) {
        let recorder = self.tap.as_deref().map(|tap| tap.open(now));
        batch(&mut Entry {
            now,
            line: &mut self.line.lock(),
            recorder,
        });
    }

    fn deliver_due(&self, now: Duration) -> usize {
        let mut line = self.line.lock();
        line.let_go(now);
        if line.due.peek().is_none_or(|next| next.due > now) {
            return 0;
        }
        let mut count = Batch::default();
        let mut delivered = 0;
        self.to.receive(&mut |inlet| {
            while let Some(flight) = line.pop_due(now) {
                // Somebody may have flipped a bit: the receiver checks for itself.
                let delivery = inlet.deliver(&WireFrame::single(&flight.bytes, Checksums::Unverified));
                if delivery == Delivery::Busy {
                    line.due.push(flight);
                    return;
                }
                count.arrived(delivery);
                line.note_order(flight.number);
                line.spare.push(flight.bytes);
                delivered += 1;
            }
        });
        line.counters.delivered += count.delivered;
        line.counters.refused += count.refused;
        line.counters.no_buffer += count.no_buffer;
        delivered
    }

    fn next_event(&self) -> Option<Duration> {
        let line = self.line.lock();
        let held = line.held.iter().map(|held| held.flight.due);
        held.chain(line.due.peek().map(|flight| flight.due)).min()
    }

    fn counters(&self) -> WireCounters {
        let line = self.line.lock();
        WireCounters {
            in_flight: line.in_flight() as u64,
            ..line.counters
        }
    }
}

/// The cable's near end, for one batch.
struct Entry<'a> {
    now: Duration,
    line: &'a mut Line,
    recorder: Option<Recorder<'a>>,
}

impl Inlet for Entry<'_> {
    fn deliver(&mut self, frame: &WireFrame<'_>) -> Delivery {
        if frame.segmentation().is_some() {
            return Delivery::CutFirst;
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.record(frame);
        }
        self.line.enter(frame.head(), self.now);
        Delivery::Accepted
    }
}

/// A frame on its way.
#[derive(Debug)]
struct Flight {
    due: Duration,
    /// Breaks ties of `due`.
    order: u64,
    /// The how-manieth frame of the sender this is; a duplicate has its original's.
    number: u64,
    bytes: Vec<u8>,
}

impl Ord for Flight {
    /// The one due first is the greatest, as the heap wants it.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.order).cmp(&(self.due, self.order))
    }
}

impl PartialOrd for Flight {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Flight {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Flight {}

/// A frame that is held back, until so many more have passed or it is due.
#[derive(Debug)]
struct Held {
    overtakers: u64,
    flight: Flight,
}

/// What is on the cable.
#[derive(Debug)]
struct Line {
    dice: Dice,
    latency: Duration,
    due: BinaryHeap<Flight>,
    held: Vec<Held>,
    spare: Vec<Vec<u8>>,
    next_order: u64,
    /// One above the highest number delivered.
    delivered_to: u64,
    counters: WireCounters,
}

impl Line {
    fn new(impairments: &Impairments, way: Way) -> Self {
        Self {
            dice: Dice::new(impairments, way),
            latency: impairments.latency,
            due: BinaryHeap::new(),
            held: Vec::new(),
            spare: Vec::new(),
            next_order: 0,
            delivered_to: 0,
            counters: WireCounters::default(),
        }
    }

    fn in_flight(&self) -> usize {
        self.due.len() + self.held.len()
    }

    /// A frame comes in. Every die is thrown for every frame, so that none depends on another's outcome.
    fn enter(&mut self, bytes: &[u8], now: Duration) {
        let number = self.counters.frames;
        self.counters.frames += 1;
        self.counters.bytes += bytes.len() as u64;
        let Throw {
            lost,
            duplicated,
            reordered,
            corrupted,
        } = self.dice.throw();
        if lost.is_some() {
            self.counters.lost += 1;
            return;
        }
        let due = now.saturating_add(self.latency);
        let Some(mut flight) = self.take_off(bytes, due, number) else {
            return;
        };
        if let (Some(at), true) = (corrupted, !bytes.is_empty()) {
            let bit = (at % (bytes.len() as u64 * 8)) as usize;
            flight.bytes[bit / 8] ^= 1 << (bit % 8);
            self.counters.corrupted += 1;
        }
        if duplicated.is_some() {
            self.counters.duplicated += 1;
            if let Some(copy) = self.take_off(&flight.bytes, due, number) {
                self.due.push(copy);
            }
        }
        match reordered {
            None => {
                self.due.push(flight);
                self.overtake(due);
            }
            Some(distance) => {
                self.overtake(due);
                flight.due = due.saturating_add(REORDER_HOLD);
                self.held.push(Held {
                    overtakers: 1 + distance % MAX_OVERTAKERS,
                    flight,
                });
            }
        }
    }

    /// A copy of `bytes` that is to fly, unless there are too many.
    fn take_off(&mut self, bytes: &[u8], due: Duration, number: u64) -> Option<Flight> {
        if self.in_flight() >= MAX_IN_FLIGHT {
            self.counters.queue_full += 1;
            return None;
        }
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(bytes);
        let order = self.next_order;
        self.next_order += 1;
        Some(Flight {
            due,
            order,
            number,
            bytes: buffer,
        })
    }

    /// A frame has entered behind those that are held back: who has seen enough goes now.
    fn overtake(&mut self, due: Duration) {
        for held in &mut self.held {
            held.overtakers -= 1;
        }
        for Held { mut flight, .. } in self.held.extract_if(.., |held| held.overtakers == 0) {
            flight.due = flight.due.min(due);
            flight.order = self.next_order;
            self.next_order += 1;
            self.due.push(flight);
        }
    }

    /// Lets go of what was held back long enough.
    fn let_go(&mut self, now: Duration) {
        self.due.extend(
            self.held
                .extract_if(.., |held| held.flight.due <= now)
                .map(|held| held.flight),
        );
    }

    fn pop_due(&mut self, now: Duration) -> Option<Flight> {
        if self.due.peek()?.due > now {
            return None;
        }
        self.due.pop()
    }

    /// A frame was delivered.
    fn note_order(&mut self, number: u64) {
        if number < self.delivered_to {
            // A duplicate right behind its original is in order.
            self.counters.reordered += u64::from(number + 1 < self.delivered_to);
        } else {
            self.delivered_to = number + 1;
        }
    }
}

/// A die for each decision.
#[derive(Debug)]
struct Dice {
    loss: Die,
    duplicate: Die,
    reorder: Die,
    corrupt: Die,
}

/// What the dice say to one frame: where a decision falls, a number that says how.
struct Throw {
    lost: Option<u64>,
    duplicated: Option<u64>,
    reordered: Option<u64>,
    corrupted: Option<u64>,
}

impl Dice {
    fn new(impairments: &Impairments, way: Way) -> Self {
        let die = |index: u64, probability: f64| {
            let mut rng = ChaCha8Rng::seed_from_u64(impairments.seed);
            rng.set_stream(index * 2 + way as u64);
            Die { probability, rng }
        };
        Self {
            loss: die(0, impairments.loss),
            duplicate: die(1, impairments.duplicate),
            reorder: die(2, impairments.reorder),
            corrupt: die(3, impairments.corrupt),
        }
    }

    fn throw(&mut self) -> Throw {
        Throw {
            lost: self.loss.throw(),
            duplicated: self.duplicate.throw(),
            reordered: self.reorder.throw(),
            corrupted: self.corrupt.throw(),
        }
    }
}

/// One stream of random numbers, and how often it says yes.
#[derive(Debug)]
struct Die {
    probability: f64,
    rng: ChaCha8Rng,
}

impl Die {
    /// Takes two numbers off the stream, whatever the outcome: the first decides, the second says how.
    fn throw(&mut self) -> Option<u64> {
        if self.probability <= 0.0 {
            return None;
        }
        let (decision, how) = (self.rng.next_u64(), self.rng.next_u64());
        // 53 bits make a fraction in [0, 1).
        let fraction = (decision >> 11) as f64 / (1_u64 << 53) as f64;
        (fraction < self.probability).then_some(how)
    }
}

#[cfg(test)]
mod tests;
