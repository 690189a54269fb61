//! The device's own view of memory that it reads.
//!
//! A device on a real bus reaches memory by its physical address: it costs the processor no page-table entries. The
//! emulated one copies by virtual addresses, and each page it touches becomes an entry in the table of the mapping it
//! goes through. Were that the driver's mapping, the driver's `munmap` would pay for tearing the device's entries
//! down. So the device looks at shared memory through a mapping of its own, which it lets go of in its own time:
//! ended views wait for the next step.
#![allow(unsafe_code, reason = "makes and ends mappings of the process's memory")]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// A second mapping of some shared memory.
#[derive(Debug)]
pub(super) struct View {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: an address and a length; the mapping belongs to the value, whichever thread it is on.
unsafe impl Send for View {}
// SAFETY: nothing can be done through a shared reference but read the two.
unsafe impl Sync for View {}

impl View {
    /// A second mapping of `[start, start + len)`. `None` where that is not shared memory, or the system refuses:
    /// the device then uses the first one.
    ///
    /// # Safety
    /// The range is mapped in this process.
    pub(super) unsafe fn of(start: NonNull<u8>, len: usize) -> Option<Self> {
        // SAFETY: an old length of 0 asks for another mapping of the same shared pages at an address of the
        // kernel's choosing and leaves the first as it is (mremap(2)); nothing that exists is moved or unmapped.
        let second = unsafe { libc::mremap(start.as_ptr().cast(), 0, len, libc::MREMAP_MAYMOVE) };
        if second == libc::MAP_FAILED {
            return None;
        }
        Some(Self {
            start: NonNull::new(second.cast())?,
            len,
        })
    }

    /// Fills the page table of the view, as pinning does on a real bus; without it, each page waits for its first
    /// use. A page that cannot be had is left to that.
    pub(super) fn populate(&self) {
        // SAFETY: the range belongs to this value; populating for reading changes no byte of it.
        unsafe { libc::madvise(self.start.as_ptr().cast(), self.len, libc::MADV_POPULATE_READ) };
    }

    /// The first byte.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `of` and belongs to this value; pieces of it borrow from a hold on the
        // table, and a view is dropped only after its mapping has left the table. A refusal leaves it mapped.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Ended views that a busy device keeps for later.
const FEW: usize = 64;

/// Views whose mappings have ended.
#[derive(Debug, Default)]
pub(super) struct Retired {
    any: AtomicBool,
    views: Mutex<Vec<View>>,
}

impl Retired {
    pub(super) fn push(&self, view: View) {
        self.views.lock().push(view);
        self.any.store(true, Ordering::Release);
    }

    /// Lets go of one of them, unless the device is `busy` and there are few. Cheap where there are none.
    #[inline]
    pub(super) fn release(&self, busy: bool) {
        if self.any.load(Ordering::Relaxed) {
            self.release_one(busy);
        }
    }

    #[cold]
    fn release_one(&self, busy: bool) {
        let view = {
            let mut views = self.views.lock();
            let view = if busy && views.len() <= FEW {
                None
            } else {
                views.pop()
            };
            self.any.store(!views.is_empty(), Ordering::Release);
            view
        };
        // The lock is free again: letting go of a view takes its time.
        drop(view);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_view_of_a_file_shows_its_pages_and_outlives_the_first_mapping() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[0x5a; 8192]).unwrap();
        // SAFETY: nobody else knows the file.
        let first = unsafe { memmap2::Mmap::map(&file) }.unwrap();
        let start = NonNull::from(&first[..]).cast();
        // SAFETY: `first` is mapped.
        let view = unsafe { View::of(start, 8192) }.unwrap();
        assert_ne!(view.start(), start);
        drop(first);
        // SAFETY: the view is mapped for as long as it lives, and the file is as long.
        let byte = unsafe { view.start().add(8191).read_volatile() };
        assert_eq!(byte, 0x5a);
    }

    #[test]
    fn private_memory_has_no_second_view() {
        let private = memmap2::MmapMut::map_anon(4096).unwrap();
        let start = NonNull::from(&private[..]).cast();
        // SAFETY: `private` is mapped.
        assert!(unsafe { View::of(start, 4096) }.is_none());
    }

    #[test]
    fn ended_views_go_at_the_next_release() {
        let retired = Retired::default();
        let file = tempfile::tempfile().unwrap();
        file.set_len(4096).unwrap();
        // SAFETY: nobody else knows the file.
        let first = unsafe { memmap2::Mmap::map(&file) }.unwrap();
        // SAFETY: `first` is mapped.
        retired.push(unsafe { View::of(NonNull::from(&first[..]).cast(), 4096) }.unwrap());
        assert_eq!(retired.views.lock().len(), 1);
        retired.release(true);
        assert_eq!(
            retired.views.lock().len(),
            1,
            "a busy device has better things to do"
        );
        retired.release(false);
        assert!(retired.views.lock().is_empty());
    }
}
