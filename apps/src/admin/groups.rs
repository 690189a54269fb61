//! IOMMU groups: what the hardware cannot keep apart is handed over together, or not at all.

use pagewire_bus::PciAddress;

use super::system::System;

/// A device whose driver keeps its group with the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    pub(super) device: String,
    pub(super) driver: String,
}

/// The group of a function; none where no IOMMU is on.
pub(super) fn of(system: &System, address: PciAddress) -> Option<u32> {
    let link = system.link(&format!("/sys/bus/pci/devices/{address}/iommu_group"))?;
    link.parse().ok()
}

/// How many groups there are.
pub(super) fn count(system: &System) -> usize {
    system.names("/sys/kernel/iommu_groups").len()
}

/// The other devices of `group` that the kernel drives: while there are any, VFIO refuses the group.
pub(super) fn obstacles(system: &System, group: u32, address: PciAddress) -> Vec<Obstacle> {
    let folder = format!("/sys/kernel/iommu_groups/{group}/devices");
    let mut obstacles = vec![];
    for device in system.names(&folder) {
        let driver = system.link(&format!("{folder}/{device}/driver"));
        if let Some(driver) = driver
            && device != address.to_string()
            && !leaves_dma_alone(&driver)
        {
            obstacles.push(Obstacle { device, driver });
        }
    }
    obstacles
}

/// In words: `0000:00:04.0 (driver snd_hda_intel), ...`
pub(super) fn named(obstacles: &[Obstacle]) -> String {
    let names: Vec<String> = obstacles
        .iter()
        .map(|Obstacle { device, driver }| format!("{device} (driver {driver})"))
        .collect();
    names.join(", ")
}

/// Drivers beside which VFIO may have the group: its own, a bridge's, and the one that does nothing.
fn leaves_dma_alone(driver: &str) -> bool {
    driver.contains("vfio") || matches!(driver, "pcieport" | "pci-stub")
}

/// The nodes through which a program gets at a function, with those that it needs besides.
pub(super) fn nodes(system: &System, group: u32, address: PciAddress) -> Vec<String> {
    let device = system.names(&format!("/sys/bus/pci/devices/{address}/vfio-dev"));
    match device.first().map(|name| format!("/dev/vfio/devices/{name}")) {
        Some(node) if system.exists(&node) && system.exists("/dev/iommu") => vec![node, "/dev/iommu".into()],
        _ => vec![format!("/dev/vfio/{group}"), "/dev/vfio/vfio".into()],
    }
}
