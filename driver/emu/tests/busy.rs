//! A cable whose far end has no room now: nothing is lost, nothing goes twice, and done bits wait.

mod raw;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pagewire_emu::Model;
use pagewire_emu::wire::{Cable, Delivery, Inlet, LONGEST_IP, WireCounters, WireFrame};
use raw::{MAC_A, MAC_B, MODELS, Offload, Raw, Setup, frame, headers};

/// Takes so many frames, then is busy.
#[derive(Debug, Default)]
struct Narrow(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    room: usize,
    longest: Option<usize>,
    takes_segments: bool,
    frames: Vec<Vec<u8>>,
}

impl Inlet for State {
    fn deliver(&mut self, frame: &WireFrame<'_>) -> Delivery {
        if frame.segmentation().is_some() && !self.takes_segments {
            return Delivery::CutFirst;
        }
        if self.room == 0 {
            return Delivery::Busy;
        }
        self.room -= 1;
        let mut bytes = Vec::new();
        frame.gather(&mut bytes).expect("the memory is there");
        self.frames.push(bytes);
        Delivery::Accepted
    }

    fn longest(&self) -> usize {
        self.longest.unwrap_or(LONGEST_IP)
    }
}

impl Cable for Narrow {
    fn carry(&self, _now: Duration, batch: &mut dyn FnMut(&mut dyn Inlet)) {
        batch(&mut *self.0.lock().unwrap());
    }

    fn deliver_due(&self, _now: Duration) -> usize {
        0
    }

    fn next_event(&self) -> Option<Duration> {
        None
    }

    fn counters(&self) -> WireCounters {
        WireCounters::default()
    }
}

fn plugged(model: Model, takes_segments: bool) -> (Raw, Arc<Narrow>) {
    let raw = Raw::new(&Setup::new(model, MAC_A));
    let cable = Arc::new(Narrow::default());
    cable.0.lock().unwrap().takes_segments = takes_segments;
    raw.nic.plug(Some(cable.clone()));
    (raw, cable)
}

#[test]
fn frames_wait_in_their_descriptors_and_go_in_order() {
    for model in MODELS {
        let (mut a, cable) = plugged(model, false);
        let frames: Vec<_> = (0..6).map(|number| frame(MAC_B, 100 + number)).collect();
        let mut slots = Vec::new();
        for (number, bytes) in frames.iter().enumerate() {
            a.out.write(number * 256, bytes);
            let words = a.data(
                a.out.iova + number as u64 * 256,
                bytes.len(),
                true,
                None,
                bytes.len(),
            );
            slots.push(a.put(words));
        }
        a.ring();
        for room in [0, 2, 0, 1, 3] {
            cable.0.lock().unwrap().room = room;
            assert_eq!(a.step(), room, "{model:?}");
            let sent = cable.0.lock().unwrap().frames.len();
            let done: Vec<_> = slots.iter().map(|slot| a.is_sent(*slot)).collect();
            let expected: Vec<_> = (0..slots.len()).map(|number| number < sent).collect();
            assert_eq!(done, expected, "{model:?}: done bits tell what is gone, no more");
        }
        assert_eq!(cable.0.lock().unwrap().frames, frames, "{model:?}");
        a.assert_clean();
    }
}

#[test]
fn a_segment_that_is_cut_goes_on_where_it_stopped() {
    // Whole, in parts of two frames, in frames.
    let ways = [(true, None, 1), (true, Some(2040), 3), (false, None, 5)];
    for model in MODELS {
        for (takes_segments, longest, count) in ways {
            let (mut a, cable) = plugged(model, takes_segments);
            cable.0.lock().unwrap().longest = longest;
            let header = headers(MAC_B, true, None, 4000);
            let payload: Vec<u8> = (0..4500).map(|at| (at * 13 + at / 257) as u8).collect();
            a.out.write(0, &header);
            a.out.write(4096, &payload);
            let offload = Offload { v4: true, mss: 1000 };
            let context = a.context(offload, payload.len());
            a.put(context);
            let words = a.data(a.out.iova, header.len(), false, Some(offload), payload.len());
            a.put(words);
            let words = a.data(
                a.out.iova + 4096,
                payload.len(),
                true,
                Some(offload),
                payload.len(),
            );
            let slot = a.put(words);
            a.ring();
            let mut steps = 0;
            while !a.is_sent(slot) {
                a.step();
                cable.0.lock().unwrap().room = 1;
                steps += 1;
                assert!(steps < 20, "{model:?}: it does not end");
            }
            let state = cable.0.lock().unwrap();
            assert_eq!(state.frames.len(), count, "{model:?}");
            let arrived: Vec<u8> = state
                .frames
                .iter()
                .flat_map(|frame| &frame[header.len()..])
                .copied()
                .collect();
            assert_eq!(arrived, payload, "{model:?}");
            a.assert_clean();
        }
    }
}
