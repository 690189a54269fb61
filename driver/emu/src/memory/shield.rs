//! Receive memory that is closed to software while it is posted: how the strict level notices a driver that reads a
//! buffer before it is done.
//!
//! A page is closed once it lies wholly in posted buffers, and open again when the first of them is filled or taken
//! back. Who touches a closed page meets the [fault guard](super::fault_guard): the page opens, and that counts.

use parking_lot::Mutex;

use super::fault_guard::{Purpose, Watch, page_size};
use super::occupancy::{Occupancy, SAMPLE};

/// What closes and opens the pages of one mapping.
#[derive(Debug)]
pub(super) struct Shield {
    /// Notices who touches a closed page.
    watch: Watch,
    /// Address of the first page in this process.
    start: usize,
    pages: Mutex<Pages>,
}

#[derive(Debug)]
struct Pages {
    posted: Occupancy,
    /// One flag a page.
    closed: Box<[bool]>,
}

impl Shield {
    /// For a mapping of whole pages, all of them open.
    pub(super) fn new(start: usize, len: usize) -> Self {
        Self {
            watch: Watch::new(start, len, Purpose::Shield),
            start,
            pages: Mutex::new(Pages {
                posted: Occupancy::new(len),
                closed: vec![false; len / page_size()].into(),
            }),
        }
    }

    /// A buffer was posted: closes the pages that now lie wholly in posted buffers.
    pub(super) fn close(&self, offset: usize, len: usize) {
        // Only whole samples are sure to leave no byte of software's between two buffers.
        if !offset.is_multiple_of(SAMPLE) || !len.is_multiple_of(SAMPLE) {
            return;
        }
        let mut pages = self.pages.lock();
        pages.posted.mark(offset, len);
        for page in offset / page_size()..(offset + len).div_ceil(page_size()) {
            if !pages.closed[page] && pages.posted.is_full(page * page_size(), page_size()) {
                pages.closed[page] = self.watch.shield(self.page(page), page_size());
            }
        }
    }

    /// A buffer is the device's to write, or no longer posted: opens its pages.
    pub(super) fn open(&self, offset: usize, len: usize) {
        let mut pages = self.pages.lock();
        pages.posted.clear(offset, len);
        for page in offset / page_size()..(offset + len).div_ceil(page_size()) {
            if std::mem::take(&mut pages.closed[page]) {
                self.watch.open(self.page(page), page_size());
            }
        }
    }

    pub(super) fn open_all(&self) {
        let closed = &mut self.pages.lock().closed;
        for index in 0..closed.len() {
            if std::mem::take(&mut closed[index]) {
                self.watch.open(self.page(index), page_size());
            }
        }
    }

    /// How often software touched closed pages since the last call, and the offset of the first touch of all.
    pub(super) fn take_touches(&self) -> Option<(u64, u64)> {
        let (count, first) = self.watch.take_faults()?;
        Some((count, first.saturating_sub(self.start) as u64))
    }

    fn page(&self, index: usize) -> usize {
        self.start + index * page_size()
    }
}

#[cfg(test)]
#[allow(unsafe_code, reason = "reads a byte behind a closed page, as software would")]
mod tests {
    use memmap2::{MmapMut, MmapRaw};

    use super::*;

    #[test]
    fn a_page_is_closed_while_all_of_it_is_posted_and_a_touch_is_told_where_it_was() {
        let page = page_size();
        let memory = MmapRaw::from(MmapMut::map_anon(3 * page).unwrap());
        let shield = Shield::new(memory.as_ptr() as usize, memory.len());
        // SAFETY: callers stay inside the mapping, to which there is no reference.
        let touch = |offset| unsafe { memory.as_ptr().add(offset).read_volatile() };
        shield.close(page, page - SAMPLE);
        touch(page);
        assert_eq!(shield.take_touches(), None, "a part of the page is software's");
        shield.close(2 * page - SAMPLE, SAMPLE);
        touch(page - 1);
        touch(2 * page);
        assert_eq!(shield.take_touches(), None, "the neighbours are open");
        touch(page + 100);
        touch(page + 200);
        assert_eq!(
            shield.take_touches(),
            Some((1, page as u64 + 100)),
            "the first opens it"
        );
        assert_eq!(shield.take_touches(), None, "what was told is over");
    }

    #[test]
    fn a_buffer_that_is_no_longer_posted_is_open() {
        let page = page_size();
        let memory = MmapRaw::from(MmapMut::map_anon(2 * page).unwrap());
        let shield = Shield::new(memory.as_ptr() as usize, memory.len());
        // SAFETY: as above.
        let touch = |offset| unsafe { memory.as_ptr().add(offset).read_volatile() };
        shield.close(0, 2 * page);
        shield.open(0, page);
        touch(0);
        shield.open_all();
        touch(page);
        assert_eq!(shield.take_touches(), None);
    }
}
