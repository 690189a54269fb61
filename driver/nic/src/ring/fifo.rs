//! Index arithmetic and ownership in one: a bounded queue of slots beside a descriptor ring.
//!
//! A ring's slots fill and empty in order, so what belongs to them is a first-in, first-out queue whose
//! positions *are* the ring's indices. Positions count up for ever; the slot is the position modulo the ring's size, a power
//! of two. `tail - head` is the number of occupied slots, whatever wrapped.
//!
//! It differs from `VecDeque` in what the hot path needs: it never grows, it tells its positions, and a run of
//! entries moves on without a test for each.
#![allow(
    unsafe_code,
    reason = "cells are initialised exactly in head..tail; the compiler cannot see that"
)]

use std::mem::MaybeUninit;

/// A bounded first-in, first-out queue. Its capacity is a power of two.
pub(crate) struct Fifo<T> {
    /// Initialised exactly at the positions `head..tail`, modulo the length.
    cells: Box<[MaybeUninit<T>]>,
    /// The number of cells, a power of two, less one.
    mask: usize,
    /// Position of the first occupied cell.
    head: usize,
    /// Position of the first free cell.
    tail: usize,
}

impl<T> Fifo<T> {
    /// An empty queue for at least `capacity` entries.
    pub(crate) fn new(capacity: usize) -> Self {
        let cells = capacity.clamp(1, 1 << 31).next_power_of_two();
        Self {
            cells: (0..cells).map(|_| MaybeUninit::uninit()).collect(),
            mask: cells - 1,
            head: 0,
            tail: 0,
        }
    }

