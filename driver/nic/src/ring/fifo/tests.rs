//! The queue against a plain deque.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use proptest::prelude::*;

use super::Fifo;

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
    let pair = || (0..9usize, 0..9usize);
    let step = prop_oneof![
        4 => Just(Step::Push),
        2 => Just(Step::Pop),
        1 => (0..6usize).prop_map(Step::Run),
        1 => (0..9usize).prop_map(Step::PushAll),
        1 => pair().prop_map(|(from, count)| Step::Look(from, count)),
        1 => pair().prop_map(|(count, stop)| Step::Feed(count, stop)),
        1 => pair().prop_map(|(count, stop)| Step::While(count, stop)),
    ];
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

#[test]
fn a_panic_on_the_way_drops_each_entry_once() {
    let witness = Rc::new(());
    let mut fifo = Fifo::new(4);
    let mut values = vec![Rc::clone(&witness); 4];
    let mut left = 2;
    let mut fuse = |value: Rc<()>| {
        left -= 1;
        assert!(left > 0, "planted");
        value
    };
    let feed = || fifo.push_beside(&[(); 4], &mut values, |(), _| true, &mut fuse);
    assert!(catch_unwind(AssertUnwindSafe(feed)).is_err());
    assert_eq!((fifo.len(), values.len(), Rc::strong_count(&witness)), (1, 2, 4));

    assert!(fifo.push_all(&mut values));
    let (mut out, mut left) = (Vec::new(), 2);
    let wrap = |value: Rc<()>, ()| {
        left -= 1;
        assert!(left > 0, "planted");
        value
    };
    let take = || fifo.pop_beside(&[(); 3], &mut out, |(), _| Some(()), wrap);
    assert!(catch_unwind(AssertUnwindSafe(take)).is_err());
    assert_eq!((fifo.len(), out.len(), Rc::strong_count(&witness)), (1, 1, 3));
    drop((fifo, out));
    assert_eq!(Rc::strong_count(&witness), 1);
}
