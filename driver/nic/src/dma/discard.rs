//! Memory for a ring that is written, and counted, but never read.
//!
//! A stack that reads what arrives where the NIC has put it has no use for the copy that its TCP makes: the copy goes
//! into a ring whose every 16 KiB are the same 16 KiB, which stay in the first-level cache.
#![allow(
    unsafe_code,
    reason = "maps the same pages at several addresses and hands them out; nobody reads them"
)]

use std::ffi::c_void;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

use super::DmaError;

/// Four pages: a third of the smallest first-level cache that a server has, at a fourth of the mappings.
const PERIOD: usize = 4 * 4096;

/// `len` bytes, rounded up to whole repetitions, that take whatever is written and keep nothing of it. They live as
/// long as the process. **Not to be read**: what is found there is not what was written there.
///
/// # Errors
/// [`DmaError::NoMemory`].
pub fn discard(len: usize) -> Result<&'static mut [u8], DmaError> {
    let len = len.next_multiple_of(PERIOD);
    let start = map(len).map_err(|reason| DmaError::NoMemory {
        mib: len.div_ceil(1 << 20),
        reason: reason.into(),
    })?;
    // SAFETY: the range is mapped, readable, writable and initialised (the kernel's zeros), and stays so, because nobody
    // unmaps it; this is the only reference into it.
    //
    // What the slice is not: memory in which each byte is its own. The language's model has no such memory; what it
    // lets the compiler assume is that a store to one byte leaves the others' values as they were. That can only show
    // in values that are *read*, and the caller is told to read none.
    Ok(unsafe { std::slice::from_raw_parts_mut(start.cast(), len) })
}

/// Maps the same [`PERIOD`] bytes over and over into a new range of `len` bytes.
fn map(len: usize) -> rustix::io::Result<*mut c_void> {
    let pages = memfd_create("pagewire-discard", MemfdFlags::CLOEXEC)?;
    ftruncate(&pages, PERIOD as u64)?;
    // SAFETY: asks for a new range at an address of the kernel's choosing: no existing mapping is touched.
    let start = unsafe { mmap_anonymous(std::ptr::null_mut(), len, ProtFlags::empty(), MapFlags::PRIVATE)? };
    let access = ProtFlags::READ | ProtFlags::WRITE;
    let filled = (0..len).step_by(PERIOD).try_for_each(|offset| {
        // SAFETY: replaces a part of the range reserved above, which nobody has a reference into yet.
        unsafe {
            let at = start.byte_add(offset);
            mmap(at, PERIOD, access, MapFlags::SHARED | MapFlags::FIXED, &pages, 0)?;
        }
        Ok(())
    });
    if filled.is_err() {
        // SAFETY: the range was reserved above and nobody has a reference into it. A refusal leaves it mapped, which harms
        // nobody.
        let _ = unsafe { munmap(start, len) };
    }
    filled.map(|()| start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_of_any_length_takes_four_pages() {
        let ring = discard(3 * PERIOD - 1).unwrap();
        assert_eq!(ring.len(), 3 * PERIOD);
        ring[0] = 7;
        // The one look into it, to see that it is the same memory.
        assert_eq!(std::hint::black_box(&*ring)[2 * PERIOD], 7);
    }
}
