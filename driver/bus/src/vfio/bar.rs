//! A register space in this process's memory.
#![allow(unsafe_code, reason = "registers are reached by address")]

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::device::Device;
use crate::Bar;

/// A register space: an access is one load or store.
#[derive(Clone)]
pub struct VfioBar {
    start: NonNull<u8>,
    len: usize,
    _mapping: Arc<Mapping>,
}

// SAFETY: the registers are the device's, which takes accesses in any order from any thread; the mapping lives as long as
// any clone.
unsafe impl Send for VfioBar {}
// SAFETY: as above; `&self` does no more than volatile accesses.
unsafe impl Sync for VfioBar {}

impl VfioBar {
    /// Maps `len` bytes at `offset` of the device's file.
    pub(super) fn map(device: &Arc<Device>, offset: u64, len: usize) -> io::Result<Self> {
        // SAFETY: the device keeps its file open while it is borrowed.
        let file = unsafe { BorrowedFd::borrow_raw(device.file().as_raw_fd()) };
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no other.
        let start = unsafe { mmap(std::ptr::null_mut(), len, access, MapFlags::SHARED, file, offset) }?;
        let start = NonNull::new(start.cast()).ok_or(rustix::io::Errno::NOMEM)?;
        let device = Arc::clone(device);
        let mapping = Mapping {
            start,
            len,
            _device: device,
        };
        Ok(Self {
            start,
            len,
            _mapping: Arc::new(mapping),
        })
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.len
    }

    /// Where a register is. An offset beyond the space is a mistake in the driver, as an index beyond a slice is.
    #[inline]
    fn register(&self, offset: u32) -> *mut u32 {
        let offset = offset as usize;
        assert!(
            offset.is_multiple_of(4) && offset < self.len,
            "register {offset:#x} of {:#x}",
            self.len
        );
        // SAFETY: within the mapping, whose length is a multiple of the page.
        unsafe { self.start.add(offset) }.as_ptr().cast()
    }
}

impl Bar for VfioBar {
    #[inline]
    fn read32(&self, offset: u32) -> u32 {
        // SAFETY: a register of the mapping, aligned; see `register`.
        let value = u32::from_le(unsafe { self.register(offset).read_volatile() });
        // What the device wrote before it answered is read after the answer. No instruction on x86.
        fence(Ordering::Acquire);
        value
    }

    #[inline]
    fn write32(&self, offset: u32, value: u32) {
        // What was written before the doorbell is there when it rings. No instruction on x86, which keeps stores in order.
        fence(Ordering::Release);
        // SAFETY: a register of the mapping, aligned; see `register`.
        unsafe { self.register(offset).write_volatile(value.to_le()) };
    }
}

impl fmt::Debug for VfioBar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VfioBar({:#x} bytes)", self.len)
    }
}

/// Ends with the last clone. The mapping keeps the device's file open, so it holds the device: nothing is closed before.
struct Mapping {
    start: NonNull<u8>,
    len: usize,
    _device: Arc<Device>,
}

// SAFETY: an address, used by `drop` alone.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping of `VfioBar::map`; no clone that could reach it is left. It fails for no valid range.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}
