//! The NICs: whether one is bound to vfio-pci, whether its group can be had, whether this user may have it.

use super::{Finding, Status};
use crate::admin::cards::{Card, DRIVEN};
use crate::admin::groups;
use crate::admin::system::System;

/// Whether there is a NIC that pagewire drives, and whether it is taken from the kernel. `cards` are those it drives.
pub(super) fn network_cards(cards: &[Card]) -> Finding {
    let found = |status, text: String| Finding::new("network cards", status, text);
    if cards.is_empty() {
        let names = DRIVEN.map(|model| model.name).join(", ");
        return found(Status::Failure, format!("none that pagewire drives ({names})"))
            .mended_by("put one in; until then `pagewire send FILE` works, over an emulated one");
    }
    let named: Vec<String> = cards.iter().map(described).collect();
    let named = named.join("; ");
    if cards.iter().any(Card::is_bound) {
        return found(Status::Ok, named);
    }
    let spare = cards.iter().find(|card| card.default_route().is_none());
    found(Status::Failure, named).mended_by(match spare {
        Some(card) => format!("sudo pagewire bind {}", card.address),
        None => "put in a second one: this machine's default route is on what there is".into(),
    })
}

fn described(card: &Card) -> String {
    let (address, name) = (card.address, card.name());
    match &card.driver {
        None => format!("{address} ({name}) has no driver"),
        Some(driver) => format!("{address} ({name}) is bound to {driver}"),
    }
}

/// Whether the NICs' groups hold nothing that the kernel needs.
pub(super) fn groups(system: &System, cards: &[Card]) -> Finding {
    let found = |status, text: String| Finding::new("IOMMU groups", status, text);
    let mut whole = vec![];
    for card in cards {
        let Some(group) = card.group else {
            continue;
        };
        let obstacles = groups::obstacles(system, group, card.address);
        let Some(first) = obstacles.first() else {
            whole.push(format!("{} is free to be used (group {group})", card.address));
            continue;
        };
        let status = if card.is_bound() {
            Status::Failure
        } else {
            Status::Warning
        };
        let text = format!(
            "{} shares group {group} with {}",
            card.address,
            groups::named(&obstacles)
        );
        let ours = cards.iter().any(|card| card.address.to_string() == first.device);
        let take_it = match ours {
            true => format!("sudo pagewire bind {}", first.device),
            false => format!(
                "echo {0} | sudo tee /sys/bus/pci/devices/{0}/driver/unbind",
                first.device
            ),
        };
        return found(status, text).mended_by(format!(
            "{take_it} (each of them), or put the NIC into another slot"
        ));
    }
    match whole.is_empty() {
        true => found(Status::NotApplicable, "no NIC of ours is in a group".into()),
        false => found(Status::Ok, whole.join("; ")),
    }
}

/// Whether this user may open what leads to the NICs.
pub(super) fn nodes(system: &System, cards: &[Card]) -> Finding {
    let found = |status, text: String| Finding::new("permissions", status, text);
    let mut usable = vec![];
    for card in cards.iter().filter(|card| card.is_bound()) {
        let Some(group) = card.group else {
            continue;
        };
        for node in groups::nodes(system, group, card.address) {
            if !system.exists(&node) {
                return found(Status::Failure, format!("{node} is not there")).mended_by(
                    "sudo modprobe vfio-pci vfio_iommu_type1; in a container: pass the node into it",
                );
            }
            if !system.may_use(&node) {
                return found(Status::Failure, format!("you may not read and write {node}"))
                    .mended_by(format!("sudo chown \"$(id -un)\" {node}"));
            }
            if !usable.contains(&node) {
                usable.push(node);
            }
        }
    }
    match usable.is_empty() {
        true => found(Status::NotApplicable, "no NIC is bound to vfio-pci".into()),
        false => found(Status::Ok, format!("you may use {}", usable.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finding, ready};
    use super::*;
    use crate::admin::fabricated::Tree;

    #[test]
    fn a_nic_that_the_kernel_has_is_to_be_bound() {
        let (status, text) = finding(&Tree::with_nic(), "network cards");
        assert_eq!(status, Status::Failure);
        assert_eq!(
            text,
            "0000:00:03.0 (Intel 82574L) is bound to e1000e | sudo pagewire bind 0000:00:03.0"
        );
    }

    #[test]
    fn the_only_nic_is_not_to_be_bound_if_the_default_route_is_on_it() {
        let tree = Tree::with_nic();
        tree.write(
            "/proc/net/route",
            "Iface\neth0 00000000 0202000A 0003 0 0 0 00000000 0 0 0\n",
        );
        let (_, text) = finding(&tree, "network cards");
        assert!(text.ends_with("| put in a second one: this machine's default route is on what there is"));
    }

    #[test]
    fn a_group_that_the_kernel_needs_is_named_with_who_is_in_it() {
        let tree = ready();
        tree.function("0000:00:03.1", 0x2668, 0x04_0300, Some(3));
        assert_eq!(finding(&tree, "IOMMU groups").0, Status::Ok);
        tree.drive("0000:00:03.1", "snd_hda_intel");
        let (status, text) = finding(&tree, "IOMMU groups");
        assert_eq!(status, Status::Failure);
        assert!(
            text.contains("shares group 3 with 0000:00:03.1 (driver snd_hda_intel)"),
            "{text}"
        );
        assert!(text.contains("devices/0000:00:03.1/driver/unbind"), "{text}");
    }

    #[test]
    fn a_node_that_is_missing_is_named() {
        let tree = ready();
        tree.remove("/dev/vfio/3");
        let (status, text) = finding(&tree, "permissions");
        assert_eq!(status, Status::Failure);
        assert!(text.starts_with("/dev/vfio/3 is not there"), "{text}");
    }
}
