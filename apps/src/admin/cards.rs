//! Network cards, as sysfs tells of them.

use pagewire_bus::PciAddress;

use super::AdminError;
use super::groups;
use super::routes;
use super::system::System;

/// The kernel's driver that hands a PCI function to a program.
pub(super) const VFIO_PCI: &str = "vfio-pci";
/// PCI base class 2: network controllers.
const NETWORK: u32 = 0x02;
const DEVICES: &str = "/sys/bus/pci/devices";

/// A controller that pagewire drives.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) vendor: u16,
    pub(super) device: u16,
    /// What its maker calls it.
    pub(super) name: &'static str,
    /// Which of our drivers is for it.
    pub(super) driver: &'static str,
}

/// All of them.
pub(super) const DRIVEN: [Model; 3] = [
    Model {
        vendor: pagewire_spec::VENDOR_ID,
        device: pagewire_spec::e1000::DEVICE_ID,
        name: "Intel 82540EM",
        driver: "e1000",
    },
    Model {
        vendor: pagewire_spec::VENDOR_ID,
        device: pagewire_spec::e1000e::DEVICE_ID,
        name: "Intel 82574L",
        driver: "e1000e",
    },
    Model {
        vendor: pagewire_spec::VENDOR_ID,
        device: pagewire_spec::ixgbe::DEVICE_ID,
        name: "Intel 82599",
        driver: "ixgbe",
    },
];

/// A network interface of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) link: Link,
    /// The interfaces from this one to the one that the default route names, if it rests on this one.
    pub(super) default_route: Option<Vec<String>>,
}

/// What the kernel knows of a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Up,
    Down,
    /// The interface is off: nobody looks.
    Off,
}

/// A PCI function.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) address: PciAddress,
    pub(super) vendor: u16,
    pub(super) device: u16,
    /// Base class, subclass and programming interface: 0x020000 is Ethernet.
    pub(super) class: u32,
    /// The kernel's driver that has it.
    pub(super) driver: Option<String>,
    pub(super) group: Option<u32>,
    pub(super) interfaces: Vec<Interface>,
}

impl Card {
    /// What sysfs tells of one function, whatever it is.
    pub(super) fn look_up(system: &System, address: PciAddress) -> Result<Self, AdminError> {
        Self::read(system, address).ok_or_else(|| AdminError::NoDevice {
            address,
            others: others(system),
        })
    }

    /// Every network card, in the order of addresses.
    pub(super) fn all(system: &System) -> Vec<Self> {
        let names = system.names(DEVICES);
        let addresses = names.iter().filter_map(|name| name.parse().ok());
        let cards = addresses.filter_map(|address| Self::read(system, address));
        cards.filter(Self::is_network_card).collect()
    }

    fn read(system: &System, address: PciAddress) -> Option<Self> {
        let of = |what: &str| format!("{DEVICES}/{address}/{what}");
        let id = |what: &str| u16::try_from(system.read_hex(&of(what))?).ok();
        Some(Self {
            address,
            vendor: id("vendor")?,
            device: id("device")?,
            class: system.read_hex(&of("class"))?,
            driver: system.link(&of("driver")),
            group: groups::of(system, address),
            interfaces: interfaces(system, address),
        })
    }

    /// Where sysfs has it.
    pub(super) fn folder(&self) -> String {
        format!("{DEVICES}/{}", self.address)
    }

    pub(super) fn is_network_card(&self) -> bool {
        self.class >> 16 == NETWORK
    }

    /// What pagewire knows of it; nothing for a card that it does not drive.
    pub(super) fn model(&self) -> Option<&'static Model> {
        DRIVEN
            .iter()
            .find(|model| (model.vendor, model.device) == (self.vendor, self.device))
    }

    /// The maker's name where pagewire knows it, else the identity: `8086:1572`.
    pub(super) fn name(&self) -> String {
        match self.model() {
            Some(model) => model.name.to_owned(),
            None => format!("{:04x}:{:04x}", self.vendor, self.device),
        }
    }

    pub(super) fn is_bound(&self) -> bool {
        self.driver.as_deref() == Some(VFIO_PCI)
    }

    /// The way from one of its interfaces to the default route: `eth0, under bond0, under br0`.
    pub(super) fn default_route(&self) -> Option<String> {
        let ways = self.interfaces.iter();
        let way = ways
            .filter_map(|interface| interface.default_route.as_ref())
            .next()?;
        Some(way.join(", under "))
    }

    /// The names of its interfaces; none while the kernel does not drive it.
    pub(super) fn interface_names(&self) -> Vec<&str> {
        let interfaces = self.interfaces.iter();
        interfaces.map(|interface| interface.name.as_str()).collect()
    }
}

/// The interfaces that rest on a function, directly or, as with virtio, by way of another bus.
fn interfaces(system: &System, address: PciAddress) -> Vec<Interface> {
    let Some(function) = system.resolve(&format!("{DEVICES}/{address}")) else {
        return vec![];
    };
    let rests_on_it = |name: &String| {
        let device = system.resolve(&format!("/sys/class/net/{name}/device"));
        device.is_some_and(|device| device.starts_with(&function))
    };
    let names = system.names("/sys/class/net").into_iter().filter(rests_on_it);
    let interfaces = names.map(|name| Interface {
        link: match system.read(&format!("/sys/class/net/{name}/carrier")).as_deref() {
            Ok("1") => Link::Up,
            Ok(_) => Link::Down,
            Err(_) => Link::Off,
        },
        default_route: routes::way_to_default_route(system, &name),
        name,
    });
    interfaces.collect()
}

/// For one who named a function that is not there.
fn others(system: &System) -> String {
    let cards = Card::all(system);
    if cards.is_empty() {
        return "this machine has no PCI network card at all".into();
    }
    let cards: Vec<String> = cards
        .iter()
        .map(|card| format!("{} ({})", card.address, card.name()))
        .collect();
    format!("the network cards are {}", cards.join(", "))
}

#[cfg(test)]
mod tests {
    use pagewire::live::Driver;
    use pagewire_bus::Identity;

    use super::*;

    #[test]
    fn what_is_said_to_be_driven_is_driven_by_the_driver_of_that_name() {
        for Model {
            vendor,
            device,
            name,
            driver,
        } in DRIVEN
        {
            let identity = Identity {
                vendor,
                device,
                revision: 0,
            };
            assert_eq!(Driver::of(identity).map(Driver::name), Some(driver), "{name}");
        }
    }
}
