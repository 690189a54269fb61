//! The emulated NIC as a PCI function, and as a thing to be stepped.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pagewire_bus::{
    Bar, BusError, DmaMapper, Function, Identity, Interrupt, InterruptKind, InterruptSupport, ResetOutcome,
};
use parking_lot::RwLock;

use crate::cable::{Impairments, PcapTap, Way, lay};
use crate::device::{Device, Model as _};
use crate::sanitizer::{Level, Report};
use crate::wire::{Cable, Delivery, Inlet, Port, WireCounters, WireFrame};
use crate::{e1000, e1000e, ixgbe};

/// Which controller is emulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// 82540EM: one queue pair, 1 Gb/s by its registers.
    E1000,
    /// 82574L: one of its two queue pairs, 1 Gb/s by its registers.
    E1000e,
    /// 82599: 64 queue pairs of its 128, RSS, 10 Gb/s by its registers.
    Ixgbe,
}

/// How a NIC is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which controller.
    pub model: Model,
    /// The address in its EEPROM.
    pub mac: [u8; 6],
    /// How much the sanitizer looks at.
    pub sanitizer: Level,
    /// Its receiver takes segments uncut: one copy for 64 KiB, but no wire between real NICs does that.
    pub whole_segments: bool,
    /// Most DMA mappings at a time, as an IOMMU container has a limit.
    pub max_mappings: usize,
}

impl Options {
    /// A NIC that takes whole segments, with the sanitizer on.
    #[must_use]
    pub fn new(model: Model, mac: [u8; 6]) -> Self {
        Self {
            model,
            mac,
            sanitizer: Level::On,
            whole_segments: true,
            max_mappings: 65_535,
        }
    }
}

/// An emulated NIC: a PCI function for its driver, and a device for whoever steps it. Clones are the same NIC.
#[derive(Clone, Debug)]
pub struct EmulatedNic {
    device: Arc<Device>,
    cable: Arc<RwLock<Option<Arc<dyn Cable>>>>,
}

impl EmulatedNic {
    /// A NIC as it comes out of a power-up reset, with nothing plugged in: its link is down.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let model: &'static dyn crate::device::Model = match options.model {
            Model::E1000 => &e1000::MODEL,
            Model::E1000e => &e1000e::MODEL,
            Model::Ixgbe => &ixgbe::MODEL,
        };
        Self {
            device: Arc::new(Device::new(model, options)),
            cable: Arc::new(RwLock::new(None)),
        }
    }

    /// The receiving side, for a cable to end at.
    #[must_use]
    pub fn port(&self) -> Arc<dyn Port> {
        Arc::clone(&self.device) as Arc<dyn Port>
    }

    /// Plugs a cable in, or pulls it: what the transmitter sends goes there. The link follows.
    pub fn plug(&self, cable: Option<Arc<dyn Cable>>) {
        // Held until the device knows: of two who plug at once, the link is the later one's, as the cable is.
        let mut plugged = self.cable.write();
        *plugged = cable;
        self.device.plug(plugged.is_some());
    }

    /// Does what is to be done at time `now`: helps a sender that is just copying into this NIC's receive buffers from
    /// another thread, sends what doorbells have published, delivers what the outgoing cable has held back. Returns
    /// units of work: copies, packets sent, frames delivered. Bounded by what was published when it was called, and 64
    /// copies.
    pub fn step(&self, now: Duration) -> usize {
        let mut work = self.device.helper.work();
        let mut rung = self.device.take_rung();
        self.device.core.iommu.release_retired(rung != 0);
        while rung != 0 {
            let queue = rung.trailing_zeros() as usize;
            rung &= rung - 1;
            work += self.send(queue, now);
        }
        work + self.deliver_due(now)
    }

    /// Makes the memory that is mapped for reading ready, so that the first use of a page costs what every use does: a
    /// real IOMMU's mapping pins its pages, while this device's copies meet each page for the first time. Optional.
    pub fn warm_up(&self) {
        self.device.core.iommu.populate();
    }

    /// As [`step`](Self::step), for one transmit queue: queues can be stepped by different threads.
    pub fn step_queue(&self, queue: usize, now: Duration) -> usize {
        let sent = if self.device.take_rung_of(queue) {
            self.send(queue, now)
        } else {
            0
        };
        self.device.helper.work() + sent + self.deliver_due(now)
    }

    fn send(&self, queue: usize, now: Duration) -> usize {
        let cable = self.cable.read();
        let mut sent = 0;
        match cable.as_ref() {
            Some(cable) => cable.carry(now, &mut |inlet| sent += self.device.transmit(queue, inlet)),
            None => sent = self.device.transmit(queue, &mut Nowhere),
        }
        sent
    }

    fn deliver_due(&self, now: Duration) -> usize {
        self.cable
            .read()
            .as_ref()
            .map_or(0, |cable| cable.deliver_due(now))
    }

    /// When the earliest frame that its outgoing cable holds back is due.
    #[must_use]
    pub fn next_event(&self) -> Option<Duration> {
        self.cable.read().as_ref().and_then(|cable| cable.next_event())
    }

    /// What the sanitizer has seen so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.device.report()
    }

    /// How long the threads of its drivers have been in its doorbells, by the clock on the wall: a card's doorbell is one
    /// write, and what this one does there besides is the device's work.
    #[must_use]
    pub fn doorbell_time(&self) -> Duration {
        self.device.doorbell_time()
    }

    /// How many frames were dropped because the pages under a mapping were gone: a file was truncated.
    #[must_use]
    pub fn dma_faults(&self) -> u64 {
        self.device.core.dma_faults.load(Ordering::Relaxed)
    }

    /// What has happened on its outgoing cable.
    #[must_use]
    pub fn wire_counters(&self) -> WireCounters {
        self.cable
            .read()
            .as_ref()
            .map(|cable| cable.counters())
            .unwrap_or_default()
    }
}

