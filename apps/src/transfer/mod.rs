//! The seam between the command and the engine that moves the bytes.
//!
//! The command checks everything a person can get wrong, opens the files and hands over a [`Plan`]; the engine
//! builds both machines (stack, driver, emulated NIC, cable), carries the file from one to the other, and
//! tells what it cost as an [`Outcome`]. Every byte that arrives passes through a [`Sink`] in the order of the
//! stream: it is the only witness of what was received.

mod error;
mod machine;
mod outcome;
mod plan;
mod realtime;
mod receiver;
mod sender;
mod simulated;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pagewire_cost::{Total, thread_time};
use pagewire_emu::cable::PcapTap;
use pagewire_nic::port::TxQueue;
use pagewire_stack::Instant;

pub use error::TransferError;
pub use outcome::Outcome;
pub use plan::{Impairments, LATENCY, Mode, NicModel, Plan, SanitizerLevel};

use machine::{End, Family, Machine};
use receiver::Receiver;
use sender::Sender;

/// Where received bytes go: called on the receiver's thread, in order, without gaps.
pub trait Sink: Send {
    /// Takes the next bytes of the stream. An error ends the transfer as [`TransferError::Sink`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// The receiver's TCP port.
const PORT: u16 = 5001;

/// How long no byte may arrive before the transfer is given up, on the transfer's own clock. smoltcp's
/// retransmission time-out backs off to a minute: several of those.
const STALL: Duration = Duration::from_secs(300);

/// What is said where the device found pages of the file gone.
const TRUNCATED: &str = "it was truncated by another process while the device read it: send it again";

/// Carries the file of `plan` from one machine to the other.
///
/// Bytes go to `sink` as they arrive, and `progress` is how many have. Raising `stop` ends the transfer
/// within a tenth of a second; the NICs are stopped and all memory is freed before this returns.
///
/// # Errors
/// See [`TransferError`]; where both ends failed, the sender's reason, unless the sink failed or nothing arrived: of that the
/// sender sees no more than the end.
pub fn run(
    plan: Plan,
    sink: &mut dyn Sink,
    progress: &AtomicU64,
    stop: &AtomicBool,
) -> Result<Outcome, TransferError> {
    match plan.nic {
        NicModel::Ixgbe => run_on::<machine::Ixgbe>(plan, sink, progress, stop),
        NicModel::E1000 => run_on::<machine::E1000>(plan, sink, progress, stop),
        NicModel::E1000e => run_on::<machine::E1000e>(plan, sink, progress, stop),
    }
}

fn run_on<F: Family>(
    mut plan: Plan,
    sink: &mut dyn Sink,
    progress: &AtomicU64,
    stop: &AtomicBool,
) -> Result<Outcome, TransferError> {
    let setup = realtime::Clock::start();
    let devices = [
        Machine::<F>::device(&plan, End::Sender),
        Machine::<F>::device(&plan, End::Receiver),
    ];
    let tap = plan.pcap.take().map(|file| PcapTap::new(Box::new(file)));
    let tap = tap.transpose().map_err(TransferError::Pcap)?;
    let faults = plan.impairments.faults();
    pagewire_emu::connect(&devices[0], &devices[1], &faults, &faults, tap.as_ref());
    let [sending, receiving] = devices.clone();
    let start = Instant::ZERO;
    let mut receiver = Receiver::start(
        Machine::<F>::start(receiving, &plan, End::Receiver, start)?,
        sink,
        progress,
        plan.declared_len,
    )?;
    let sending = Machine::<F>::start(sending, &plan, End::Sender, start)?;
    let mapping = realtime::Clock::start();
    let mapping_cpu = thread_time();
    let mut sender = Sender::start(sending, &plan)?;
    devices[0].warm_up();
    let mapping_seconds = mapping.elapsed().as_secs_f64();
    let mapping_cpu = thread_time().saturating_sub(mapping_cpu);
    let setup_seconds = setup.elapsed().as_secs_f64();

    let total_cpu = Total::now();
    let mut outcome = if plan.virtual_time {
        simulated::run(&mut sender, &mut receiver, stop)?
    } else {
        realtime::run(&mut sender, &mut receiver, plan.spinning_receiver, stop)?
    };
    outcome.total_cpu_s = Total::now().since(total_cpu).as_secs_f64();
    sender.tell_fallbacks();
    outcome.setup_seconds = setup_seconds;
    outcome.in_flight_limit = plan.in_flight() as u64;
    outcome.mapping_seconds = mapping_seconds;
    outcome.mapping_cpu_s = mapping_cpu.as_secs_f64();
    outcome.sender_system_calls += sender.reads;
    outcome.bytes_received = progress.load(Ordering::Relaxed);
    let counters = sender.machine.stack.counters();
    let queue = sender.machine.stack.tx().counters();
    outcome.payload_bytes_copied = counters.payload_bytes_copied;
    outcome.retransmitted_bytes = counters.retransmitted_bytes;
    outcome.tx_segments = queue.segments;
    outcome.tx_descriptors = queue.descriptors;
    outcome.tx_doorbells = queue.doorbells;
    sender.machine.stop()?;
    receiver.machine.stop()?;
    for device in &devices {
        let wire = device.wire_counters();
        outcome.frames_lost_on_wire += wire.lost;
        let report = device.report();
        outcome.iommu_violations += report.total();
        outcome
            .violations
            .extend(report.violations.iter().map(ToString::to_string));
    }
    if let Some(tap) = tap {
        tap.finish().map_err(TransferError::Pcap)?;
    }
    Ok(outcome)
}
