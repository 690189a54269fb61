//! A PCI function as a network driver sees it.
//!
//! A driver is written once against [`Function`] and runs on every bus that implements it: VFIO on real
//! hardware, the emulator in a test. The traits are small on purpose. Register access is a generic
//! ([`Bar`]), so on VFIO it is one volatile load or store; mapping memory for DMA is rare and goes
//! through a trait object ([`DmaMapper`]), so memory need not know its bus.
//!
//! The life of a function:
//! 1. read [`Function::identity`] and choose a driver;
//! 2. [`Function::set_bus_master`] off, [`Function::reset`];
//! 3. take the registers with [`Function::bar`], map memory with [`Function::mapper`];
//! 4. [`Function::set_bus_master`] on: from here the device reads and writes mapped memory, and what was asked for
//!    with [`Function::enable_interrupts`] fires;
//! 5. stop the device, confirm it, unmap, free.

mod address;
mod error;
mod function;
mod interrupt;
mod iova;
mod mapping;
pub mod vfio;

pub use address::{BadPciAddress, PciAddress};
pub use error::BusError;
pub use function::{Bar, DmaMapper, Function, Identity, ResetOutcome};
pub use interrupt::{Interrupt, InterruptKind, InterruptSupport, Unmask};
pub use iova::{Direction, HostRange, Iova};
pub use mapping::{MapperCounters, MapperLimits};
