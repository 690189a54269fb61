//! The traits of a PCI function. The `unsafe` here is one trait method: its caller vouches for memory.
#![allow(
    unsafe_code,
    reason = "DmaMapper::map hands memory to a device; only the caller can vouch for its lifetime"
)]

use std::sync::Arc;

use crate::{
    BusError, Direction, HostRange, Interrupt, InterruptKind, InterruptSupport, Iova, MapperCounters,
    MapperLimits,
};

/// Who a function says it is, from the first words of its configuration space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// PCI vendor ID; Intel is 0x8086.
    pub vendor: u16,
    /// PCI device ID: 0x100e is an 82540EM, 0x10fb an 82599.
    pub device: u16,
    /// Revision ID.
    pub revision: u8,
}

/// What [`Function::reset`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetOutcome {
    /// The bus reset the function: every register has its reset value.
    Done,
    /// The function has no reset of its own: the driver resets it through its registers.
    DriverMustReset,
}

/// One memory-mapped register space. Cloning is cheap: each queue handle keeps one.
pub trait Bar: Clone + Send + Sync + 'static {
    /// Reads the 32-bit register at byte `offset`. A removed device reads all ones.
    fn read32(&self, offset: u32) -> u32;

    /// Writes the 32-bit register at byte `offset`. Memory written before the call is visible to the
    /// device by the time the write reaches it: a doorbell needs no fence of the caller's.
    fn write32(&self, offset: u32, value: u32);
}

/// Makes memory reachable for a device, and unreachable again.
pub trait DmaMapper: Send + Sync {
    /// Maps `memory` at an address of the mapper's choosing, with the permission of `direction`.
    ///
    /// # Errors
    /// See [`BusError`]; nothing is mapped then.
    ///
    /// # Safety
    /// `memory` stays mapped in this process until [`unmap`](Self::unmap) returns, and the caller makes no
    /// Rust reference to bytes while the device may write them.
    unsafe fn map(&self, memory: HostRange, direction: Direction) -> Result<Iova, BusError>;

    /// Ends a mapping that [`map`](Self::map) made, whole. The device cannot reach the memory afterwards.
    ///
    /// # Errors
    /// [`BusError::NotMapped`], or the system's refusal: the memory must not be freed then.
    fn unmap(&self, iova: Iova, len: usize) -> Result<(), BusError>;

    /// What has been mapped and unmapped so far.
    fn counters(&self) -> MapperCounters;

    /// How much may be mapped.
    fn limits(&self) -> MapperLimits;
}

/// A PCI function: what a driver needs of its bus.
pub trait Function: Send + Sync + 'static {
    /// The register space type.
    type Bar: Bar;

    /// Vendor, device and revision.
    fn identity(&self) -> Identity;

    /// The register space behind base address register `index` (0 for all NICs here).
    ///
    /// # Errors
    /// [`BusError::NoBar`] or what the system says to the mapping.
    fn bar(&self, index: u8) -> Result<Self::Bar, BusError>;

    /// The function's DMA mapper.
    fn mapper(&self) -> Arc<dyn DmaMapper>;

    /// Lets the function start DMA, or ends all of it (PCI command register, bit 2).
    ///
    /// # Errors
    /// What the system says to the configuration write.
    fn set_bus_master(&self, on: bool) -> Result<(), BusError>;

    /// Resets the function where the bus can.
    ///
    /// # Errors
    /// What the system says; a function without a reset of its own is no error.
    fn reset(&self) -> Result<ResetOutcome, BusError>;

    /// The ways the function can interrupt, the best first.
    fn interrupts(&self) -> Vec<InterruptSupport>;

    /// Turns on the first `vectors` vectors of `kind`; all others are off afterwards. The descriptors go on
    /// existing after [`disable_interrupts`](Self::disable_interrupts), but nothing fires them any more.
    ///
    /// # Errors
    /// [`BusError::NoInterrupt`], or what the system says; all are off then.
    fn enable_interrupts(&self, kind: InterruptKind, vectors: u16) -> Result<Vec<Interrupt>, BusError>;

    /// Turns all off.
    ///
    /// # Errors
    /// What the system says.
    fn disable_interrupts(&self) -> Result<(), BusError>;
}
