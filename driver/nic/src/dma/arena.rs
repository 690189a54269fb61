//! Host memory for DMA: a memfd, of hugepages where enough are free.
//!
//! Why a memfd, and not private memory: it can be shared with another process by its file descriptor, and it
//! stays the same memory after a `fork` (docs/decisions/0001-dma-memory-is-a-memfd.md).
//!
//! All pages exist before [`Arena::new`] returns. The system overcommits, so memory that is merely mapped may turn
//! out not to be there when it is first touched, and the process dies of SIGBUS or of the OOM killer. Here, memory
//! that is not there is an error.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::Once;

use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};

use super::DmaError;

/// Length of a hugepage in bytes.
const HUGE_BYTES: usize = 2 << 20;

/// The smallest arena for which hugepages are used: below this, most of a hugepage would be waste.
const HUGE_FROM_BYTES: usize = HUGE_BYTES / 2;

/// One notice for each process, not one for each arena.
static NOTICE: Once = Once::new();

/// How often a system call that a signal interrupted is made again.
const INTERRUPTED_LIMIT: u32 = 100;

/// What pages an arena consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageSize {
    /// Hugepages of 2 MiB, from the system's reserve.
    Huge2M,
    /// The machine's ordinary pages.
    Ordinary,
}

impl PageSize {
    /// Length of one page in bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::Huge2M => HUGE_BYTES,
            Self::Ordinary => rustix::param::page_size(),
        }
    }
}

/// Zeroed memory of whole pages, shared by its file descriptor, freed on drop.
#[derive(Debug)]
pub struct Arena {
    memory: MmapRaw,
    file: File,
    page_size: PageSize,
}

impl Arena {
    /// Allocates at least `len` bytes, rounded up to whole pages. Takes hugepages where enough are free, and ordinary
    /// pages otherwise, with one notice for each process.
    ///
    /// # Errors
    /// [`DmaError::Empty`]; [`DmaError::NoMemory`] where the pages cannot be had.
    pub fn new(len: usize) -> Result<Self, DmaError> {
        if len == 0 {
            return Err(DmaError::Empty { what: "an arena" });
        }
        let no_memory = |reason| DmaError::NoMemory {
            mib: len.div_ceil(1 << 20),
            reason,
        };
        check_file_limit(len).map_err(no_memory)?;
        if len < HUGE_FROM_BYTES {
            return Self::of_ordinary_pages(len).map_err(no_memory);
        }
        let refusal = match Self::of_pages(len, PageSize::Huge2M) {
            Ok(arena) => return Ok(arena),
            Err(refusal) => refusal,
        };
        let arena = Self::of_ordinary_pages(len).map_err(no_memory)?;
        NOTICE.call_once(|| notice_ordinary_pages(len, &refusal));
        Ok(arena)
    }

    fn of_ordinary_pages(len: usize) -> io::Result<Self> {
        check_available(len)?;
        Self::of_pages(len, PageSize::Ordinary)
    }

    fn of_pages(len: usize, page_size: PageSize) -> io::Result<Self> {
        let len = len
            .checked_next_multiple_of(page_size.bytes())
            .filter(|&len| isize::try_from(len).is_ok())
            .ok_or_else(|| io::Error::other("more than an address space holds"))?;
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let flags = match page_size {
            PageSize::Huge2M => flags | MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB,
            PageSize::Ordinary => flags,
        };
        let file = File::from(rustix::fs::memfd_create(c"pagewire-dma", flags)?);
        // Gives the file its length and takes the pages out of the system's reserve, or says that there are too few.
        retried(|| rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, len as u64))?;
        // Whoever shares the descriptor cannot take pages away from under us.
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        // Populated: the pages are there already, this spares one fault for each of them later on.
        let memory = MmapOptions::new().len(len).populate().map_raw(&file)?;
        Ok(Self {
            memory,
            file,
            page_size,
        })
    }

    /// What pages the arena consists of.
    #[must_use]
    pub fn page_size(&self) -> PageSize {
        self.page_size
    }

    /// Length in bytes, a multiple of the page size.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "an arena is never empty")]
    pub fn len(&self) -> usize {
        self.memory.len()
    }

    /// The first byte. Valid for reads and writes of [`len`](Self::len) bytes while the arena lives.
    pub(super) fn base(&self) -> NonNull<u8> {
        NonNull::new(self.memory.as_mut_ptr()).expect("mmap returns no null pointer")
    }
}

