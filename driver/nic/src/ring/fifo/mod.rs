//! Index arithmetic and ownership in one: a bounded queue of slots beside a descriptor ring.
//!
//! A ring's slots fill and empty in order, so what belongs to them is a first-in, first-out queue whose
//! positions *are* the ring's indices. Positions count up for ever; the slot is the position modulo the
//! ring's size, a power of two. `tail - head` is the number of occupied slots, whatever wrapped.
//!
//! It differs from `VecDeque` in what the hot path needs: it never grows, it tells its positions, and a run
//! of entries moves on without a test for each.
#![allow(
    unsafe_code,
    reason = "cells are initialised exactly in head..tail; the compiler cannot see that"
)]

mod moves;
#[cfg(test)]
mod tests;

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

    /// The entries from position `from` on, `count` of them at the most: as many as exist and lie in one
    /// piece.
    #[inline]
    pub(crate) fn run(&self, from: usize, count: usize) -> &[T] {
        let first = from & self.mask;
        let existing = self.len().saturating_sub(from.wrapping_sub(self.head));
        let count = count.min(existing).min(self.capacity() - first);
        // SAFETY: `first..first + count` lies within the cells; the entries at `from..from + count` exist, so
        // the cells are initialised, and a `MaybeUninit<T>` is laid out as a `T`.
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
        // SAFETY: the `count` cells from head on are initialised, and lie in `first..first + straight` and,
        // after the wrap, in `0..count - straight`: both within the cells. `out` has room for `count` more,
        // which its new length covers. The cells are free from here on: each entry is owned once, by `out`.
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
        // SAFETY: the `count` cells from tail on are free, and lie in `first..first + straight` and, after
        // the wrap, in `0..count - straight`: both within the cells. The vector gives its entries up first,
        // so each is owned once.
        unsafe {
            values.set_len(0);
            let (from, to) = (values.as_ptr(), self.cells.as_mut_ptr().cast::<T>());
            to.add(first).copy_from_nonoverlapping(from, straight);
            to.copy_from_nonoverlapping(from.add(straight), count - straight);
        }
        self.tail = self.tail.wrapping_add(count);
        true
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
