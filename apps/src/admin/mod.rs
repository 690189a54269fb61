//! Making a machine ready for real NICs: `bind`, `unbind`, `list` and `doctor`.
//!
//! All of it is reading and writing what the kernel shows as files, so everything goes through `system`, which has a
//! root folder: `/` in earnest, a fabricated tree in a test. `cards` knows what sysfs tells of a PCI function, `groups`
//! whether its IOMMU group can be handed over, `routes` who needs its interface. On them stand the commands:
//!
//! 1. `list` shows what is there;
//! 2. `doctor` finds what stands in the way, and changes nothing;
//! 3. `bind` takes a NIC from the kernel and gives it to vfio-pci, and remembers whose it was;
//! 4. `unbind` gives it back.

mod bind;
mod cards;
mod doctor;
#[cfg(test)]
mod fabricated;
mod groups;
mod list;
mod routes;
mod system;
mod unbind;

pub(crate) use bind::bind;
pub(crate) use doctor::doctor;
pub(crate) use list::list;
pub(crate) use system::System;
pub(crate) use unbind::unbind;

use std::io;

use cards::{DRIVEN, VFIO_PCI};
use pagewire_bus::PciAddress;

/// Why a command about NICs failed, each with what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    #[error("there is no PCI device {address}; {others}")]
    NoDevice { address: PciAddress, others: String },
    #[error(
        "{address} is no network card (PCI class {class:#08x}): `pagewire list --all` shows those there are"
    )]
    NoNetworkCard { address: PciAddress, class: u32 },
    #[error(
        "{address} is {id}, which pagewire has no driver for, so it stays as it is; pagewire drives {}",
        driven()
    )]
    NotDriven { address: PciAddress, id: String },
    #[error(
        "{address} is in no IOMMU group, so no program can be given it safely: turn the IOMMU on (firmware: VT-d or \
         AMD-Vi; kernel: intel_iommu=on) and start again; `pagewire doctor` tells what is missing"
    )]
    NoIommu { address: PciAddress },
    #[error(
        "{address} carries the default route ({through}): without it this machine may be out of reach; add --force \
         if that is meant"
    )]
    DefaultRoute { address: PciAddress, through: String },
    #[error("the kernel's driver {VFIO_PCI} is not loaded: modprobe {VFIO_PCI}, then try again")]
    NoVfio,
    #[error("not allowed to {doing}: run as root, as in `sudo pagewire {command} {address}`")]
    NotAllowed {
        doing: String,
        command: &'static str,
        address: PciAddress,
    },
    #[error("could not {doing}: {cause}; {now}")]
    Refused {
        doing: String,
        cause: io::Error,
        now: String,
    },
    #[error("{address} is in use by {users}: end that first, else the kernel would wait for it without end")]
    InUse { address: PciAddress, users: String },
    #[error(
        "{address} is no longer with {VFIO_PCI}, but {former} did not take it back and it has no driver now: \
         modprobe {former}, and look at dmesg"
    )]
    NotRestored { address: PciAddress, former: String },
    #[error("{failures} of {checks} checks failed; what mends each is told beside it")]
    NotReady { failures: usize, checks: usize },
    #[error("the result could not be printed: {0}")]
    Print(io::Error),
}

/// `Intel 82540EM (8086:100e), ...`
fn driven() -> String {
    let names = DRIVEN.map(|model| format!("{} ({:04x}:{:04x})", model.name, model.vendor, model.device));
    names.join(", ")
}
