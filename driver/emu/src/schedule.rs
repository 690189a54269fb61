//! Who steps a device.
//!
//! *Inline*: the caller steps it, between its own work: deterministic, and on a virtual clock bit for bit
//! repeatable. *Threaded*: a thread of its own does, as real hardware would, until it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::EmulatedNic;

/// Idle steps before the thread begins to sleep.
const SPINS: u32 = 2_000;
/// How long an idle thread sleeps between steps: the latency of a doorbell that finds it asleep.
const NAP: Duration = Duration::from_micros(50);

/// A thread that steps one device. Dropping it stops the thread and waits for it: no longer than one step and
/// one nap.
#[derive(Debug)]
pub struct Threaded {
    stop: Arc<AtomicBool>,
    work: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Threaded {
    /// Starts it. `clock` is the time that steps are given.
    ///
    /// # Errors
    /// What the system says to a new thread.
    pub fn start(nic: EmulatedNic, clock: impl Fn() -> Duration + Send + 'static) -> std::io::Result<Self> {
        let (stop, work) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, done) = (Arc::clone(&stop), Arc::clone(&work));
        let thread = thread::Builder::new()
            .name("emulated-nic".into())
            .spawn(move || {
                let mut idle = 0;
                while !stopped.load(Ordering::Acquire) {
                    match nic.step(clock()) {
                        0 if idle >= SPINS => thread::sleep(NAP),
                        0 => {
                            idle += 1;
                            thread::yield_now();
                        }
                        units => {
                            idle = 0;
                            done.fetch_add(units as u64, Ordering::Relaxed);
                        }
                    }
                }
            })?;
        Ok(Self {
            stop,
            work,
            thread: Some(thread),
        })
    }

    /// Units of work done so far.
    #[must_use]
    pub fn work(&self) -> u64 {
        self.work.load(Ordering::Relaxed)
    }
}

impl Drop for Threaded {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A step that panicked has said so already.
            let _ = thread.join();
        }
    }
}
