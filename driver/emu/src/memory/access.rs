//! The device's reads and writes of memory: raw copies, as DMA is.
//!
//! A [`Piece`] or [`Room`] comes out of a translation and lives no longer than the hold on the mapping table,
//! so its memory stays mapped: `DmaMapper::map` demands that memory stays until `unmap` has returned, and
//! `unmap` waits for that hold to end. No Rust reference is ever made to this memory. Software that writes
//! to bytes in flight races with the copy, as it would with a real device: the bytes are then either the old
//! or the new, which the sanitizer reports at its strict level.
#![allow(
    unsafe_code,
    reason = "device DMA is a copy between raw pointers that the mapping table vouches for"
)]

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

use super::fault_guard::WatchRef;
use super::recent::RecentPages;

/// The memory under a mapping was gone when the device read it (a file was truncated under its mapping).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a page that the device was to read is gone: was the file truncated?")]
pub struct SourceFault;

/// Memory that the device may read: part of a frame on its way out.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'t> {
    start: NonNull<u8>,
    len: usize,
    watch: Option<WatchRef>,
    held: PhantomData<&'t ()>,
}

impl<'t> Piece<'t> {
    /// # Safety
    /// `[start, start + len)` stays mapped and readable for `'t`, but for pages that `watch` guards.
    pub(super) unsafe fn new(start: NonNull<u8>, len: usize, watch: Option<WatchRef>) -> Self {
        Self {
            start,
            len,
            watch,
            held: PhantomData,
        }
    }

    /// Bytes of this process as a piece: for tests of what carries frames.
    #[must_use]
    pub fn from_bytes(bytes: &'t [u8]) -> Self {
        Self {
            start: NonNull::from(bytes).cast(),
            len: bytes.len(),
            watch: None,
            held: PhantomData,
        }
    }

    /// Length in bytes.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The part `[offset, offset + len)`, cut off at the piece's end.
    #[must_use]
    #[inline]
    pub fn part(&self, offset: usize, len: usize) -> Self {
        let offset = offset.min(self.len);
        let len = len.min(self.len - offset);
        // SAFETY: `offset <= self.len`, so the pointer stays in the range or one past its end.
        let start = unsafe { self.start.add(offset) };
        Self { start, len, ..*self }
    }

    /// Copies the piece; `to` takes what fits.
    ///
    /// # Errors
    /// [`SourceFault`] where a page was gone: the bytes in `to` mean nothing.
    #[inline]
    pub fn copy_to(&self, to: &mut [u8]) -> Result<(), SourceFault> {
        let len = self.len.min(to.len());
        // SAFETY: the source is readable for `'t` (see `new`), the target is a live exclusive slice, and both
        // have `len` bytes; the regions cannot overlap, since nobody has a reference into mapped memory.
        unsafe { ptr::copy_nonoverlapping(self.start.as_ptr(), to.as_mut_ptr(), len) };
        self.check()
    }

    /// Reads a byte of each cache line, and of each page: all of the piece is in the CPU's cache then, and
    /// [`check`](Self::check) knows of a page that is gone.
    fn read_lines(&self) {
        // SAFETY: callers stay below `self.len`, and the piece is readable for `'t` (see `new`). Volatile: nobody uses the byte.
        let read = |at| unsafe { self.start.add(at).read_volatile() };
        for at in (0..self.len).step_by(CACHE_LINE) {
            read(at);
        }
        if let Some(last) = self.len.checked_sub(1) {
            read(last);
        }
    }

    /// Whether all bytes copied so far were real.
    ///
    /// # Errors
    /// [`SourceFault`] where a page of the mapping was gone at any time.
    #[inline]
    pub(crate) fn check(&self) -> Result<(), SourceFault> {
        match self.watch {
            Some(watch) if watch.faulted() => Err(SourceFault),
            _ => Ok(()),
        }
    }
}

/// Of every x86-64, and of most others: bytes.
const CACHE_LINE: usize = 64;
/// Most ranges of memory that one packet is gathered from.
const MAX_RANGES: usize = 64;

