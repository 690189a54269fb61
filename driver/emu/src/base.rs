//! What every part of a device needs: its table, its sanitizer, whether it may do DMA at all.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::memory::{Iommu, Reach, Refusal};
use crate::sanitizer::{Level, Rule, Sanitizer};

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) iommu: Iommu,
    pub(crate) sanitizer: Sanitizer,
    /// Level full.
    pub(crate) strict: bool,
    /// PCI command register, bit 2.
    pub(crate) bus_master: AtomicBool,
    /// A cable is plugged in.
    pub(crate) carrier: AtomicBool,
    /// Frames dropped because the pages under a mapping were gone.
    pub(crate) dma_faults: AtomicU64,
}

impl Core {
    pub(crate) fn new(level: Level, max_mappings: usize) -> Self {
        let strict = level == Level::Full;
        Self {
            iommu: Iommu::new(max_mappings, strict),
            sanitizer: Sanitizer::default(),
            strict,
            bus_master: AtomicBool::new(false),
            carrier: AtomicBool::new(false),
            dma_faults: AtomicU64::new(0),
        }
    }

    /// Whether the bus lets the device master. To be asked under a hold on the table: who turns it off waits
    /// for holds to end.
    #[inline]
    pub(crate) fn may_master(&self, _held: &Reach<'_>) -> bool {
        self.bus_master.load(Ordering::Acquire)
    }

    /// Notes an access that the table refused.
    #[cold]
    pub(crate) fn refuse(&self, place: Place, refusal: &Refusal) {
        self.sanitizer
            .record(refusal.rule, || format!("{place}: {refusal}"));
    }

    /// Notes a violation at a descriptor.
    #[cold]
    pub(crate) fn violation(&self, rule: Rule, place: Place, words: &str) {
        self.sanitizer.record(rule, || format!("{place}: {words}"));
    }
}

/// Which way a queue goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Transmit,
    Receive,
}

/// A descriptor, for reports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) side: Side,
    pub(crate) queue: usize,
    pub(crate) descriptor: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Transmit => "TX",
            Side::Receive => "RX",
        };
        write!(f, "{side} queue {}, descriptor {}", self.queue, self.descriptor)
    }
}
