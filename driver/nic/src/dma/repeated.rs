//! One stretch of memory, many times in a row: a range that takes any number of bytes and holds few.
#![allow(unsafe_code, reason = "maps the same pages at several addresses")]

use std::ptr::NonNull;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

use super::DmaError;

/// The smallest page of all machines that this runs on.
pub(super) const PAGE: usize = 4096;

/// A range of whole pages: first `front` bytes that are there once, then the same `period` bytes over and over.
pub(super) struct Repeated {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone.
unsafe impl Send for Repeated {}

impl Repeated {
    /// A range of at least `len` bytes of zeros, readable and writable. `front` and `period` are whole pages.
    pub(super) fn new(front: usize, period: usize, len: usize) -> Result<Self, DmaError> {
        let repetitions = len.saturating_sub(front).div_ceil(period);
        let len = front + repetitions * period;
        let mib = len.div_ceil(1 << 20);
        Self::map(front, period, len).map_err(|reason| DmaError::NoMemory {
            mib,
            reason: reason.into(),
        })
    }

    fn map(front: usize, period: usize, len: usize) -> rustix::io::Result<Self> {
        let pages = memfd_create("pagewire-repeated", MemfdFlags::CLOEXEC)?;
        ftruncate(&pages, (front + period) as u64)?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: asks for a new range at an address of the kernel's choosing: no existing mapping is touched.
        let start =
            unsafe { mmap_anonymous(std::ptr::null_mut(), len, ProtFlags::empty(), MapFlags::PRIVATE)? };
        // From here on dropping `repeated` unmaps the range, whatever was put into it.
        let repeated = Self {
            start: NonNull::new(start.cast()).ok_or(rustix::io::Errno::NOMEM)?,
            len,
        };
        let parts = std::iter::once((0, front, 0)).filter(|_| front > 0);
        let repetitions = (front..len)
            .step_by(period)
            .map(|offset| (offset, period, front as u64));
        for (offset, size, from) in parts.chain(repetitions) {
            // SAFETY: replaces a part of the range reserved above, which nobody has a reference into yet.
            unsafe {
                let at = repeated.start.as_ptr().add(offset).cast();
                mmap(at, size, access, MapFlags::SHARED | MapFlags::FIXED, &pages, from)?;
            }
        }
        Ok(repeated)
    }

    /// Where it begins: `len` bytes from here are mapped, readable, writable and initialised while `self` lives.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Repeated {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `map` with this length and belongs to this value; whoever made a
        // reference into it has tied that to this value. A refusal leaves it mapped, which harms nobody.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}
