//! The transfer on two threads, by the clock on the wall.
//!
//! The sender's thread runs the sender's stack and driver, then steps the sender's device, whose transmit
//! engine writes into the receiver's memory: the emulated DMA works on the sender's core, where it measured
//! fastest. The receiver's thread does the same for the acknowledgments. CPU time is read around each part, so that what
//! silicon would do is told apart from what our code does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration as WallDuration, Instant as WallInstant};

use pagewire_stack::{Failure, Instant};

use super::machine::Family;
use super::receiver::Receiver;
use super::sender::Sender;
use super::{STALL, TransferError};
use crate::cpu::thread_time;

/// Idle rounds that a thread spins through before it offers the core to others, and before it sleeps.
const SPIN_ROUNDS: u32 = 200;
const YIELD_ROUNDS: u32 = 2_000;
/// How long an idle thread sleeps between looks.
const NAP: WallDuration = WallDuration::from_micros(50);

/// How long the sender goes on after the receiver has everything, to see its FIN acknowledged.
const LINGER: WallDuration = WallDuration::from_millis(200);

/// CPU time of one thread, by what it was spent on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    /// Stack, driver, and the application's part.
    pub(super) host: WallDuration,
    /// The emulated device.
    pub(super) device: WallDuration,
    /// Rounds that found nothing to do.
    pub(super) idle: WallDuration,
}

/// The time since the transfer began, as both clocks here count it.
#[derive(Clone, Copy)]
pub(super) struct Clock(WallInstant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(WallInstant::now())
    }

    pub(super) fn elapsed(self) -> WallDuration {
        self.0.elapsed()
    }

    fn now(self) -> (Instant, WallDuration) {
        let elapsed = self.elapsed();
        (Instant::from_micros(elapsed.as_micros() as i64), elapsed)
    }
}

/// What the two threads tell each other.
#[derive(Default)]
pub(super) struct Shared {
    /// The receiver has everything.
    pub(super) received: AtomicBool,
    /// One of the two has failed: the other gives up as well.
    pub(super) failed: AtomicBool,
}

/// Waits a little longer the longer nothing happens.
#[derive(Default)]
struct Backoff(u32);

impl Backoff {
    fn idle(&mut self) {
        self.0 = self.0.saturating_add(1);
        match self.0 {
            0..SPIN_ROUNDS => std::hint::spin_loop(),
            SPIN_ROUNDS..YIELD_ROUNDS => std::thread::yield_now(),
            _ => std::thread::sleep(NAP),
        }
    }

    fn busy(&mut self) {
        self.0 = 0;
    }
}

/// Runs the sender until its last byte is acknowledged.
pub(super) fn send<F: Family>(
    sender: &mut Sender<F>,
    clock: Clock,
    shared: &Shared,
    stop: &AtomicBool,
) -> (Spent, Result<(), TransferError>) {
    let mut spent = Spent::default();
    let result = send_until_done(sender, clock, shared, stop, &mut spent);
    if result.is_err() {
        // The peer hears of it: a RST goes out before this thread ends.
        sender.abort();
        let (now, elapsed) = clock.now();
        let _ = sender.step(now);
        sender.machine.device.step(elapsed);
        shared.failed.store(true, Ordering::Release);
    }
    (spent, result)
}

fn send_until_done<F: Family>(
    sender: &mut Sender<F>,
    clock: Clock,
    shared: &Shared,
    stop: &AtomicBool,
    spent: &mut Spent,
) -> Result<(), TransferError> {
    let mut backoff = Backoff::default();
    let mut finished_at = None;
    let mut last = thread_time();
    loop {
        let (now, elapsed) = clock.now();
        let progress = sender.step(now)?;
        let after_host = thread_time();
        let moved = sender.machine.device.step(elapsed);
        let after_device = thread_time();
        let (host, device) = (after_host - last, after_device - after_host);
        last = after_device;
        if progress.is_idle() && moved == 0 {
            spent.idle += host + device;
            if stop.load(Ordering::Relaxed) {
                return Err(TransferError::Interrupted);
            }
            if sender.is_done()? || shared.failed.load(Ordering::Acquire) {
                return Ok(());
            }
            if shared.received.load(Ordering::Acquire)
                && elapsed > *finished_at.get_or_insert(elapsed) + LINGER
            {
                return Ok(());
            }
            backoff.idle();
        } else {
            spent.host += host;
            spent.device += device;
            backoff.busy();
            if sender.machine.device.dma_faults() > 0 {
                sender.fail(Failure::Aborted);
                return Err(TransferError::Source {
                    cause: "it was truncated while the device read it".to_string(),
                });
            }
            if stop.load(Ordering::Relaxed) {
                return Err(TransferError::Interrupted);
            }
        }
    }
}

/// Runs the receiver until the stream has ended.
pub(super) fn receive<F: Family>(
    receiver: &mut Receiver<'_, F>,
    clock: Clock,
    shared: &Shared,
    stop: &AtomicBool,
) -> (Spent, Result<(), TransferError>) {
    let mut spent = Spent::default();
    let result = receive_until_done(receiver, clock, shared, stop, &mut spent);
    match result {
        Ok(()) => shared.received.store(true, Ordering::Release),
        Err(_) => {
            let (now, elapsed) = clock.now();
            let _ = receiver.step(now);
            receiver.machine.device.step(elapsed);
            shared.failed.store(true, Ordering::Release);
        }
    }
    (spent, result)
}

fn receive_until_done<F: Family>(
    receiver: &mut Receiver<'_, F>,
    clock: Clock,
    shared: &Shared,
    stop: &AtomicBool,
    spent: &mut Spent,
) -> Result<(), TransferError> {
    let mut backoff = Backoff::default();
    let mut last_arrival = WallDuration::ZERO;
    let mut last = thread_time();
    loop {
        let (now, elapsed) = clock.now();
        let progress = receiver.step(now)?;
        let after_host = thread_time();
        let moved = receiver.machine.device.step(elapsed);
        let after_device = thread_time();
        let (host, device) = (after_host - last, after_device - after_host);
        last = after_device;
        if stop.load(Ordering::Relaxed) {
            return Err(TransferError::Interrupted);
        }
        if !progress.is_idle() || moved > 0 {
            spent.host += host;
            spent.device += device;
            backoff.busy();
            if progress.received > 0 {
                last_arrival = elapsed;
            }
            continue;
        }
        spent.idle += host + device;
        if receiver.is_done() {
            return Ok(());
        }
        if shared.failed.load(Ordering::Acquire) {
            // The sender says why; what it could still say on the wire is here by now.
            return Err(receiver.gave_up("the sender gave up"));
        }
        if elapsed > last_arrival + STALL {
            return Err(receiver.stalled(STALL.as_secs()));
        }
        backoff.idle();
    }
}
