//! The near end of the cable: rings that are filled and emptied, and a count of what was found in them.

use std::sync::atomic::Ordering;

use pagewire_bus::Function;
use pagewire_nic::dma::FramePool;
use pagewire_nic::port::{RxQueue, TxOffload, TxQueue};

use crate::emulated::pattern;
use crate::fate::{Fate, Fated};

/// The near end's thread: its rings, and what it has seen of what happened.
pub(crate) struct Near<T, R> {
    tx: T,
    rx: R,
    pool: FramePool,
    pub(crate) posted: usize,
    pub(crate) arrivals: usize,
    pub(crate) departures: usize,
    pub(crate) links: usize,
}

impl<T: TxQueue, R: RxQueue> Near<T, R> {
    pub(crate) fn new(function: &Fated, (tx, rx): (T, R)) -> Self {
        Self {
            tx,
            rx,
            pool: FramePool::new(&function.mapper(), 64, 2048).unwrap(),
            posted: 0,
            arrivals: 0,
            departures: 0,
            links: 0,
        }
    }

    /// Posts a frame, if there is one.
    pub(crate) fn post(&mut self) {
        let Some(mut frame) = self.pool.take() else { return };
        frame.set_len(100).unwrap();
        frame.bytes_mut().copy_from_slice(&pattern(100));
        self.tx.post(frame, TxOffload::None).unwrap();
        self.tx.doorbell();
        self.posted += 1;
    }

    /// Empties the rings. Returns whether something was there.
    pub(crate) fn drain(&mut self) -> bool {
        let (mut out, mut freed) = (Vec::new(), Vec::new());
        let received = self.rx.receive(usize::MAX, &mut out);
        out.drain(..).for_each(|got| self.rx.recycle(got.frame));
        self.rx.refill();
        self.tx.reap(&mut freed);
        let reaped = freed.len();
        freed.drain(..).for_each(|frame| self.pool.give(frame).unwrap());
        self.arrivals += received;
        self.departures += reaped;
        received + reaped > 0
    }

    /// Whether something has happened that was not seen.
    pub(crate) fn is_behind(&self, fate: &Fate) -> bool {
        fate.arrivals.load(Ordering::Relaxed) > self.arrivals
            || fate.departures.load(Ordering::Relaxed) > 0 && self.posted > self.departures
            || fate.links.load(Ordering::Relaxed) > self.links
    }
}
