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

    /// How often software touched closed pages since the last call, and the offset of the first.
    pub(super) fn take_touches(&self) -> Option<(u64, u64)> {
        let (_, address) = self.watch.faults();
        let count = self.watch.take_faults();
        (count > 0).then(|| (count, address.saturating_sub(self.start) as u64))
    }

    fn page(&self, index: usize) -> usize {
        self.start + index * page_size()
    }
}
