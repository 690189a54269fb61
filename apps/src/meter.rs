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
    /// What the emulated device has spent in doorbells so far.
    doorbells: Duration,
    switches: Switches,
}

/// When the parts of a round ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// The host's.
    pub(crate) host: Duration,
    /// The device's, which came after it.
    pub(crate) device: Duration,
    /// How long the device has spent in doorbells so far, in the midst of the host's part.
    pub(crate) doorbells: Duration,
    /// Nothing was found to do.
    pub(crate) idle: bool,
}

impl Meter {
    /// Begins to measure the calling thread, at `now` on whatever clock the caller has, when the device has spent `doorbells`
    /// in doorbells.
    pub(crate) fn start(now: Duration, doorbells: Duration) -> Self {
        Self {
            cpu: thread_time(),
            wall: Spent::default(),
            last: now,
            doorbells,
            switches: switches(),
        }
    }

    /// Notes a round.
    pub(crate) fn round(&mut self, round: Round) {
        let Round { host, device, .. } = round;
        if round.idle {
            self.wall.idle += device.saturating_sub(self.last);
        } else {
            let doorbells = round.doorbells.saturating_sub(self.doorbells);
            self.wall.host += host.saturating_sub(self.last + doorbells);
            self.wall.device += device.saturating_sub(host) + doorbells;
        }
        self.doorbells = round.doorbells;
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
