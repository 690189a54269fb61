//! Pages of a file in this process's memory.
#![allow(unsafe_code, reason = "maps a file, and hands its pages to a device")]

use std::error::Error;
use std::fs::File;
use std::ptr::NonNull;

use pagewire_bus::{BusError, Direction, DmaMapper, HostRange, Iova};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Pages of a file that nobody else has.
pub(crate) struct Memory {
    start: NonNull<u8>,
    len: usize,
}

impl Memory {
    /// As pages of the page cache are that a user may only read.
    pub(crate) fn read_only(len: usize) -> Result<Self, Box<dyn Error>> {
        Self::of_a_file(len, ProtFlags::READ)
    }

    pub(crate) fn writable(len: usize) -> Result<Self, Box<dyn Error>> {
        Self::of_a_file(len, ProtFlags::READ | ProtFlags::WRITE)
    }

    fn of_a_file(len: usize, access: ProtFlags) -> Result<Self, Box<dyn Error>> {
        let file: File = memfd_create("probe", MemfdFlags::CLOEXEC)?.into();
        ftruncate(&file, len as u64)?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no other.
        let start = unsafe { mmap(std::ptr::null_mut(), len, access, MapFlags::SHARED, file, 0) }?;
        let start = NonNull::new(start.cast()).ok_or("no memory")?;
        Ok(Self { start, len })
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn map(&self, mapper: &dyn DmaMapper, direction: Direction) -> Result<Iova, BusError> {
        let Self { start, len } = *self;
        // SAFETY: whoever has the memory keeps it for as long as the function is open, which outlives the mapping; there
        // is no reference into it.
        unsafe { mapper.map(HostRange { start, len }, direction) }
    }

    /// Writes to writable memory.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.len);
        for (index, byte) in bytes.iter().enumerate() {
            // SAFETY: within the memory, of which no reference exists.
            unsafe { self.start.add(offset + index).write_volatile(*byte) };
        }
    }

    pub(crate) fn read(&self, offset: usize) -> u8 {
        assert!(offset < self.len);
        // SAFETY: as in `write`.
        unsafe { self.start.add(offset).read_volatile() }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: nobody has a reference into it.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}
