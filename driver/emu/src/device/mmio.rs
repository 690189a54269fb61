//! Software's reads and writes of registers.
//!
//! Most of them are for the [register file](crate::registers) and then for the [model](super::Model). What concerns a
//! queue that is on is not: a tail is a doorbell, head and tail are the queue's own, and where its ring lies is fixed.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pagewire_spec::Register;

use super::Device;
use crate::base::Side;
use crate::registers::name;
use crate::sanitizer::Rule;

impl Device {
    /// A register write by software. Tails come first: they are the hot ones.
    #[inline]
    pub(crate) fn write(&self, offset: u32, value: u32) {
        if let Some((side, number)) = self.model.tail(offset)
            && self.ring_doorbell(side, number, value)
        {
            return;
        }
        self.write_other(offset, value);
    }

    /// Returns false if the queue is off: the tail is then a register like any other.
    #[inline]
    pub(super) fn ring_doorbell(&self, side: Side, number: usize, value: u32) -> bool {
        let Some(queue) = self.queue(side, number) else {
            return false;
        };
        let began = Instant::now();
        let rung = queue.doorbell(&self.core, value);
        self.ringing
            .fetch_add(began.elapsed().as_nanos() as u64, Ordering::Relaxed);
        if rung && side == Side::Transmit {
            self.rung.fetch_or(1 << number, Ordering::Release);
        }
        rung
    }

    /// How long drivers' threads have been in doorbells. Nothing depends on it.
    pub(crate) fn doorbell_time(&self) -> Duration {
        Duration::from_nanos(self.ringing.load(Ordering::Relaxed))
    }

    #[cold]
    fn write_other(&self, offset: u32, value: u32) {
        let _guard = self.control.lock();
        if let Some((row, index)) = (self.model.layout().lookup)(offset)
            && self.is_ring_at_work(row.canonical(), index)
        {
            return;
        }
        let write = || self.registers.write(offset, value, &self.core.sanitizer);
        if let Some(written) = self.change_causes(write) {
            self.model.written(self, &written);
        }
    }

    /// Whether a write would move a ring that is on: refused and reported.
    fn is_ring_at_work(&self, row: &Register, index: u32) -> bool {
        for rows in self.model.rings() {
            let is_head = rows.head.offset == row.offset;
            if !is_head && !rows.is_fixed(row) {
                continue;
            }
            let Some(queue) = self
                .queue(rows.side, index as usize)
                .filter(|queue| queue.is_on())
            else {
                return false;
            };
            let rule = if is_head {
                Rule::FetchOutsideHeadTail
            } else {
                Rule::RegisterMisuse
            };
            self.core.sanitizer.record(rule, || {
                format!(
                    "{} was written while {:?} queue {} is on",
                    name(row, index),
                    queue.side,
                    queue.number
                )
            });
            return true;
        }
        false
    }

    /// A register read by software.
    pub(crate) fn read(&self, offset: u32) -> u32 {
        if let Some((row, index)) = (self.model.layout().lookup)(offset) {
            let row = row.canonical();
            for rows in self.model.rings() {
                let (is_head, is_tail) = (rows.head.offset == row.offset, rows.tail.offset == row.offset);
                if (is_head || is_tail)
                    && let Some(queue) = self.queue(rows.side, index as usize)
                    && let Some(live) = queue.live.read_recursive().as_ref()
                {
                    return if is_head { live.tell_head() } else { live.tail() };
                }
            }
            if let Some(value) = self.model.read(self, row, index) {
                return value;
            }
        }
        self.change_causes(|| self.registers.read(offset, &self.core.sanitizer))
    }
}
