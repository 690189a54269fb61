//! `pagewire doctor`: what stands between this machine and a NIC of its own, and the command that mends it.
//!
//! Every check looks and changes nothing. They come in the order in which things have to be right: the kernel and its
//! IOMMU (`kernel`), the NICs and who may use them (`access`), memory (`memory`).

mod access;
mod kernel;
mod memory;

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::AdminError;
use super::cards::Card;
use super::system::System;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Status {
    Ok,
    /// It works, but not as well as it could.
    Warning,
    /// It stands in the way.
    Failure,
    /// There is nothing to check here, or nothing yet.
    NotApplicable,
}

/// What a check found.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    status: Status,
    found: String,
    /// The command, or what else has to be done.
    mend: Option<String>,
}

impl Finding {
    fn new(check: &'static str, status: Status, found: impl Into<String>) -> Self {
        let found = found.into();
        Self {
            check,
            status,
            found,
            mend: None,
        }
    }

    fn mended_by(self, mend: impl Into<String>) -> Self {
        let mend = Some(mend.into());
        Self { mend, ..self }
    }
}

/// All findings. Prints as lines for people, and is the object for JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Diagnosis {
    ready: bool,
    checks: Vec<Finding>,
}

/// Checks everything.
pub(crate) fn doctor(system: &System) -> Diagnosis {
    let mut cards = Card::all(system);
    cards.retain(|card| card.model().is_some());
    let checks = vec![
        kernel::iommu(system),
        kernel::options(system),
        kernel::interrupt_remapping(system),
        kernel::vfio(system),
        access::network_cards(&cards),
        access::groups(system, &cards),
        access::nodes(system, &cards),
        memory::memlock(system),
        memory::hugepages(system),
        memory::leftovers(system),
    ];
    let ready = checks.iter().all(|finding| finding.status != Status::Failure);
    Diagnosis { ready, checks }
}

impl Diagnosis {
    /// An error if something stands in the way.
    pub(crate) fn verdict(&self) -> Result<(), AdminError> {
        let failures = self.checks.iter();
        match failures
            .filter(|finding| finding.status == Status::Failure)
            .count()
        {
            0 => Ok(()),
            failures => Err(AdminError::NotReady {
                failures,
                checks: self.checks.len(),
            }),
        }
    }
}

impl Display for Diagnosis {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for Finding {
            check,
            status,
            found,
            mend,
        } in &self.checks
        {
            // Several things of a kind stand below each other.
            let found = found.replace("; ", &format!("\n{:<38}", ""));
            writeln!(f, "{:<16}{check:<22}{found}", status.in_words())?;
            if let Some(mend) = mend {
                writeln!(f, "{:<16}{:<22}{mend}", "", "to mend it:")?;
            }
        }
        if self.ready {
            writeln!(f, "ready for real NICs")?;
        }
        Ok(())
    }
}

impl Status {
    fn in_words(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failure => "failure",
            Self::NotApplicable => "not applicable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::bind;
    use crate::admin::fabricated::{NIC, Tree};

    /// A machine on which nothing is left to do.
    pub(super) fn ready() -> Tree {
        let tree = Tree::with_nic();
        bind(&tree.system(), NIC.parse().unwrap(), false).unwrap();
        tree.write("/proc/cmdline", "quiet intel_iommu=on\n");
        tree.write("/proc/interrupts", " 24: 7 IR-PCI-MSI 49152-edge virtio0\n");
        tree.folder("/sys/module/vfio_iommu_type1");
        tree.write("/dev/vfio/3", "");
        tree.write("/dev/vfio/vfio", "");
        tree.write(
            "/proc/self/limits",
            "Max locked memory         unlimited            unlimited            bytes\n",
        );
        tree.write("/proc/self/status", "CapEff:\t0000000000000000\n");
        tree.write(
            "/proc/meminfo",
            "HugePages_Total:      64\nHugePages_Free:       60\nHugepagesize:       2048 kB\n",
        );
        tree.folder("/dev/hugepages");
        tree.write(
            "/proc/self/mounts",
            "hugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0\n",
        );
        tree
    }

    /// Status, finding and remedy of one check, as printed.
    #[track_caller]
    pub(super) fn finding(tree: &Tree, check: &str) -> (Status, String) {
        let diagnosis = doctor(&tree.system());
        let finding = diagnosis
            .checks
            .iter()
            .find(|finding| finding.check == check)
            .unwrap();
        let mend = finding.mend.clone().unwrap_or_default();
        (finding.status, format!("{} | {mend}", finding.found))
    }

    #[test]
    fn a_machine_that_is_ready_passes_every_check() {
        let diagnosis = doctor(&ready().system());
        for finding in &diagnosis.checks {
            assert_eq!(finding.status, Status::Ok, "{finding:?}");
            assert_eq!(finding.mend, None, "{finding:?}");
        }
        assert!(diagnosis.to_string().ends_with("\nready for real NICs\n"));
        diagnosis.verdict().unwrap();
    }

    #[test]
    fn a_bare_machine_is_told_what_is_missing_and_how_to_get_it() {
        let tree = Tree::without_vfio();
        let diagnosis = doctor(&tree.system());
        assert!(tree.writes().is_empty());
        for finding in &diagnosis.checks {
            if finding.status == Status::Failure || finding.status == Status::Warning {
                assert!(finding.mend.is_some(), "{finding:?}");
            }
        }
        let error = diagnosis.verdict().unwrap_err().to_string();
        assert!(error.contains("of 10 checks failed"), "{error}");
        assert!(!diagnosis.to_string().contains("ready"), "{diagnosis}");
    }

    #[test]
    fn the_json_names_its_fields_as_documented() {
        let json = serde_json::to_value(doctor(&Tree::new().system())).unwrap();
        assert_eq!(json["ready"], false);
        let first = &json["checks"][0];
        assert_eq!(
            (&first["check"], &first["status"]),
            (&"IOMMU".into(), &"failure".into())
        );
        assert!(first["found"].is_string() && first["mend"].is_string());
        assert!(json.to_string().contains("\"not-applicable\""));
    }
}
