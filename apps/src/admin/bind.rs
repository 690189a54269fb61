//! `pagewire bind`: a NIC goes from its kernel driver to vfio-pci.
//!
//! 1. Everything that speaks against it is looked at before anything is changed.
//! 2. The driver it has now is noted under `/run`, which is forgotten at the next start of the machine, as the binding is.
//! 3. `driver_override` reserves the function for vfio-pci, its driver lets it go, vfio-pci takes it.
//! 4. If vfio-pci refuses, the former driver gets it back.

use std::fmt::{self, Display, Formatter};
use std::io;

use pagewire_bus::PciAddress;

use super::cards::{Card, VFIO_PCI};
use super::system::System;
use super::{AdminError, groups};

/// Clears `driver_override`: an empty write would be none.
pub(super) const NO_OVERRIDE: &str = "\n";

/// What was done, as some lines of text.
#[derive(Debug)]
pub(crate) struct Bound {
    address: PciAddress,
    name: String,
    already: bool,
    former: Option<String>,
    interfaces: Vec<String>,
    nodes: [String; 2],
    group: u32,
    obstacles: Vec<groups::Obstacle>,
}

/// Gives the NIC at `address` to vfio-pci; `force` does so even if it carries the default route.
pub(crate) fn bind(system: &System, address: PciAddress, force: bool) -> Result<Bound, AdminError> {
    let card = Card::look_up(system, address)?;
    let group = refuse_what_makes_no_sense(system, &card, force)?;
    if !card.is_bound() {
        hand_over(system, &card)?;
    }
    Ok(Bound {
        address,
        name: card.name(),
        already: card.is_bound(),
        interfaces: card.interface_names().into_iter().map(str::to_owned).collect(),
        nodes: groups::nodes(system, group, address),
        group,
        obstacles: groups::obstacles(system, group, address),
        former: card.driver,
    })
}

/// Returns the NIC's group.
fn refuse_what_makes_no_sense(system: &System, card: &Card, force: bool) -> Result<u32, AdminError> {
    let address = card.address;
    if !card.is_network_card() {
        let class = card.class;
        return Err(AdminError::NoNetworkCard { address, class });
    }
    if card.model().is_none() {
        let id = card.name();
        return Err(AdminError::NotDriven { address, id });
    }
    let group = card.group.ok_or(AdminError::NoIommu { address })?;
    if !system.exists(&driver_folder(VFIO_PCI)) {
        return Err(AdminError::NoVfio);
    }
    match card.default_route() {
        Some(through) if !force => Err(AdminError::DefaultRoute { address, through }),
        _ => Ok(group),
    }
}

fn hand_over(system: &System, card: &Card) -> Result<(), AdminError> {
    let address = card.address;
    let note = note(address);
    let refused = |doing: String, cause, now: &str| refused("bind", address, doing, cause, now);
    system
        .remember(&note, card.driver.as_deref().unwrap_or_default())
        .map_err(|cause| {
            refused(
                format!("note the driver of {address} in {note}"),
                cause,
                UNCHANGED,
            )
        })?;
    let reserve = format!("{}/driver_override", card.folder());
    if let Err(cause) = system.tell(&reserve, VFIO_PCI) {
        let _ = system.forget(&note);
        return Err(refused(
            format!("reserve {address} for {VFIO_PCI}"),
            cause,
            UNCHANGED,
        ));
    }
    take(system, card).map_err(|(doing, cause)| {
        let now = match put_back(system, card) {
            Ok(()) => "everything is as it was before",
            Err(_) => "nor could that be undone: look at dmesg",
        };
        refused(doing, cause, now)
    })
}

/// The function changes hands. The error says what was tried.
fn take(system: &System, card: &Card) -> Result<(), (String, io::Error)> {
    let address = card.address;
    if let Some(driver) = &card.driver {
        release(system, card).map_err(|cause| (format!("take {address} from {driver}"), cause))?;
    }
    give(system, card, VFIO_PCI).map_err(|cause| (format!("give {address} to {VFIO_PCI}"), cause))
}

fn put_back(system: &System, card: &Card) -> io::Result<()> {
    system.tell(&format!("{}/driver_override", card.folder()), NO_OVERRIDE)?;
    let holds_it = system.link(&format!("{}/driver", card.folder()));
    if let Some(former) = &card.driver
        && holds_it.is_none()
    {
        give(system, card, former)?;
    }
    system.forget(&note(card.address))
}

/// The driver that a function has lets it go.
pub(super) fn release(system: &System, card: &Card) -> io::Result<()> {
    system.tell(
        &format!("{}/driver/unbind", card.folder()),
        &card.address.to_string(),
    )
}

/// A driver gets a function, and the kernel is asked whether it took it.
pub(super) fn give(system: &System, card: &Card, driver: &str) -> io::Result<()> {
    system.tell(
        &format!("{}/bind", driver_folder(driver)),
        &card.address.to_string(),
    )?;
    match system.link(&format!("{}/driver", card.folder())) {
        Some(now) if now == driver => Ok(()),
        now => Err(io::Error::other(format!(
            "its driver is {} afterwards",
            now.as_deref().unwrap_or("none")
        ))),
    }
}

