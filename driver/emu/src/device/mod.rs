//! A device: registers, queues and the two engines, behind whatever family it is.
//!
//! - [`mmio`]: software reads and writes registers, doorbells among them;
//! - [`model`]: what a family makes of that;
//! - [`rings`]: queues go on and off, with the rings that registers name;
//! - [`batches`]: a step sends what was published, a cable brings what arrives;
//! - [`mapper`]: the driver maps memory, and unmaps it.
//!
//! Locks, from the outermost in. Each is taken with those before it held at most, so no two devices that send
//! to each other can wait in a ring:
//! 1. what serializes writes that have effects; 2. a transmit queue's engine; 3. the queue (shared while it works);
//! 4. the own table (shared); 5. the far receiver's state, and its channel; 6. its queues (shared); 7. its table (shared, nested);
//! 8. what a device signals with.
//!
//! Whoever moves the NIC's cable, or sends on it, holds that before all of them; no device knows of it.
//!
//! Doorbells take only shared ones of the device's own.

mod batches;
mod mapper;
mod mmio;
mod model;
mod rings;

use std::sync::atomic::{AtomicU64, Ordering};

use pagewire_bus::ResetOutcome;
use parking_lot::Mutex;

pub(crate) use self::model::Model;
use crate::base::{Core, Side};
use crate::function::Options;
use crate::interrupt::Signals;
use crate::memory::{Helper, Poster, channel};
use crate::queue::{Queue, note_early_reads};
use crate::receive::State;
use crate::receive::intake::MAX_QUEUES;
use crate::registers::RegisterFile;
use crate::sanitizer::{Report, Rule};
use crate::transmit::Engine;

#[derive(Debug)]
struct TxQueue {
    queue: Queue,
    engine: Mutex<Engine>,
}

#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) model: &'static dyn Model,
    pub(crate) mac: [u8; 6],
    pub(crate) whole_segments: bool,
    pub(crate) core: Core,
    pub(crate) registers: RegisterFile,
    pub(crate) signals: Signals,
    pub(crate) phy: Mutex<[u16; 32]>,
    tx: Box<[TxQueue]>,
    pub(crate) rx: Box<[Queue]>,
    /// Transmit queues whose doorbell rang, one bit each.
    rung: AtomicU64,
    /// Nanoseconds that drivers' threads have spent in doorbells.
    ringing: AtomicU64,
    receiver: Mutex<State>,
    /// The two ends of its second DMA channel: who sends to it posts copies, who steps it helps.
    poster: Mutex<Poster>,
    pub(crate) helper: Helper,
    /// Serializes writes that have effects, and what else changes registers by their old values.
    control: Mutex<()>,
}

impl Device {
    pub(crate) fn new(model: &'static dyn Model, options: &Options) -> Self {
        let (poster, helper) = channel();
        let queues = model.queues().min(MAX_QUEUES);
        let device = Self {
            model,
            mac: options.mac,
            whole_segments: options.whole_segments,
            core: Core::new(options.sanitizer, options.max_mappings),
            registers: RegisterFile::new(model.layout()),
            signals: Signals::default(),
            phy: Mutex::new([0; 32]),
            tx: (0..queues)
                .map(|number| TxQueue {
                    queue: Queue::new(Side::Transmit, number),
                    engine: Mutex::new(Engine::default()),
                })
                .collect(),
            rx: (0..queues)
                .map(|number| Queue::new(Side::Receive, number))
                .collect(),
            rung: AtomicU64::new(0),
            ringing: AtomicU64::new(0),
            receiver: Mutex::new(State::default()),
            poster: Mutex::new(poster),
            helper,
            control: Mutex::new(()),
        };
        model.loaded(&device);
        device
    }

    pub(crate) fn plug(&self, carrier: bool) {
        // The driver's writes change what the link says, too.
        let _guard = self.control.lock();
        self.core.carrier.store(carrier, Ordering::Release);
        self.model.link_changed(self);
        self.registers.changed();
    }

    pub(crate) fn has_carrier(&self) -> bool {
        self.core.carrier.load(Ordering::Acquire)
    }

    pub(crate) fn set_bus_master(&self, on: bool) {
        self.core.bus_master.store(on, Ordering::Release);
        if on {
            self.change_causes(|| ());
        } else {
            self.core.iommu.settle();
        }
    }

    pub(crate) fn reset_function(&self, outcome: ResetOutcome) -> ResetOutcome {
        if outcome == ResetOutcome::Done {
            let _guard = self.control.lock();
            self.reset_registers();
        }
        outcome
    }

    /// Puts everything to its reset state; memory mappings and the cable stay.
    pub(crate) fn reset_registers(&self) {
        for number in 0..self.rx.len() {
            self.switch_off(Side::Transmit, number);
            self.switch_off(Side::Receive, number);
        }
        self.rung.store(0, Ordering::Relaxed);
        self.change_causes(|| self.registers.reset());
        self.model.loaded(self);
    }

    pub(crate) fn misuse(&self, words: impl FnOnce() -> String) {
        self.core.sanitizer.record(Rule::RegisterMisuse, words);
    }

    pub(crate) fn report(&self) -> Report {
        if self.core.strict {
            let reach = self.core.iommu.hold();
            for early in reach.early_touches() {
                note_early_reads(&self.core, Some(early));
            }
        }
        self.core.sanitizer.report()
    }
}
