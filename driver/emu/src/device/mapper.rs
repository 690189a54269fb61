//! The device as what maps memory for its driver: every mapping goes into its table, and one that ends while the
//! device still has use for the memory is noted.

use pagewire_bus::{BusError, Direction, DmaMapper, HostRange, Iova, MapperCounters, MapperLimits};

use super::Device;
use crate::queue::Held;
use crate::sanitizer::Rule;

impl Device {
    /// What of this device lies in `[start, end)`: noted when software takes the memory away.
    fn note_released(&self, start: u64, end: u64) {
        for queue in self.tx.iter().map(|tx| &tx.queue).chain(&self.rx) {
            let Some(held) = queue
                .live
                .read_recursive()
                .as_ref()
                .and_then(|live| live.holds(start, end))
            else {
                continue;
            };
            self.core
                .sanitizer
                .record(Rule::ReleasedWhilePosted, || match held {
                    Held::Ring => format!(
                        "{:?} queue {} is on, and its ring was unmapped",
                        queue.side, queue.number
                    ),
                    Held::Descriptor(index) => {
                        format!(
                            "{} names memory of {start:#x}..{end:#x}, which was unmapped",
                            queue.place(index)
                        )
                    }
                });
        }
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
        self.note_released(iova.0, iova.0.saturating_add(len as u64));
        self.core.iommu.unmap(iova, len)
    }

    fn counters(&self) -> MapperCounters {
        self.core.iommu.counters()
    }

    fn limits(&self) -> MapperLimits {
        self.core.iommu.limits()
    }
}
