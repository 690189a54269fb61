//! Interrupts of a device, and the kernel's wish to have it back, as eventfds.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{EventfdFlags, eventfd};
use vfio_bindings::bindings::vfio::{
    VFIO_PCI_INTX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX, VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_REQ_IRQ_INDEX,
};

use super::device::Device;
use super::kernel::{MAX_VECTORS, Signal};
use crate::{BusError, Interrupt, InterruptKind, InterruptSupport, Unmask};

/// The best first.
const KINDS: [InterruptKind; 3] = [InterruptKind::MsiX, InterruptKind::Msi, InterruptKind::Intx];

/// Which interrupts of a device are on: VFIO takes one kind at a time.
pub(super) struct Interrupts {
    device: Arc<Device>,
    on: Mutex<Option<InterruptKind>>,
}

impl Interrupts {
    pub(super) fn new(device: Arc<Device>) -> Self {
        Self {
            device,
            on: Mutex::new(None),
        }
    }

    pub(super) fn support(&self) -> Vec<InterruptSupport> {
        let support = KINDS.map(|kind| InterruptSupport {
            kind,
            vectors: self.device.vectors(index(kind)).min(MAX_VECTORS) as u16,
        });
        support
            .into_iter()
            .filter(|support| support.vectors > 0)
            .collect()
    }

    pub(super) fn enable(&self, kind: InterruptKind, vectors: u16) -> Result<Vec<Interrupt>, BusError> {
        let has =
            |support: &InterruptSupport| support.kind == kind && (1..=support.vectors).contains(&vectors);
        self.disable()?;
        if !self.support().iter().any(has) {
            return Err(BusError::NoInterrupt { kind, vectors });
        }
        let refused = |source| BusError::Os {
            step: "turning interrupts on",
            source,
        };
        let events: Vec<OwnedFd> = (0..vectors)
            .map(|_| event())
            .collect::<Result<_, _>>()
            .map_err(refused)?;
        let borrowed: Vec<BorrowedFd<'_>> = events.iter().map(AsFd::as_fd).collect();
        let mut on = self.on.lock().unwrap_or_else(PoisonError::into_inner);
        self.device
            .set_interrupts(index(kind), Signal::To(&borrowed))
            .map_err(refused)?;
        *on = Some(kind);
        let line = (kind == InterruptKind::Intx).then(|| {
            let device = Arc::clone(&self.device);
            Arc::new(Line { device }) as Arc<dyn Unmask>
        });
        Ok(events
            .into_iter()
            .map(|event| Interrupt::new(kind, event, line.clone()))
            .collect())
    }

    pub(super) fn disable(&self) -> Result<(), BusError> {
        let mut on = self.on.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kind) = *on {
            let step = "turning interrupts off";
            let refused = |source| BusError::Os { step, source };
            self.device
                .set_interrupts(index(kind), Signal::Off)
                .map_err(refused)?;
            *on = None;
        }
        Ok(())
    }
}

/// An INTx that the kernel masked when it fired.
struct Line {
    device: Arc<Device>,
}

impl Unmask for Line {
    fn unmask(&self) -> Result<(), BusError> {
        let step = "unmasking the interrupt line";
        let refused = |source| BusError::Os { step, source };
        self.device
            .set_interrupts(VFIO_PCI_INTX_IRQ_INDEX, Signal::Unmask)
            .map_err(refused)
    }
}

/// The kernel's notice that it wants the device back: somebody unbinds its driver or takes the card out, and waits.
pub(super) struct Removal {
    event: OwnedFd,
    is_requested: AtomicBool,
}

impl Removal {
    /// None where the kernel gives no such notice.
    pub(super) fn watch(device: &Device) -> Result<Option<Self>, BusError> {
        if device.vectors(VFIO_PCI_REQ_IRQ_INDEX) == 0 {
            return Ok(None);
        }
        let step = "asking for notice of the device's removal";
        let refused = |source| BusError::Os { step, source };
        let event = event().map_err(refused)?;
        device
            .set_interrupts(VFIO_PCI_REQ_IRQ_INDEX, Signal::To(&[event.as_fd()]))
            .map_err(refused)?;
        Ok(Some(Self {
            event,
            is_requested: AtomicBool::new(false),
        }))
    }

    /// Whether the notice has come. It is not taken back.
    pub(super) fn is_requested(&self) -> bool {
        let mut count = [0; 8];
        let mut has_fired = || rustix::io::read(&self.event, &mut count).is_ok();
        if self.is_requested.load(Ordering::Relaxed) || has_fired() {
            self.is_requested.store(true, Ordering::Relaxed);
            return true;
        }
        false
    }

    pub(super) fn event(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

fn index(kind: InterruptKind) -> u32 {
    match kind {
        InterruptKind::MsiX => VFIO_PCI_MSIX_IRQ_INDEX,
        InterruptKind::Msi => VFIO_PCI_MSI_IRQ_INDEX,
        InterruptKind::Intx => VFIO_PCI_INTX_IRQ_INDEX,
    }
}

fn event() -> io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?)
}
