//! Memory for a receive ring of a socket: it takes pages as they are written, and gives them back when all was read.
#![allow(
    unsafe_code,
    reason = "lends its pages for good, and gives them back behind the borrower's back"
)]

use std::io;
use std::ptr::NonNull;

use memmap2::{Advice as MapAdvice, MmapOptions, MmapRaw};
use rustix::mm::{Advice, madvise};

/// A handle on memory that was lent to a ring. No device knows of it.
///
/// The memory lives as long as the process: whoever borrowed it keeps it, and uses it again.
#[derive(Debug)]
pub struct RingMemory {
    start: NonNull<u8>,
    /// Whole pages.
    len: usize,
}

// SAFETY: an address and a length; the memory is bound to no thread.
unsafe impl Send for RingMemory {}

impl RingMemory {
    /// `len` bytes of zeros that take no memory until they are written, and the handle to give it back by.
    ///
    /// # Errors
    /// The system has no room for them.
    pub fn lend(len: usize) -> io::Result<(Self, &'static mut [u8])> {
        let map = MmapRaw::from(MmapOptions::new().len(len).no_reserve_swap().map_anon()?);
        // One byte shall not take 2 MiB. A kernel without huge pages refuses the advice, and needs none.
        let _ = map.advise(MapAdvice::NoHugePage);
        let start = NonNull::new(map.as_mut_ptr()).ok_or(io::ErrorKind::OutOfMemory)?;
        std::mem::forget(map);
        // SAFETY: the range was mapped readable and writable, private and zeroed, and is never unmapped, as its map was
        // forgotten. This is the only reference into it that is ever made: see `give_back`.
        let lent = unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), len) };
        let len = len.next_multiple_of(rustix::param::page_size());
        Ok((Self { start, len }, lent))
    }

    /// Gives all pages back; they are zeros from now on, and take memory again when they are written. For a ring that
    /// holds nothing, which will write each byte before it reads it. About a microsecond.
    pub fn give_back(&mut self) {
        // SAFETY: the range is a private anonymous mapping of this handle's own: `lend` made it, nothing unmaps it. The
        // call makes its bytes zeros, which are as initialised as any others.
        //
        // What it is besides: a write to memory that somebody holds a unique reference to. What the language lets the
        // compiler assume from that is that bytes keep the values that the borrower has seen or stored. The assumption
        // can only show in values *read* before they are written again, and the ring is empty: of a ring's bytes, those
        // that it does not hold are never read. So every value that any code observes is the one that was stored last.
        // A refusal leaves everything as it was.
        let _ = unsafe { madvise(self.start.as_ptr().cast(), self.len, Advice::LinuxDontNeed) };
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    /// Pages of `memory` that there are.
    fn resident(memory: &[u8]) -> usize {
        let (page, start) = (rustix::param::page_size(), memory.as_ptr() as usize);
        let map = std::fs::File::open("/proc/self/pagemap").unwrap();
        let pages = start / page..(start + memory.len()).div_ceil(page);
        pages
            .filter(|index| {
                let mut entry = [0; 8];
                map.read_exact_at(&mut entry, *index as u64 * 8).unwrap();
                u64::from_ne_bytes(entry) >> 63 == 1
            })
            .count()
    }

    #[test]
    fn pages_are_there_once_written_and_gone_when_given_back_and_come_back_as_zeros() {
        let (mut handle, memory) = RingMemory::lend(100_000).unwrap();
        assert_eq!(resident(memory), 0);
        for _ in 0..3 {
            memory[5_000..50_000].fill(7);
            assert_eq!(resident(memory), 12);
            handle.give_back();
            assert_eq!(resident(memory), 0);
        }
        memory[99_999] = 1;
        assert_eq!(resident(memory), 1);
    }
}
