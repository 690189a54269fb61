//! IOMMU groups: what the hardware cannot keep apart is handed over together, or not at all.

use pagewire_bus::PciAddress;

use super::system::System;

/// Where address spaces come from; everybody may open it.
const CONTAINER: &str = "/dev/vfio/vfio";

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

/// The nodes through which this user gets at a function: its own where the kernel has iommufd and he may use both, else
/// its group's.
pub(super) fn nodes(system: &System, group: u32, address: PciAddress) -> [String; 2] {
    let by_group = [format!("/dev/vfio/{group}"), CONTAINER.to_owned()];
    let own = system.names(&format!("/sys/bus/pci/devices/{address}/vfio-dev"));
    let Some(own) = own.first().map(|name| format!("/dev/vfio/devices/{name}")) else {
        return by_group;
    };
    let own = [own, "/dev/iommu".to_owned()];
    if own.iter().all(|node| system.may_use(node)) || !system.exists(&by_group[0]) {
        own
    } else {
        by_group
    }
}

/// Those among `nodes` that belong to root until they are given away.
pub(super) fn to_be_granted(nodes: &[String]) -> Vec<&str> {
    let nodes = nodes.iter().map(String::as_str);
    nodes.filter(|node| *node != CONTAINER).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fabricated::{NIC, Tree};

    #[test]
    fn a_function_is_reached_by_its_own_node_where_there_is_iommufd_and_else_by_its_group() {
        let tree = Tree::with_nic();
        let nodes = || nodes(&tree.system(), 3, NIC.parse().unwrap());
        assert_eq!(nodes(), ["/dev/vfio/3", CONTAINER]);
        assert_eq!(to_be_granted(&nodes()), ["/dev/vfio/3"]);
        tree.write("/dev/vfio/3", "");
        tree.write("/dev/vfio/devices/vfio0", "");
        tree.folder(&format!("/sys/bus/pci/devices/{NIC}/vfio-dev/vfio0"));
        assert_eq!(nodes(), ["/dev/vfio/3", CONTAINER], "there is no iommufd");
        tree.write("/dev/iommu", "");
        assert_eq!(nodes(), ["/dev/vfio/devices/vfio0", "/dev/iommu"]);
        assert_eq!(to_be_granted(&nodes()).len(), 2);
    }
}
