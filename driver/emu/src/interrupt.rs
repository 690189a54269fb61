//! How a device signals: from causes in a register to an eventfd.
//!
//! A cause counts while its bit is set in the cause register and in the mask. A *line* is a level: it is up while
//! any cause counts, the bus masks it as it fires, and once unmasked it fires again if it is still up. A *message*
//! is an edge: one for each cause that begins to count; a cause that was never cleared sends no second one. Messages
//! are memory writes, so they wait for bus mastering.
//!
//! Edges are exact because whatever changes causes or mask does so under one lock, which also decides what to
//! signal. Only while no interrupt is enabled are causes raised without it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use pagewire_bus::{BusError, Interrupt, InterruptKind, Unmask};
use pagewire_spec::Register;
use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};

use crate::device::Device;

/// The registers that say what has happened, and what of it counts.
#[derive(Debug)]
pub(crate) struct CauseRows {
    pub(crate) causes: &'static Register,
    pub(crate) mask: &'static Register,
}

/// What a device signals with.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// Whether anything is enabled: what raising a cause looks at without the lock.
    on: AtomicBool,
    /// Whether that is MSI-X, which changes the causes of some devices.
    msix: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    enabled: Option<Enabled>,
    /// Causes that counted, and were signalled, when they were last looked at.
    signalled: u32,
    /// Tells descriptors of before from those of now.
    generation: u64,
}

#[derive(Debug)]
struct Enabled {
    kind: InterruptKind,
    events: Vec<OwnedFd>,
    /// The bus has masked the line.
    line_masked: bool,
}

impl Device {
    /// Notes that something has happened, and signals it where that was asked for.
    #[inline]
    pub(crate) fn raise(&self, causes: u32) {
        if causes == 0 {
            return;
        }
        let row = self.model.causes().causes;
        if self.signals.on.load(Ordering::SeqCst) {
            self.change_causes(|| self.registers.fetch_or(row, causes));
            return;
        }
        self.registers.fetch_or(row, causes);
        // Whoever enables an interrupt sets the flag and then looks at the causes; here it is the other way
        // round: one of the two sees the other.
        if self.signals.on.load(Ordering::SeqCst) {
            self.change_causes(|| ());
        }
    }

    /// Does what may change causes or mask, and signals what begins to count by it.
    pub(crate) fn change_causes<R>(&self, change: impl FnOnce() -> R) -> R {
        let mut state = self.signals.state.lock();
        let result = change();
        self.signal(&mut state);
        result
    }

    fn signal(&self, state: &mut State) {
        let Some(enabled) = &mut state.enabled else { return };
        let rows = self.model.causes();
        let counting = || self.registers.get(rows.causes, 0) & self.registers.get(rows.mask, 0);
        let causes = counting();
        if enabled.kind == InterruptKind::Intx {
            if causes != 0 && !enabled.line_masked {
                enabled.line_masked = true;
                fire(&enabled.events[0]);
            }
            return;
        }
        state.signalled &= causes;
        let new = causes & !state.signalled;
        if new == 0 || !self.core.bus_master.load(Ordering::Acquire) {
            return;
        }
        let vectors = self.model.vectors(self, enabled.kind, new);
        for (vector, event) in enabled.events.iter().enumerate() {
            if vectors >> vector & 1 != 0 {
                fire(event);
            }
        }
        self.model.signalled(self, enabled.kind, new);
        state.signalled = causes & counting();
    }

    /// Turns on `vectors` vectors of `kind`, and all others off.
    pub(crate) fn enable_interrupts(
        self: &Arc<Self>,
        kind: InterruptKind,
        vectors: u16,
    ) -> Result<Vec<Interrupt>, BusError> {
        self.disable_interrupts();
        let offered = self.model.interrupts().iter();
        if !offered
            .into_iter()
            .any(|offer| offer.kind == kind && (1..=offer.vectors).contains(&vectors))
        {
            return Err(BusError::NoInterrupt { kind, vectors });
        }
        let mut state = self.signals.state.lock();
        state.generation += 1;
        let (mut events, mut interrupts) = (Vec::new(), Vec::new());
        for _ in 0..vectors {
            let event = new_event()?;
            let ours = event
                .try_clone()
                .map_err(|source| BusError::Os { step: MAKING, source })?;
            let line = (kind == InterruptKind::Intx).then(|| {
                Arc::new(Line {
                    device: Arc::clone(self),
                    generation: state.generation,
                }) as Arc<dyn Unmask>
            });
            events.push(ours);
            interrupts.push(Interrupt::new(kind, event, line));
        }
        state.enabled = Some(Enabled {
            kind,
            events,
            line_masked: false,
        });
        state.signalled = 0;
        self.signals
            .msix
            .store(kind == InterruptKind::MsiX, Ordering::Relaxed);
        self.signals.on.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.signal(&mut state);
        Ok(interrupts)
    }

    /// Whether MSI-X is enabled.
    pub(crate) fn has_msix(&self) -> bool {
        self.signals.msix.load(Ordering::Relaxed)
    }

    pub(crate) fn disable_interrupts(&self) {
        self.signals.on.store(false, Ordering::SeqCst);
        self.signals.msix.store(false, Ordering::Relaxed);
        self.signals.state.lock().enabled = None;
    }
}

const MAKING: &str = "making an eventfd for an interrupt";

fn new_event() -> Result<OwnedFd, BusError> {
    eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).map_err(|errno| BusError::Os {
        step: MAKING,
        source: errno.into(),
    })
}

/// A counter that is full refuses the write, and is readable anyway.
fn fire(event: &OwnedFd) {
    let _ = rustix::io::write(event.as_fd(), &1_u64.to_ne_bytes());
}

/// The line, as the bus knows it.
struct Line {
    device: Arc<Device>,
    generation: u64,
}

impl Unmask for Line {
    fn unmask(&self) -> Result<(), BusError> {
        let mut state = self.device.signals.state.lock();
        if state.generation == self.generation
            && let Some(enabled) = &mut state.enabled
        {
            enabled.line_masked = false;
            self.device.signal(&mut state);
        }
        Ok(())
    }
}
