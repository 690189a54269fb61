//! Index arithmetic and ownership in one: a bounded queue of slots beside a descriptor ring.
//!
//! A ring's slots fill and empty in order, so what belongs to them is a first-in, first-out queue whose
//! positions *are* the ring's indices. Positions count up for ever; the slot is the position modulo the ring's size, a power
//! of two. `tail - head` is the number of occupied slots, whatever wrapped.
//!
//! It differs from `VecDeque` in what the hot path needs: it never grows, it tells its positions, and a run of
//! entries leaves without a test for each.
#![allow(
    unsafe_code,
    reason = "cells are initialised exactly in head..tail; the compiler cannot see that"
)]

use std::mem::MaybeUninit;

/// A bounded first-in, first-out queue. Its capacity is a power of two.
pub(crate) struct Fifo<T> {
    /// Initialised exactly at the positions `head..tail`, modulo the length.
    cells: Box<[MaybeUninit<T>]>,
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
            head: 0,
            tail: 0,
        }
    }

    /// How many entries fit.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.cells.len()
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

    /// Where the cell of `position` lies.
    #[inline]
    fn cell(&mut self, position: usize) -> &mut MaybeUninit<T> {
        let index = position & (self.cells.len() - 1);
        // SAFETY: the length is a power of two and at least 1, so masking with it less one stays below it.
        unsafe { self.cells.get_unchecked_mut(index) }
    }

    /// Appends an entry; a full queue gives it back.
    #[inline]
    pub(crate) fn push(&mut self, value: T) -> Result<(), T> {
        if self.len() == self.capacity() {
            return Err(value);
        }
        let tail = self.tail;
        self.cell(tail).write(value);
        self.tail = tail.wrapping_add(1);
        Ok(())
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
        let index = self.head & (self.cells.len() - 1);
        // SAFETY: as in `cell` for the bounds; the position is in head..tail, so the cell is initialised.
        Some(unsafe { self.cells.get_unchecked(index).assume_init_ref() })
    }

    /// Takes the first `count` entries, or all where there are fewer, and passes each to `each`.
    #[inline]
    pub(crate) fn pop_run(&mut self, count: usize, mut each: impl FnMut(T)) {
        let end = self.head.wrapping_add(count.min(self.len()));
        while self.head != end {
            let head = self.head;
            self.head = head.wrapping_add(1);
            // SAFETY: head runs from the first entry to at most the last, so each cell is initialised; it is
            // free before `each` runs, so a panic there leaves the queue whole.
            each(unsafe { self.cell(head).assume_init_read() });
        }
    }
}

impl<T> Drop for Fifo<T> {
    fn drop(&mut self) {
        self.pop_run(usize::MAX, drop);
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
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step =
            prop_oneof![4 => Just(Step::Push), 2 => Just(Step::Pop), 1 => (0..6usize).prop_map(Step::Run)];
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
                    Step::Run(count) => {
                        let mut taken = Vec::new();
                        fifo.pop_run(count, |entry| taken.push(entry));
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
