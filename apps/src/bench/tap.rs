//! Our own stack over an emulated NIC, and a receiver of the kernel's at the other end of its cable.
//!
//! One thread runs stack, driver and device, and what the kernel does with a packet in the call that hands it over. The clock
//! starts when the first SYN is about to leave; before that is making ready: the file is mapped, and its pages for the device.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use pagewire::live::{
    Application, LiveError, Observer, OnCable, Outcome, Sending, Settings, Turn, Waiting, run_on_cable,
};
use pagewire_cost::{Switches, Total, at_both_ends, switches};
use pagewire_emu::Model;
use pagewire_emu::cable::Impairments;
use pagewire_kernel_methods::{Inspect, Received, Receiving};
use pagewire_nic::port::{RxQueue, TxQueue};
use pagewire_stack::{Instant as StackInstant, IpAddress, IpCidr, Stack, StackConfig};

use super::case::Case;
use super::course::Missed;
use super::paths::{MTU, OURS, Tap};
use super::sample::{Sample, counted};
use super::subject::Subject;
use crate::hash::Xxh3;
use crate::interrupt::Interrupt;
use crate::transfer::Mode;

/// Locally administered (IEEE 802): bit 1 of the first byte.
const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 3];

/// Sends the file once.
pub(super) fn run(
    tap: &Tap,
    case: Case,
    mode: Mode,
    subject: &Subject,
    resident: f64,
    hash: Option<&mut Xxh3>,
    interrupt: &Interrupt,
) -> Result<Sample, Missed> {
    let unready = |what: &str, cause: std::io::Error| Missed::NotAvailable(format!("{what}: {cause}"));
    let listener = tap
        .listen()
        .map_err(|cause| unready("no listener behind the TAP", cause))?;
    let to = listener
        .local_addr()
        .map_err(|cause| unready("the listener has no address", cause))?;
    let file = subject.reopened().map_err(Missed::NotAvailable)?;
    let mut update = hash.map(|hash| |bytes: &[u8]| hash.update(bytes));
    // Raised when the sender has failed: nobody will come then.
    let given_up = AtomicBool::new(false);
    let receiving = Receiving {
        receiver: case.receiver,
        len: subject.bytes,
        inspect: update.as_mut().map(|update| update as &mut Inspect<'_>),
        received: &AtomicU64::new(0),
        stop: &given_up,
    };
    let settings = settings(to.port());
    let sending = Sending::new(to.into(), file, subject.bytes, mode);
    let mut timed = Timed::new(sending, tap, settings.stack.sockets.transmit);
    let (sent, received) = at_both_ends(
        || {
            let sent = send(tap, &settings, &mut timed, interrupt);
            given_up.store(sent.is_err(), Ordering::Relaxed);
            sent
        },
        || receiving.run(&listener, || ()),
    )
    .map_err(|cause| unready("no thread for the sender", cause))?;
    // Where both failed, the sender knows why.
    let outcome = match (sent, &received) {
        (Err(LiveError::Reset { .. }), Err(error)) => return Err(Missed::NotAvailable(error.to_string())),
        (sent, _) => sent?,
    };
    Ok(timed.sample(&outcome, &received?, case, mode, resident))
}

/// Our machine; the seed keeps its ports apart from those of the run before.
fn settings(seed: u16) -> Settings {
    let [a, b, c, d] = OURS;
    let mut stack = StackConfig::new(IpCidr::new(IpAddress::v4(a, b, c, d), 24), seed.into());
    stack.mtu = MTU.into();
    Settings {
        stack,
        waiting: Waiting::Interrupts,
    }
}

fn send(
    tap: &Tap,
    settings: &Settings,
    timed: &mut Timed<'_>,
    interrupt: &Interrupt,
) -> Result<Outcome, LiveError> {
    let machine = OnCable::new(
        Model::Ixgbe,
        MAC,
        tap.attachment.clone(),
        &Impairments::none(),
        None,
    );
    run_on_cable(
        &machine,
        settings,
        timed,
        &Observer {
            stop: interrupt.flag(),
            progress: &AtomicU64::new(0),
            tell: &|notice| tracing::debug!("{notice}"),
            wanted_back: &|| false,
            board: &Mutex::new(None),
        },
    )
}

/// A file on its way, with what it cost from when to when.
struct Timed<'a> {
    sending: Sending,
    tap: &'a Tap,
    /// Bytes that may be in flight.
    window: usize,
    made: Instant,
    start: Option<Start>,
    switches: u64,
    system_calls: u64,
}

