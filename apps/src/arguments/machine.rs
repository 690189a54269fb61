//! Which machine a command runs on: what its NIC is and where its cable ends, and who it is on its network.

use std::fmt;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use pagewire::live::Settings;
use pagewire_bus::PciAddress;

use super::network::NetworkArguments;
use super::wire::WireArguments;
use crate::transfer::NicModel;

/// What a NIC in a slot begins with on the command line.
const IN_SLOT: &str = "vfio:";
/// What a cable's two kinds begin with.
const TAP: &str = "tap:";
const PACKET: &str = "packet:";

/// What every command that runs one machine on a network may be told.
#[derive(Args, Debug)]
pub(crate) struct MachineArguments {
    /// The NIC: an emulated one (ixgbe: Intel's 82599, e1000: the 82540EM, e1000e: the 82574L), or one in a slot:
    /// vfio:0000:00:03.0
    #[arg(long, default_value = "ixgbe")]
    pub(crate) nic: Nic,

    /// Where the cable of an emulated NIC ends in this machine's kernel: at a TAP, tap:NAME, or beside what an interface is
    /// plugged into, packet:INTERFACE
    #[arg(long, value_name = "CABLE")]
    pub(crate) cable: Option<Cable>,

    #[command(flatten)]
    pub(crate) network: NetworkArguments,

    #[command(flatten)]
    pub(crate) wire: WireArguments,
}

/// A machine on a network.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) place: Place,
    pub(crate) settings: Settings,
    pub(crate) wire: WireArguments,
}

/// Where a machine stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a NIC of its own.
    Slot(PciAddress),
    /// On an emulated NIC, whose cable ends in the kernel.
    Cable(NicChoice, Cable),
}

impl Place {
    /// How the NIC is reached, in a word of the reports.
    pub(crate) fn backend(&self) -> &'static str {
        match self {
            Self::Slot(_) => "vfio",
            Self::Cable(..) => "emulated",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slot(address) => address.fmt(f),
            Self::Cable(_, cable) => cable.fmt(f),
        }
    }
}

impl MachineArguments {
    /// The machine that was asked for, with packets of at most `mtu` bytes.
    pub(crate) fn machine(&self, mtu: u16) -> Result<Machine, String> {
        let place = self.place()?.ok_or(
            "this takes a network: a NIC in a slot, --nic vfio:ADDRESS (`pagewire list` shows them), or a cable into this \
             machine's kernel, --cable tap:NAME",
        )?;
        let settings = self.network.settings(mtu)?;
        let wire = self.wire.clone();
        Ok(Machine {
            place,
            settings,
            wire,
        })
    }

    /// Where it stands; `None` for an emulated NIC without a cable.
    pub(crate) fn place(&self) -> Result<Option<Place>, String> {
        match (self.nic, &self.cable) {
            (Nic::InSlot(_), Some(_)) => Err(
                "--cable: a NIC in a slot has a cable of its own; leave it out, or choose --nic ixgbe".into(),
            ),
            (Nic::InSlot(address), None) => match self.wire.given() {
                None => Ok(Some(Place::Slot(address))),
                Some(option) => Err(format!(
                    "{option}: this is for the wire of an emulated NIC, and that of one in a slot is its own; leave it out, or \
                     choose --cable tap:NAME"
                )),
            },
            (Nic::Emulated(nic), Some(cable)) => Ok(Some(Place::Cable(nic, cable.clone()))),
            (Nic::Emulated(_), None) => Ok(None),
        }
    }
}

/// `--nic`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nic {
    /// One in this process.
    Emulated(NicChoice),
    /// One that is there.
    InSlot(PciAddress),
}

impl FromStr for Nic {
    type Err = String;

    fn from_str(words: &str) -> Result<Self, String> {
        if let Some(address) = words.strip_prefix(IN_SLOT) {
            return PciAddress::from_str(address)
                .map(Self::InSlot)
                .map_err(|bad| bad.to_string());
        }
        NicChoice::from_str(words, false)
            .map(Self::Emulated)
            .map_err(|_| {
                let names = NicChoice::value_variants()
                    .iter()
                    .filter_map(NicChoice::to_possible_value);
                let names: Vec<_> = names.map(|value| value.get_name().to_owned()).collect();
                format!(
                    "the emulated NICs are {}; one in a slot is vfio:0000:00:03.0 (`pagewire list` shows them)",
                    names.join(", ")
                )
            })
    }
}

/// An emulated NIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NicChoice {
    /// Intel 82599, 10 Gbit/s
    Ixgbe,
    /// Intel 82540EM, 1 Gbit/s
    E1000,
    /// Intel 82574L, 1 Gbit/s
    E1000e,
}

impl From<NicChoice> for NicModel {
    fn from(choice: NicChoice) -> Self {
        match choice {
            NicChoice::Ixgbe => NicModel::Ixgbe,
            NicChoice::E1000 => NicModel::E1000,
            NicChoice::E1000e => NicModel::E1000e,
        }
    }
}

/// `--cable`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cable {
    /// Into a TAP of this name.
    Tap(String),
    /// Beside an interface of this name.
    Packet(String),
}

impl FromStr for Cable {
    type Err = &'static str;

    fn from_str(words: &str) -> Result<Self, &'static str> {
        match (words.strip_prefix(TAP), words.strip_prefix(PACKET)) {
            (Some(name), _) if !name.is_empty() => Ok(Self::Tap(name.into())),
            (_, Some(name)) if !name.is_empty() => Ok(Self::Packet(name.into())),
            _ => {
                Err("a cable into the kernel is tap:NAME (a TAP, such as tap:pagewire0) or packet:INTERFACE")
            }
        }
    }
}

impl fmt::Display for Cable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tap(name) => write!(f, "{TAP}{name}"),
            Self::Packet(name) => write!(f, "{PACKET}{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_told_from_an_emulated_nic_and_other_words() {
        assert_eq!("e1000".parse(), Ok(Nic::Emulated(NicChoice::E1000)));
        assert!(matches!("vfio:00:03.0".parse(), Ok(Nic::InSlot(_))));
        for words in ["vfio:eth0", "eth0"] {
            let told = words.parse::<Nic>().unwrap_err();
            assert!(told.contains("pagewire list"), "{words}: {told}");
        }
    }

    #[test]
    fn a_cable_says_where_it_ends() {
        for words in ["tap:pagewire0", "packet:eth0"] {
            assert_eq!(words.parse::<Cable>().unwrap().to_string(), words);
        }
        for words in ["pagewire0", "tap:", "packet:", "veth:a", ""] {
            assert!(
                words.parse::<Cable>().unwrap_err().contains("tap:NAME"),
                "{words}"
            );
        }
    }
}
