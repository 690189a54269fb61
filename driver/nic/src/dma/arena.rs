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
use rustix::fs::{FallocateFlags, MemfdFlags};

use super::DmaError;

/// Length of a hugepage in bytes.
const HUGE_BYTES: usize = 2 << 20;

/// The smallest arena for which hugepages are used: below this, most of a hugepage would be waste.
const HUGE_FROM_BYTES: usize = HUGE_BYTES / 2;

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
        if len >= HUGE_FROM_BYTES {
            match Self::of_pages(len, PageSize::Huge2M) {
                Ok(arena) => return Ok(arena),
                Err(reason) => notice_ordinary_pages(len, &reason),
            }
        }
        check_available(len)
            .and_then(|()| Self::of_pages(len, PageSize::Ordinary))
            .map_err(|reason| DmaError::NoMemory {
                mib: len.div_ceil(1 << 20),
                reason,
            })
    }

    fn of_pages(len: usize, page_size: PageSize) -> io::Result<Self> {
        let len = len
            .checked_next_multiple_of(page_size.bytes())
            .filter(|&len| isize::try_from(len).is_ok())
            .ok_or_else(|| io::Error::other("more than an address space holds"))?;
        let flags = match page_size {
            PageSize::Huge2M => MemfdFlags::CLOEXEC | MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB,
            PageSize::Ordinary => MemfdFlags::CLOEXEC,
        };
        let file = File::from(rustix::fs::memfd_create(c"pagewire-dma", flags)?);
        // Gives the file its length and takes the pages out of the system's reserve, or says that there are too few.
        retried(|| rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, len as u64))?;
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

/// The memory as a file, for a process that shares it (offset 0 is the first byte).
impl AsFd for Arena {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Says once for each process that there are no hugepages.
fn notice_ordinary_pages(len: usize, reason: &io::Error) {
    static NOTICE: Once = Once::new();
    NOTICE.call_once(|| {
        let (mib, pages) = (len.div_ceil(1 << 20), len.div_ceil(HUGE_BYTES));
        tracing::warn!(
            "no hugepages are free for {mib} MiB of DMA memory ({reason}); using ordinary pages: \
             reserve some with `sysctl vm.nr_hugepages={pages}` or more"
        );
    });
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
