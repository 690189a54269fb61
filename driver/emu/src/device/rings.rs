//! The rings of a device: from the registers that name one to the queue that works through it, and back.

use pagewire_spec::Register;

use super::Device;
use crate::base::Side;
use crate::family::RingRows;
use crate::queue::{Extent, Live, Queue};

impl Device {
    pub(super) fn queue(&self, side: Side, number: usize) -> Option<&Queue> {
        match side {
            Side::Transmit => self.tx.get(number).map(|tx| &tx.queue),
            Side::Receive => self.rx.get(number),
        }
    }

    fn rows(&self, side: Side) -> &'static RingRows {
        let [transmit, receive] = self.model.rings();
        match side {
            Side::Transmit => transmit,
            Side::Receive => receive,
        }
    }

    /// Switches a queue on with the ring that its registers name. Reports and returns false where they name
    /// none.
    pub(crate) fn switch_on(&self, side: Side, number: usize, buffer_len: u32, extent: Extent) -> bool {
        let (rows, index) = (self.rows(side), number as u32);
        let Some(queue) = self.queue(side, number) else {
            self.misuse(|| {
                format!(
                    "{side:?} queue {number} was switched on; this model has {}",
                    self.rx.len()
                )
            });
            return false;
        };
        if queue.is_on() {
            return true;
        }
        let get = |row: &Register| self.registers.get(row, index);
        let slots = get(rows.len) / 16;
        if slots == 0 {
            self.misuse(|| format!("{side:?} queue {number} was switched on with a ring of no descriptors"));
            return false;
        }
        let base = u64::from(get(rows.base_high)) << 32 | u64::from(get(rows.base_low));
        let live = Live::new(&self.core, base, slots, get(rows.head), buffer_len, extent);
        if let Some(tx) = self.tx.get(number).filter(|_| side == Side::Transmit) {
            tx.engine.lock().restart();
        }
        *queue.live.write() = Some(live);
        let tail = get(rows.tail);
        if tail != get(rows.head) {
            self.ring_doorbell(side, number, tail);
        }
        true
    }

    /// Switches a queue off, and waits until the engine has left it.
    pub(crate) fn switch_off(&self, side: Side, number: usize) {
        let (rows, index) = (self.rows(side), number as u32);
        let Some(queue) = self.queue(side, number) else {
            return;
        };
        if let Some((head, tail)) = queue.switch_off(&self.core) {
            self.registers.set(rows.head, index, head);
            self.registers.set(rows.tail, index, tail);
        }
    }
}
