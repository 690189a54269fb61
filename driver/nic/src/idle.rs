//! What a thread does that finds nothing to do: it goes on polling for a moment, then it sleeps until the device
//! interrupts.
//!
//! The order is what loses no wake-up:
//! 1. nothing was found for [`POLL_FOR`]: [`Nic::arm`], so that from here on the device says what happens;
//! 2. the caller looks at its rings **once more**: what came before step 1 is found here, what comes after it
//!    has signalled;
//! 3. only if that finds nothing: sleep on the interrupt's descriptor, and on others that the caller has;
//! 4. [`Nic::disarm`], then take the signal, then let a line fire again. The caller looks at everything after
//!    this, so a signal that is taken is never the only trace of something.
//!
//! Under load none of this happens: no system call, no register. Without an interrupt the thread naps instead, an
//! eighth of the time for which it has been idle: what comes then waits little, measured by how long nothing came,
//! and an idle thread costs next to nothing.
//!
//! No clock is read here: the time is the caller's, and so is what "nothing to do" means.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use pagewire_bus::{BusError, Interrupt};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::port::{Causes, Nic};

/// How long to go on polling when nothing was found: about what going to sleep and waking up again costs.
pub const POLL_FOR: Duration = Duration::from_micros(50);
/// The longest sleep: what no interrupt tells (a device that was removed) is noticed after this.
pub const LONGEST_SLEEP: Duration = Duration::from_millis(500);
/// The shortest and the longest nap of a thread that no interrupt wakes.
const NAPS: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(50));

/// What became of a wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// Whether the thread slept: the caller's time has moved on.
    pub slept: bool,
    /// What the device says has happened. With [`Causes::link`], read the link.
    pub causes: Causes,
    /// One of the caller's own descriptors is ready.
    pub others: bool,
}

/// What a waiter has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdleCounters {
    /// Sleeps and naps.
    pub sleeps: u64,
    /// Signals of the device.
    pub interrupts: u64,
    /// Sleeps that the device ended.
    pub wake_ups: u64,
    /// Those among them after which there was nothing to do.
    pub spurious: u64,
}

/// Waits for a NIC on behalf of one thread.
#[derive(Debug)]
pub struct Waiter {
    interrupt: Option<Interrupt>,
    /// Since when nothing was found.
    idle_since: Option<Duration>,
    /// The device has woken the thread, which has found nothing so far.
    woken: bool,
    counters: IdleCounters,
}

impl Waiter {
    /// A waiter that sleeps on `interrupt`, as [`Nic::enable_interrupt`] returned it; without one it naps.
    #[must_use]
    pub fn new(interrupt: Option<Interrupt>) -> Self {
        Self {
            interrupt,
            idle_since: None,
            woken: false,
            counters: IdleCounters::default(),
        }
    }

    /// Whether it sleeps until an interrupt, rather than nap.
    #[must_use]
    pub fn has_interrupt(&self) -> bool {
        self.interrupt.is_some()
    }

    /// Counts since it was made.
    #[must_use]
    pub fn counters(&self) -> IdleCounters {
        self.counters
    }

    /// To be called after a round that found something to do.
    #[inline]
    pub fn worked(&mut self) {
        self.idle_since = None;
        self.woken = false;
    }

    /// To be called after a round at time `now` that found nothing: returns at once, to be polled again, or
    /// sleeps until the device signals, one of `others` is readable, or `until` has come; at most
    /// [`LONGEST_SLEEP`].
    ///
    /// `look` is the round before the sleep: it does what there is to do, or looks whether there is something,
    /// and returns whether there was.
    ///
    /// # Errors
    /// What the system says to a wait on these descriptors.
    pub fn wait<N: Nic>(
        &mut self,
        nic: &N,
        now: Duration,
        until: Option<Duration>,
        others: &[BorrowedFd<'_>],
        look: impl FnOnce() -> bool,
    ) -> Result<Rest, BusError> {
        if std::mem::take(&mut self.woken) {
            self.counters.spurious += 1;
        }
        let since = *self.idle_since.get_or_insert(now);
        let idle = now.saturating_sub(since);
        let left = until.map_or(LONGEST_SLEEP, |until| {
            until.saturating_sub(now).min(LONGEST_SLEEP)
        });
        if idle < POLL_FOR || left.is_zero() {
            std::hint::spin_loop();
            return Ok(Rest::default());
        }
        let Some(interrupt) = &self.interrupt else {
            self.counters.sleeps += 1;
            let others = sleep_on(others, None, nap(idle).min(left))?;
            return Ok(Rest {
                slept: true,
                others,
                ..Rest::default()
            });
        };

        nic.arm();
        let found = look();
        let slept = if found {
            Ok(false)
        } else {
            sleep_on(others, Some(interrupt.as_fd()), left)
        };
        // However it ended, the device is quiet afterwards and every signal is taken.
        let causes = nic.disarm();
        let signals = interrupt.take()?;
        if signals > 0 {
            // A line that has not fired is not masked; one that fires from now on is found by the next sleep.
            interrupt.unmask()?;
        }
        self.counters.interrupts += signals;
        if found {
            self.worked();
        } else {
            self.counters.sleeps += 1;
            self.counters.wake_ups += u64::from(signals > 0);
            self.woken = signals > 0 && !causes.link;
        }
        Ok(Rest {
            slept: !found,
            causes,
            others: slept?,
        })
    }
}

/// Sleeps until one of the descriptors is readable, but no longer than `limit`. Returns whether one of `others` is.
/// A signal handler that ran ends the sleep too: the caller may have been told to stop.
fn sleep_on(
    others: &[BorrowedFd<'_>],
    interrupt: Option<BorrowedFd<'_>>,
    limit: Duration,
) -> Result<bool, BusError> {
    let mut descriptors: Vec<_> = others
        .iter()
        .copied()
        .chain(interrupt)
        .map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN))
        .collect();
    let limit = Timespec {
        tv_sec: limit.as_secs() as i64,
        tv_nsec: limit.subsec_nanos().into(),
    };
    match poll(&mut descriptors, Some(&limit)) {
        Ok(_) => Ok(descriptors[..others.len()]
            .iter()
            .any(|descriptor| !descriptor.revents().is_empty())),
        Err(Errno::INTR) => Ok(false),
        Err(errno) => Err(BusError::Os {
            step: "sleeping until the network card interrupts",
            source: errno.into(),
        }),
    }
}

/// How long to nap after so much idle time.
fn nap(idle: Duration) -> Duration {
    (idle / 8).clamp(NAPS.0, NAPS.1)
}

#[cfg(test)]
mod tests;
