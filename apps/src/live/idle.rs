//! What a machine does while there is nothing to do: waits a little longer the longer nothing happens.

use std::time::Duration;

/// Idle rounds that the thread spins through before it offers the core to others, and before it sleeps.
const SPIN_ROUNDS: u32 = 200;
const YIELD_ROUNDS: u32 = 1_000;
/// How long an idle thread sleeps between looks.
const NAP: Duration = Duration::from_micros(200);

/// Rounds without work since the last one with.
#[derive(Debug, Default)]
pub(super) struct Idle(u32);

impl Idle {
    /// Another round found nothing; the next is wanted in `at_most`. Returns whether the thread has slept.
    pub(super) fn wait(&mut self, at_most: Duration) -> bool {
        self.0 = self.0.saturating_add(1);
        match self.0 {
            0..SPIN_ROUNDS => std::hint::spin_loop(),
            SPIN_ROUNDS..YIELD_ROUNDS => std::thread::yield_now(),
            _ => std::thread::sleep(NAP.min(at_most)),
        }
        self.0 >= SPIN_ROUNDS
    }

    /// A round found work.
    pub(super) fn busy(&mut self) {
        self.0 = 0;
    }
}
