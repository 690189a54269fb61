//! A file as memory that only the kernel reads.
#![allow(
    unsafe_code,
    reason = "mapping a file, and asking which of its pages are in memory, have no safe form"
)]

use std::fs::File;
use std::io;

use memmap2::{Mmap, MmapOptions};

/// The first bytes of a file, mapped.
#[derive(Debug)]
pub(crate) struct Mapped {
    map: Mmap,
}

impl Mapped {
    /// Maps `len` bytes, which must be more than none; touches no page.
    pub(crate) fn new(file: &File, len: usize) -> io::Result<Self> {
        // SAFETY: the bytes are handed to system calls alone, which answer EFAULT where a page is gone; no Rust code reads
        // through the slice, so that a change of the file from outside is nothing that the compiler could have relied on.
        let map = unsafe { MmapOptions::new().len(len).map(file)? };
        Ok(Self { map })
    }

    /// The same as a private map, whose pages are the page cache's as long as nobody writes.
    pub(crate) fn private(file: &File, len: usize) -> io::Result<Self> {
        // SAFETY: as in `new`.
        let map = unsafe { MmapOptions::new().len(len).map_copy_read_only(file)? };
        Ok(Self { map })
    }

    /// For system calls that send, and for nobody else.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// How many pages are in memory, and of how many.
    pub(crate) fn resident(&self) -> io::Result<(usize, usize)> {
        let pages = self.map.len().div_ceil(rustix::param::page_size());
        let mut flags = vec![0u8; pages];
        // SAFETY: the range is the map's own, and `flags` has a byte for each page of it.
        let answer = unsafe {
            libc::mincore(
                self.map.as_ptr().cast_mut().cast(),
                self.map.len(),
                flags.as_mut_ptr(),
            )
        };
        if answer != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((flags.iter().filter(|flag| **flag & 1 != 0).count(), pages))
    }
}
