//! `pagewire list`: which NICs there are, who has them, and what pagewire can do with each.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::cards::{Card, Link};
use super::groups;
use super::system::System;

/// One NIC, with the names and meanings of the documented JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    address: String,
    vendor: String,
    device: String,
    model: Option<&'static str>,
    driver: Option<String>,
    interfaces: Vec<String>,
    link: Option<&'static str>,
    default_route: bool,
    iommu_group: Option<u32>,
    pagewire_driver: Option<&'static str>,
    bound: bool,
    /// Its IOMMU group holds what the kernel drives.
    #[serde(skip)]
    held_back: bool,
}

/// The NICs of a machine. Prints as a table for people, and is the list for JSON.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct List {
    entries: Vec<Entry>,
    #[serde(skip)]
    left_out: usize,
}

/// The NICs that pagewire drives, or `all`.
pub(crate) fn list(system: &System, all: bool) -> List {
    let cards = Card::all(system);
    let (shown, left_out): (Vec<_>, Vec<_>) =
        cards.into_iter().partition(|card| all || card.model().is_some());
    List {
        entries: shown.iter().map(|card| Entry::of(system, card)).collect(),
        left_out: left_out.len(),
    }
}

impl Entry {
    fn of(system: &System, card: &Card) -> Self {
        let model = card.model();
        Self {
            address: card.address.to_string(),
            vendor: format!("{:04x}", card.vendor),
            device: format!("{:04x}", card.device),
            model: model.map(|model| model.name),
            driver: card.driver.clone(),
            interfaces: card.interface_names().into_iter().map(str::to_owned).collect(),
            link: card.interfaces.first().map(|interface| match interface.link {
                Link::Up => "up",
                Link::Down => "down",
                Link::Off => "off",
            }),
            default_route: card.default_route().is_some(),
            iommu_group: card.group,
            pagewire_driver: model.map(|model| model.driver),
            bound: card.is_bound(),
            held_back: card
                .group
                .is_some_and(|group| !groups::obstacles(system, group, card.address).is_empty()),
        }
    }

    /// What pagewire can do with it.
    fn use_of_it(&self) -> String {
        let address = &self.address;
        match self.pagewire_driver {
            None => "no driver for it".into(),
            Some(driver) if self.iommu_group.is_none() => format!("{driver}, but no IOMMU: pagewire doctor"),
            Some(driver) if self.bound && self.held_back => {
                format!("{driver}, but not all of its group is free: pagewire doctor")
            }
            Some(driver) if self.bound => format!("{driver}: --nic vfio:{address}"),
            Some(driver) if self.default_route => {
                format!("{driver}, but it carries the default route")
            }
            Some(driver) => format!("{driver}, after: pagewire bind {address}"),
        }
    }

    fn columns(&self) -> [String; 7] {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        [
            self.address.clone(),
            self.model
                .map_or_else(|| format!("{}:{}", self.vendor, self.device), str::to_owned),
            or_none(self.driver.clone()),
            or_none((!self.interfaces.is_empty()).then(|| self.interfaces.join(","))),
            or_none(self.link.map(str::to_owned)),
            or_none(self.iommu_group.map(|group| group.to_string())),
            self.use_of_it(),
        ]
    }
}

const TITLES: [&str; 7] = [
    "ADDRESS",
    "MODEL",
    "DRIVER",
    "INTERFACE",
    "LINK",
    "GROUP",
    "PAGEWIRE",
];

impl Display for List {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.entries.is_empty() {
            writeln!(f, "no network card that pagewire drives is in this machine")?;
        } else {
            let mut rows = vec![TITLES.map(str::to_owned)];
            rows.extend(self.entries.iter().map(Entry::columns));
            let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
            for row in &rows {
                for (column, text) in row.iter().enumerate().take(TITLES.len() - 1) {
                    write!(f, "{text:<width$}  ", width = width(column))?;
                }
                writeln!(f, "{}", row[TITLES.len() - 1])?;
            }
        }
        match self.left_out {
            0 => Ok(()),
            1 => writeln!(
                f,
                "1 more network card, of a model that pagewire does not drive: --all shows it"
            ),
            more => writeln!(
                f,
                "{more} more network cards, of models that pagewire does not drive: --all shows them"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::bind;
    use crate::admin::fabricated::{NIC, Tree};

    fn tree() -> Tree {
        let tree = Tree::with_nic();
        tree.function("0000:00:04.0", 0x1572, 0x02_0000, Some(4));
        tree.function("0000:00:05.0", 0x10fb, 0x02_0000, None);
        tree.function("0000:00:1f.2", 0x2922, 0x01_0601, Some(5));
        tree
    }

    #[test]
    fn nics_that_pagewire_drives_are_shown_and_the_others_counted() {
        let words = list(&tree().system(), false).to_string();
        let lines: Vec<&str> = words.lines().collect();
        assert_eq!(
            lines,
            [
                "ADDRESS       MODEL         DRIVER  INTERFACE  LINK  GROUP  PAGEWIRE",
                "0000:00:03.0  Intel 82574L  e1000e  eth0       up    3      e1000e, after: pagewire bind 0000:00:03.0",
                "0000:00:05.0  Intel 82599   -       -          -     -      ixgbe, but no IOMMU: pagewire doctor",
                "1 more network card, of a model that pagewire does not drive: --all shows it",
            ]
        );
    }

    #[test]
    fn all_shows_every_network_card_and_nothing_else() {
        let words = list(&tree().system(), true).to_string();
        assert!(words.contains("0000:00:04.0  8086:1572     -       -"), "{words}");
        assert!(words.contains("no driver for it\n"), "{words}");
        assert!(!words.contains("1f.2") && !words.contains("--all"), "{words}");
    }

    #[test]
    fn a_bound_nic_is_shown_with_the_word_that_names_it() {
        let tree = tree();
        bind(&tree.system(), NIC.parse().unwrap(), false).unwrap();
        let words = list(&tree.system(), false).to_string();
        assert!(words.contains("e1000e: --nic vfio:0000:00:03.0\n"), "{words}");
        tree.function("0000:00:03.1", 0x2668, 0x04_0300, Some(3));
        tree.drive("0000:00:03.1", "snd_hda_intel");
        let words = list(&tree.system(), false).to_string();
        assert!(
            words.contains("not all of its group is free: pagewire doctor\n"),
            "{words}"
        );
    }

    #[test]
    fn a_machine_without_nics_says_so() {
        let words = list(&Tree::new().system(), false).to_string();
        assert_eq!(words, "no network card that pagewire drives is in this machine\n");
    }

    #[test]
    fn the_json_names_its_fields_as_documented() {
        let json = serde_json::to_value(list(&tree().system(), false)).unwrap();
        assert_eq!(
            json[0],
            serde_json::json!({
                "address": NIC, "vendor": "8086", "device": "10d3", "model": "Intel 82574L",
                "driver": "e1000e", "interfaces": ["eth0"], "link": "up", "default_route": false,
                "iommu_group": 3, "pagewire_driver": "e1000e", "bound": false,
            })
        );
        assert_eq!(json[1]["iommu_group"], serde_json::Value::Null);
    }
}
