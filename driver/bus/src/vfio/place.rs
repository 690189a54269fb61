//! What the system's files tell of a device before it is opened: its driver, its IOMMU group and who else is in that,
//! its device nodes and who has them open.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::{Holder, Neighbour, VfioError};
use crate::PciAddress;

/// A device that the system knows.
#[derive(Debug)]
pub(super) struct Place {
    root: PathBuf,
    pub(super) address: PciAddress,
    pub(super) folder: PathBuf,
}

impl Place {
    /// The device of `address` under `root`, which is `/` but for tests.
    pub(super) fn find(root: &Path, address: PciAddress) -> Result<Self, VfioError> {
        let folder = root.join("sys/bus/pci/devices").join(address.to_string());
        if !folder.exists() {
            return Err(VfioError::NoSuchDevice { address });
        }
        Ok(Self {
            root: root.to_owned(),
            address,
            folder,
        })
    }

    /// The device's IOMMU group, where it has one and belongs to VFIO.
    pub(super) fn group(&self) -> Result<u32, VfioError> {
        let address = self.address;
        let folder = self.folder.join("iommu_group");
        let group = target(&folder).and_then(|name| name.parse().ok());
        // A group by name only: VFIO made it up where an administrator allowed it to do without.
        let is_made_up =
            fs::read_to_string(folder.join("name")).is_ok_and(|name| name.trim_end() == "vfio-noiommu");
        // No IOMMU comes first: without one, vfio-pci refuses the device.
        let group = group
            .filter(|_| !is_made_up)
            .ok_or(VfioError::NoIommu { address })?;
        match driver(&self.folder) {
            Some(driver) if driver.replace('_', "-").ends_with("vfio-pci") => Ok(group),
            driver => Err(VfioError::NotBound { address, driver }),
        }
    }

    /// The other devices of its group.
    pub(super) fn neighbours(&self) -> Vec<Neighbour> {
        let devices = fs::read_dir(self.folder.join("iommu_group/devices"));
        let mut neighbours: Vec<Neighbour> = devices
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let address = entry.file_name().to_str()?.parse().ok()?;
                let driver = driver(&entry.path());
                (address != self.address).then_some(Neighbour { address, driver })
            })
            .collect();
        neighbours.sort_by_key(|neighbour| neighbour.address);
        neighbours
    }

    /// The node of a group.
    pub(super) fn group_node(&self, group: u32) -> PathBuf {
        self.root.join("dev/vfio").join(group.to_string())
    }

    /// The device's own node, where the kernel makes one (Linux 6.6, with iommufd).
    pub(super) fn device_node(&self) -> Option<PathBuf> {
        let entry = fs::read_dir(self.folder.join("vfio-dev")).ok()?.next()?.ok()?;
        Some(self.root.join("dev/vfio/devices").join(entry.file_name()))
    }

    /// A process that has `node` open, where this one may see that.
    pub(super) fn holder(&self, node: &Path) -> Option<Holder> {
        let processes = fs::read_dir(self.root.join("proc")).ok()?.flatten();
        processes
            .filter_map(|process| {
                let pid = process.file_name().to_str()?.parse().ok()?;
                Some((pid, process.path()))
            })
            .find(|(_, process)| has_open(process, node))
            .map(|(pid, process)| Holder {
                pid,
                name: fs::read_to_string(process.join("comm"))
                    .unwrap_or_default()
                    .trim_end()
                    .to_owned(),
            })
    }
}

fn driver(device: &Path) -> Option<String> {
    target(&device.join("driver"))
}

/// The last part of where a link points.
fn target(link: &Path) -> Option<String> {
    let target = fs::read_link(link).ok()?;
    Some(target.file_name()?.to_str()?.to_owned())
}

