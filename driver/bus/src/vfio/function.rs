//! A PCI function behind VFIO.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use rustix::io::Errno;

use super::bar::VfioBar;
use super::device::Device;
use super::error::VfioError;
use super::interrupt::{Interrupts, Removal};
use super::mapper::VfioMapper;
use super::place::Place;
use crate::{
    BusError, DmaMapper, Function, Identity, Interrupt, InterruptKind, InterruptSupport, PciAddress,
    ResetOutcome,
};

/// An open function. While it lives the device is this process's. When it is dropped, its interrupts and its DMA end;
/// the device is given back when the last register space, mapping or interrupt is dropped too.
pub struct VfioFunction {
    device: Arc<Device>,
    identity: Identity,
    mapper: Arc<VfioMapper<Arc<Device>>>,
    interrupts: Interrupts,
    removal: Option<Removal>,
}

impl VfioFunction {
    pub(super) fn new(place: &Place) -> Result<Self, VfioError> {
        let address = place.address;
        let bus = |source| VfioError::Bus { address, source };
        let device = Arc::new(Device::open(place)?);
        let step = "switching DMA off";
        let refused = |source| bus(BusError::Os { step, source });
        device.set_bus_master(false).map_err(refused)?;
        let step = "asking for the IOMMU's address ranges";
        let refused = |source| bus(BusError::Os { step, source });
        let geometry = device.space.geometry().map_err(refused)?;
        let [vendor_low, vendor_high, device_low, device_high, .., revision] = device.read_config::<9>(0);
        Ok(Self {
            identity: Identity {
                vendor: u16::from_le_bytes([vendor_low, vendor_high]),
                device: u16::from_le_bytes([device_low, device_high]),
                revision,
            },
            mapper: Arc::new(VfioMapper::new(Arc::clone(&device), &geometry)),
            interrupts: Interrupts::new(Arc::clone(&device)),
            removal: Removal::watch(&device).map_err(bus)?,
            device,
        })
    }

    /// Where it sits.
    #[must_use]
    pub fn address(&self) -> PciAddress {
        self.device.address
    }

    /// Whether the system wants the device back, because somebody unbinds its driver or takes it out: it waits until
    /// everything is dropped. None where the kernel gives no such notice. One system call; never waits.
    #[must_use]
    pub fn removal_requested(&self) -> Option<bool> {
        self.removal.as_ref().map(Removal::is_requested)
    }

    /// A descriptor that becomes readable with that wish, for a thread that sleeps.
    #[must_use]
    pub fn removal_event(&self) -> Option<BorrowedFd<'_>> {
        self.removal.as_ref().map(Removal::event)
    }
}

impl Function for VfioFunction {
    type Bar = VfioBar;

    fn identity(&self) -> Identity {
        self.identity
    }

    fn bar(&self, index: u8) -> Result<VfioBar, BusError> {
        let (offset, len) = self.device.region(index).ok_or(BusError::NoBar { index })?;
        let step = "mapping registers";
        let refused = |source| BusError::Os { step, source };
        VfioBar::map(&self.device, offset, len).map_err(refused)
    }

    fn mapper(&self) -> Arc<dyn DmaMapper> {
        Arc::clone(&self.mapper) as Arc<dyn DmaMapper>
    }

    fn set_bus_master(&self, on: bool) -> Result<(), BusError> {
        let step = if on {
            "switching DMA on"
        } else {
            "switching DMA off"
        };
        let refused = |source| BusError::Os { step, source };
        self.device.set_bus_master(on).map_err(refused)
    }

    fn reset(&self) -> Result<ResetOutcome, BusError> {
        match self.device.reset() {
            Ok(()) => Ok(ResetOutcome::Done),
            // What it says where it knows no way to reset this function alone.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => {
                Ok(ResetOutcome::DriverMustReset)
            }
            Err(source) => {
                let step = "resetting the function";
                Err(BusError::Os { step, source })
            }
        }
    }

    fn interrupts(&self) -> Vec<InterruptSupport> {
        self.interrupts.support()
    }

    fn enable_interrupts(&self, kind: InterruptKind, vectors: u16) -> Result<Vec<Interrupt>, BusError> {
        self.interrupts.enable(kind, vectors)
    }

    fn disable_interrupts(&self) -> Result<(), BusError> {
        self.interrupts.disable()
    }
}

impl Drop for VfioFunction {
    /// What fails here is done by the kernel when the device's file is closed.
    fn drop(&mut self) {
        let _ = self.interrupts.disable();
        let _ = self.device.set_bus_master(false);
    }
}

impl fmt::Debug for VfioFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VfioFunction")
            .field("address", &self.address().to_string())
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}
