//! The kernel: its IOMMU, its options, and whether it has VFIO.

use super::{Finding, Status};
use crate::admin::cards::VFIO_PCI;
use crate::admin::groups;
use crate::admin::system::System;

/// Adds an option for the next start, where Debian, Ubuntu and their like keep them.
const ADD_OPTION: &str = "add intel_iommu=on to GRUB_CMDLINE_LINUX in /etc/default/grub, then: \
                          sudo update-grub && sudo reboot";
const UNSAFE_INTERRUPTS: &str = "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts";

/// Words on the kernel's command line that turn the IOMMU off.
const IOMMU_OFF: [&str; 4] = ["intel_iommu=off", "amd_iommu=off", "iommu=off", "noiommu"];
/// And those that turn interrupt remapping off.
const REMAPPING_OFF: [&str; 2] = ["intremap=off", "nointremap"];

fn command_line(system: &System) -> Vec<String> {
    let line = system.read("/proc/cmdline").unwrap_or_default();
    line.split_whitespace().map(str::to_owned).collect()
}

fn given(words: &[String], wanted: &[&str]) -> Option<String> {
    let mut words = words.iter();
    words.find(|word| wanted.contains(&word.as_str())).cloned()
}

fn without(word: &str) -> String {
    format!("take {word} from GRUB_CMDLINE_LINUX in /etc/default/grub, then: sudo update-grub && sudo reboot")
}

/// Whether devices are held to the memory that is mapped for them.
pub(super) fn iommu(system: &System) -> Finding {
    let found = |status, text: &str| Finding::new("IOMMU", status, text);
    let groups = groups::count(system);
    if groups > 0 {
        return found(Status::Ok, &format!("on, {groups} groups"));
    }
    if let Some(word) = given(&command_line(system), &IOMMU_OFF) {
        return found(Status::Failure, "off, as the kernel was told").mended_by(without(&word));
    }
    // The firmware tells of an IOMMU in one of two tables: Intel's and AMD's.
    let told_of = |table: &str| system.exists(&format!("/sys/firmware/acpi/tables/{table}"));
    if told_of("DMAR") {
        found(Status::Failure, "off, though the machine has one (Intel VT-d)").mended_by(ADD_OPTION)
    } else if told_of("IVRS") {
        found(Status::Failure, "off, though the machine has one (AMD-Vi)")
            .mended_by("sudo dmesg | grep -i amd-vi tells why")
    } else {
        found(Status::Failure, "none: the firmware tells of no IOMMU").mended_by(
            "turn on VT-d or AMD-Vi in the firmware's setup (in a virtual machine: give it an IOMMU, as QEMU's \
             intel-iommu)",
        )
    }
}

/// What the kernel was told about IOMMUs at its start.
pub(super) fn options(system: &System) -> Finding {
    let found = |status, text: String| Finding::new("kernel options", status, text);
    let words = command_line(system);
    // One for another maker's IOMMU does no harm.
    if let Some(word) = given(&words, &IOMMU_OFF)
        && groups::count(system) == 0
    {
        return found(Status::Failure, format!("{word} turns the IOMMU off")).mended_by(without(&word));
    }
    if let Some(word) = given(&words, &REMAPPING_OFF) {
        return found(Status::Warning, format!("{word} turns interrupt remapping off"))
            .mended_by(without(&word));
    }
    let about_iommu: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| word.contains("iommu"))
        .collect();
    match about_iommu.is_empty() {
        true => found(Status::Ok, "none about the IOMMU".into()),
        false => found(Status::Ok, about_iommu.join(" ")),
    }
}

/// Whether a device can be kept from raising interrupts of others: VFIO insists on it.
pub(super) fn interrupt_remapping(system: &System) -> Finding {
    let found = |status, text: &str| Finding::new("interrupt remapping", status, text);
    if groups::count(system) == 0 {
        return found(Status::NotApplicable, "there is no IOMMU to do it");
    }
    let interrupts = system.read("/proc/interrupts").unwrap_or_default();
    if interrupts.contains(" IR-") {
        return found(Status::Ok, "on");
    }
    // Only on x86 do interrupts show by their names whether they are remapped.
    if !interrupts.contains("IO-APIC") && !interrupts.contains("PCI-MSI") {
        return found(Status::NotApplicable, "this kernel does not tell");
    }
    if system.read(UNSAFE_INTERRUPTS).is_ok_and(|value| value == "Y") {
        return found(
            Status::Warning,
            "off, and VFIO was told to do without: a program with a NIC can raise any interrupt",
        )
        .mended_by(
            "turn it on in the firmware's setup (x2APIC, VT-d), then: echo N | sudo tee ".to_owned()
                + UNSAFE_INTERRUPTS,
        );
    }
    found(Status::Failure, "off, and VFIO gives out no NIC without it").mended_by(
        "turn it on in the firmware's setup (x2APIC, VT-d); or, if every program with a NIC is trusted: echo Y | \
         sudo tee "
            .to_owned()
            + UNSAFE_INTERRUPTS,
    )
}