    /// How many entries fit.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.mask + 1
    }

    /// How many entries there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.tail.wrapping_sub(self.head)
    }

    /// Position of the first entry.
    #[inline]
    pub(crate) fn head(&self) -> usize {
        self.head
    }

    /// Position of the next entry to come.
    #[inline]
    pub(crate) fn tail(&self) -> usize {
        self.tail
    }

    /// The cell of a position.
    #[inline]
    fn cell(&self, position: usize) -> &MaybeUninit<T> {
        // SAFETY: masking with the length less one stays below the length.
        unsafe { self.cells.get_unchecked(position & self.mask) }
    }

    /// As [`cell`](Self::cell).
    #[inline]
    fn cell_mut(&mut self, position: usize) -> &mut MaybeUninit<T> {
        // SAFETY: as in `cell`.
        unsafe { self.cells.get_unchecked_mut(position & self.mask) }
    }

    /// Appends an entry; a full queue gives it back.
    #[inline]
    pub(crate) fn push(&mut self, value: T) -> Result<(), T> {
        if self.len() == self.capacity() {
            return Err(value);
        }
        // SAFETY: it was just tested.
        unsafe { self.push_unchecked(value) };
        Ok(())
    }

    /// Appends an entry.
    ///
    /// # Safety
    /// The queue is not full.
    #[inline]
    pub(crate) unsafe fn push_unchecked(&mut self, value: T) {
        debug_assert!(self.len() < self.capacity());
        let tail = self.tail;
        self.cell_mut(tail).write(value);
        self.tail = tail.wrapping_add(1);
    }

    /// Takes the first entry.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.head == self.tail {
            return None;
        }
        let head = self.head;
        self.head = head.wrapping_add(1);
        // SAFETY: head was in head..tail, so the cell is initialised; moving head on makes it free, so that
        // nobody reads it again.
        Some(unsafe { self.cell(head).assume_init_read() })
    }

    /// The first entry, left in place.
    #[inline]
    pub(crate) fn first(&self) -> Option<&T> {
        if self.head == self.tail {
            return None;
        }
        // SAFETY: the position is in head..tail, so the cell is initialised.
        Some(unsafe { self.cell(self.head).assume_init_ref() })
    }

    /// The entries from position `from` on, `count` of them at the most: as many as exist and lie in one piece.
    #[inline]
    pub(crate) fn run(&self, from: usize, count: usize) -> &[T] {
        let first = from & self.mask;
        let existing = self.len().saturating_sub(from.wrapping_sub(self.head));
        let count = count.min(existing).min(self.capacity() - first);
        // SAFETY: `first..first + count` lies within the cells; the entries at `from..from + count` exist, so the cells are
        // initialised, and a `MaybeUninit<T>` is laid out as a `T`.
        unsafe { std::slice::from_raw_parts(self.cells.as_ptr().add(first).cast::<T>(), count) }
    }

    /// Moves the first `count` entries, or all where there are fewer, to the end of `out`.
    #[inline]
    pub(crate) fn pop_into(&mut self, count: usize, out: &mut Vec<T>) {
        let count = count.min(self.len());
        out.reserve(count);
        let first = self.head & self.mask;
        let straight = count.min(self.capacity() - first);
        let len = out.len();
        // SAFETY: the `count` cells from head on are initialised, and lie in `first..first + straight` and, after the wrap,
        // in `0..count - straight`: both within the cells. `out` has room for `count` more, which its new length covers.
        // The cells are free from here on: each entry is owned once, by `out`.
        unsafe {
            let (from, to) = (self.cells.as_ptr().cast::<T>(), out.as_mut_ptr().add(len));
            to.copy_from_nonoverlapping(from.add(first), straight);
            to.add(straight).copy_from_nonoverlapping(from, count - straight);
            self.head = self.head.wrapping_add(count);
            out.set_len(len + count);
        }
    }

    /// Appends all of `values`. Returns false, and does nothing, where there is no room for them.
    #[inline]
    pub(crate) fn push_all(&mut self, values: &mut Vec<T>) -> bool {
        let count = values.len();
        if count > self.capacity() - self.len() {
            return false;
        }
        let first = self.tail & self.mask;
        let straight = count.min(self.capacity() - first);
        // SAFETY: the `count` cells from tail on are free, and lie in `first..first + straight` and, after the wrap, in
        // `0..count - straight`: both within the cells. The vector gives its entries up first, so each is owned once.
        unsafe {
            values.set_len(0);
            let (from, to) = (values.as_ptr(), self.cells.as_mut_ptr().cast::<T>());
            to.add(first).copy_from_nonoverlapping(from, straight);
            to.copy_from_nonoverlapping(from.add(straight), count - straight);
        }
        self.tail = self.tail.wrapping_add(count);
        true
    }

    /// Moves entries from the front to the end of `out`, one for each of `beside`, for as long as `look` finds something to
    /// say about the pair; `wrap` makes what is appended of an entry and of that. Returns how many were moved: no more
    /// than lie in one piece.
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
            // SAFETY: fewer than `limit` entries were taken, so this one lies before the end of the cells, and exists.
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

    /// The other way: moves values from the front of `values` to the end of the queue, one for each of `beside`, for as long
    /// as `look` agrees to the pair; `unwrap` makes an entry of a value. What was moved is gone from `values`. Returns how
    /// many were moved: no more than lie in one piece.
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
            // SAFETY: fewer than `limit` entries were made, so this cell lies before the end of the cells, and is free.
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
        // SAFETY: the values from `taken` on were not touched, and are as many as the vector's new length says.
        unsafe {
            if left != 0 {
                let start = self.values.as_mut_ptr();
                start.copy_from(start.add(self.taken), left);
            }
            self.values.set_len(left);
        }
    }
}

impl<T> Drop for Fifo<T> {
    fn drop(&mut self) {
        while let Some(entry) = self.pop() {
            drop(entry);
        }
    }
}

