use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::atomic::AtomicBool;

use super::*;

const LONG: usize = 16 << 10;

/// Memory to write to, of whole long copies.
struct Target(Vec<u8>);

impl Target {
    fn new(copies: usize) -> Self {
        Self(vec![0; copies * LONG])
    }

    fn rooms(&mut self) -> Vec<Room<'_>> {
        let rooms = self.0.chunks_mut(LONG);
        // SAFETY: each room is a part of the vector that is borrowed for as long as the room, and nobody else's.
        rooms
            .map(|room| unsafe { Room::new(NonNull::from(&mut *room).cast(), room.len()) })
            .collect()
    }
}

fn source(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251 + seed) as u8).collect()
}

#[test]
fn what_is_posted_is_done_when_the_call_returns_though_nobody_helps() {
    let (mut poster, _helper) = channel();
    let (from, mut target) = (source(3 * LONG, 0), Target::new(3));
    let rooms = target.rooms();
    poster.share(|posting| {
        for (room, bytes) in rooms.iter().zip(from.chunks(LONG)) {
            assert_eq!(posting.write_piece(room, 0, &Piece::from_bytes(bytes)), LONG);
        }
        let mark = posting.mark();
        assert!(!posting.is_done(mark), "nobody has done it");
        posting.finish();
        assert!(posting.is_done(mark));
        posting.write_piece(&rooms[0], 100, &Piece::from_bytes(&from[..LONG - 100]));
    });
    assert!(target.0[100..LONG] == from[..LONG - 100] && target.0[LONG..] == from[LONG..]);
}

#[test]
fn who_helps_does_each_long_copy_once_and_no_short_one() {
    let (mut poster, helper) = channel();
    let (from, mut target) = (source(LONG, 1), Target::new(3));
    let rooms = target.rooms();
    poster.share(|posting| {
        assert_eq!(helper.work(), 0, "nothing is posted");
        posting.write_piece(&rooms[0], 0, &Piece::from_bytes(&from));
        posting.write_piece(&rooms[1], 0, &Piece::from_bytes(&from[..SHORTEST - 1]));
        posting.write_piece(&rooms[2], LONG - SHORTEST, &Piece::from_bytes(&from));
        let mark = posting.mark();
        assert_eq!(helper.work(), 2);
        assert!(posting.is_done(mark));
        assert_eq!(helper.work(), 0);
    });
    assert!(target.0[..LONG] == from);
    assert!(target.0[LONG..][..SHORTEST - 1] == from[..SHORTEST - 1]);
    assert!(target.0[3 * LONG - SHORTEST..] == from[..SHORTEST], "what fits");
}

#[test]
fn what_a_full_channel_does_not_take_is_copied_at_once() {
    let (mut poster, helper) = channel();
    let (from, mut target) = (source(LONG, 2), Target::new(SLOTS + 8));
    let rooms = target.rooms();
    poster.share(|posting| {
        for room in &rooms {
            posting.write_piece(room, 0, &Piece::from_bytes(&from));
        }
        assert_eq!(helper.work(), SLOTS);
    });
    assert!(target.0.chunks(LONG).all(|room| room == from));
}

#[test]
fn a_panic_leaves_no_copy_behind() {
    let (mut poster, helper) = channel();
    let (from, mut target) = (source(LONG, 3), Target::new(1));
    let rooms = target.rooms();
    let result = catch_unwind(AssertUnwindSafe(|| {
        poster.share(|posting| {
            posting.write_piece(&rooms[0], 0, &Piece::from_bytes(&from));
            panic!("as a test wants it");
        })
    }));
    assert!(result.is_err());
    assert_eq!(helper.work(), 0);
    assert!(target.0 == from);
}

#[test]
fn two_threads_share_the_copies_and_lose_none() {
    const ROUNDS: usize = 400;
    let (mut poster, helper) = channel();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                helper.work();
                thread::yield_now();
            }
        });
        let mut right = true;
        for round in 0..ROUNDS {
            let (from, mut target) = (source(12 * LONG, round), Target::new(12));
            let rooms = target.rooms();
            poster.share(|posting| {
                for (room, bytes) in rooms.iter().zip(from.chunks(LONG)) {
                    posting.write_piece(room, 0, &Piece::from_bytes(bytes));
                }
            });
            right &= target.0 == from;
        }
        over.store(true, Ordering::Relaxed);
        assert!(right);
    });
}