/// Connects two NICs by a cable: `ab` is what happens to frames from `a`, `ba` to those from `b`. With a `tap`,
/// both directions are recorded.
pub fn connect(
    a: &EmulatedNic,
    b: &EmulatedNic,
    ab: &Impairments,
    ba: &Impairments,
    tap: Option<&Arc<PcapTap>>,
) {
    a.plug(Some(lay(b.port(), ab, Way::Forth, tap.cloned())));
    b.plug(Some(lay(a.port(), ba, Way::Back, tap.cloned())));
}

/// Where frames of a NIC without a cable go.
struct Nowhere;

impl Inlet for Nowhere {
    fn deliver(&mut self, _frame: &WireFrame<'_>) -> Delivery {
        Delivery::Filtered
    }
}

/// The register space of an emulated NIC.
#[derive(Clone, Debug)]
pub struct EmulatedBar {
    device: Arc<Device>,
}

impl Bar for EmulatedBar {
    fn read32(&self, offset: u32) -> u32 {
        self.device.read(offset)
    }

    #[inline]
    fn write32(&self, offset: u32, value: u32) {
        self.device.write(offset, value);
    }
}

impl Function for EmulatedNic {
    type Bar = EmulatedBar;

    fn identity(&self) -> Identity {
        self.device.model.identity()
    }

    fn bar(&self, index: u8) -> Result<Self::Bar, BusError> {
        if index != 0 {
            return Err(BusError::NoBar { index });
        }
        Ok(EmulatedBar {
            device: Arc::clone(&self.device),
        })
    }

    fn mapper(&self) -> Arc<dyn DmaMapper> {
        Arc::clone(&self.device) as Arc<dyn DmaMapper>
    }

    fn set_bus_master(&self, on: bool) -> Result<(), BusError> {
        self.device.set_bus_master(on);
        Ok(())
    }

    /// An 82599 has a function level reset; an 82540EM and an 82574L have none.
    fn reset(&self) -> Result<ResetOutcome, BusError> {
        let is_ixgbe = self.device.model.identity() == ixgbe::MODEL.identity();
        let outcome = if is_ixgbe {
            ResetOutcome::Done
        } else {
            ResetOutcome::DriverMustReset
        };
        Ok(self.device.reset_function(outcome))
    }

    fn interrupts(&self) -> Vec<InterruptSupport> {
        self.device.model.interrupts().to_vec()
    }

    fn enable_interrupts(&self, kind: InterruptKind, vectors: u16) -> Result<Vec<Interrupt>, BusError> {
        self.device.enable_interrupts(kind, vectors)
    }

    fn disable_interrupts(&self) -> Result<(), BusError> {
        self.device.disable_interrupts();
        Ok(())
    }
}