/// Writes `heads` and then `pieces` to a descriptor, in one call: the kernel copies, from the pages that the pieces
/// name. Pieces that lie behind each other are one range.
///
/// A piece that was not sent of late is read here first: from memory that is in no cache, the kernel's copy alone takes
/// longer than both (docs/decisions/0014-payload-is-fetched-before-the-kernel-copies-it.md).
///
/// # Errors
/// What the system says. `EFAULT`: a page of a piece's mapping is gone. `EINVAL`: more ranges than a packet may have.
pub(crate) fn write_out(
    to: BorrowedFd<'_>,
    heads: &[&[u8]],
    pieces: &[Piece<'_>],
    recent: &RecentPages,
) -> Result<usize, Errno> {
    let nowhere = libc::iovec {
        iov_base: ptr::null_mut(),
        iov_len: 0,
    };
    let mut ranges = [nowhere; MAX_RANGES];
    let mut used = 0;
    let heads = heads.iter().map(|head| (head.as_ptr(), head.len()));
    for (start, len) in heads.chain(
        pieces
            .iter()
            .map(|piece| (piece.start.as_ptr().cast_const(), piece.len)),
    ) {
        if let Some(last) = ranges[..used].last_mut()
            && last.iov_base.cast_const().wrapping_byte_add(last.iov_len) == start.cast()
        {
            last.iov_len += len;
            continue;
        }
        *ranges.get_mut(used).ok_or(Errno::INVAL)? = libc::iovec {
            iov_base: start.cast_mut().cast(),
            iov_len: len,
        };
        used += 1;
    }
    for piece in pieces {
        if !recent.note(piece.start.addr().get(), piece.len) {
            piece.read_lines();
        }
    }
    check_all(pieces)?;
    // SAFETY: heads are live slices and pieces stay mapped and readable while they live (see `Piece::new`); the kernel
    // only reads them, and answers EFAULT where a page has nothing behind it.
    let written = unsafe { libc::writev(to.as_raw_fd(), ranges.as_ptr(), used as libc::c_int) };
    let written = usize::try_from(written)
        .map_err(|_| Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO));
    if written == Err(Errno::FAULT) {
        // The kernel has met the hole; once the guard has, nothing more of that mapping is sent.
        pieces.iter().for_each(Piece::read_lines);
    }
    // While the kernel copied, another thread may have met one, and the guard put a zero page there.
    check_all(pieces)?;
    written
}

fn check_all(pieces: &[Piece<'_>]) -> Result<(), Errno> {
    let sound = pieces.iter().try_for_each(Piece::check);
    sound.map_err(|SourceFault| Errno::FAULT)
}

/// Memory that the device may write: a receive buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room<'t> {
    start: NonNull<u8>,
    len: usize,
    held: PhantomData<&'t ()>,
}

impl Room<'_> {
    /// # Safety
    /// `[start, start + len)` stays mapped and writable for `'t`.
    pub(super) unsafe fn new(start: NonNull<u8>, len: usize) -> Self {
        Self {
            start,
            len,
            held: PhantomData,
        }
    }

    /// Writes `bytes` at `offset`; what does not fit is cut off. Returns how many were written.
    #[inline]
    pub(crate) fn write(&mut self, offset: usize, bytes: &[u8]) -> usize {
        let len = bytes.len().min(self.len.saturating_sub(offset));
        // SAFETY: `offset + len <= self.len` where `len > 0`, the room is writable for its lifetime; `bytes`
        // is no mapped memory (nobody makes references into that), so the two do not overlap.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.as_ptr().wrapping_add(offset), len) };
        len
    }

    /// Writes a piece of the sender's memory at `offset`: the one copy of a payload byte. Returns how many
    /// bytes were written. Whether they were real is to be asked of the piece afterwards.
    #[inline]
    pub(crate) fn write_piece(&self, offset: usize, piece: &Piece<'_>) -> usize {
        let copy = self.copy_of(offset, piece);
        // SAFETY: the room and the piece live.
        unsafe { copy.run() };
        copy.len
    }

    /// The copy of as much of `piece` as fits at `offset`.
    #[inline]
    pub(super) fn copy_of(&self, offset: usize, piece: &Piece<'_>) -> RawCopy {
        let offset = offset.min(self.len);
        RawCopy {
            from: piece.start,
            // SAFETY: `offset <= self.len`, so the pointer stays in the range or one past its end.
            to: unsafe { self.start.add(offset) },
            len: piece.len.min(self.len - offset),
        }
    }
}

/// A copy by its addresses alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawCopy {
    from: NonNull<u8>,
    to: NonNull<u8>,
    len: usize,
}

// SAFETY: addresses and a length; whoever runs the copy vouches for the memory.
unsafe impl Send for RawCopy {}

impl RawCopy {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Does it.
    ///
    /// # Safety
    /// The piece and the room that it was made of live, in some thread.
    #[inline]
    pub(super) unsafe fn run(self) {
        // SAFETY: both ranges lie in the piece and in the room; a driver may map one page at both ends, so they may
        // overlap: `copy` allows it.
        unsafe { ptr::copy(self.from.as_ptr(), self.to.as_ptr(), self.len) };
    }
}

/// Descriptor memory: 16-byte slots of two little-endian words, which driver and device both write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring<'t> {
    words: NonNull<AtomicU64>,
    slots: u32,
    held: PhantomData<&'t ()>,
}

impl<'t> Ring<'t> {
    /// # Safety
    /// `start` is 8-byte aligned, and `slots * 16` bytes from there stay mapped and writable for `'t`, reached
    /// by nobody but through atomics.
    pub(super) unsafe fn new(start: NonNull<u8>, slots: u32) -> Self {
        Self {
            words: start.cast(),
            slots,
            held: PhantomData,
        }
    }

