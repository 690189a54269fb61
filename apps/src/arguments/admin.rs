//! What the commands about NICs may be told: bind, unbind, list, doctor.

use clap::Args;
use pagewire_bus::PciAddress;

/// The end of `bind`'s help.
pub(super) const BIND_EXAMPLES: &str = "\
Examples:
  sudo pagewire bind 0000:00:03.0           take the NIC from the kernel, for pagewire
  sudo chown \"$(id -un)\" /dev/vfio/3        let yourself use it without root; bind names the node
  sudo pagewire unbind 0000:00:03.0         give it back

What happens:
  The NIC's driver is noted under /run/pagewire, the function is reserved for vfio-pci
  (driver_override), and handed over. If vfio-pci refuses, the former driver gets it back.
  The binding lasts until unbind or the next start of the machine.";

/// The end of `list`'s help.
pub(super) const LIST_EXAMPLES: &str = "\
Examples:
  pagewire list                             the NICs that pagewire drives, and how to use each
  pagewire list --all                       every network card
  pagewire list --json | jq -r '.[] | select(.bound) | .address'";

/// The end of `doctor`'s help.
pub(super) const DOCTOR_EXAMPLES: &str = "\
Examples:
  pagewire doctor                           what is missing, each with the command that mends it
  pagewire doctor --json | jq -r '.checks[] | select(.status == \"failure\") | .mend'

It answers for the user who runs it. Exit code 1 if something stands in the way; warnings do not.";

/// What `pagewire bind` is told.
#[derive(Args, Debug)]
pub(crate) struct BindArguments {
    /// The NIC, as `pagewire list` shows it: 0000:00:03.0, or 00:03.0
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: PciAddress,

    /// Take it even if it carries this machine's default route
    #[arg(long)]
    pub(crate) force: bool,
}

/// What `pagewire unbind` is told.
#[derive(Args, Debug)]
pub(crate) struct UnbindArguments {
    /// The NIC, as `pagewire list` shows it: 0000:00:03.0, or 00:03.0
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: PciAddress,
}

/// What `pagewire list` is told.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    /// Show network cards too that pagewire has no driver for
    #[arg(long)]
    pub(crate) all: bool,

    /// Print one JSON list on stdout in place of the table
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `pagewire doctor` is told.
#[derive(Args, Debug)]
pub(crate) struct DoctorArguments {
    /// Print one JSON object on stdout in place of the lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::arguments::{Arguments, Command};

    #[test]
    fn the_domain_may_be_left_out() {
        for address in ["00:03.0", "0000:00:03.0"] {
            let line = ["pagewire", "bind", address, "--force"];
            let Command::Bind(arguments) = Arguments::try_parse_from(line).unwrap().command else {
                panic!("not bind");
            };
            assert_eq!(arguments.address.to_string(), "0000:00:03.0");
            assert!(arguments.force);
        }
    }

    #[test]
    fn what_is_no_address_is_wrong_usage_with_an_example() {
        for command in ["bind", "unbind"] {
            let error = Arguments::try_parse_from(["pagewire", command, "eth0"]).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains("like 0000:00:03.0"), "{error}");
        }
    }
}