/// The memory as a file, for a process that shares it; offset 0 is the first byte. Who writes there is bound by the
/// same rule as a device: never to bytes that are not posted to it.
impl AsFd for Arena {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Says that there are no hugepages, or too few.
fn notice_ordinary_pages(len: usize, reason: &io::Error) {
    let (mib, pages) = (len.div_ceil(1 << 20), len.div_ceil(HUGE_BYTES));
    tracing::warn!(
        "no hugepages are free for {mib} MiB of DMA memory ({reason}); using ordinary pages: \
         reserve some with `sysctl vm.nr_hugepages={pages}` or more"
    );
}

/// Refuses what the system could only grant by killing a process: `fallocate` itself goes on until nothing is left.
fn check_available(len: usize) -> io::Result<()> {
    // Where it cannot be told, the allocation itself decides.
    let Some(available) = available_memory() else {
        return Ok(());
    };
    if len as u64 <= available {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::OutOfMemory,
        format!("{} MiB are available", available >> 20),
    ))
}

/// Refuses what goes beyond the process's limit on file sizes, which counts for a memfd too: the system ends a process
/// that exceeds it, by SIGXFSZ.
fn check_file_limit(len: usize) -> io::Result<()> {
    // The last page may be a hugepage.
    let needed = len.saturating_add(HUGE_BYTES) as u64;
    match rustix::process::getrlimit(rustix::process::Resource::Fsize).current {
        Some(limit) if needed > limit => {
            let reason = format!(
                "files of this process are limited to {} MiB, see `ulimit -f`",
                limit >> 20
            );
            Err(io::Error::new(io::ErrorKind::FileTooLarge, reason))
        }
        _ => Ok(()),
    }
}

/// What the system estimates that it can give without swapping, in bytes.
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Repeats a system call for as long as signals interrupt it, within reason.
fn retried(mut call: impl FnMut() -> rustix::io::Result<()>) -> io::Result<()> {
    for _ in 0..INTERRUPTED_LIMIT {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
    Err(rustix::io::Errno::INTR.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::FileExt;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn an_arena_is_whole_zeroed_pages_shared_by_descriptor() {
        let arena = Arena::new(5000).unwrap();
        assert_eq!(
            arena.page_size(),
            PageSize::Ordinary,
            "a hugepage would be wasted on 5000 bytes"
        );
        assert_eq!(
            arena.len(),
            5000_usize.next_multiple_of(arena.page_size().bytes())
        );
        let shared = File::from(arena.as_fd().try_clone_to_owned().unwrap());
        let mut bytes = vec![1; arena.len() + 1];
        assert_eq!(shared.read_at(&mut bytes, 0).unwrap(), arena.len());
        assert!(bytes[..arena.len()].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn large_arenas_take_hugepages_where_enough_are_free_and_ordinary_pages_otherwise() {
        let arena = Arena::new(3 << 20).unwrap();
        let reserved = std::fs::read_to_string("/proc/sys/vm/nr_hugepages").unwrap_or_default();
        match arena.page_size() {
            PageSize::Huge2M => assert_eq!(arena.len(), 4 << 20),
            PageSize::Ordinary => assert_eq!(arena.len(), 3 << 20),
        }
        if reserved.trim() == "0" {
            assert_eq!(arena.page_size(), PageSize::Ordinary);
        }
    }

    #[test]
    fn whoever_shares_an_arena_cannot_take_its_pages_away() {
        for len in [4096, 2 << 20] {
            let arena = Arena::new(len).unwrap();
            let shared = File::from(arena.as_fd().try_clone_to_owned().unwrap());
            assert!(shared.set_len(0).is_err());
        }
    }

    #[test]
    fn memory_that_is_not_there_is_an_error_that_says_what_to_do() {
        for len in [1 << 46, usize::MAX, isize::MAX as usize] {
            let error = Arena::new(len).unwrap_err();
            assert!(matches!(error, DmaError::NoMemory { .. }), "{error}");
            let words = error.to_string();
            assert!(words.starts_with("no memory for "), "{words}");
            assert!(words.contains("fewer or smaller"), "{words}");
        }
        assert!(matches!(Arena::new(0), Err(DmaError::Empty { .. })));
    }

    #[test]
    fn the_notice_names_the_number_of_pages_to_reserve() {
        #[derive(Clone, Default)]
        struct Log(Arc<Mutex<Vec<u8>>>);
        impl Write for Log {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            notice_ordinary_pages(3 << 20, &io::Error::from_raw_os_error(libc::ENOMEM));
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(
            text.contains("WARN") && text.contains("no hugepages are free for 3 MiB"),
            "{text}"
        );
        assert!(
            text.contains("using ordinary pages") && text.contains("vm.nr_hugepages=2"),
            "{text}"
        );
    }
}
