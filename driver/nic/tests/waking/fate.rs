//! A NIC to which things happen at chosen moments: the real driver, whose every access to its emulated device lets time
//! pass.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pagewire_bus::{
    Bar, BusError, DmaMapper, Function, Identity, Interrupt, InterruptKind, InterruptSupport, ResetOutcome,
    Unmask,
};
use pagewire_emu::{EmulatedBar, EmulatedNic};
use pagewire_nic::port::TxOffload;

use crate::emulated::{IxgbeEnd, pattern, plug};

/// What can happen to a NIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A frame arrives.
    Arrival,
    /// What was posted leaves.
    Departure,
    /// The cable is pulled, and plugged in again.
    Link,
}

pub(crate) const EVENTS: [Event; 3] = [Event::Arrival, Event::Departure, Event::Link];

/// Lets things happen at a moment. Moments are counted: there is one at each register access, each unmask of a line,
/// before each wait, and at begin and end of the caller's look.
#[derive(Default)]
pub(crate) struct Fate {
    pub(crate) moment: AtomicUsize,
    pub(crate) planned: Mutex<Vec<(usize, Event)>>,
    pub(crate) world: Mutex<Option<World>>,
    pub(crate) arrivals: AtomicUsize,
    pub(crate) departures: AtomicUsize,
    pub(crate) links: AtomicUsize,
}

/// The far end, and the near one's device.
pub(crate) struct World {
    pub(crate) far: IxgbeEnd,
    pub(crate) near: EmulatedNic,
}

impl Fate {
    /// Another moment has come.
    pub(crate) fn tick(&self) {
        let now = self.moment.fetch_add(1, Ordering::Relaxed);
        let due: Vec<_> = lock(&self.planned)
            .extract_if(.., |(moment, _)| *moment <= now)
            .collect();
        for (_, event) in due {
            let mut world = lock(&self.world);
            let world = world.as_mut().expect("plans are made for a world");
            let happened = match event {
                Event::Arrival => {
                    world.far.send(&pattern(100), TxOffload::None);
                    &self.arrivals
                }
                Event::Departure => {
                    world.near.step(Duration::ZERO);
                    &self.departures
                }
                Event::Link => {
                    world.near.plug(None);
                    plug(&world.far.device, &world.near);
                    &self.links
                }
            };
            happened.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn plan(&self, events: &[(usize, Event)]) {
        for count in [&self.arrivals, &self.departures, &self.links, &self.moment] {
            count.store(0, Ordering::Relaxed);
        }
        *lock(&self.planned) = events.to_vec();
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic under a lock")
}

/// An emulated NIC that interrupts in one way, and for which each access is a moment.
pub(crate) struct Fated {
    nic: EmulatedNic,
    pub(crate) kind: InterruptKind,
    pub(crate) fate: Arc<Fate>,
}

impl Fated {
    pub(crate) fn new(nic: &EmulatedNic, kind: InterruptKind) -> Arc<Self> {
        Arc::new(Self {
            nic: nic.clone(),
            kind,
            fate: Arc::default(),
        })
    }
}

#[derive(Clone)]
pub(crate) struct FatedBar {
    inner: EmulatedBar,
    fate: Arc<Fate>,
}

impl Bar for FatedBar {
    fn read32(&self, offset: u32) -> u32 {
        self.fate.tick();
        let value = self.inner.read32(offset);
        self.fate.tick();
        value
    }

    fn write32(&self, offset: u32, value: u32) {
        self.fate.tick();
        self.inner.write32(offset, value);
    }
}

struct FatedLine {
    inner: Interrupt,
    fate: Arc<Fate>,
}

impl Unmask for FatedLine {
    fn unmask(&self) -> Result<(), BusError> {
        self.fate.tick();
        self.inner.unmask()?;
        self.fate.tick();
        Ok(())
    }
}

impl Function for Fated {
    type Bar = FatedBar;

    fn identity(&self) -> Identity {
        self.nic.identity()
    }

    fn bar(&self, index: u8) -> Result<FatedBar, BusError> {
        Ok(FatedBar {
            inner: self.nic.bar(index)?,
            fate: Arc::clone(&self.fate),
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
        let mut offers = self.nic.interrupts();
        offers.retain(|offer| offer.kind == self.kind);
        offers
    }

    fn enable_interrupts(&self, kind: InterruptKind, vectors: u16) -> Result<Vec<Interrupt>, BusError> {
        let interrupts = self.nic.enable_interrupts(kind, vectors)?;
        let fated = |inner: Interrupt| {
            let event = std::os::fd::AsFd::as_fd(&inner)
                .try_clone_to_owned()
                .expect("a descriptor");
            let fate = Arc::clone(&self.fate);
            Interrupt::new(kind, event, Some(Arc::new(FatedLine { inner, fate })))
        };
        Ok(interrupts.into_iter().map(fated).collect())
    }

    fn disable_interrupts(&self) -> Result<(), BusError> {
        self.nic.disable_interrupts()
    }
}
