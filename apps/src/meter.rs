//! What a thread's CPU time was spent on, and how often it rested.

use std::time::Duration;

use pagewire_cost::{Switches, switches, thread_time};

/// CPU time of one thread, by what it was spent on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    /// Stack, driver, and the application's part.
    pub(crate) host: Duration,
    /// The emulated device.
    pub(crate) device: Duration,
    /// Rounds that found nothing to do.
    pub(crate) idle: Duration,
    /// How often it slept, or offered its core to others.
    pub(crate) rests: u64,
    /// How often it gave up its core, or had to.
    pub(crate) switches: Switches,
}

/// Tells how the thread's CPU time divides. Asking for CPU time is a system call, too dear for each round: the
/// whole is measured once, and the clock on the wall, which is not, says in which proportion it divides.
pub(crate) struct Meter {
    cpu: Duration,
    wall: Spent,
    last: Duration,
    switches: Switches,
}

impl Meter {
    /// Begins to measure the calling thread, at `now` on whatever clock the caller has.
    pub(crate) fn start(now: Duration) -> Self {
        Self {
            cpu: thread_time(),
            wall: Spent::default(),
            last: now,
            switches: switches(),
        }
    }

    /// Notes a round that ended its host part at `host`, and its device part at `device`.
    pub(crate) fn round(&mut self, host: Duration, device: Duration, idle: bool) {
        if idle {
            self.wall.idle += device.saturating_sub(self.last);
        } else {
            self.wall.host += host.saturating_sub(self.last);
            self.wall.device += device.saturating_sub(host);
        }
        self.last = device;
    }

    /// The thread has slept until `now`: that took no CPU time.
    pub(crate) fn skip_to(&mut self, now: Duration) {
        self.wall.rests += 1;
        self.last = now;
    }

    /// What it was spent on so far.
    pub(crate) fn spent(&self) -> Spent {
        let cpu = thread_time().saturating_sub(self.cpu);
        let Spent {
            host,
            device,
            idle,
            rests,
            ..
        } = self.wall;
        let wall = (host + device + idle).as_secs_f64();
        let share = |part: Duration| {
            if wall > 0.0 {
                cpu.mul_f64(part.as_secs_f64() / wall)
            } else {
                Duration::ZERO
            }
        };
        Spent {
            host: share(host),
            device: share(device),
            idle: share(idle),
            rests,
            switches: switches().since(self.switches),
        }
    }
}
