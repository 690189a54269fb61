//! What a process has cost, this one or another: memory of its own, and CPU time.

use std::path::Path;
use std::time::Duration;
use std::{fs, io};

/// Memory that a process shares with no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrivateMemory {
    /// Bytes of pages that were written.
    pub dirty: u64,
    /// Bytes of all pages: those that are as their file has them too, and the huge ones of hugetlbfs.
    pub all: u64,
}

/// The private memory of a process; [`std::process::id`] is the caller's own (proc(5), `/proc/pid/smaps_rollup`).
///
/// # Errors
/// The process is not there or may not be looked at, or the kernel does not say.
pub fn private_memory(pid: u32) -> io::Result<PrivateMemory> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    read(&rollup).ok_or_else(|| io::Error::other("the kernel does not say how much memory is private"))
}

fn read(rollup: &str) -> Option<PrivateMemory> {
    let bytes = |name| {
        let value = rollup.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = value.strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kibibytes << 10)
    };
    let dirty = bytes("Private_Dirty:")?;
    let clean = bytes("Private_Clean:")?;
    Some(PrivateMemory {
        dirty,
        all: dirty + clean + bytes("Private_Hugetlb:").unwrap_or(0),
    })
}

/// CPU time of the threads that a process has now, since each began.
///
/// # Errors
/// The process, or a thread that was just there, is there no more.
pub fn threads_time(pid: u32) -> io::Result<Duration> {
    fs::read_dir(format!("/proc/{pid}/task"))?
        .map(|thread| runtime(&thread?.path()))
        .sum()
}

/// Time that a thread, which has this folder in /proc, was on a CPU: the first number of its schedstat, in nanoseconds.
pub(crate) fn runtime(thread: &Path) -> io::Result<Duration> {
    let text = fs::read_to_string(thread.join("schedstat"))?;
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
    Ok(Duration::from_nanos(nanoseconds.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread_time;

    #[test]
    fn private_is_what_no_other_process_has_whatever_its_kind() {
        let rollup = "55d0-7ffe ---p 00000000 00:00 0    [rollup]\n\
            Rss:                9000 kB\n\
            Shared_Clean:        500 kB\n\
            Shared_Dirty:        600 kB\n\
            Private_Clean:         3 kB\n\
            Private_Dirty:        40 kB\n\
            Shared_Hugetlb:      700 kB\n\
            Private_Hugetlb:    2048 kB\n";
        let expected = PrivateMemory {
            dirty: 40 << 10,
            all: 2091 << 10,
        };
        assert_eq!(read(rollup), Some(expected));
        assert_eq!(read("Rss: 9000 kB\n"), None);
    }

    #[test]
    fn memory_that_is_written_is_private_and_dirty() {
        let pid = std::process::id();
        let before = private_memory(pid).unwrap();
        let written = vec![1_u8; 16 << 20];
        let after = private_memory(pid).unwrap();
        drop(std::hint::black_box(written));
        assert!(after.dirty >= before.dirty + (8 << 20), "{before:?}, {after:?}");
        assert!(after.all >= after.dirty, "{after:?}");
    }

    #[test]
    fn the_threads_of_a_process_have_at_least_what_one_of_them_has() {
        while thread_time() < Duration::from_millis(20) {
            std::hint::black_box(thread_time());
        }
        // Other tests' threads end meanwhile.
        let time = (0..100).find_map(|_| threads_time(std::process::id()).ok());
        assert!(time.unwrap() >= Duration::from_millis(10), "{time:?}");
    }
}