    /// Both words of slot `index`, which must lie in the ring (an index beyond it reads slot 0).
    #[inline]
    pub(crate) fn load(&self, index: u32) -> [u64; 2] {
        let [first, second] = self.pair(index);
        [
            u64::from_le(first.load(Ordering::Relaxed)),
            u64::from_le(second.load(Ordering::Relaxed)),
        ]
    }

    /// Writes back both words; the second, which holds the done bit, last and with Release, so that a driver
    /// that sees it (Acquire) sees the rest.
    #[inline]
    pub(crate) fn store(&self, index: u32, words: [u64; 2]) {
        let [first, second] = self.pair(index);
        first.store(words[0].to_le(), Ordering::Relaxed);
        second.store(words[1].to_le(), Ordering::Release);
    }

    /// Writes back the second word alone.
    #[inline]
    pub(crate) fn store_second(&self, index: u32, word: u64) {
        self.pair(index)[1].store(word.to_le(), Ordering::Release);
    }

    #[inline]
    fn pair(&self, index: u32) -> [&'t AtomicU64; 2] {
        debug_assert!(index < self.slots, "descriptor index out of the ring");
        let index = if index < self.slots { index as usize } else { 0 };
        // SAFETY: the slot lies in the ring, whose memory is valid for `'t` and reached through atomics only
        // (see `new`); `AtomicU64` has the layout of `u64` and the start is aligned for it.
        unsafe {
            [
                self.words.add(2 * index).as_ref(),
                self.words.add(2 * index + 1).as_ref(),
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    use super::super::fault_guard::{Purpose, Watch, page_size};
    use super::*;

    /// A file of two pages, mapped and watched; what `run` gets can cut it.
    fn with_file(run: impl FnOnce(&std::fs::File, Piece<'_>, &Watch)) {
        let page = page_size();
        let file = tempfile::tempfile().unwrap();
        file.set_len(2 * page as u64).unwrap();
        // SAFETY: the file is cut under the mapping on purpose; the watch answers for it.
        let mapped = unsafe { memmap2::Mmap::map(&file) }.unwrap();
        let watch = Watch::new(mapped.as_ptr() as usize, mapped.len(), Purpose::Source);
        let start = NonNull::from(&mapped[..]).cast();
        // SAFETY: mapped while `run` has it, and watched.
        let piece = unsafe { Piece::new(start, mapped.len(), Some(watch.view())) };
        run(&file, piece, &watch);
    }

    /// Writes to a socket in the kernel's place; what it said, and how many bytes arrived there.
    fn write(pieces: &[Piece<'_>], recent: &RecentPages) -> (Result<usize, Errno>, usize) {
        let (ours, kernel) = UnixDatagram::pair().unwrap();
        kernel.set_nonblocking(true).unwrap();
        let said = write_out(ours.as_fd(), &[b"head"], pieces, recent);
        (said, kernel.recv(&mut vec![0; 1 << 16]).unwrap_or(0))
    }

    const NOTHING: (Result<usize, Errno>, usize) = (Err(Errno::FAULT), 0);

    #[test]
    fn of_a_packet_whose_page_is_gone_nothing_is_written() {
        let page = page_size();
        let sound = Piece::from_bytes(b"payload");
        for (first, part) in [(0, 2 * page), (page - 10, 20), (page, 1)] {
            with_file(|file, piece, watch| {
                let pieces = [sound, piece.part(first, part)];
                let len = 4 + sound.len() + part;
                assert_eq!(write(&pieces, &RecentPages::new()), (Ok(len), len));
                file.set_len(page as u64).unwrap();
                assert_eq!(write(&pieces, &RecentPages::new()), NOTHING);
                assert_eq!(
                    write(&pieces, &RecentPages::new()),
                    NOTHING,
                    "a zero page is there by now"
                );
                assert_eq!(watch.take_faults().map(|(count, _)| count), Some(1));
            });
        }
    }

    #[test]
    fn a_hole_that_the_kernel_meets_ends_the_whole_mapping() {
        with_file(|file, piece, watch| {
            let recent = RecentPages::new();
            let len = 4 + piece.len();
            assert_eq!(write(&[piece], &recent), (Ok(len), len));
            file.set_len(page_size() as u64).unwrap();
            assert_eq!(
                write(&[piece], &recent),
                NOTHING,
                "it was sent of late, and is not read"
            );
            file.set_len(piece.len() as u64).unwrap();
            assert_eq!(write(&[piece.part(0, 100)], &recent), NOTHING);
            assert_eq!(watch.take_faults().map(|(count, _)| count), Some(1));
        });
    }

    #[test]
    fn what_was_sent_of_late_is_not_read() {
        with_file(|file, piece, watch| {
            let recent = RecentPages::new();
            recent.note(piece.start.addr().get(), piece.len());
            file.set_len(page_size() as u64).unwrap();
            // Not open for writing, so that the kernel does not look at the payload.
            let closed = std::fs::File::open("/dev/null").unwrap();
            let said = write_out(closed.as_fd(), &[b"head"], &[piece], &recent);
            assert_eq!(said, Err(Errno::BADF));
            assert_eq!(watch.take_faults(), None);
        });
    }
}
