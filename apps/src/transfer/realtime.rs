//! The transfer on two threads, by the clock on the wall.
//!
//! The sender's thread runs the sender's stack and driver, then steps the sender's device, whose transmit
//! engine writes into the receiver's memory. The receiver's thread does the same for the acknowledgments, and as
//! it steps its device it helps the sender's with its copies. What silicon would do is told apart
//! from what our code does: see [`Meter`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration as WallDuration, Instant as WallInstant};

use pagewire_cost::at_both_ends;
use pagewire_stack::Instant;

use super::machine::Family;
use super::receiver::Receiver;
use super::sender::Sender;
use super::{Outcome, STALL, TRUNCATED, TransferError};
use crate::meter::{Meter, Round, Spent};

/// Idle rounds that a thread spins through before it offers the core to others, and before it sleeps.
const SPIN_ROUNDS: u32 = 200;
const YIELD_ROUNDS: u32 = 2_000;
/// How long an idle thread sleeps between looks.
const NAP: WallDuration = WallDuration::from_micros(50);

/// How long the sender goes on after the receiver has everything, to see its FIN acknowledged.
const LINGER: WallDuration = WallDuration::from_millis(200);

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
}

/// The stack's time.
fn stack_time(elapsed: WallDuration) -> Instant {
    Instant::from_micros(elapsed.as_micros() as i64)
}

/// What the two threads tell each other.
#[derive(Default)]
struct Shared {
    /// The receiver has everything.
    received: AtomicBool,
    /// One of the two has failed: the other gives up as well.
    failed: AtomicBool,
}

/// Waits a little longer the longer nothing happens.
#[derive(Default)]
struct Backoff {
    idle_rounds: u32,
    spins_for_ever: bool,
}

impl Backoff {
    /// Returns whether the thread has slept.
    fn idle(&mut self) -> bool {
        self.idle_rounds = self.idle_rounds.saturating_add(1);
        if self.spins_for_ever {
            std::hint::spin_loop();
            return false;
        }
        match self.idle_rounds {
            0..SPIN_ROUNDS => std::hint::spin_loop(),
            SPIN_ROUNDS..YIELD_ROUNDS => std::thread::yield_now(),
            _ => std::thread::sleep(NAP),
        }
        self.idle_rounds >= SPIN_ROUNDS
    }

    fn busy(&mut self) {
        self.idle_rounds = 0;
    }
}

/// Runs both ends until the receiver has everything and the sender knows; the receiver never rests where it is told to spin.
pub(super) fn run<F: Family>(
    sender: &mut Sender<F>,
    receiver: &mut Receiver<'_, F>,
    spinning: bool,
    stop: &AtomicBool,
) -> Result<Outcome, TransferError> {
    let shared = Shared::default();
    let clock = Clock::start();
    let (sent, (received, seconds)) = at_both_ends(
        || send(sender, clock, &shared, stop),
        || {
            let received = receive(receiver, spinning, clock, &shared, stop);
            (received, clock.elapsed().as_secs_f64())
        },
    )
    .map_err(|cause| TransferError::Memory {
        cause: format!("no thread for the sender: {cause}"),
    })?;
    // Where the receiver's sink failed, the sender only sees a reset.
    if let Err(error @ (TransferError::Sink(_) | TransferError::Stalled { .. })) = received.1 {
        return Err(error);
    }
    sent.1?;
    received.1?;
    Ok(Outcome::of(seconds, sent.0, received.0))
}

/// Runs the sender until its last byte is acknowledged.
fn send<F: Family>(
    sender: &mut Sender<F>,
    clock: Clock,
    shared: &Shared,
    stop: &AtomicBool,
) -> (Spent, Result<(), TransferError>) {
    let mut meter = Meter::start(clock.elapsed(), sender.machine.device.doorbell_time());
    let result = send_until_done(sender, clock, shared, stop, &mut meter);
    let spent = meter.spent();
    if result.is_err() {
        // The peer hears of it: a RST goes out before this thread ends.
        sender.abort();
        let elapsed = clock.elapsed();
        let _ = sender.step(stack_time(elapsed));
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
    meter: &mut Meter,
) -> Result<(), TransferError> {
    let mut backoff = Backoff::default();
    let mut finished_at = None;
    let mut elapsed = clock.elapsed();
    loop {
        let progress = sender.step(stack_time(elapsed))?;
        let after_host = clock.elapsed();
        let moved = sender.machine.device.step(elapsed);
        elapsed = clock.elapsed();
        let idle = progress.is_idle() && moved == 0;
        meter.round(Round {
            host: after_host,
            device: elapsed,
            doorbells: sender.machine.device.doorbell_time(),
            idle,
        });
        if stop.load(Ordering::Relaxed) {
            return Err(TransferError::Interrupted);
        }
        if sender.machine.device.dma_faults() > 0 {
            return Err(TransferError::Source {
                cause: TRUNCATED.to_string(),
            });
        }
        if !idle {
            backoff.busy();
            continue;
        }
        if sender.is_done()? || shared.failed.load(Ordering::Acquire) {
            return Ok(());
        }
        if shared.received.load(Ordering::Acquire) && elapsed > *finished_at.get_or_insert(elapsed) + LINGER {
            return Ok(());
        }
        if backoff.idle() {
            elapsed = clock.elapsed();
            meter.skip_to(elapsed);
        }
    }
}

/// Runs the receiver until the stream has ended; it never rests where it is told to spin.
fn receive<F: Family>(
    receiver: &mut Receiver<'_, F>,
    spinning: bool,
    clock: Clock,
    shared: &Shared,
    stop: &AtomicBool,
) -> (Spent, Result<(), TransferError>) {
    let mut meter = Meter::start(clock.elapsed(), receiver.machine.device.doorbell_time());
    let result = receive_until_done(receiver, spinning, clock, shared, stop, &mut meter);
    let spent = meter.spent();
    match result {
        Ok(()) => shared.received.store(true, Ordering::Release),
        Err(_) => {
            let elapsed = clock.elapsed();
            let _ = receiver.step(stack_time(elapsed));
            receiver.machine.device.step(elapsed);
            shared.failed.store(true, Ordering::Release);
        }
    }
    (spent, result)
}

fn receive_until_done<F: Family>(
    receiver: &mut Receiver<'_, F>,
    spinning: bool,
    clock: Clock,
    shared: &Shared,
    stop: &AtomicBool,
    meter: &mut Meter,
) -> Result<(), TransferError> {
    let mut backoff = Backoff {
        spins_for_ever: spinning,
        ..Backoff::default()
    };
    let mut last_arrival = WallDuration::ZERO;
    let mut elapsed = clock.elapsed();
    loop {
        let progress = receiver.step(stack_time(elapsed))?;
        let after_host = clock.elapsed();
        let moved = receiver.machine.device.step(elapsed);
        elapsed = clock.elapsed();
        let idle = progress.is_idle() && moved == 0;
        meter.round(Round {
            host: after_host,
            device: elapsed,
            doorbells: receiver.machine.device.doorbell_time(),
            idle,
        });
        if stop.load(Ordering::Relaxed) {
            return Err(TransferError::Interrupted);
        }
        if !idle {
            backoff.busy();
            if progress.received > 0 {
                last_arrival = elapsed;
            }
            continue;
        }
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
        if backoff.idle() {
            elapsed = clock.elapsed();
            meter.skip_to(elapsed);
        }
    }
}
