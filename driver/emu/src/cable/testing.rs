//! A port that writes down what arrives, for the tests of cables.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::wire::{Checksums, Delivery, Inlet, Port, WireFrame};

/// What a [`TestPort`] says to frames.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// The same to each.
    Always(Delivery),
    /// Has buffers for so many.
    Buffers(usize),
    /// The same, and says so to who asks.
    Room(usize),
}

#[derive(Debug)]
struct State {
    answer: Answer,
    frames: Vec<(Checksums, Vec<u8>)>,
}

#[derive(Debug)]
pub(super) struct TestPort(Mutex<State>);

impl TestPort {
    pub(super) fn new() -> Arc<Self> {
        let state = State {
            answer: Answer::Always(Delivery::Accepted),
            frames: Vec::new(),
        };
        Arc::new(Self(Mutex::new(state)))
    }

    pub(super) fn answer(&self, answer: Answer) {
        self.0.lock().answer = answer;
    }

    /// What was accepted, in order.
    pub(super) fn frames(&self) -> Vec<(Checksums, Vec<u8>)> {
        self.0.lock().frames.clone()
    }

    /// Forgets what was accepted.
    pub(super) fn clear(&self) {
        self.0.lock().frames.clear();
    }

    /// The numbers of the frames that were accepted, in order.
    pub(super) fn numbers(&self) -> Vec<u32> {
        self.frames().iter().map(|(_, frame)| number_of(frame)).collect()
    }
}

impl Port for TestPort {
    fn receive(&self, batch: &mut dyn FnMut(&mut dyn Inlet)) {
        batch(&mut *self.0.lock());
    }
}

impl Inlet for State {
    fn deliver(&mut self, frame: &WireFrame<'_>) -> Delivery {
        let delivery = match &mut self.answer {
            Answer::Always(delivery) => *delivery,
            Answer::Buffers(0) | Answer::Room(0) => Delivery::NoBuffer,
            Answer::Buffers(left) | Answer::Room(left) => {
                *left -= 1;
                Delivery::Accepted
            }
        };
        if delivery == Delivery::Accepted {
            let mut bytes = Vec::new();
            if frame.gather(&mut bytes).is_err() {
                return Delivery::SourceFault;
            }
            self.frames.push((frame.checksums(), bytes));
        }
        delivery
    }

    fn has_room(&mut self, frames: usize, _len: usize) -> bool {
        !matches!(self.answer, Answer::Room(left) if left < frames)
    }
}

/// A frame of 60 bytes that carries its number.
pub(super) fn numbered(number: u32) -> Vec<u8> {
    let mut frame = vec![0; 60];
    frame[20..24].copy_from_slice(&number.to_be_bytes());
    frame
}

pub(super) fn number_of(frame: &[u8]) -> u32 {
    u32::from_be_bytes([frame[20], frame[21], frame[22], frame[23]])
}
