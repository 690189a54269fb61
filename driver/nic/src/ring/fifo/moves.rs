//! Runs of entries that change their shape on the way: received frames out of a queue, frames of packets into
//! one. Each run goes beside a run of descriptors.
//!
//! The closures are the caller's. A panic in one of them loses the entry that it was given, as any panic does,
//! and no other: what was moved is counted step by step and settled on drop.
#![allow(
    unsafe_code,
    reason = "entries move between cells and a vector's spare room, both uninitialised in part"
)]

use super::Fifo;

impl<T> Fifo<T> {
    /// Moves entries from the front to the end of `out`, one for each of `beside`, for as long as `look`
    /// finds something to say about the pair; `wrap` makes what is appended of an entry and of that. Returns
    /// how many were moved: no more than lie in one piece.
    #[inline]
    pub(crate) fn pop_beside<B, S, U>(
        &mut self,
        beside: &[B],
        out: &mut Vec<U>,
        mut look: impl FnMut(&B, &T) -> Option<S>,
        mut wrap: impl FnMut(T, S) -> U,
    ) -> usize {
        let first = self.head & self.mask;
        let limit = beside.len().min(self.len()).min(self.capacity() - first);
        out.reserve(limit);
        // SAFETY: `first` is below the capacity.
        let cells = unsafe { self.cells.as_ptr().add(first).cast::<T>() };
        // SAFETY: the end of what is initialised lies within the allocation.
        let places = unsafe { out.as_mut_ptr().add(out.len()) };
        let mut run = Run {
            fifo: self,
            out,
            taken: 0,
            made: 0,
        };
        for other in &beside[..limit] {
            // SAFETY: fewer than `limit` entries were taken, so this one lies before the end of the cells,
            // and exists.
            let cell = unsafe { cells.add(run.taken) };
            // SAFETY: as above.
            let Some(said) = look(other, unsafe { &*cell }) else {
                break;
            };
            // SAFETY: as above; `taken` moves on, so that nobody reads the cell again, whatever happens.
            let entry = unsafe { cell.read() };
            run.taken += 1;
            let made = wrap(entry, said);
            // SAFETY: there is room for `limit` more, and fewer were made.
            unsafe { places.add(run.made).write(made) };
            run.made += 1;
        }
        run.taken
    }

    /// The other way: moves values from the front of `values` to the end of the queue, one for each of
    /// `beside`, for as long as `look` agrees to the pair; `unwrap` makes an entry of a value. What was moved
    /// is gone from `values`. Returns how many were moved: no more than lie in one piece.
    #[inline]
    pub(crate) fn push_beside<B, U>(
        &mut self,
        beside: &[B],
        values: &mut Vec<U>,
        mut look: impl FnMut(&B, &U) -> bool,
        mut unwrap: impl FnMut(U) -> T,
    ) -> usize {
        let first = self.tail & self.mask;
        let room = self.capacity() - self.len();
        let limit = beside
            .len()
            .min(values.len())
            .min(room)
            .min(self.capacity() - first);
        // SAFETY: `first` is below the capacity.
        let cells = unsafe { self.cells.as_mut_ptr().add(first).cast::<T>() };
        let mut feed = Feed::new(self, values);
        for other in &beside[..limit] {
            // SAFETY: fewer than `limit` values were taken, so this one is there.
            let value = unsafe { feed.values.as_ptr().add(feed.taken) };
            // SAFETY: as above.
            if !look(other, unsafe { &*value }) {
                break;
            }
            // SAFETY: as above; `taken` moves on, so that nobody reads the value again, whatever happens.
            let value = unsafe { value.read() };
            feed.taken += 1;
            let entry = unwrap(value);
            // SAFETY: fewer than `limit` entries were made, so this cell lies before the end of the cells,
            // and is free.
            unsafe { cells.add(feed.made).write(entry) };
            feed.made += 1;
        }
        feed.taken
    }
}

/// A run of entries on their way. Dropped, it settles what was done, also where a closure panicked.
struct Run<'a, T, U> {
    fifo: &'a mut Fifo<T>,
    out: &'a mut Vec<U>,
    /// Entries read from the queue's front.
    taken: usize,
    /// Entries written behind the vector's end, within its capacity.
    made: usize,
}

impl<T, U> Drop for Run<'_, T, U> {
    #[inline]
    fn drop(&mut self) {
        self.fifo.head = self.fifo.head.wrapping_add(self.taken);
        let len = self.out.len() + self.made;
        // SAFETY: `made` entries behind the end were written, within the capacity.
        unsafe { self.out.set_len(len) };
    }
}

/// Values on their way into a queue. Dropped, it settles what was done, also where a closure panicked.
struct Feed<'a, T, U> {
    fifo: &'a mut Fifo<T>,
    /// As long as nothing while the values are on their way.
    values: &'a mut Vec<U>,
    /// How many values there were.
    len: usize,
    /// Values read from the vector's front.
    taken: usize,
    /// Entries written behind the queue's end.
    made: usize,
}

impl<'a, T, U> Feed<'a, T, U> {
    #[inline]
    fn new(fifo: &'a mut Fifo<T>, values: &'a mut Vec<U>) -> Self {
        let len = values.len();
        // SAFETY: shorter is always allowed; `drop` puts back what was not taken.
        unsafe { values.set_len(0) };
        Self {
            fifo,
            values,
            len,
            taken: 0,
            made: 0,
        }
    }
}

impl<T, U> Drop for Feed<'_, T, U> {
    #[inline]
    fn drop(&mut self) {
        self.fifo.tail = self.fifo.tail.wrapping_add(self.made);
        let left = self.len - self.taken;
        // SAFETY: the values from `taken` on were not touched, and are as many as the vector's new length
        // says.
        unsafe {
            if left != 0 {
                let start = self.values.as_mut_ptr();
                start.copy_from(start.add(self.taken), left);
            }
            self.values.set_len(left);
        }
    }
}
