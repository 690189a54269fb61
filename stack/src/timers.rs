//! One deadline for each connection, and which is due.
//!
//! A connection moves its deadline with nearly every packet, mostly to later. So the heap is lazy: an entry
//! that has become too early stays, and is looked at again when it surfaces; only a deadline that moves to
//! earlier than its entry pushes another, and makes the old one void by a generation number. Void entries
//! are swept out when they outnumber the live ones, so the heap stays within a constant factor of the
//! connections that have a deadline. Arming costs O(1) for later and O(log n) for earlier, and allocates
//! nothing once the heap has found its size.
//!
//! Equal deadlines fire in the order of their ids: the same run fires the same timers in the same order.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::marker::PhantomData;

use smoltcp::time::Instant;

/// An id that is a small number, such as the key of a slab: per-id state is kept in an array.
pub trait Index: Copy {
    /// The number.
    fn index(self) -> usize;
    /// The id of a number.
    fn from_index(index: usize) -> Self;
}

impl Index for usize {
    fn index(self) -> usize {
        self
    }

    fn from_index(index: usize) -> Self {
        index
    }
}

/// Deadlines by id.
#[derive(Clone, Debug)]
pub struct TimerHeap<Id> {
    heap: BinaryHeap<Reverse<Entry>>,
    slots: Vec<Slot>,
    /// Ids that have a deadline.
    armed: usize,
    /// Entries that their slot no longer names.
    void: usize,
    id: PhantomData<Id>,
}

/// What is known of one id.
#[derive(Clone, Copy, Default, Debug)]
struct Slot {
    deadline: Option<Instant>,
    /// Time of the one entry in the heap that stands for this id; never after the deadline.
    queued: Option<Instant>,
    /// Generation of that entry.
    generation: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    at: Instant,
    index: usize,
    generation: u32,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.index, self.generation)
            .partial_cmp(&(other.at, other.index, other.generation))
            .unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Sweeping fewer void entries than this is not worth it.
const SWEEP: usize = 64;

impl<Id: Index> TimerHeap<Id> {
    /// No deadlines.
    pub const fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            slots: Vec::new(),
            armed: 0,
            void: 0,
            id: PhantomData,
        }
    }

    /// Sets the deadline of `id`, in the place of the one it had.
    pub fn set(&mut self, id: Id, deadline: Instant) {
        let index = id.index();
        if index >= self.slots.len() {
            self.slots.resize(index + 1, Slot::default());
        }
        let slot = &mut self.slots[index];
        self.armed += usize::from(slot.deadline.is_none());
        slot.deadline = Some(deadline);
        match slot.queued {
            Some(queued) if queued <= deadline => {}
            queued => {
                self.void += usize::from(queued.is_some());
                self.push(index, deadline);
                self.sweep();
            }
        }
    }

    /// Takes the deadline of `id` away.
    pub fn cancel(&mut self, id: Id) {
        let Some(slot) = self.slots.get_mut(id.index()) else {
            return;
        };
        if slot.deadline.take().is_some() {
            self.armed -= 1;
        }
        if slot.queued.take().is_some() {
            slot.generation = slot.generation.wrapping_add(1);
            self.void += 1;
            self.sweep();
        }
    }

    /// The deadline of `id`.
    pub fn deadline(&self, id: Id) -> Option<Instant> {
        self.slots.get(id.index())?.deadline
    }

    /// The earliest deadline.
    #[allow(clippy::should_implement_trait, reason = "a heap of deadlines is no iterator")]
    pub fn next(&mut self) -> Option<Instant> {
        self.settle().map(|entry| entry.at)
    }

    /// Takes out one id whose deadline is `now` or before, the earliest first.
    pub fn pop_due(&mut self, now: Instant) -> Option<Id> {
        let entry = self.settle().filter(|entry| entry.at <= now)?;
        self.heap.pop();
        let slot = &mut self.slots[entry.index];
        slot.deadline = None;
        slot.queued = None;
        self.armed -= 1;
        Some(Id::from_index(entry.index))
    }

    /// Ids that have a deadline.
    pub const fn len(&self) -> usize {
        self.armed
    }

    /// Whether no id has a deadline.
    pub const fn is_empty(&self) -> bool {
        self.armed == 0
    }

    /// Brings an entry to the top that stands for a deadline as it is now.
    fn settle(&mut self) -> Option<Entry> {
        // Each round removes a void entry, or moves one to its deadline, after which it counts as settled:
        // at most as many rounds as there are entries.
        while let Some(&Reverse(top)) = self.heap.peek() {
            let slot = &self.slots[top.index];
            if slot.queued.is_none() || slot.generation != top.generation {
                self.heap.pop();
                self.void -= 1;
            } else if let Some(later) = slot.deadline.filter(|deadline| *deadline > top.at) {
                if let Some(mut entry) = self.heap.peek_mut() {
                    entry.0.at = later;
                }
                self.slots[top.index].queued = Some(later);
            } else {
                return Some(top);
            }
        }
        None
    }

    fn push(&mut self, index: usize, at: Instant) {
        let slot = &mut self.slots[index];
        slot.generation = slot.generation.wrapping_add(1);
        slot.queued = Some(at);
        self.heap.push(Reverse(Entry {
            at,
            index,
            generation: slot.generation,
        }));
    }

    /// Drops the void entries once there are more of them than of live ones.
    fn sweep(&mut self) {
        if self.void >= SWEEP && self.void > self.armed {
            let slots = &self.slots;
            self.heap.retain(|Reverse(entry)| {
                let slot = &slots[entry.index];
                slot.queued.is_some() && slot.generation == entry.generation
            });
            self.void = 0;
        }
    }
}

