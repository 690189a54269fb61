//! One machine whose cable ends in a test's own hands: the test sees every frame and can send any.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration as WallDuration;

use pagewire_emu::cable::{Impairments, Way, lay};
use pagewire_emu::wire::{Checksums, Delivery, Inlet, Port, WireFrame};
use pagewire_stack::listener::ListenerConfig;
use pagewire_stack::{Duration, Instant, StackConfig, TransmitRing};

use crate::{Machine, PORT, Setup};

/// The first machine of a [`Pair`](crate::Pair), and the far end of its cable.
pub struct Alone {
    /// 10.0.0.1, fd00::1, and 02:00:00:00:00:01.
    pub machine: Machine,
    /// The time of the next round.
    pub now: Instant,
    hands: Arc<Hands>,
}

/// What has come out of the cable.
#[derive(Debug, Default)]
struct Hands(Mutex<Vec<Vec<u8>>>);

impl Port for Hands {
    fn receive(&self, batch: &mut dyn FnMut(&mut dyn Inlet)) {
        batch(&mut Taking(
            &mut self.0.lock().unwrap_or_else(PoisonError::into_inner),
        ));
    }
}

struct Taking<'a>(&'a mut Vec<Vec<u8>>);

impl Inlet for Taking<'_> {
    fn deliver(&mut self, frame: &WireFrame<'_>) -> Delivery {
        if frame.segmentation().is_some() {
            return Delivery::CutFirst;
        }
        self.0.push(frame.head().to_vec());
        Delivery::Accepted
    }
}

impl Alone {
    /// A machine at time 0.
    ///
    /// # Panics
    /// The driver or the stack does not start: a test cannot go on.
    #[must_use]
    pub fn new(configure: fn(&mut StackConfig)) -> Self {
        let setup = Setup {
            configure,
            ..Setup::default()
        };
        let device = crate::device(1, &setup);
        let hands = Arc::new(Hands::default());
        let end: Arc<dyn Port> = hands.clone();
        device.plug(Some(lay(end, &Impairments::none(), Way::Forth, None)));
        Self {
            machine: Machine::start(device, 1, &setup, &[setup.configure]),
            now: Instant::ZERO,
            hands,
        }
    }

    /// A machine at time 0 that listens at [`PORT`], for connections that are sent to by reference.
    ///
    /// # Panics
    /// It does not start: a test cannot go on.
    #[must_use]
    pub fn listening() -> Self {
        let mut alone = Self::new(|_| {});
        let stack = &mut alone.machine.stack;
        stack
            .listen(PORT, TransmitRing::Phantom, ListenerConfig::default())
            .expect("the port is free");
        alone
    }

    /// A few rounds at the present time, and the frames that the machine has sent.
    pub fn sent(&mut self) -> Vec<Vec<u8>> {
        for _ in 0..4 {
            self.machine.stack.poll(self.now);
            let wall = WallDuration::from_micros(self.now.total_micros() as u64);
            self.machine.device.step(wall);
        }
        std::mem::take(&mut self.hands.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The frames that it sends in the next `time`, as it sends them.
    pub fn sent_within(&mut self, time: Duration) -> Vec<Vec<u8>> {
        let end = self.now + time;
        let mut frames = self.sent();
        while let Some(next) = self.machine.stack.next_deadline(self.now)
            && next <= end
        {
            self.now = next.max(self.now + Duration::from_micros(1));
            frames.extend(self.sent());
        }
        self.now = end;
        frames
    }

    /// Puts a frame on the cable towards the machine.
    pub fn send(&mut self, frame: &[u8]) {
        // As on a wire: a frame has at least 60 bytes before its check sequence.
        let mut padded = frame.to_vec();
        padded.resize(frame.len().max(60), 0);
        self.machine.device.port().receive(&mut |inlet| {
            let _ = inlet.deliver(&WireFrame::single(&padded, Checksums::Unverified));
        });
    }

    /// Stops the machine.
    ///
    /// # Panics
    /// A frame was lost, or the device has seen its driver break a rule.
    pub fn finish(self) {
        self.machine.finish();
    }
}