/// What was so when the clock started.
struct Start {
    at: Instant,
    total: Total,
    switches: Switches,
    system_calls: u64,
}

impl<'a> Timed<'a> {
    fn new(sending: Sending, tap: &'a Tap, window: usize) -> Self {
        Self {
            sending,
            tap,
            window,
            made: Instant::now(),
            start: None,
            switches: 0,
            system_calls: 0,
        }
    }

    fn sample(
        &self,
        outcome: &Outcome,
        received: &Received,
        case: Case,
        mode: Mode,
        resident: f64,
    ) -> Sample {
        let bytes = case.bytes as f64;
        let copied = outcome.counters.stack.payload_bytes_copied as f64;
        let in_flight = (self.window as f64).min(bytes);
        let start = self.start.as_ref().expect("what has ended had its first turn");
        let ready = start.at.duration_since(self.made).as_secs_f64();
        let seconds = received.ended.saturating_duration_since(start.at).as_secs_f64();
        let total = received.total.since(start.total).as_secs_f64();
        let (waited, worked) = counted(
            case.cache,
            mode,
            outcome.beginning_seconds,
            outcome.beginning_cpu_s,
        );
        // The process's clock lags behind its threads' by a tick now and then.
        let parts =
            outcome.cpu_s + outcome.idle_poll_cpu_s + outcome.device_cpu_s + received.cpu.as_secs_f64();
        Sample {
            bytes,
            seconds: seconds + waited,
            ready_seconds: ready - waited,
            sender_cpu: outcome.cpu_s + worked,
            idle_poll_cpu: outcome.idle_poll_cpu_s,
            device_cpu: outcome.device_cpu_s,
            receiver_cpu: received.cpu.as_secs_f64(),
            total_cpu: total.max(parts) + worked,
            sender_copied: copied,
            // By the kernel, into its own packet.
            device_copied: bytes,
            receiver_copied: received.copied as f64,
            switches: (self.switches + received.switches.all()) as f64,
            system_calls: (self.system_calls
                + self.sending.reads()
                + outcome.counters.idle.sleeps
                + received.system_calls) as f64,
            in_flight,
            extra_memory: in_flight * (copied / bytes),
            reported_copied: None,
            resident,
        }
    }
}

impl Application for Timed<'_> {
    fn begin<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        observer: &Observer<'_>,
        now: StackInstant,
    ) -> Result<(), LiveError> {
        self.sending.begin(stack, observer, now)
    }

    fn turn<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        observer: &Observer<'_>,
        now: StackInstant,
    ) -> Result<Turn, LiveError> {
        // What was mapped has been made ready by now.
        if self.start.is_none() {
            self.start = Some(Start {
                total: Total::now(),
                switches: switches(),
                system_calls: self.tap.attachment.system_calls(),
                at: Instant::now(),
            });
        }
        let turn = self.sending.turn(stack, observer, now)?;
        if let (Turn::Done, Some(start)) = (turn, &self.start) {
            self.switches = switches().since(start.switches).all();
            self.system_calls = self.tap.attachment.system_calls() - start.system_calls;
        }
        Ok(turn)
    }

    fn abandon<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>) -> bool {
        self.sending.abandon(stack)
    }

    fn span(&self) -> Option<(StackInstant, StackInstant)> {
        self.sending.span()
    }
}
