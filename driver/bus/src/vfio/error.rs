//! Why a device cannot be opened, and what helps.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::{BusError, PciAddress};

/// A failure to open a device through VFIO: the step, what was found, the remedy.
#[derive(Debug, thiserror::Error)]
pub enum VfioError {
    /// The system knows no device of that address.
    #[error("there is no PCI device {address}: `pagewire list` shows the network cards that are there")]
    NoSuchDevice {
        /// What was asked for.
        address: PciAddress,
    },
    /// The device is another driver's, or nobody's.
    #[error("{address} {}: `pagewire bind {address}` hands it to vfio-pci", belongs_to(driver.as_deref()))]
    NotBound {
        /// The device.
        address: PciAddress,
        /// Its driver.
        driver: Option<String>,
    },
    /// The device is in no IOMMU group.
    #[error(
        "{address} is in no IOMMU group, so nothing would keep it within its memory: turn on VT-d or AMD-Vi in the \
         firmware's set-up, boot with `intel_iommu=on` and look into `dmesg | grep -i -e dmar -e iommu`"
    )]
    NoIommu {
        /// The device.
        address: PciAddress,
    },
    /// Other devices of its group still belong to drivers of the kernel.
    #[error(
        "IOMMU group {group} of {address} is not viable, because the IOMMU cannot tell its devices apart and a driver of \
         the kernel has some: {}. Unbind them or bind them to vfio-pci, or put the card into another slot",
        list(others)
    )]
    NotViable {
        /// The device.
        address: PciAddress,
        /// The number of its group.
        group: u32,
        /// Who else is in it.
        others: Vec<Neighbour>,
    },
    /// A device node may not be opened by this user.
    #[error("no permission to open {}: `sudo chown {uid} {}` gives it to you until the next boot", node.display(), node.display())]
    NoPermission {
        /// The node.
        node: PathBuf,
        /// Who asks.
        uid: u32,
    },
    /// Somebody has the device open.
    #[error("{} is in use{}: one process at a time can drive its device", node.display(), by(holder.as_ref()))]
    Busy {
        /// The node.
        node: PathBuf,
        /// Who has it open, where that can be seen.
        holder: Option<Holder>,
    },
    /// The platform would let the device forge interrupts.
    #[error(
        "the IOMMU does not remap interrupts, so the card could send any interrupt to any processor: boot without \
         `intremap=off` and turn interrupt remapping (x2APIC) on in the firmware's set-up; if you trust the card, \
         `echo Y | sudo tee {parameter}`"
    )]
    NoInterruptRemapping {
        /// The switch of the kernel that allows it all the same.
        parameter: &'static str,
    },
    /// A part of VFIO is not there.
    #[error("{} is not there: `sudo modprobe {module}` brings it", node.display())]
    NotLoaded {
        /// The node.
        node: PathBuf,
        /// The module that makes it.
        module: &'static str,
    },
    /// The kernel refused a step for a reason of its own.
    #[error("opening {address} failed: {source}; `dmesg | tail` may tell more")]
    Refused {
        /// The device.
        address: PciAddress,
        /// The step and the system's reason.
        source: vfio_ioctls::VfioError,
    },
    /// The opened device does not do what it has to.
    #[error("opening {address} failed: {source}")]
    Bus {
        /// The device.
        address: PciAddress,
        /// The step and the reason.
        source: BusError,
    },
}

/// Another device of the same IOMMU group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its address.
    pub address: PciAddress,
    /// Its driver.
    pub driver: Option<String>,
}

/// A process that has a node open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process ID.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

fn belongs_to(driver: Option<&str>) -> String {
    driver.map_or_else(
        || "has no driver".to_owned(),
        |driver| format!("belongs to the kernel's driver {driver}"),
    )
}

fn by(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |Holder { pid, name }| {
        format!(" by process {pid} ({name})")
    })
}

fn list(others: &[Neighbour]) -> String {
    let mut text = String::new();
    for Neighbour { address, driver } in others {
        let comma = if text.is_empty() { "" } else { ", " };
        let driver = driver.as_deref().unwrap_or("no driver");
        // Writing to a string does not fail.
        let _ = write!(text, "{comma}{address} ({driver})");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_tells_what_was_found_and_what_to_do() {
        let address: PciAddress = "0000:00:03.0".parse().unwrap();
        let neighbour = |address: &str, driver: Option<&str>| Neighbour {
            address: address.parse().unwrap(),
            driver: driver.map(str::to_owned),
        };
        let driver = Some("e1000e".to_owned());
        let node = PathBuf::from("/dev/vfio/12");
        let holder = Some(Holder {
            pid: 77,
            name: "pagewire".to_owned(),
        });
        let others = vec![neighbour("00:03.1", Some("igb")), neighbour("00:03.2", None)];
        let cases = [
            (
                VfioError::NoSuchDevice { address },
                vec!["0000:00:03.0", "pagewire list"],
            ),
            (
                VfioError::NotBound { address, driver },
                vec!["e1000e", "`pagewire bind 0000:00:03.0`"],
            ),
            (
                VfioError::NotBound {
                    address,
                    driver: None,
                },
                vec!["has no driver", "`pagewire bind 0000:00:03.0`"],
            ),
            (
                VfioError::NoIommu { address },
                vec!["0000:00:03.0", "intel_iommu=on"],
            ),
            (
                VfioError::NotViable {
                    address,
                    group: 12,
                    others,
                },
                vec!["group 12", "0000:00:03.1 (igb), 0000:00:03.2 (no driver)"],
            ),
            (
                VfioError::NoPermission {
                    node: node.clone(),
                    uid: 1000,
                },
                vec!["`sudo chown 1000 /dev/vfio/12`"],
            ),
            (
                VfioError::Busy {
                    node: node.clone(),
                    holder,
                },
                vec!["/dev/vfio/12 is in use by process 77 (pagewire)"],
            ),
            (
                VfioError::Busy {
                    node: node.clone(),
                    holder: None,
                },
                vec!["/dev/vfio/12 is in use:"],
            ),
            (
                VfioError::NoInterruptRemapping { parameter: "/sys/x" },
                vec!["`intremap=off`", "/sys/x"],
            ),
            (
                VfioError::NotLoaded {
                    node,
                    module: "vfio-pci",
                },
                vec!["/dev/vfio/12 is not there", "modprobe vfio-pci"],
            ),
            (
                VfioError::Bus {
                    address,
                    source: BusError::NoBar { index: 0 },
                },
                vec!["opening 0000:00:03.0 failed", "no BAR 0"],
            ),
        ];
        for (error, parts) in cases {
            let text = error.to_string();
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
            assert!(!text.contains("  "), "{text}");
        }
    }
}
