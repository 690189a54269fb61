//! A NIC that is pulled out of its slot while it is in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pagewire::live::{self, LiveError, Receiving};
use pagewire_bus::{
    Bar, BusError, DmaMapper, Function, Identity, Interrupt, InterruptKind, InterruptSupport, ResetOutcome,
};
use pagewire_emu::cable::Impairments;
use pagewire_emu::{EmulatedBar, EmulatedNic, Model};

use crate::bench::{Bench, Kept, PORT, Watcher, guarded, settings, wait_until};

/// An emulated NIC in a slot that it can be pulled out of: all its registers read as ones then.
struct Slot {
    nic: EmulatedNic,
    pulled: Arc<AtomicBool>,
}

#[derive(Clone)]
struct SlotBar {
    bar: EmulatedBar,
    pulled: Arc<AtomicBool>,
}

impl Bar for SlotBar {
    fn read32(&self, offset: u32) -> u32 {
        if self.pulled.load(Ordering::Relaxed) {
            u32::MAX
        } else {
            self.bar.read32(offset)
        }
    }

    fn write32(&self, offset: u32, value: u32) {
        if !self.pulled.load(Ordering::Relaxed) {
            self.bar.write32(offset, value);
        }
    }
}

impl Function for Slot {
    type Bar = SlotBar;

    fn identity(&self) -> Identity {
        self.nic.identity()
    }

    fn bar(&self, index: u8) -> Result<SlotBar, BusError> {
        Ok(SlotBar {
            bar: self.nic.bar(index)?,
            pulled: Arc::clone(&self.pulled),
        })
    }

    fn mapper(&self) -> Arc<dyn DmaMapper> {
        self.nic.mapper()
    }

    fn set_bus_master(&self, on: bool) -> Result<(), BusError> {
        self.nic.set_bus_master(on)
    }

    fn reset(&self) -> Result<ResetOutcome, BusError> {
        self.nic.reset()
    }

    fn interrupts(&self) -> Vec<InterruptSupport> {
        self.nic.interrupts()
    }

    fn enable_interrupts(&self, kind: InterruptKind, vectors: u16) -> Result<Vec<Interrupt>, BusError> {
        self.nic.enable_interrupts(kind, vectors)
    }

    fn disable_interrupts(&self) -> Result<(), BusError> {
        self.nic.disable_interrupts()
    }
}

#[test]
fn a_nic_that_is_pulled_out_ends_it_within_a_second_by_name() {
    for model in [Model::E1000, Model::E1000e, Model::Ixgbe] {
        let bench = Bench::new(model, Impairments::none());
        let pulled = Arc::new(AtomicBool::new(false));
        let slot = Arc::new(Slot {
            nic: bench.far.clone(),
            pulled: Arc::clone(&pulled),
        });
        let receiver = Watcher::default();
        let mut kept = Kept::default();
        guarded(&[&receiver], || {
            thread::scope(|scope| {
                let receiving = scope.spawn(|| {
                    let mut receiving = Receiving::new(PORT, &mut kept);
                    receiver.watch(|observer| live::run(slot, &settings(2), &mut receiving, observer))
                });
                wait_until("the machine is up", || receiver.board.lock().unwrap().is_some());
                pulled.store(true, Ordering::Relaxed);
                let since = Instant::now();
                let error = receiving.join().unwrap().unwrap_err();
                assert!(matches!(error, LiveError::Removed { .. }), "{error}");
                assert!(since.elapsed() < Duration::from_secs(1));
            });
        });
    }
}