/// Whether the kernel's side of VFIO is loaded.
pub(super) fn vfio(system: &System) -> Finding {
    let found = |status, text: String| Finding::new("VFIO", status, text);
    let pci = system.exists(&format!("/sys/bus/pci/drivers/{VFIO_PCI}"));
    let memory = system.exists("/sys/module/vfio_iommu_type1") || system.exists("/dev/iommu");
    match (pci, memory) {
        (true, true) => return found(Status::Ok, format!("{VFIO_PCI} is loaded")),
        (true, false) => {
            return found(Status::Failure, "vfio_iommu_type1 is not loaded".into())
                .mended_by("sudo modprobe vfio_iommu_type1");
        }
        (false, _) => {}
    }
    let release = system.read("/proc/sys/kernel/osrelease").unwrap_or_default();
    let modules = system.read(&format!("/lib/modules/{release}/modules.dep"));
    match modules {
        Ok(modules) if !modules.contains("/vfio-pci.ko") => found(
            Status::Failure,
            format!("kernel {release} was built without {VFIO_PCI}"),
        )
        .mended_by("install a kernel that has it (Debian: linux-image-amd64 or linux-image-cloud-amd64)"),
        _ => found(Status::Failure, format!("{VFIO_PCI} is not loaded"))
            .mended_by(format!("sudo modprobe {VFIO_PCI}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finding, ready};
    use super::*;
    use crate::admin::fabricated::Tree;

    #[test]
    fn an_iommu_that_is_off_is_told_from_one_that_is_not_there() {
        let tree = Tree::new();
        let (status, text) = finding(&tree, "IOMMU");
        assert_eq!(status, Status::Failure);
        assert!(
            text.contains("none: the firmware tells of no IOMMU | turn on VT-d"),
            "{text}"
        );
        tree.write("/sys/firmware/acpi/tables/DMAR", "");
        let (_, text) = finding(&tree, "IOMMU");
        assert!(text.contains("Intel VT-d) | add intel_iommu=on"), "{text}");
        tree.write("/proc/cmdline", "intel_iommu=off\n");
        let (_, text) = finding(&tree, "IOMMU");
        assert!(
            text.contains("as the kernel was told | take intel_iommu=off"),
            "{text}"
        );
    }

    #[test]
    fn an_option_that_turns_it_off_is_named() {
        let tree = Tree::new();
        tree.write("/proc/cmdline", "quiet intel_iommu=off\n");
        let (status, text) = finding(&tree, "kernel options");
        assert_eq!(status, Status::Failure);
        assert!(text.contains("take intel_iommu=off from"), "{text}");
        let tree = ready();
        for (line, expected, says) in [
            (
                "intel_iommu=on amd_iommu=off",
                Status::Ok,
                "intel_iommu=on amd_iommu=off | ",
            ),
            (
                "intel_iommu=on intremap=off",
                Status::Warning,
                "take intremap=off from",
            ),
            (
                "iommu=pt intel_iommu=on quiet",
                Status::Ok,
                "iommu=pt intel_iommu=on | ",
            ),
            ("quiet", Status::Ok, "none about the IOMMU"),
        ] {
            tree.write("/proc/cmdline", line);
            let (status, text) = finding(&tree, "kernel options");
            assert_eq!(status, expected, "{line}");
            assert!(text.contains(says), "{line}: {text}");
        }
    }

    #[test]
    fn interrupts_that_are_not_remapped_stand_in_the_way_unless_vfio_was_told_otherwise() {
        let tree = ready();
        tree.write("/proc/interrupts", " 24: 7 PCI-MSI 49152-edge virtio0\n");
        let (status, text) = finding(&tree, "interrupt remapping");
        assert_eq!(status, Status::Failure);
        assert!(text.contains("allow_unsafe_interrupts"), "{text}");
        tree.write(UNSAFE_INTERRUPTS, "Y\n");
        let (status, text) = finding(&tree, "interrupt remapping");
        assert_eq!(status, Status::Warning);
        assert!(text.contains("echo N"), "{text}");
        tree.write("/proc/interrupts", " 24: 7 GICv3 49152 Level virtio0\n");
        assert_eq!(finding(&tree, "interrupt remapping").0, Status::NotApplicable);
        assert_eq!(
            finding(&Tree::new(), "interrupt remapping").0,
            Status::NotApplicable
        );
    }

    #[test]
    fn vfio_that_is_not_loaded_is_told_from_vfio_that_was_not_built() {
        let tree = Tree::without_vfio();
        tree.write("/proc/sys/kernel/osrelease", "6.1.0-1\n");
        assert!(finding(&tree, "VFIO").1.ends_with("| sudo modprobe vfio-pci"));
        tree.write(
            "/lib/modules/6.1.0-1/modules.dep",
            "kernel/drivers/vfio/pci/vfio-pci.ko: x.ko\n",
        );
        assert!(finding(&tree, "VFIO").1.ends_with("| sudo modprobe vfio-pci"));
        tree.write(
            "/lib/modules/6.1.0-1/modules.dep",
            "kernel/drivers/net/e1000.ko:\n",
        );
        let (status, text) = finding(&tree, "VFIO");
        assert_eq!(status, Status::Failure);
        assert!(
            text.contains("kernel 6.1.0-1 was built without vfio-pci"),
            "{text}"
        );
        assert!(
            finding(&Tree::new(), "VFIO")
                .1
                .ends_with("| sudo modprobe vfio_iommu_type1")
        );
    }
}
