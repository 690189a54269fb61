//! An open device: its configuration space, its reset, its interrupts.
//!
//! Whatever can still touch the device holds it: the function, the register spaces, the mapper, a line that can be
//! unmasked. When the last of them goes, the files are closed, and by that the kernel ends what may be left: interrupts,
//! bus mastering, mappings.

#![allow(
    unsafe_code,
    reason = "passes on memory that the mapper's caller vouches for, and borrows a descriptor that it owns"
)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;
use vfio_bindings::bindings::vfio::{
    VFIO_PCI_BAR5_REGION_INDEX, VFIO_PCI_CONFIG_REGION_INDEX, VFIO_REGION_INFO_FLAG_MMAP,
};
use vfio_ioctls::VfioDevice;

use super::error::VfioError;
use super::kernel::{self, Signal};
use super::mapper::Translator;
use super::place::Place;
use super::space::{self, Space};
use crate::{BusError, Direction, HostRange, Iova, PciAddress};

/// Offset of the command register (PCI 3.0 §6.2.2).
const COMMAND: u64 = 4;
/// The function answers in its memory spaces.
const MEMORY_SPACE: u16 = 1 << 1;
/// The function may start DMA.
const BUS_MASTER: u16 = 1 << 2;

/// An open device.
pub(super) struct Device {
    // Closed before its address space.
    vfio: VfioDevice,
    /// Keeps the device open until `vfio` has let go of it: it looks its group up in sysfs then, from where a device that
    /// is being taken away is gone as soon as the last descriptor is closed.
    _open: OwnedFd,
    pub(super) space: Space,
    pub(super) address: PciAddress,
}

impl Device {
    pub(super) fn open(place: &Place) -> Result<Self, VfioError> {
        let (vfio, space) = space::open(place)?;
        // SAFETY: the descriptor is that of `vfio`, which lives.
        let open = unsafe { BorrowedFd::borrow_raw(vfio.as_raw_fd()) }.try_clone_to_owned();
        let open = open.map_err(|source| VfioError::Bus {
            address: place.address,
            source: BusError::Os {
                step: "keeping the device open",
                source,
            },
        })?;
        Ok(Self {
            vfio,
            _open: open,
            space,
            address: place.address,
        })
    }

    /// Reads configuration space; all ones where that fails, as from a device that is gone.
    pub(super) fn read_config<const N: usize>(&self, offset: u64) -> [u8; N] {
        let mut bytes = [0xff; N];
        self.vfio
            .region_read(VFIO_PCI_CONFIG_REGION_INDEX, &mut bytes, offset);
        bytes
    }

    /// Switches DMA on or off; register space is on in any case.
    pub(super) fn set_bus_master(&self, on: bool) -> io::Result<()> {
        let old = u16::from_le_bytes(self.read_config(COMMAND));
        let command = (old & !BUS_MASTER) | MEMORY_SPACE | if on { BUS_MASTER } else { 0 };
        self.vfio
            .region_write(VFIO_PCI_CONFIG_REGION_INDEX, &command.to_le_bytes(), COMMAND);
        // The crate keeps a failure to itself: what is there now tells.
        let now = u16::from_le_bytes(self.read_config(COMMAND));
        let done = now != u16::MAX && (now & BUS_MASTER != 0) == on;
        if done { Ok(()) } else { Err(Errno::NODEV.into()) }
    }

    /// Resets the function.
    pub(super) fn reset(&self) -> io::Result<()> {
        kernel::reset(&self.vfio)
    }

    /// How many vectors of an interrupt index (VFIO_PCI_..._IRQ_INDEX) there are.
    pub(super) fn vectors(&self, index: u32) -> usize {
        self.vfio
            .get_irq_info(index)
            .map_or(0, |info| info.count as usize)
    }

    /// Sets what the interrupts of an index signal.
    pub(super) fn set_interrupts(&self, index: u32, signal: Signal<'_>) -> io::Result<()> {
        kernel::set_interrupts(&self.vfio, index, signal)
    }

    /// Where a register space that can be mapped lies in the device's file, and its length.
    pub(super) fn region(&self, index: u8) -> Option<(u64, usize)> {
        let index = u32::from(index);
        let is_mappable = self.vfio.get_region_flags(index) & VFIO_REGION_INFO_FLAG_MMAP != 0;
        let place = (
            self.vfio.get_region_offset(index),
            self.vfio.get_region_size(index) as usize,
        );
        (index <= VFIO_PCI_BAR5_REGION_INDEX && is_mappable).then_some(place)
    }

    pub(super) fn file(&self) -> &VfioDevice {
        &self.vfio
    }
}

impl Translator for Arc<Device> {
    unsafe fn map(&self, memory: HostRange, iova: u64, direction: Direction) -> io::Result<()> {
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { self.space.map(memory, iova, direction) }
    }

    fn unmap(&self, iova: Iova, len: usize) -> io::Result<()> {
        self.space.unmap(iova, len)
    }
}
