//! `pagewire unbind`: a NIC goes back from vfio-pci to the driver that it had.

use std::fmt::{self, Display, Formatter};

use pagewire_bus::PciAddress;

use super::AdminError;
use super::bind::{NO_OVERRIDE, UNCHANGED, driver_folder, give, note, refused, release};
use super::cards::{Card, VFIO_PCI};
use super::groups;
use super::system::System;

/// What was done, as a line of text.
#[derive(Debug)]
pub(crate) struct Unbound {
    address: PciAddress,
    name: String,
    was_bound: bool,
    driver: Option<String>,
    interfaces: Vec<String>,
}

/// Takes the NIC at `address` from vfio-pci. The driver that [`bind`](super::bind) noted gets it back; without a note the
/// kernel chooses.
pub(crate) fn unbind(system: &System, address: PciAddress) -> Result<Unbound, AdminError> {
    let card = Card::look_up(system, address)?;
    let reserve = format!("{}/driver_override", card.folder());
    // One that vfio-pci left by itself (rmmod) is still reserved for it.
    let is_reserved = system.read(&reserve).is_ok_and(|reserved| reserved == VFIO_PCI);
    let was_bound = card.is_bound() || (card.driver.is_none() && is_reserved);
    if was_bound {
        refuse_if_in_use(system, &card)?;
        let refused = |doing: String, cause, now: &str| refused("unbind", address, doing, cause, now);
        if card.is_bound() {
            release(system, &card)
                .map_err(|cause| refused(format!("take {address} from {VFIO_PCI}"), cause, UNCHANGED))?;
        }
        system.tell(&reserve, NO_OVERRIDE).map_err(|cause| {
            let doing = format!("end the reservation of {address} for {VFIO_PCI}");
            refused(doing, cause, "it has no driver now: look at dmesg")
        })?;
        restore(system, &card)?;
    }
    let card = Card::look_up(system, address)?;
    Ok(Unbound {
        address,
        name: card.name(),
        was_bound,
        interfaces: card.interface_names().into_iter().map(str::to_owned).collect(),
        driver: card.driver,
    })
}

fn restore(system: &System, card: &Card) -> Result<(), AdminError> {
    let note = note(card.address);
    let former = system.read(&note).ok();
    let _ = system.forget(&note);
    match former.as_deref() {
        // It had no driver before either.
        Some("") => Ok(()),
        Some(former) => {
            let gone = !system.exists(&driver_folder(former));
            if gone || give(system, card, former).is_err() {
                let (address, former) = (card.address, former.to_owned());
                return Err(AdminError::NotRestored { address, former });
            }
            Ok(())
        }
        None => {
            let address = card.address;
            let probe = system.tell("/sys/bus/pci/drivers_probe", &address.to_string());
            probe.map_err(|cause| {
                let doing = format!("find a driver for {address}");
                refused(
                    "unbind",
                    address,
                    doing,
                    cause,
                    "it has no driver now: look at dmesg",
                )
            })
        }
    }
}

/// The kernel waits until the last user is gone, however long: better not to begin.
fn refuse_if_in_use(system: &System, card: &Card) -> Result<(), AdminError> {
    let Some(group) = card.group else {
        return Ok(());
    };
    let nodes = groups::nodes(system, group, card.address);
    let group_node = format!("/dev/vfio/{group}");
    let users = users(system, &[&group_node, &nodes[0]]);
    if users.is_empty() && !system.is_busy(&group_node) {
        return Ok(());
    }
    let users = match users.is_empty() {
        true => format!("a process that has {group_node} open"),
        false => users.join(", "),
    };
    let address = card.address;
    Err(AdminError::InUse { address, users })
}

/// The processes that have one of `nodes` open, as far as this user may see them: `process 17 (pagewire)`.
fn users(system: &System, nodes: &[&str]) -> Vec<String> {
    let mut users = vec![];
    for process in system.names("/proc") {
        if !process.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let folder = format!("/proc/{process}/fd");
        let mut files = system.names(&folder).into_iter();
        if files.any(|file| system.points_to(&format!("{folder}/{file}"), nodes)) {
            let name = system.read(&format!("/proc/{process}/comm")).unwrap_or_default();
            users.push(format!("process {process} ({name})"));
        }
    }
    users
}

