//! Batches of frames, out and in: what the device does when it is stepped.
//!
//! A batch out begins with a doorbell, a batch in with a cable. Either takes its locks once, asks whether
//! there may be any DMA now, and lets an engine run in the formats of its [`Family`]; then the model counts, and raises causes.

use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;

use super::Device;
use crate::base::Side;
use crate::family::Family;
use crate::receive::State;
use crate::receive::engine::Batch;
use crate::transmit::Engine;
use crate::wire::{Inlet, Port};

impl Device {
    /// Queues whose doorbell rang since the last call.
    #[inline]
    pub(crate) fn take_rung(&self) -> u64 {
        if self.rung.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        self.rung.swap(0, Ordering::Acquire)
    }

    /// As [`take_rung`](Self::take_rung), for one queue.
    #[inline]
    pub(crate) fn take_rung_of(&self, number: usize) -> bool {
        let bit = 1_u64.checked_shl(number as u32).unwrap_or(0);
        self.rung.load(Ordering::Relaxed) & bit != 0
            && self.rung.fetch_and(!bit, Ordering::Acquire) & bit != 0
    }

    /// Sends what queue `number` has published. Returns the number of packets.
    pub(crate) fn transmit(&self, number: usize, inlet: &mut dyn Inlet) -> usize {
        let Some(tx) = self.tx.get(number) else { return 0 };
        let mut engine = tx.engine.lock();
        let packets = self.model.run(&mut engine, self, number, inlet);
        let stats = std::mem::take(&mut engine.stats);
        self.model.sent(self, number, &stats);
        packets
    }

    /// The part of a transmit batch that knows the family.
    pub(crate) fn run_as<F: Family>(
        &self,
        engine: &mut Engine,
        number: usize,
        inlet: &mut dyn Inlet,
    ) -> usize {
        let Some(queue) = self.queue(Side::Transmit, number) else {
            return 0;
        };
        let live = queue.live.read();
        let Some(live) = live.as_ref() else { return 0 };
        let reach = self.core.iommu.hold();
        if !self.core.may_master(&reach) || !self.model.may_transmit(self) {
            // What is published waits until it may be sent.
            self.rung.fetch_or(1 << number, Ordering::Release);
            return 0;
        }
        engine.builder.pads = self.model.pads(self);
        let packets = engine.run::<F>(&self.core, queue, live, &reach, inlet);
        if engine.held_up {
            self.rung.fetch_or(1 << number, Ordering::Release);
        }
        packets
    }

    /// The part of a receive batch that knows the family.
    pub(crate) fn open_as<F: Family>(
        &self,
        state: MutexGuard<'_, State>,
        batch: &mut dyn FnMut(&mut dyn Inlet),
    ) {
        let coalesces = |queue| self.model.coalesces(self, queue);
        let mut inlet = Batch::<F>::new(&self.core, state, &self.rx, &coalesces, self.poster.lock());
        batch(&mut inlet);
        self.model.received(self, &mut inlet.intake.state);
    }
}

impl Port for Device {
    fn receive(&self, batch: &mut dyn FnMut(&mut dyn Inlet)) {
        let mut state = self.receiver.lock();
        let changes = self.registers.changes();
        if state.as_of != changes {
            let old = state.rss.take();
            (state.settings, state.rss) = self.model.settings(self, old);
            state.settings.on &= self.has_carrier();
            state.settings.whole_segments &= self.whole_segments;
            state.as_of = changes;
        }
        self.model.open(self, state, batch);
    }
}
