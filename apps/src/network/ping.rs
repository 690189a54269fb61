//! `pagewire ping`: who answers, and how fast.

use std::io::{self, Write};
use std::sync::atomic::AtomicU64;

use pagewire::live::Pinging;
use pagewire_stack::EchoReply;

use super::place::run;
use super::recording::Recording;
use super::{NetworkError, unless_interrupted};
use crate::arguments::{Machine, PingArguments};
use crate::interrupt::Interrupt;

/// Runs the command; each answer is printed as it comes. `Ok` means that somebody answered.
pub(crate) fn ping(
    arguments: &PingArguments,
    machine: &Machine,
    interrupt: &Interrupt,
) -> Result<(), NetworkError> {
    let PingArguments { host, count, .. } = *arguments;
    let recording = Recording::begin(machine, None, None, interrupt)?;
    let mut trips = Vec::new();
    let mut replied = |reply: &EchoReply| {
        let milliseconds = reply.round_trip.total_micros() as f64 / 1e3;
        trips.push(milliseconds);
        say(&format!(
            "{} bytes from {}: seq={} time={milliseconds:.3} ms",
            reply.payload_len, reply.from, reply.sequence
        ));
    };
    let mut pinging = Pinging::new(host, count, arguments.size.into(), &mut replied);
    let nobody_counts = AtomicU64::new(0);
    let done = run(
        "ping",
        machine,
        &mut pinging,
        &recording,
        &nobody_counts,
        interrupt,
    );
    let (sent, received) = (pinging.sent(), pinging.received());
    unless_interrupted(done, interrupt)?;
    if received == 0 {
        let host = host.to_string();
        return Err(NetworkError::NoEcho { host, count });
    }
    let sum: f64 = trips.iter().sum();
    let least = trips.iter().copied().fold(f64::INFINITY, f64::min);
    let most = trips.iter().copied().fold(0.0, f64::max);
    say(&format!(
        "{sent} sent, {received} received; round trip {least:.3} ms at least, {:.3} ms on average, {most:.3} ms at most",
        sum / f64::from(received)
    ));
    recording.finish()
}

/// A line on stdout. A reader that went away has read enough; the exit code says the rest.
fn say(line: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
