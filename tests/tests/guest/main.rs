//! Real drivers on NICs that others have modelled: what `pagewire` does in Linux guests under QEMU.
//!
//! Booting is what costs, so each guest boots once and goes through all its steps (`steps/*.sh`); a test here asks how one of
//! them went. `guests` says which guests there are, with which steps. The logs stay in `target/guest-results`.
//!
//! Where QEMU or Debian's packages cannot be had, the tests say "skipped" and why. With `PAGEWIRE_GUEST=required` in
//! the environment that is a failure.

mod captures;
mod guests;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use captures::{inspect, is_tshark_there};
use guests::{E1000, E1000E, Guest, LINUX_DRIVES, NO_IOMMU, NO_REMAPPING, STEPS, skip};

/// How many guests run at once unless the command line says otherwise: a step that sleeps leaves the cores to the others.
const AT_ONCE: usize = 3;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    libtest_mimic::run(&arguments, trials()).exit_code()
}

/// The tests in the order in which they are begun: those that boot a guest first.
fn trials() -> Vec<Trial> {
    let cards = [("e1000", &E1000), ("e1000e", &E1000E)];
    let step = |name: &'static str| {
        cards.map(|(card, guest)| Trial::test(format!("{name}::{card}"), move || guest.check(name)))
    };
    let captures = cards.map(|(card, guest)| {
        Trial::test(format!("captures_are_clean::{card}"), move || {
            captures_are_clean(guest)
        })
    });
    let (first, others) = STEPS.split_first().expect("a guest has steps");
    let mut trials = Vec::from(step(first));
    trials.extend([
        // A card that Linux's own driver has.
        Trial::test("linux_drives::the_nic_of_the_default_route", || {
            LINUX_DRIVES.check("default_route")
        }),
        Trial::test("linux_drives::for_the_numbers", numbers_are_told),
        // Machines on which nothing can be driven.
        Trial::test("without::an_iommu", || NO_IOMMU.check("no_iommu")),
        Trial::test("without::interrupt_remapping", || {
            NO_REMAPPING.check("no_remapping")
        }),
    ]);
    trials.extend(others.iter().flat_map(|name| step(name)));
    trials.extend(captures);
    trials
}

/// What went over the wire in all steps of a guest.
fn captures_are_clean(guest: &Guest) -> Result<(), Failed> {
    if !is_tshark_there() {
        skip("there is no `tshark` on this machine");
        return Ok(());
    }
    for capture in guest.report()?.into_iter().flat_map(|report| report.captures()) {
        inspect(&capture);
    }
    Ok(())
}

/// What a gigabyte costs; docs/guests.md has the table.
fn numbers_are_told() -> Result<(), Failed> {
    LINUX_DRIVES.check("numbers")?;
    if let Some(report) = LINUX_DRIVES.report()? {
        let table = report.text("numbers.md");
        assert_eq!(table.lines().count(), 2, "{table}");
        println!("{table}");
    }
    Ok(())
}
