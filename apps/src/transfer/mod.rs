//! The seam between the command and the engine that moves the bytes.
//!
//! The command checks everything a person can get wrong, opens the files and hands over a [`Plan`]; the engine
//! builds both machines (stack, driver, emulated NIC, cable), carries the file from one to the other, and
//! tells what it cost as an [`Outcome`]. Every byte that arrives passes through a [`Sink`] in the order of the
//! stream: it is the only witness of what was received.

mod machine;
mod realtime;
mod receiver;
mod sender;
mod simulated;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pagewire_cost::{Total, at_both_ends, thread_time};
use pagewire_emu::Model;
use pagewire_emu::cable::{Impairments as WireFaults, PcapTap};
use pagewire_nic::port::TxQueue;
use pagewire_stack::Instant;

use machine::{End, Family, Machine};
use receiver::Receiver;
use sender::Sender;

use crate::meter::Spent;

/// Which NIC stands at both ends of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NicModel {
    /// Intel 82599, 10 Gbit/s.
    Ixgbe,
    /// Intel 82540EM, 1 Gbit/s.
    E1000,
    /// Intel 82574L, 1 Gbit/s.
    E1000e,
}

impl From<NicModel> for Model {
    fn from(nic: NicModel) -> Self {
        match nic {
            NicModel::Ixgbe => Self::Ixgbe,
            NicModel::E1000 => Self::E1000,
            NicModel::E1000e => Self::E1000e,
        }
    }
}

/// How payload reaches the sender's descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The file's pages are mapped for the device and named by reference.
    ZeroCopy,
    /// The file is read into DMA memory and copied through the TCP socket, as an ordinary stack does.
    Copy,
}

/// How closely the emulated device watches the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SanitizerLevel {
    /// Every rule that does not have to read payload.
    On,
    /// Those that read payload too.
    Full,
}

/// How long a frame travels on an impaired wire.
pub const LATENCY: Duration = Duration::from_micros(50);

/// What goes wrong on the wire, each as a probability for one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairments {
    /// The frame vanishes.
    pub loss: f64,
    /// The frame arrives twice.
    pub duplicate: f64,
    /// The frame is overtaken by others.
    pub reorder: f64,
    /// One bit of the frame flips.
    pub corrupt: f64,
    /// Where the random numbers start.
    pub seed: u64,
}

impl Impairments {
    /// Whether the wire is perfect.
    pub fn is_none(&self) -> bool {
        self.loss == 0.0 && self.duplicate == 0.0 && self.reorder == 0.0 && self.corrupt == 0.0
    }

    /// What a cable does to its frames. A wire with faults has a length, too: [`LATENCY`].
    pub fn faults(&self) -> WireFaults {
        let Self {
            loss,
            duplicate,
            reorder,
            corrupt,
            seed,
        } = *self;
        let latency = if self.is_none() { Duration::ZERO } else { LATENCY };
        WireFaults {
            loss,
            duplicate,
            reorder,
            corrupt,
            seed,
            latency,
        }
    }
}

/// One transfer, checked and opened.
#[derive(Debug)]
pub struct Plan {
    /// The file, open for reading: a regular file.
    pub file: File,
    /// Its name, for messages.
    pub path: PathBuf,
    /// The length it had when it was opened: exactly so many bytes are sent, or the connection is reset.
    pub declared_len: u64,
    /// The NIC at both ends.
    pub nic: NicModel,
    /// How payload reaches the descriptors.
    pub mode: Mode,
    /// Bytes of the largest IP packet, 576 to 9000.
    pub mtu: u16,
    /// Whether the NIC segments TCP.
    pub tso: bool,
    /// What the wire does to frames, both ways.
    pub impairments: Impairments,
    /// Whether everything runs on one thread under a simulated clock, repeatable bit for bit.
    pub virtual_time: bool,
    /// How closely the device watches the driver.
    pub sanitizer: SanitizerLevel,
    /// Whether the receiver's thread never rests, whatever it waits for.
    pub spinning_receiver: bool,
    /// Where to record the frames: created, empty and open for writing.
    pub pcap: Option<File>,
}

/// Where received bytes go: called on the receiver's thread, in order, without gaps.
pub trait Sink: Send {
    /// Takes the next bytes of the stream. An error ends the transfer as [`TransferError::Sink`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// What a transfer that ran to its end has cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Bytes handed to the sink.
    pub bytes_received: u64,
    /// Wall-clock seconds from the first SYN to the last byte in the sink.
    pub seconds: f64,
    /// Wall-clock seconds before that: NICs started, memory allocated, the file mapped for the device.
    pub setup_seconds: f64,
    /// Simulated seconds of the same, where time was virtual.
    pub virtual_seconds: Option<f64>,
    /// CPU seconds of the sender's stack and driver, without the emulated device and without polls that found nothing.
    pub sender_cpu_s: f64,
    /// CPU seconds the sender spent in polls that found nothing.
    pub idle_poll_cpu_s: f64,
    /// CPU seconds of the emulated devices: what silicon would do.
    pub device_cpu_s: f64,
    /// CPU seconds of the receiver: driver, stack and sink.
    pub receiver_cpu_s: f64,
    /// CPU seconds of everybody meanwhile, the kernel's part included.
    pub total_cpu_s: f64,
    /// Of the seconds before, those in which the connection was opened and the file mapped: where it is not in memory, that is
    /// when it is read.
    pub mapping_seconds: f64,
    /// CPU seconds of the same.
    pub mapping_cpu_s: f64,
    /// How often the sender's thread gave up its core, or had to.
    pub sender_switches: u64,
    /// How often the receiver's did.
    pub receiver_switches: u64,
    /// System calls of the sender's thread: its rests, and reads of the file where it is copied.
    pub sender_system_calls: u64,
    /// System calls of the receiver's: its rests.
    pub receiver_system_calls: u64,
    /// Bytes that may be in flight.
    pub in_flight_limit: u64,
    /// Payload bytes that the sender's CPU copied, counted where a copy is made.
    pub payload_bytes_copied: u64,
    /// Segmentation requests handed to the sender's NIC.
    pub tx_segments: u64,
    /// Descriptors the sender's driver wrote.
    pub tx_descriptors: u64,
    /// Tail writes of the sender's driver.
    pub tx_doorbells: u64,
    /// Payload bytes sent more than once.
    pub retransmitted_bytes: u64,
    /// Frames that the cable lost, both ways.
    pub frames_lost_on_wire: u64,
    /// Sanitizer rules broken, counted over both machines.
    pub iommu_violations: u64,
    /// One sentence for each broken rule.
    pub violations: Vec<String>,
}