impl Display for Unbound {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { address, name, .. } = self;
        let driver = match &self.driver {
            None => "has no driver".to_owned(),
            Some(driver) if self.interfaces.is_empty() => format!("is driven by {driver}"),
            Some(driver) => format!("is driven by {driver} as {}", self.interfaces.join(", ")),
        };
        match (self.was_bound, &self.driver) {
            (true, None) => writeln!(f, "{address} ({name}) {driver}, as before it was bound"),
            (true, Some(_)) => writeln!(f, "{address} ({name}) {driver} again"),
            (false, _) => writeln!(
                f,
                "{address} ({name}) is not bound to {VFIO_PCI}: it {driver}, and stays so"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::bind;
    use crate::admin::fabricated::{NIC, Tree};

    fn nic() -> PciAddress {
        NIC.parse().unwrap()
    }

    fn bound() -> Tree {
        let tree = Tree::with_nic();
        bind(&tree.system(), nic(), false).unwrap();
        tree
    }

    #[test]
    fn the_former_driver_and_its_interface_come_back() {
        let tree = bound();
        let words = unbind(&tree.system(), nic()).unwrap().to_string();
        assert_eq!(
            words,
            "0000:00:03.0 (Intel 82574L) is driven by e1000e as eth0 again\n"
        );
        assert_eq!(tree.driver_of(NIC).as_deref(), Some("e1000e"));
        assert_eq!(tree.override_of(NIC), "");
        assert_eq!(tree.text(&note(nic())), None);
    }

    #[test]
    fn one_that_had_no_driver_has_none_again() {
        let tree = Tree::new();
        tree.function(NIC, 0x10d3, 0x02_0000, Some(3));
        bind(&tree.system(), nic(), false).unwrap();
        let words = unbind(&tree.system(), nic()).unwrap().to_string();
        assert!(words.contains("has no driver, as before it was bound"), "{words}");
        assert_eq!(tree.driver_of(NIC), None);
    }

    #[test]
    fn without_a_note_the_kernel_chooses() {
        let tree = bound();
        tree.system().forget(&note(nic())).unwrap();
        unbind(&tree.system(), nic()).unwrap();
        assert_eq!(tree.driver_of(NIC).as_deref(), Some("e1000e"));
        assert!(tree.writes().last().unwrap().contains("drivers_probe"));
    }

    #[test]
    fn one_that_is_not_bound_stays_as_it_is() {
        let tree = Tree::with_nic();
        let words = unbind(&tree.system(), nic()).unwrap().to_string();
        assert!(
            words.contains("is not bound to vfio-pci: it is driven by e1000e as eth0"),
            "{words}"
        );
        assert_eq!(tree.writes(), [""; 0]);
    }

    #[test]
    fn a_reservation_that_vfio_pci_left_behind_is_ended() {
        let tree = bound();
        tree.drive_no_more(NIC);
        unbind(&tree.system(), nic()).unwrap();
        assert_eq!(tree.driver_of(NIC).as_deref(), Some("e1000e"));
        assert_eq!(tree.override_of(NIC), "");
    }

    #[test]
    fn one_in_use_is_refused_and_the_user_named() {
        let tree = bound();
        tree.write("/dev/vfio/3", "");
        tree.write("/proc/4711/comm", "pagewire\n");
        tree.link("/proc/4711/fd/5", "/dev/vfio/3");
        let before = tree.writes().len();
        let error = unbind(&tree.system(), nic()).unwrap_err().to_string();
        assert!(error.contains("in use by process 4711 (pagewire)"), "{error}");
        assert_eq!(tree.writes().len(), before);
        assert_eq!(tree.driver_of(NIC).as_deref(), Some(VFIO_PCI));
    }

    #[test]
    fn a_former_driver_that_is_gone_is_named() {
        let tree = bound();
        tree.unload("e1000e");
        let error = unbind(&tree.system(), nic()).unwrap_err().to_string();
        assert!(error.contains("e1000e did not take it back"), "{error}");
        assert!(error.contains("modprobe e1000e"), "{error}");
        assert_eq!(tree.override_of(NIC), "");
    }

    #[test]
    fn whoever_is_not_root_is_told_to_be() {
        let tree = bound();
        tree.refuse("driver/unbind", std::io::ErrorKind::PermissionDenied);
        let error = unbind(&tree.system(), nic()).unwrap_err().to_string();
        assert!(error.contains("sudo pagewire unbind 0000:00:03.0"), "{error}");
        assert_eq!(tree.driver_of(NIC).as_deref(), Some(VFIO_PCI));
    }
}
