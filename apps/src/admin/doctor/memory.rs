//! Memory: how much may be pinned, and hugepages.

use super::{Finding, Status};
use crate::admin::system::System;

const MIB: u64 = 1 << 20;
/// Rings, receive buffers and the stack's headers on one NIC: measured as 6.3 MiB.
const LEAST_MEMLOCK: u64 = 7 * MIB;
/// Enough for windows of files to stay mapped while they are sent again.
const GOOD_MEMLOCK: u64 = 64 * MIB;
/// `CAP_IPC_LOCK`: the limit does not hold for who has it.
const IPC_LOCK: u64 = 1 << 14;

/// How much memory this user may pin for a device.
pub(super) fn memlock(system: &System) -> Finding {
    let found = |status, text: String| Finding::new("locked memory", status, text);
    let status = system.read("/proc/self/status").unwrap_or_default();
    let capabilities = field(&status, "CapEff:").and_then(|hex| u64::from_str_radix(hex, 16).ok());
    if capabilities.is_some_and(|set| set & IPC_LOCK != 0) {
        return found(Status::Ok, "no limit for a process with CAP_IPC_LOCK".into());
    }
    let limits = system.read("/proc/self/limits").unwrap_or_default();
    let (mend, limit) = (
        "sudo prlimit --memlock=unlimited --pid $$",
        field(&limits, "Max locked memory"),
    );
    match limit.map(str::parse::<u64>) {
        None => found(Status::NotApplicable, "this kernel tells of no limit".into()),
        // `unlimited`
        Some(Err(_)) => found(Status::Ok, "no limit".into()),
        Some(Ok(limit)) if limit < LEAST_MEMLOCK => found(
            Status::Failure,
            format!("{} KiB may be locked, and a NIC's rings need {} MiB", limit >> 10, LEAST_MEMLOCK / MIB),
        )
        .mended_by(mend),
        Some(Ok(limit)) if limit < GOOD_MEMLOCK => found(
            Status::Warning,
            format!(
                "{} MiB may be locked: enough for a NIC's rings, but few pages of a file can be mapped at a time",
                limit / MIB
            ),
        )
        .mended_by(mend),
        Some(Ok(limit)) => found(Status::Ok, format!("{} MiB may be locked", limit / MIB)),
    }
}

/// Whether rings can have hugepages. They work without.
pub(super) fn hugepages(system: &System) -> Finding {
    let found = |status, text: String| Finding::new("hugepages", status, text);
    let info = system.read("/proc/meminfo").unwrap_or_default();
    let number = |name| field(&info, name).and_then(|text| text.parse::<u64>().ok());
    let (Some(total), Some(free)) = (number("HugePages_Total:"), number("HugePages_Free:")) else {
        return found(Status::NotApplicable, "this kernel has none".into());
    };
    match (total, free) {
        (0, _) => found(
            Status::Warning,
            "none are reserved: rings take ordinary pages".into(),
        )
        .mended_by("sudo sysctl vm.nr_hugepages=16"),
        (total, 0) => found(
            Status::Warning,
            format!("all {total} are in use: rings take ordinary pages"),
        )
        .mended_by(format!("sudo sysctl vm.nr_hugepages={}", total + 16)),
        (total, free) => found(Status::Ok, format!("{free} of {total} are free")),
    }
}

/// Files in hugetlbfs: they keep hugepages when the program that made them is long gone. Pagewire makes none.
pub(super) fn leftovers(system: &System) -> Finding {
    let found = |status, text: String| Finding::new("leftover hugepages", status, text);
    let mounts = system.read("/proc/self/mounts").unwrap_or_default();
    let folders: Vec<&str> = mounts.lines().filter_map(hugetlbfs).collect();
    if folders.is_empty() {
        return found(Status::NotApplicable, "no hugetlbfs is mounted".into());
    }
    let files: Vec<String> = folders
        .iter()
        .flat_map(|folder| {
            system
                .names(folder)
                .into_iter()
                .map(move |name| format!("{folder}/{name}"))
        })
        .filter(|path| system.allocated(path).is_some_and(|bytes| bytes > 0))
        .collect();
    match &files[..] {
        [] => found(Status::Ok, format!("no file in {}", folders.join(", "))),
        [first, ..] => {
            let bytes: u64 = files.iter().filter_map(|path| system.allocated(path)).sum();
            let held = format!("{} MiB", bytes.div_ceil(MIB));
            let text = match files.len() {
                1 => format!("{first} holds {held}"),
                more => format!("{more} files hold {held}, among them {first}"),
            };
            found(Status::Warning, text).mended_by(format!(
                "if no running program uses them: sudo rm {}",
                files.join(" ")
            ))
        }
    }
}

/// The folder of a mount of hugetlbfs.
fn hugetlbfs(line: &str) -> Option<&str> {
    let mut fields = line.split(' ').skip(1);
    let folder = fields.next()?;
    (fields.next()? == "hugetlbfs").then_some(folder)
}

/// The word after a name at the beginning of a line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(name)?.split_whitespace().next())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finding, ready};
    use super::*;

    #[test]
    fn a_limit_on_locked_memory_is_judged_by_what_it_is_enough_for() {
        let tree = ready();
        for (limit, expected, says) in [
            (
                "65536",
                Status::Failure,
                "64 KiB may be locked, and a NIC's rings need 7 MiB | sudo prlimit",
            ),
            ("4194304", Status::Failure, "4096 KiB may be locked"),
            (
                "8388608",
                Status::Warning,
                "8 MiB may be locked: enough for a NIC's rings",
            ),
            ("67108864", Status::Ok, "64 MiB may be locked"),
            ("unlimited", Status::Ok, "no limit"),
        ] {
            tree.write(
                "/proc/self/limits",
                &format!("Max locked memory         {limit}  {limit}  bytes\n"),
            );
            let (status, text) = finding(&tree, "locked memory");
            assert_eq!(status, expected, "{limit}");
            assert!(text.starts_with(says), "{limit}: {text}");
        }
        tree.write(
            "/proc/self/limits",
            "Max locked memory         65536  65536  bytes\n",
        );
        tree.write("/proc/self/status", "Name: x\nCapEff:\t0000000000004000\n");
        assert_eq!(finding(&tree, "locked memory").0, Status::Ok);
    }

    #[test]
    fn hugepages_are_a_wish_and_no_need() {
        let tree = ready();
        for (total, free, expected, says) in [
            (0, 0, Status::Warning, "vm.nr_hugepages=16"),
            (8, 0, Status::Warning, "vm.nr_hugepages=24"),
            (8, 3, Status::Ok, "3 of 8 are free"),
        ] {
            tree.write(
                "/proc/meminfo",
                &format!("HugePages_Total: {total}\nHugePages_Free: {free}\n"),
            );
            let (status, text) = finding(&tree, "hugepages");
            assert_eq!(status, expected);
            assert!(text.contains(says), "{text}");
        }
    }

    #[test]
    fn files_that_hold_hugepages_are_named() {
        let tree = ready();
        tree.write("/dev/hugepages/rtemap_0", &"x".repeat(8192));
        let (status, text) = finding(&tree, "leftover hugepages");
        assert_eq!(status, Status::Warning);
        assert!(
            text.contains("if no running program uses them: sudo rm /dev/hugepages/rtemap_0"),
            "{text}"
        );
        tree.write("/proc/self/mounts", "proc /proc proc rw 0 0\n");
        assert_eq!(finding(&tree, "leftover hugepages").0, Status::NotApplicable);
    }
}