pub(super) fn driver_folder(driver: &str) -> String {
    format!("/sys/bus/pci/drivers/{driver}")
}

/// Where it is noted which driver a function had: its name, or nothing.
pub(super) fn note(address: PciAddress) -> String {
    format!("/run/pagewire/former-driver/{address}")
}

pub(super) const UNCHANGED: &str = "nothing was changed";

/// A refusal of the system in our words; a missing permission gets its own.
pub(super) fn refused(
    command: &'static str,
    address: PciAddress,
    doing: String,
    cause: io::Error,
    now: &str,
) -> AdminError {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => AdminError::NotAllowed {
            doing,
            command,
            address,
        },
        _ => AdminError::Refused {
            doing,
            cause,
            now: now.to_owned(),
        },
    }
}

impl Display for Bound {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { address, name, .. } = self;
        match &self.former {
            _ if self.already => writeln!(f, "{address} ({name}) is bound to {VFIO_PCI} already")?,
            None => writeln!(
                f,
                "{address} ({name}) is bound to {VFIO_PCI} now; it had no driver before"
            )?,
            Some(driver) if self.interfaces.is_empty() => {
                writeln!(
                    f,
                    "{address} ({name}) is bound to {VFIO_PCI} now, and was to {driver}"
                )?;
            }
            Some(driver) => {
                let interfaces = self.interfaces.join(", ");
                writeln!(
                    f,
                    "{address} ({name}) is bound to {VFIO_PCI} now, and was to {driver} as {interfaces}"
                )?;
            }
        }
        if !self.obstacles.is_empty() {
            let (group, others) = (self.group, groups::named(&self.obstacles));
            writeln!(
                f,
                "  but not usable yet   IOMMU group {group} also holds {others}: take them from the kernel too"
            )?;
        }
        writeln!(
            f,
            "  use it               pagewire send FILE --nic vfio:{address} --ip ADDR/LEN --to HOST:PORT"
        )?;
        writeln!(
            f,
            "  without being root   chown USER {}",
            groups::to_be_granted(&self.nodes).join(" ")
        )?;
        writeln!(f, "  give it back         pagewire unbind {address}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fabricated::{NIC, Tree};

    fn nic() -> PciAddress {
        NIC.parse().unwrap()
    }

    #[test]
    fn a_nic_goes_to_vfio_pci_and_its_driver_is_noted() {
        let tree = Tree::with_nic();
        let bound = bind(&tree.system(), nic(), false).unwrap();
        assert_eq!(tree.driver_of(NIC).as_deref(), Some(VFIO_PCI));
        assert_eq!(tree.text(&note(nic())).as_deref(), Some("e1000e"));
        assert_eq!(tree.override_of(NIC), VFIO_PCI);
        let words = bound.to_string();
        for part in [
            "0000:00:03.0 (Intel 82574L) is bound to vfio-pci now, and was to e1000e as eth0\n",
            "chown USER /dev/vfio/3\n",
            "pagewire unbind 0000:00:03.0\n",
        ] {
            assert!(words.contains(part), "{words}");
        }
        assert!(!words.contains("not usable"), "{words}");
    }

    #[test]
    fn a_bound_nic_stays_as_it_is_and_its_note_too() {
        let tree = Tree::with_nic();
        bind(&tree.system(), nic(), false).unwrap();
        let writes = tree.writes().len();
        let words = bind(&tree.system(), nic(), false).unwrap().to_string();
        assert!(words.contains("is bound to vfio-pci already\n"), "{words}");
        assert_eq!(tree.writes().len(), writes);
        assert_eq!(tree.text(&note(nic())).as_deref(), Some("e1000e"));
    }

    #[test]
    fn a_nic_without_a_driver_can_be_bound() {
        let tree = Tree::new();
        tree.function(NIC, 0x10d3, 0x02_0000, Some(3));
        let words = bind(&tree.system(), nic(), false).unwrap().to_string();
        assert!(words.contains("it had no driver before"), "{words}");
        assert_eq!(tree.text(&note(nic())).as_deref(), Some(""));
    }

    /// Binds what must not be bound, and returns the sentence.
    fn refusal(tree: &Tree, address: &str) -> String {
        let error = bind(&tree.system(), address.parse().unwrap(), false).unwrap_err();
        assert_eq!(tree.writes(), [""; 0], "{error}");
        assert_eq!(tree.text(&note(address.parse().unwrap())), None, "{error}");
        error.to_string()
    }

    #[test]
    fn a_nic_that_carries_the_default_route_is_refused_unless_forced() {
        for (file, line) in [
            (
                "/proc/net/route",
                "Iface\neth0 00000000 0202000A 0003 0 0 0 00000000 0 0 0\n",
            ),
            (
                "/proc/net/ipv6_route",
                &format!("{0} 00 {0} 00 {0} 400 1 0 3 eth0\n", "0".repeat(32)),
            ),
        ] {
            let tree = Tree::with_nic();
            tree.write(file, line);
            let sentence = refusal(&tree, NIC);
            assert!(sentence.contains("default route (eth0)"), "{sentence}");
            assert!(sentence.contains("--force"), "{sentence}");
            bind(&tree.system(), nic(), true).unwrap();
            assert_eq!(tree.driver_of(NIC).as_deref(), Some(VFIO_PCI));
        }
    }

    #[test]
    fn so_is_one_below_a_bond_below_a_bridge() {
        let tree = Tree::with_nic();
        tree.write(
            "/proc/net/route",
            "Iface\nbr0 00000000 0202000A 0003 0 0 0 00000000 0 0 0\n",
        );
        tree.write("/sys/class/net/eth0/upper_bond0/ifindex", "4\n");
        tree.write("/sys/class/net/bond0/upper_br0/ifindex", "5\n");
        tree.write("/sys/class/net/br0/upper_bond0/ifindex", "4\n");
        let sentence = refusal(&tree, NIC);
        assert!(sentence.contains("eth0, under bond0, under br0"), "{sentence}");
    }

    #[test]
    fn routes_elsewhere_or_to_nowhere_do_not_matter() {
        let tree = Tree::with_nic();
        tree.write(
            "/proc/net/route",
            "Iface\neth1 00000000 0202000A 0003 0 0 0 00000000 0 0 0\n\
             eth0 0002000A 00000000 0001 0 0 0 00FFFFFF 0 0 0\neth0 00000000 0 0203 0 0 0 00000000 0 0 0\n",
        );
        bind(&tree.system(), nic(), false).unwrap();
    }

    #[test]
    fn what_is_not_there_or_no_nic_of_ours_is_refused_by_name() {
        let tree = Tree::with_nic();
        tree.function("0000:00:04.0", 0x1572, 0x02_0000, Some(4));
        tree.function("0000:00:1f.2", 0x2922, 0x01_0601, Some(5));
        let sentence = refusal(&tree, "0000:00:09.0");
        assert!(
            sentence.contains("there is no PCI device 0000:00:09.0"),
            "{sentence}"
        );
        assert!(
            sentence.contains("0000:00:03.0 (Intel 82574L), 0000:00:04.0 (8086:1572)"),
            "{sentence}"
        );
        let sentence = refusal(&tree, "0000:00:04.0");
        assert!(
            sentence.contains("is 8086:1572, which pagewire has no driver for"),
            "{sentence}"
        );
        assert!(sentence.contains("Intel 82599 (8086:10fb)"), "{sentence}");
        let sentence = refusal(&tree, "0000:00:1f.2");
        assert!(
            sentence.contains("no network card (PCI class 0x010601)"),
            "{sentence}"
        );
    }

    #[test]
    fn without_an_iommu_or_vfio_nothing_is_taken_from_the_kernel() {
        let tree = Tree::new();
        tree.function(NIC, 0x10d3, 0x02_0000, None);
        assert!(refusal(&tree, NIC).contains("intel_iommu=on"));
        let tree = Tree::without_vfio();
        tree.function(NIC, 0x10d3, 0x02_0000, Some(3));
        assert!(refusal(&tree, NIC).contains("modprobe vfio-pci"));
    }

    #[test]
    fn whoever_is_not_root_is_told_to_be() {
        let tree = Tree::with_nic();
        tree.refuse("driver_override", io::ErrorKind::PermissionDenied);
        let sentence = refusal(&tree, NIC);
        assert!(sentence.contains("sudo pagewire bind 0000:00:03.0"), "{sentence}");
        assert_eq!(tree.driver_of(NIC).as_deref(), Some("e1000e"));
    }

    #[test]
    fn if_vfio_pci_refuses_the_former_driver_gets_it_back() {
        let tree = Tree::with_nic();
        tree.refuse("vfio-pci/bind", io::ErrorKind::InvalidInput);
        let error = bind(&tree.system(), nic(), false).unwrap_err().to_string();
        assert!(
            error.contains("could not give 0000:00:03.0 to vfio-pci"),
            "{error}"
        );
        assert!(error.contains("as it was before"), "{error}");
        assert_eq!(tree.driver_of(NIC).as_deref(), Some("e1000e"));
        assert_eq!(tree.override_of(NIC), "");
        assert_eq!(tree.text(&note(nic())), None);
    }

    #[test]
    fn who_else_is_in_the_group_is_named() {
        let tree = Tree::with_nic();
        tree.function("0000:00:03.1", 0x10d3, 0x02_0000, Some(3));
        tree.drive("0000:00:03.1", "e1000e");
        tree.function("0000:00:03.2", 0x3420, 0x06_0400, Some(3));
        tree.drive("0000:00:03.2", "pcieport");
        let words = bind(&tree.system(), nic(), false).unwrap().to_string();
        assert!(
            words.contains("IOMMU group 3 also holds 0000:00:03.1 (driver e1000e): take"),
            "{words}"
        );
    }
}
