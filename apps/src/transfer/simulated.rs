//! The transfer on one thread, by a clock of its own: the same plan gives the same frames, bit for bit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration as WallDuration, Instant as WallInstant};

use pagewire_cost::thread_time;
use pagewire_stack::Instant;

use super::machine::Family;
use super::receiver::Receiver;
use super::sender::Sender;
use super::{Outcome, STALL, TRUNCATED, TransferError};
use crate::meter::Spent;

/// What a round in which something happened takes on the simulated clock.
const ROUND: WallDuration = WallDuration::from_micros(1);

/// What a simulated transfer has cost.
#[derive(Clone, Copy, Debug, Default)]
struct Simulated {
    /// On the simulated clock.
    elapsed: WallDuration,
    sender: Spent,
    receiver: Spent,
}

/// Runs both ends until the receiver has everything.
pub(super) fn run<F: Family>(
    sender: &mut Sender<F>,
    receiver: &mut Receiver<'_, F>,
    stop: &AtomicBool,
) -> Result<Outcome, TransferError> {
    let clock = WallInstant::now();
    let simulated = simulate(sender, receiver, stop)?;
    let seconds = clock.elapsed().as_secs_f64();
    let outcome = Outcome::of(seconds, simulated.sender, simulated.receiver);
    Ok(Outcome {
        virtual_seconds: Some(simulated.elapsed.as_secs_f64()),
        ..outcome
    })
}

fn simulate<F: Family>(
    sender: &mut Sender<F>,
    receiver: &mut Receiver<'_, F>,
    stop: &AtomicBool,
) -> Result<Simulated, TransferError> {
    let mut total = Simulated::default();
    let mut elapsed = WallDuration::ZERO;
    let mut last_arrival = WallDuration::ZERO;
    let mut last = thread_time();
    let mut charge = |to: &mut WallDuration| {
        let now = thread_time();
        *to += now - std::mem::replace(&mut last, now);
    };
    loop {
        let now = Instant::from_micros(elapsed.as_micros() as i64);
        let sent = sender.step(now)?;
        charge(&mut total.sender.host);
        let mut moved = sender.machine.device.step(elapsed);
        charge(&mut total.sender.device);
        let received = receiver.step(now);
        charge(&mut total.receiver.host);
        moved += receiver.machine.device.step(elapsed);
        charge(&mut total.receiver.device);
        if stop.load(Ordering::Relaxed) {
            return Err(TransferError::Interrupted);
        }
        if sender.machine.device.dma_faults() > 0 {
            sender.abort();
            return Err(TransferError::Source {
                cause: TRUNCATED.to_string(),
            });
        }
        // The sender knows the cause of its own reset; the receiver only sees that there was one.
        let sender_done = sender.is_done()?;
        let received = received?;
        if receiver.is_done() && (sender_done || elapsed > last_arrival + STALL) {
            total.elapsed = elapsed;
            return Ok(total);
        }
        if received.received > 0 {
            last_arrival = elapsed;
        }
        if !sent.is_idle() || !received.is_idle() || moved > 0 {
            elapsed += ROUND;
            continue;
        }
        let timers = [
            sender.machine.stack.next_deadline(now),
            receiver.machine.stack.next_deadline(now),
        ];
        let timers = timers
            .into_iter()
            .flatten()
            .map(|at| WallDuration::from_micros(at.total_micros() as u64));
        let cables = [
            sender.machine.device.next_event(),
            receiver.machine.device.next_event(),
        ];
        let next = timers.chain(cables.into_iter().flatten()).min();
        match next {
            Some(at) if at <= last_arrival + STALL => elapsed = at.max(elapsed + ROUND),
            _ => return Err(receiver.stalled(STALL.as_secs())),
        }
    }
}
