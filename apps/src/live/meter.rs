//! What a thread's CPU time was spent on.

use std::time::{Duration, Instant};

use crate::cpu::thread_time;

/// CPU time of a thread, by what it was spent on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    /// Rounds that found something to do.
    pub(super) busy: Duration,
    /// Rounds that found nothing.
    pub(super) idle: Duration,
}

/// Tells how the thread's CPU time divides. Asking for CPU time is a system call, too dear for each round: the whole is
/// measured once, and the clock on the wall says in which proportion it divides.
pub(super) struct Meter {
    cpu: Duration,
    wall: Spent,
    last: Instant,
}

impl Meter {
    /// Begins to measure the calling thread.
    pub(super) fn start() -> Self {
        Self {
            cpu: thread_time(),
            wall: Spent::default(),
            last: Instant::now(),
        }
    }

    /// Notes a round that has just ended.
    pub(super) fn round(&mut self, idle: bool) {
        let now = Instant::now();
        let took = now - std::mem::replace(&mut self.last, now);
        if idle {
            self.wall.idle += took;
        } else {
            self.wall.busy += took;
        }
    }

    /// The thread has slept: that took no CPU time.
    pub(super) fn skip(&mut self) {
        self.last = Instant::now();
    }

    /// What it was spent on so far.
    pub(super) fn spent(&self) -> Spent {
        let cpu = thread_time().saturating_sub(self.cpu);
        let wall = (self.wall.busy + self.wall.idle).as_secs_f64();
        let share = |part: Duration| {
            if wall > 0.0 {
                cpu.mul_f64(part.as_secs_f64() / wall)
            } else {
                Duration::ZERO
            }
        };
        Spent {
            busy: share(self.wall.busy),
            idle: share(self.wall.idle),
        }
    }
}
