//! The device as what maps memory for its driver: every mapping goes into its table, and one that ends while the
//! device still has use for the memory is noted.

use pagewire_bus::{BusError, Direction, DmaMapper, HostRange, Iova, MapperCounters, MapperLimits};

use super::Device;
use crate::queue::{Held, Queue};
use crate::sanitizer::Rule;

impl Device {
    /// The queues that still have use for memory of `[start, end)`, and what for.
    fn held(&self, start: u64, end: u64) -> Vec<(&Queue, Held)> {
        let queues = self.tx.iter().map(|tx| &tx.queue).chain(&self.rx);
        let held = queues.filter_map(|queue| {
            let live = queue.live.read_recursive();
            live.as_ref()?.holds(start, end).map(|held| (queue, held))
        });
        held.collect()
    }
}

impl DmaMapper for Device {
    #[allow(
        unsafe_code,
        reason = "implements the trait's unsafe method; the contract passes through"
    )]
    unsafe fn map(&self, memory: HostRange, direction: Direction) -> Result<Iova, BusError> {
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { self.core.iommu.map(memory, direction) }
    }

    fn unmap(&self, iova: Iova, len: usize) -> Result<(), BusError> {
        let (start, end) = (iova.0, iova.0.saturating_add(len as u64));
        // Asked before: once the memory is gone, the engine gives the descriptor back.
        let held = self.held(start, end);
        self.core.iommu.unmap(iova, len)?;
        for (queue, held) in held {
            self.core
                .sanitizer
                .record(Rule::ReleasedWhilePosted, || match held {
                    Held::Ring => format!(
                        "{:?} queue {} is on, and its ring was unmapped",
                        queue.side, queue.number
                    ),
                    Held::Descriptor(index) => format!(
                        "{} names memory of {start:#x}..{end:#x}, which was unmapped",
                        queue.place(index)
                    ),
                });
        }
        Ok(())
    }

    fn counters(&self) -> MapperCounters {
        self.core.iommu.counters()
    }

    fn limits(&self) -> MapperLimits {
        self.core.iommu.limits()
    }
}