fn has_open(process: &Path, node: &Path) -> bool {
    let files = fs::read_dir(process.join("fd"));
    files
        .into_iter()
        .flatten()
        .flatten()
        .any(|file| fs::read_link(file.path()).is_ok_and(|target| target == node))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A tree like the kernel's, with devices in IOMMU groups.
    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new(devices: &[(&str, Option<u32>, Option<&str>)]) -> Self {
            let tree = tempfile::tempdir().unwrap();
            for (address, group, driver) in devices {
                let device = tree.path().join("sys/devices/pci0000:00").join(address);
                fs::create_dir_all(&device).unwrap();
                let all = tree.path().join("sys/bus/pci/devices");
                fs::create_dir_all(&all).unwrap();
                symlink(&device, all.join(address)).unwrap();
                if let Some(group) = group {
                    let group = tree.path().join(format!("sys/kernel/iommu_groups/{group}"));
                    fs::create_dir_all(group.join("devices")).unwrap();
                    symlink(&device, group.join("devices").join(address)).unwrap();
                    symlink(&group, device.join("iommu_group")).unwrap();
                }
                if let Some(driver) = driver {
                    symlink(
                        tree.path().join("sys/bus/pci/drivers").join(driver),
                        device.join("driver"),
                    )
                    .unwrap();
                }
            }
            Self(tree)
        }

        fn find(&self, address: &str) -> Result<Place, VfioError> {
            Place::find(self.0.path(), address.parse().unwrap())
        }

        fn path(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }
    }

    #[test]
    fn the_group_of_a_device_that_vfio_has_is_its_number() {
        let tree = Tree::new(&[("0000:00:03.0", Some(12), Some("vfio-pci"))]);
        let place = tree.find("00:03.0").unwrap();
        assert_eq!(place.group().unwrap(), 12);
        assert_eq!(place.group_node(12), tree.path("dev/vfio/12"));
        assert_eq!(place.device_node(), None);
        assert!(place.neighbours().is_empty());
    }

    #[test]
    fn the_node_of_a_device_is_named_by_its_folder() {
        let tree = Tree::new(&[("0000:00:03.0", Some(12), Some("vfio-pci"))]);
        fs::create_dir_all(tree.path("sys/devices/pci0000:00/0000:00:03.0/vfio-dev/vfio3")).unwrap();
        let place = tree.find("00:03.0").unwrap();
        assert_eq!(place.device_node(), Some(tree.path("dev/vfio/devices/vfio3")));
    }

    #[test]
    fn a_device_that_vfio_has_not_is_an_error_with_its_driver() {
        let tree = Tree::new(&[
            ("0000:00:03.0", Some(12), Some("e1000e")),
            ("0000:00:04.0", Some(13), None),
            ("0000:00:05.0", None, Some("e1000")),
        ]);
        let error = |address| tree.find(address).unwrap().group().unwrap_err();
        assert!(
            matches!(error("00:03.0"), VfioError::NotBound { driver: Some(driver), .. } if driver == "e1000e")
        );
        assert!(matches!(
            error("00:04.0"),
            VfioError::NotBound { driver: None, .. }
        ));
        assert!(matches!(error("00:05.0"), VfioError::NoIommu { .. }));
        assert!(matches!(
            tree.find("00:06.0"),
            Err(VfioError::NoSuchDevice { .. })
        ));
    }

    #[test]
    fn a_group_that_vfio_made_up_is_no_iommu() {
        let tree = Tree::new(&[("0000:00:03.0", Some(0), Some("vfio-pci"))]);
        fs::write(tree.path("sys/kernel/iommu_groups/0/name"), "vfio-noiommu\n").unwrap();
        let group = tree.find("00:03.0").unwrap().group();
        assert!(matches!(group, Err(VfioError::NoIommu { .. })));
    }

    #[test]
    fn neighbours_are_the_other_devices_of_the_group() {
        let tree = Tree::new(&[
            ("0000:00:03.0", Some(12), Some("vfio-pci")),
            ("0000:00:03.2", Some(12), None),
            ("0000:00:03.1", Some(12), Some("igb")),
            ("0000:00:04.0", Some(13), Some("e1000e")),
        ]);
        let told: Vec<String> = tree
            .find("00:03.0")
            .unwrap()
            .neighbours()
            .iter()
            .map(|Neighbour { address, driver }| format!("{address} {driver:?}"))
            .collect();
        assert_eq!(told, ["0000:00:03.1 Some(\"igb\")", "0000:00:03.2 None"]);
    }

    #[test]
    fn who_has_a_node_open_is_found_by_its_files() {
        let tree = Tree::new(&[("0000:00:03.0", Some(12), Some("vfio-pci"))]);
        let place = tree.find("00:03.0").unwrap();
        let node = place.group_node(12);
        for (pid, name, open) in [
            ("1", "init", "/dev/null"),
            ("77", "pagewire", node.to_str().unwrap()),
        ] {
            let process = tree.path("proc").join(pid);
            fs::create_dir_all(process.join("fd")).unwrap();
            fs::write(process.join("comm"), format!("{name}\n")).unwrap();
            symlink(open, process.join("fd/3")).unwrap();
        }
        let name = "pagewire".to_owned();
        assert_eq!(place.holder(&node), Some(Holder { pid: 77, name }));
        assert_eq!(place.holder(&place.group_node(13)), None);
    }
}
