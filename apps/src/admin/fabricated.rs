//! A machine that a test makes up: a tree of files, and a kernel that binds and unbinds when it is told to.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tempfile::TempDir;

use super::system::System;

/// Where [`Tree::with_nic`] has its NIC.
pub(super) const NIC: &str = "0000:00:03.0";

pub(super) struct Tree {
    kernel: Rc<Kernel>,
    _folder: TempDir,
}

struct Kernel {
    root: PathBuf,
    writes: RefCell<Vec<String>>,
    /// The end of an attribute's name, and what the kernel says to whoever writes there.
    refused: RefCell<Option<(String, io::ErrorKind)>>,
}

impl Tree {
    /// A machine with vfio-pci and nothing else.
    pub(super) fn new() -> Self {
        let tree = Self::without_vfio();
        tree.folder("/sys/bus/pci/drivers/vfio-pci");
        tree
    }

    pub(super) fn without_vfio() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let kernel = Rc::new(Kernel {
            root,
            writes: RefCell::default(),
            refused: RefCell::default(),
        });
        let tree = Self {
            kernel,
            _folder: folder,
        };
        tree.folder("/sys/bus/pci/devices");
        tree
    }

    /// One with an 82574L in group 3, which e1000e drives as eth0, whose link is up.
    pub(super) fn with_nic() -> Self {
        let tree = Self::new();
        tree.function(NIC, 0x10d3, 0x02_0000, Some(3));
        tree.drive(NIC, "e1000e");
        tree
    }

    pub(super) fn system(&self) -> System {
        let kernel = Rc::clone(&self.kernel);
        let attribute = move |path: &Path, text: &str| kernel.attribute(path, text);
        System::fabricated(&self.kernel.root, Box::new(attribute))
    }

    /// Adds a function of Intel's.
    pub(super) fn function(&self, address: &str, device: u16, class: u32, group: Option<u32>) {
        let folder = format!("/sys/devices/pci0000:00/{address}");
        self.write(&format!("{folder}/vendor"), "0x8086\n");
        self.write(&format!("{folder}/device"), &format!("{device:#06x}\n"));
        self.write(&format!("{folder}/class"), &format!("{class:#08x}\n"));
        self.write(&format!("{folder}/driver_override"), "(null)\n");
        self.link(&format!("/sys/bus/pci/devices/{address}"), self.real(&folder));
        if let Some(group) = group {
            let groups = format!("/sys/kernel/iommu_groups/{group}");
            self.link(&format!("{groups}/devices/{address}"), self.real(&folder));
            self.link(&format!("{folder}/iommu_group"), self.real(&groups));
        }
    }

    /// Lets a driver have a function. The kernel will give it to that one again.
    pub(super) fn drive(&self, address: &str, driver: &str) {
        self.folder(&format!("/sys/bus/pci/drivers/{driver}"));
        self.write(&format!("/native/{address}"), driver);
        self.kernel.bind(address, driver).unwrap();
    }

    pub(super) fn drive_no_more(&self, address: &str) {
        self.kernel.unbind(address);
    }

    pub(super) fn unload(&self, driver: &str) {
        fs::remove_dir_all(self.real(&format!("/sys/bus/pci/drivers/{driver}"))).unwrap();
    }

    /// From now on, attributes whose names end so cannot be written.
    pub(super) fn refuse(&self, attribute: &str, kind: io::ErrorKind) {
        *self.kernel.refused.borrow_mut() = Some((attribute.to_owned(), kind));
    }

    pub(super) fn driver_of(&self, address: &str) -> Option<String> {
        self.kernel.driver_of(address)
    }

    pub(super) fn override_of(&self, address: &str) -> String {
        self.text(&format!("/sys/bus/pci/devices/{address}/driver_override"))
            .unwrap()
    }

    /// What the kernel was told: attribute and text.
    pub(super) fn writes(&self) -> Vec<String> {
        self.kernel.writes.borrow().clone()
    }

    pub(super) fn text(&self, path: &str) -> Option<String> {
        let text = fs::read_to_string(self.real(path)).ok()?;
        Some(text.trim_end().to_owned())
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        self.kernel.write(path, text);
    }

    pub(super) fn remove(&self, path: &str) {
        fs::remove_file(self.real(path)).unwrap();
    }

    pub(super) fn folder(&self, path: &str) {
        fs::create_dir_all(self.real(path)).unwrap();
    }

    pub(super) fn link(&self, path: &str, target: impl AsRef<Path>) {
        self.kernel.link(path, target.as_ref());
    }

    fn real(&self, path: &str) -> PathBuf {
        self.kernel.real(path)
    }
}

impl Kernel {
    fn real(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.real(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn link(&self, path: &str, target: &Path) {
        let path = self.real(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// What a write to an attribute does.
    fn attribute(&self, path: &Path, text: &str) -> io::Result<()> {
        let path = path.strip_prefix(&self.root).unwrap().to_str().unwrap();
        if let Some((attribute, kind)) = &*self.refused.borrow()
            && path.ends_with(attribute)
        {
            return Err((*kind).into());
        }
        self.writes
            .borrow_mut()
            .push(format!("{path}: {}", text.trim_end()));
        let parts: Vec<&str> = path.split('/').collect();
        match parts[3..] {
            ["devices", address, "driver_override"] => {
                self.write(path, text);
                assert!(
                    self.real(&format!("sys/bus/pci/devices/{address}/vendor"))
                        .exists()
                );
            }
            ["devices", address, "driver", "unbind"] => {
                assert_eq!((self.driver_of(address).is_some(), text), (true, address));
                self.unbind(address);
            }
            ["drivers", driver, "bind"] => self.bind(text, driver)?,
            ["drivers_probe"] => {
                if let Ok(driver) = fs::read_to_string(self.real(&format!("/native/{text}"))) {
                    self.bind(text, &driver)?;
                }
            }
            _ => panic!("there is no attribute {path}"),
        }
        Ok(())
    }

    fn driver_of(&self, address: &str) -> Option<String> {
        let link = fs::read_link(self.real(&format!("/sys/bus/pci/devices/{address}/driver"))).ok()?;
        Some(link.file_name()?.to_str()?.to_owned())
    }

    fn bind(&self, address: &str, driver: &str) -> io::Result<()> {
        let folder = format!("/sys/devices/pci0000:00/{address}");
        let reserved = fs::read_to_string(self.real(&format!("{folder}/driver_override"))).unwrap();
        let native = fs::read_to_string(self.real(&format!("/native/{address}"))).unwrap_or_default();
        let matches = match reserved.trim_end() {
            "" | "(null)" => driver == native,
            reserved => driver == reserved,
        };
        if !matches || self.driver_of(address).is_some() {
            return Err(io::Error::from_raw_os_error(19));
        }
        self.link(
            &format!("{folder}/driver"),
            &self.real(&format!("/sys/bus/pci/drivers/{driver}")),
        );
        if driver.starts_with("e1000") {
            let interface = format!("{folder}/net/eth0");
            self.write(&format!("{interface}/carrier"), "1\n");
            self.link(&format!("{interface}/device"), &self.real(&folder));
            if !self.real("/sys/class/net/eth0").exists() {
                self.link("/sys/class/net/eth0", &self.real(&interface));
            }
        }
        Ok(())
    }

    fn unbind(&self, address: &str) {
        let folder = self.real(&format!("/sys/devices/pci0000:00/{address}"));
        fs::remove_file(folder.join("driver")).unwrap();
        if folder.join("net").exists() {
            fs::remove_dir_all(folder.join("net")).unwrap();
            fs::remove_file(self.real("/sys/class/net/eth0")).unwrap();
        }
    }
}