impl<T> std::fmt::Debug for Fifo<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fifo({}..{} of {})", self.head, self.tail, self.capacity())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Push,
        Pop,
        Run(usize),
        Look(usize, usize),
        PushAll(usize),
        Feed(usize, usize),
        While(usize, usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![4 => Just(Step::Push), 2 => Just(Step::Pop), 1 => (0..6usize).prop_map(Step::Run),
            1 => (0..9usize, 0..9usize).prop_map(|(from, count)| Step::Look(from, count)),
            1 => (0..9usize).prop_map(Step::PushAll),
            1 => (0..9usize, 0..9usize).prop_map(|(count, stop)| Step::Feed(count, stop)),
            1 => (0..9usize, 0..9usize).prop_map(|(count, stop)| Step::While(count, stop))];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        /// Whatever is pushed and popped, entries come out in order, and each exactly once.
        #[test]
        fn behaves_as_a_bounded_deque(capacity in 1usize..9, start in any::<usize>(), steps in steps()) {
            let mut fifo = Fifo::new(capacity);
            fifo.head = start;
            fifo.tail = start;
            let mut model = VecDeque::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Push => {
                        let full = model.len() == fifo.capacity();
                        prop_assert_eq!(fifo.push(number).is_err(), full);
                        if !full {
                            model.push_back(number);
                        }
                    }
                    Step::Pop => prop_assert_eq!(fifo.pop(), model.pop_front()),
                    Step::Look(from, count) => {
                        let first = fifo.head().wrapping_add(from);
                        let mut seen = fifo.run(first, count).to_vec();
                        // What does not lie in one piece lies in two.
                        seen.extend_from_slice(fifo.run(first.wrapping_add(seen.len()), count - seen.len()));
                        let expected: Vec<_> = model.iter().copied().skip(from).take(count).collect();
                        prop_assert_eq!(seen, expected);
                    }
                    Step::PushAll(count) => {
                        let mut values: Vec<_> = (0..count).map(|index| number * 10 + index).collect();
                        let room = fifo.capacity() - model.len();
                        prop_assert_eq!(fifo.push_all(&mut values), count <= room);
                        if count <= room {
                            prop_assert!(values.is_empty());
                            model.extend((0..count).map(|index| number * 10 + index));
                        }
                    }
                    Step::Feed(count, stop) => {
                        let values: Vec<_> = (0..count).map(|index| number * 10 + index).collect();
                        let mut left = values.clone();
                        let room = fifo.capacity() - model.len();
                        let agreed =
                            values.iter().take(room).take_while(|value| *value % 7 != stop).count();
                        let beside = vec![1; count];
                        let look = |_: &usize, value: &usize| value % 7 != stop;
                        let mut moved = fifo.push_beside(&beside, &mut left, look, |value| value);
                        moved += fifo.push_beside(&beside, &mut left, look, |value| value);
                        prop_assert_eq!(moved, agreed);
                        prop_assert_eq!(&left[..], &values[agreed..]);
                        model.extend(&values[..agreed]);
                    }
                    Step::While(count, stop) => {
                        let mut taken = vec![0];
                        let look = |one: &usize, entry: &usize| (*entry % 7 != stop).then_some(*one);
                        let beside = vec![1; count];
                        let mut popped = fifo.pop_beside(&beside, &mut taken, look, |entry, one| entry * one);
                        let rest = &beside[popped..];
                        popped += fifo.pop_beside(rest, &mut taken, look, |entry, one| entry * one);
                        let mut expected = vec![0];
                        while expected.len() <= count && model.front().is_some_and(|entry| entry % 7 != stop) {
                            expected.extend(model.pop_front());
                        }
                        prop_assert_eq!(popped + 1, taken.len());
                        prop_assert_eq!(taken, expected);
                    }
                    Step::Run(count) => {
                        let mut taken = Vec::new();
                        fifo.pop_into(count, &mut taken);
                        let expected: Vec<_> = model.drain(..model.len().min(count)).collect();
                        prop_assert_eq!(taken, expected);
                    }
                }
                prop_assert_eq!(fifo.len(), model.len());
                prop_assert_eq!(fifo.first(), model.front());
            }
        }
    }

    #[test]
    fn dropping_drops_each_entry_once() {
        let witness = Rc::new(());
        let mut fifo = Fifo::new(4);
        for _ in 0..4 {
            assert!(fifo.push(Rc::clone(&witness)).is_ok());
        }
        assert!(fifo.push(Rc::clone(&witness)).is_err());
        assert!(fifo.pop().is_some());
        assert_eq!(Rc::strong_count(&witness), 4);
        drop(fifo);
        assert_eq!(Rc::strong_count(&witness), 1);
    }
}
