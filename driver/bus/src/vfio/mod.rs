//! A PCI function through VFIO: real hardware, driven by an ordinary process, kept within its memory by the IOMMU.
//!
//! What happens, and what may go wrong, in this order ([`VfioError`] tells the remedy of each):
//! 1. The device is looked up: it is there, an IOMMU has put it into a group, and its driver is vfio-pci.
//! 2. It is opened, by its own node and iommufd where the kernel has both and this user may use them, else by its group
//!    in a container: the user may open the node, nobody else has it open, no other device of the group has a driver of
//!    the kernel, and the platform remaps interrupts.
//! 3. DMA is off until the driver asks for it. Registers are memory of this process. Memory is mapped at addresses that
//!    the kernel calls usable, with the permission of its direction and no more: pages of a file are for reading.
//! 4. On drop: interrupts off, DMA off, then register spaces and mappings as their owners let go of them; the last one
//!    closes the device, and the kernel ends whatever is left. So it does for a process that is killed.

mod allocator;
mod bar;
mod device;
mod error;
mod function;
mod geometry;
mod interrupt;
mod kernel;
mod mapper;
mod place;
mod space;

use std::path::Path;

pub use bar::VfioBar;
pub use error::{Holder, Neighbour, VfioError};
pub use function::VfioFunction;

use crate::PciAddress;

/// Opens the function at `address`.
///
/// # Errors
/// See [`VfioError`]; nothing stays open then.
pub fn open(address: PciAddress) -> Result<VfioFunction, VfioError> {
    VfioFunction::new(&place::Place::find(Path::new("/"), address)?)
}
