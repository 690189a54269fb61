//! Real drivers on NICs that others have modelled: what `pagewire` does in Linux guests under QEMU.
//!
//! Booting is what costs, so each guest boots once and goes through all its steps (`steps/*.sh`); a test here asks how one of
//! them went. `guests` says which guests there are, with which steps. The logs stay in `target/guest-results`.
//!
//! Where QEMU or Debian's packages cannot be had, the tests say "skipped" and why. With `PAGEWIRE_GUEST=required` in
//! the environment that is a failure.

mod captures;
mod guests;

/// What went over the wire in all steps of a guest.
mod captures_are_clean {
    use crate::captures::{inspect, is_tshark_there};
    use crate::guests::{E1000, E1000E, Guest, skip};

    fn inspect_all(guest: &Guest) {
        if !is_tshark_there() {
            return skip("there is no `tshark` on this machine");
        }
        for capture in guest.report().into_iter().flat_map(|report| report.captures()) {
            inspect(&capture);
        }
    }

    #[test]
    fn e1000() {
        inspect_all(&E1000);
    }

    #[test]
    fn e1000e() {
        inspect_all(&E1000E);
    }
}

/// Machines on which nothing can be driven.
mod without {
    use crate::guests::{NO_IOMMU, NO_REMAPPING};

    #[test]
    fn an_iommu() {
        NO_IOMMU.check("no_iommu");
    }

    #[test]
    fn interrupt_remapping() {
        NO_REMAPPING.check("no_remapping");
    }
}

/// A card that Linux's own driver has.
mod linux_drives {
    use crate::guests::LINUX_DRIVES;

    #[test]
    fn the_nic_of_the_default_route() {
        LINUX_DRIVES.check("default_route");
    }

    /// What a gigabyte costs; docs/guests.md has the table.
    #[test]
    fn for_the_numbers() {
        LINUX_DRIVES.check("numbers");
        if let Some(report) = LINUX_DRIVES.report() {
            let table = report.text("numbers.md");
            assert_eq!(table.lines().count(), 2, "{table}");
            println!("{table}");
        }
    }
}

/// A test for each step on each NIC. libtest takes them by name, so two guests run beside each other.
macro_rules! steps {
    ($($name:ident),* $(,)?) => {
        $(mod $name {
            #[test]
            fn e1000() {
                crate::guests::E1000.check(stringify!($name));
            }

            #[test]
            fn e1000e() {
                crate::guests::E1000E.check(stringify!($name));
            }
        })*

        /// The steps that a guest goes through, in this order.
        const STEPS: &[&str] = &[$(stringify!($name)),*];
    };
}

steps! {
    boots, probes, pings, sends, sends_ipv6, receives, receives_ipv6, sends_with_loss, receives_with_loss, page_cache,
    waits, killed, unprivileged, link, extras, bad_input, removed, no_faults, planted_faults,
}