/// Why a transfer did not run to its end. Each is one sentence with its remedy.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// Rings, frames or maps could not be had.
    #[error(
        "could not get memory for the NIC's rings and buffers ({cause}); free some memory or raise the limit (ulimit -v, ulimit -l)"
    )]
    Memory {
        /// What was asked for and what the system said.
        cause: String,
    },
    /// The NIC did not come up.
    #[error("the {nic} NIC did not start: {cause}")]
    Device {
        /// The NIC's name.
        nic: &'static str,
        /// What the driver found.
        cause: String,
    },
    /// The file could not be read or mapped, or is no longer what it was.
    #[error("the file could not be sent: {cause}")]
    Source {
        /// What was found.
        cause: String,
    },
    /// The connection was reset before the last byte.
    #[error("the connection was reset after {received} of {declared} bytes: {cause}")]
    Reset {
        /// Bytes that had arrived.
        received: u64,
        /// Bytes that were announced.
        declared: u64,
        /// Who reset it and why.
        cause: String,
    },
    /// The receiver could not keep what arrived.
    #[error("the received bytes could not be kept: {0}")]
    Sink(#[source] io::Error),
    /// The capture could not be written.
    #[error("the capture could not be written: {0}; free some space or leave --pcap out")]
    Pcap(#[source] io::Error),
    /// The stop flag was raised.
    #[error("interrupted")]
    Interrupted,
    /// Nothing has moved for too long.
    #[error(
        "no byte arrived for {seconds} s ({received} of {declared} had arrived); the wire may be too lossy: lower --loss or --corrupt"
    )]
    Stalled {
        /// How long nothing arrived, on the transfer's own clock.
        seconds: u64,
        /// Bytes that had arrived.
        received: u64,
        /// Bytes that were announced.
        declared: u64,
    },
}

/// The receiver's TCP port.
const PORT: u16 = 5001;

/// How long no byte may arrive before the transfer is given up, on the transfer's own clock. smoltcp's
/// retransmission time-out backs off to a minute: several of those.
const STALL: Duration = Duration::from_secs(300);

/// Carries the file of `plan` from one machine to the other.
///
/// Bytes go to `sink` as they arrive, and `progress` is how many have. Raising `stop` ends the transfer
/// within a tenth of a second; the NICs are stopped and all memory is freed before this returns.
///
/// # Errors
/// See [`TransferError`]; where both ends failed, the sender's reason, since it comes first.
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
    let tap = plan
        .pcap
        .take()
        .map(|file| PcapTap::new(Box::new(BufWriter::new(file))));
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
        simulate(&mut sender, &mut receiver, stop)?
    } else {
        on_two_threads(&mut sender, &mut receiver, plan.spinning_receiver, stop)?
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

/// What is said where the device found pages of the file gone.
const TRUNCATED: &str = "it was truncated by another process while the device read it: send it again";

fn on_two_threads<F: Family>(
    sender: &mut Sender<F>,
    receiver: &mut Receiver<'_, F>,
    spinning_receiver: bool,
    stop: &AtomicBool,
) -> Result<Outcome, TransferError> {
    let shared = realtime::Shared::default();
    let clock = realtime::Clock::start();
    let (sent, (received, seconds)) = at_both_ends(
        || realtime::send(sender, clock, &shared, stop),
        || {
            let received = realtime::receive(receiver, spinning_receiver, clock, &shared, stop);
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
    Ok(costs(seconds, sent.0, received.0))
}

fn simulate<F: Family>(
    sender: &mut Sender<F>,
    receiver: &mut Receiver<'_, F>,
    stop: &AtomicBool,
) -> Result<Outcome, TransferError> {
    let clock = realtime::Clock::start();
    let simulated = simulated::run(sender, receiver, stop)?;
    let seconds = clock.elapsed().as_secs_f64();
    let outcome = costs(seconds, simulated.sender, simulated.receiver);
    Ok(Outcome {
        virtual_seconds: Some(simulated.elapsed.as_secs_f64()),
        ..outcome
    })
}

fn costs(seconds: f64, sender: Spent, receiver: Spent) -> Outcome {
    Outcome {
        seconds,
        sender_cpu_s: sender.host.as_secs_f64(),
        idle_poll_cpu_s: sender.idle.as_secs_f64(),
        device_cpu_s: (sender.device + receiver.device).as_secs_f64(),
        receiver_cpu_s: receiver.host.as_secs_f64(),
        sender_switches: sender.switches.all(),
        receiver_switches: receiver.switches.all(),
        sender_system_calls: sender.rests,
        receiver_system_calls: receiver.rests,
        ..Outcome::default()
    }
}
