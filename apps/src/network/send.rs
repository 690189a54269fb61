//! `pagewire send` over a network: the file goes to whoever listens at the far end.
//!
//! What arrived there nobody here has seen: the peer's TCP has acknowledged every byte, with its checksums, and the file
//! is still what it was when it was declared. The SHA-256 printed is for comparing with the far end's.

use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;

use pagewire::live::{Outcome, Sending};
use serde::Serialize;

use super::place::run;
use super::recording::Recording;
use super::{NetworkError, unless_interrupted};
use crate::arguments::{Machine, NetworkSend, SendArguments};
use crate::counts::Counts;
use crate::input::Input;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::proof::hash_with_bar;
use crate::report::{self, ratio};
use crate::summary::{count, line, time};

/// Runs the command. `Ok` means that every byte was acknowledged.
pub(crate) fn send(
    arguments: &SendArguments,
    sending: &NetworkSend,
    interrupt: &Interrupt,
) -> Result<(), NetworkError> {
    let (sent, recording) = unless_interrupted(carry(arguments, sending, interrupt), interrupt)?;
    report::print(&sent, &sent, arguments.json, false).map_err(NetworkError::Print)?;
    recording.finish()
}

fn carry(
    arguments: &SendArguments,
    sending: &NetworkSend,
    interrupt: &Interrupt,
) -> Result<(Sent, Recording), NetworkError> {
    let input = Input::open(&arguments.file)?;
    let path = || input.path.display().to_string();
    let unreadable = |cause| NetworkError::Unreadable { path: path(), cause };
    let declared = input.declared_len();
    let file = input.file.try_clone().map_err(unreadable)?;
    let recording = Recording::begin(&sending.machine, Some(&input.before), None, interrupt)?;
    let mut application = Sending::new(sending.to, file, declared, arguments.mode.into());
    let progress = Progress::begin("sending", Some(declared));
    let done = run(
        "send",
        &sending.machine,
        &mut application,
        &recording,
        progress.counter(),
        interrupt,
    );
    drop(progress);
    let outcome = match (done, input.change()) {
        (Ok(outcome), None) => outcome,
        (Ok(_), Some(change)) => return Err(NetworkError::Changed { path: path(), change }),
        (Err(NetworkError::Live(error)), Some(change)) => {
            let path = path();
            return Err(NetworkError::LiveOfChanged { error, path, change });
        }
        (Err(error), _) => return Err(error),
    };
    let (_, sha256) = hash_with_bar("hashing", &input.file, declared, true, interrupt).map_err(unreadable)?;
    let sha256 = sha256.map(|sum| sum.to_string());
    Ok((Sent::new(&input, sending, arguments, &outcome, sha256), recording))
}

/// A file that was sent and what it cost: `--json` prints it, [`Display`] tells it in words. Names and meanings are a
/// promise to scripts, as those of the emulated transfer's report.
#[derive(Debug, Serialize)]
struct Sent {
    file: String,
    /// Bytes that the peer has acknowledged: all.
    bytes: u64,
    sha256: Option<String>,
    /// Null: what the peer has kept is not known here.
    verified: Option<bool>,
    to: String,
    address: String,
    backend: &'static str,
    mode: &'static str,
    mtu: u16,
    tso: bool,
    seconds: f64,
    setup_seconds: f64,
    gb_per_s: f64,
    sender_cpu_s_per_gb: f64,
    device_cpu_s_per_gb: f64,
    idle_poll_cpu_s_per_gb: f64,
    payload_bytes_copied_by_sender_cpu: u64,
    #[serde(flatten)]
    counts: Counts,
}

impl Sent {
    fn new(
        input: &Input,
        sending: &NetworkSend,
        arguments: &SendArguments,
        outcome: &Outcome,
        sha256: Option<String>,
    ) -> Self {
        let Machine { place, settings, .. } = &sending.machine;
        let bytes = input.declared_len();
        let gigabytes = bytes as f64 / 1e9;
        Self {
            file: input.path.display().to_string(),
            bytes,
            sha256,
            verified: None,
            to: SocketAddr::from(sending.to).to_string(),
            address: place.to_string(),
            backend: place.backend(),
            mode: arguments.mode.name(),
            mtu: arguments.mtu,
            tso: settings.stack.segmentation_offload,
            seconds: outcome.seconds,
            setup_seconds: outcome.setup_seconds,
            gb_per_s: ratio(gigabytes, outcome.seconds),
            sender_cpu_s_per_gb: ratio(outcome.cpu_s, gigabytes),
            device_cpu_s_per_gb: ratio(outcome.device_cpu_s, gigabytes),
            idle_poll_cpu_s_per_gb: ratio(outcome.idle_poll_cpu_s, gigabytes),
            payload_bytes_copied_by_sender_cpu: outcome.counters.stack.payload_bytes_copied,
            counts: Counts::from(&outcome.counters),
        }
    }
}

impl Display for Sent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        let tso = if self.tso { "on" } else { "off" };
        writeln!(
            f,
            "{}: {} acknowledged by {}",
            self.file,
            count(self.bytes, "byte"),
            self.to
        )?;
        line(
            f,
            "over",
            format_args!(
                "{} ({}), {}, MTU {}, TSO {tso}",
                self.address, counts.nic, self.mode, self.mtu
            ),
        )?;
        line(
            f,
            "time",
            format_args!("{}, {:.3} GB/s", time(self.seconds), self.gb_per_s),
        )?;
        line(
            f,
            "made ready in",
            format_args!("{} before that", time(self.setup_seconds)),
        )?;
        line(
            f,
            "CPU per GB",
            format_args!(
                "{:.4} s, and {:.4} s of polls that found nothing; {:.4} s of the emulated NIC and the kernel behind it",
                self.sender_cpu_s_per_gb, self.idle_poll_cpu_s_per_gb, self.device_cpu_s_per_gb
            ),
        )?;
        let copied = count(self.payload_bytes_copied_by_sender_cpu, "payload byte");
        line(f, "copied by CPU", format_args!("{copied}"))?;
        line(
            f,
            "handed to the NIC",
            format_args!(
                "{}, {}, {}",
                count(counts.tx_descriptors, "descriptor"),
                count(counts.tx_doorbells, "doorbell"),
                count(counts.tx_segments, "TSO segment")
            ),
        )?;
        line(
            f,
            "sent again",
            format_args!("{}", count(counts.retransmitted_bytes, "byte")),
        )?;
        counts.losses_memory_and_waits(f)?;
        match &self.sha256 {
            Some(sha256) => line(f, "SHA-256", format_args!("{sha256}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command, Way};
    use crate::counts::tests::tells_losses;

    #[test]
    fn frames_that_were_lost_are_in_the_report() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let input = Input::open(file.path()).unwrap();
        let line = "pagewire send x --cable packet:n0 --ip 10.0.0.2/24 --to 10.0.0.1:5001";
        let Command::Send(arguments) = Arguments::parse_from(line.split(' ')).command else {
            panic!("not send");
        };
        let Way::Network(sending) = arguments.way().unwrap() else {
            panic!("not over a network");
        };
        tells_losses(|outcome| {
            let sent = Sent::new(&input, &sending, &arguments, outcome, None);
            (serde_json::to_value(&sent).unwrap(), sent.to_string())
        });
    }
}