impl<Id: Index> Default for TimerHeap<Id> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn at(micros: i64) -> Instant {
        Instant::from_micros(micros)
    }

    fn drain(timers: &mut TimerHeap<usize>, now: i64) -> Vec<usize> {
        std::iter::from_fn(|| timers.pop_due(at(now))).collect()
    }

    #[test]
    fn deadlines_fire_in_order_and_once() {
        let mut timers = TimerHeap::new();
        timers.set(3, at(30));
        timers.set(1, at(10));
        timers.set(2, at(20));
        assert!(drain(&mut timers, 9).is_empty());
        assert_eq!(drain(&mut timers, 20), [1, 2]);
        assert_eq!(timers.next(), Some(at(30)));
        assert_eq!(drain(&mut timers, 99), [3]);
        assert!(timers.is_empty());
    }

    #[test]
    fn a_deadline_moved_earlier_fires_earlier_and_one_moved_later_later() {
        let mut timers = TimerHeap::new();
        timers.set(0, at(50));
        timers.set(0, at(10));
        assert_eq!(timers.next(), Some(at(10)));
        timers.set(0, at(70));
        assert_eq!(timers.next(), Some(at(70)));
        assert!(drain(&mut timers, 69).is_empty());
        assert_eq!(drain(&mut timers, 70), [0]);
        assert!(drain(&mut timers, 1000).is_empty());
    }

    #[test]
    fn a_cancelled_deadline_never_fires_even_if_the_id_is_used_again() {
        let mut timers = TimerHeap::new();
        timers.set(0, at(10));
        timers.cancel(0);
        timers.cancel(0);
        assert_eq!((timers.next(), timers.len()), (None, 0));
        timers.set(0, at(90));
        assert!(drain(&mut timers, 50).is_empty());
        assert_eq!(drain(&mut timers, 90), [0]);
    }

    #[test]
    fn equal_deadlines_fire_in_the_order_of_ids() {
        let mut timers = TimerHeap::new();
        for id in [4, 2, 9, 0] {
            timers.set(id, at(5));
        }
        assert_eq!(drain(&mut timers, 5), [0, 2, 4, 9]);
    }

    #[test]
    fn ten_million_re_arms_of_ten_ids_keep_a_small_heap_of_constant_capacity() {
        let mut timers = TimerHeap::new();
        let mut capacity = 0;
        for round in 0..1_000_000i64 {
            for id in 0..10 {
                // now later, now earlier
                timers.set(id, at(round + [500, 100, 900, 50][(round as usize + id) % 4]));
            }
            if round == 1000 {
                capacity = timers.heap.capacity();
            }
        }
        assert!(timers.heap.len() <= 2 * SWEEP, "{}", timers.heap.len());
        assert_eq!(timers.heap.capacity(), capacity);
    }

    #[derive(Clone, Debug)]
    enum Step {
        At(usize, i64),
        Cancel(usize),
        Pop(i64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (0usize..20, 0i64..1000).prop_map(|(id, after)| Step::At(id, after)),
            1 => (0usize..20).prop_map(Step::Cancel),
            2 => (0i64..50).prop_map(Step::Pop),
        ];
        prop::collection::vec(step, 1..2000)
    }

    proptest! {
        #[test]
        fn it_does_what_a_plain_map_of_deadlines_does(steps in steps()) {
            let mut timers = TimerHeap::new();
            let mut model = BTreeMap::<usize, i64>::new();
            let mut now = 0;
            for step in steps {
                match step {
                    Step::At(id, after) => {
                        timers.set(id, at(now + after));
                        model.insert(id, now + after);
                    }
                    Step::Cancel(id) => {
                        timers.cancel(id);
                        model.remove(&id);
                    }
                    Step::Pop(forward) => {
                        now += forward;
                        let mut due: Vec<_> = model.iter().filter(|(_, t)| **t <= now).map(|(id, t)| (*t, *id)).collect();
                        due.sort_unstable();
                        model.retain(|_, t| *t > now);
                        prop_assert_eq!(drain(&mut timers, now), due.iter().map(|(_, id)| *id).collect::<Vec<_>>());
                    }
                }
                prop_assert_eq!(timers.len(), model.len());
                prop_assert_eq!(timers.next(), model.values().min().map(|t| at(*t)));
                prop_assert!(timers.heap.len() <= 2 * model.len() + SWEEP);
                for id in 0..20 {
                    prop_assert_eq!(timers.deadline(id), model.get(&id).map(|t| at(*t)));
                }
            }
        }
    }
}
