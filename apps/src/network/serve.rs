//! `pagewire serve`: the files of a folder, over HTTP, until Ctrl-C.

use std::fmt::{self, Display, Formatter};
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use pagewire::live::Outcome;
use pagewire::serve::files::{Files, Root};
use pagewire::serve::{Log, Served, Serving};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

use super::NetworkError;
use super::place::run;
use super::recording::Recording;
use crate::arguments::{Machine, ServeArguments, unguessable};
use crate::counts::Counts;
use crate::interrupt::Interrupt;
use crate::report::{self, ratio};
use crate::summary::{count, line, time};

/// Most files that stay open between requests.
const MOST_FILES: u64 = 4096;
/// Descriptors that a file takes: its own, and that of its lease.
const DESCRIPTORS_A_FILE: u64 = 2;
/// Descriptors for everything else: long files under way, the NIC, the log.
const OTHER_DESCRIPTORS: u64 = 256;

/// Runs the command. `Ok` means that it came to a good end, by Ctrl-C.
pub(crate) fn serve(
    arguments: &ServeArguments,
    machine: &Machine,
    interrupt: &Interrupt,
) -> Result<(), NetworkError> {
    let root = Root::open(&arguments.folder, arguments.symlinks())?;
    let files = Files::new(root, arguments.listing, most_files());
    let log = arguments.log.as_deref().map(log_at).transpose()?;
    let kept = arguments.log.as_deref().map(|log| ("--log", log));
    let recording = Recording::begin(machine, None, kept, interrupt)?;
    let limits = arguments.limits();
    let mut serving = Serving::new(
        arguments.port,
        files,
        limits,
        log,
        unguessable(),
        interrupt.flag(),
    );
    // The signal is the server's, which ends in its own time: the machine goes on until then.
    let machine_goes_on = Interrupt::default();
    let nobody_counts = AtomicU64::new(0);
    let outcome = run(
        "serve",
        machine,
        &mut serving,
        &recording,
        &nobody_counts,
        &machine_goes_on,
    )?;
    let report = Report::new(arguments, machine, &serving.served(), &outcome);
    report::print(&report, &report, arguments.json, false).map_err(NetworkError::Print)?;
    recording.finish()
}

fn log_at(path: &Path) -> Result<Log, NetworkError> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    let file = file.map_err(|cause| NetworkError::Log {
        path: path.display().to_string(),
        cause,
    })?;
    Ok(Log::new(Box::new(file)))
}

/// How many files may stay open, once the soft limit of descriptors is what the hard one allows.
fn most_files() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where this is refused the limit is what it was.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let files = limit.saturating_sub(OTHER_DESCRIPTORS) / DESCRIPTORS_A_FILE;
    files.clamp(1, MOST_FILES) as usize
}

/// What was served and what it cost: `--json` prints it, [`Display`] tells it in words. Names and meanings are a promise to
/// scripts.
#[derive(Debug, Serialize)]
struct Report {
    folder: String,
    address: String,
    backend: &'static str,
    port: u16,
    seconds: f64,
    connections: u64,
    clients_peak: usize,
    answers: u64,
    /// Of these, how many say that something is wrong.
    refusals: u64,
    body_bytes: u64,
    /// Connections that ended before the last byte of an answer was acknowledged.
    cut_short: u64,
    /// CPU of stack, driver and server.
    cpu_us_per_answer: f64,
    /// Of an emulated NIC, with what the kernel does when it is given a packet.
    device_cpu_us_per_answer: f64,
    idle_poll_cpu_s: f64,
    #[serde(flatten)]
    counts: Counts,
}

impl Report {
    fn new(arguments: &ServeArguments, machine: &Machine, served: &Served, outcome: &Outcome) -> Self {
        Self {
            folder: arguments.folder.display().to_string(),
            address: machine.place.to_string(),
            backend: machine.place.backend(),
            port: arguments.port,
            seconds: outcome.seconds,
            connections: served.connections,
            clients_peak: served.clients_peak,
            answers: served.answers,
            refusals: served.refusals,
            body_bytes: served.body_bytes,
            cut_short: served.cut_short,
            cpu_us_per_answer: ratio(outcome.cpu_s * 1e6, served.answers as f64),
            device_cpu_us_per_answer: ratio(outcome.device_cpu_s * 1e6, served.answers as f64),
            idle_poll_cpu_s: outcome.idle_poll_cpu_s,
            counts: Counts::from(&outcome.counters),
        }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} to {}",
            self.folder,
            count(self.answers, "answer"),
            count(self.connections, "connection")
        )?;
        let (address, nic, port) = (&self.address, &self.counts.nic, self.port);
        line(f, "over", format_args!("{address} ({nic}), port {port}"))?;
        line(f, "time", format_args!("{}", time(self.seconds)))?;
        line(
            f,
            "bodies",
            format_args!(
                "{}, of which {} copied by CPU",
                count(self.body_bytes, "byte"),
                self.counts.payload_bytes_copied
            ),
        )?;
        line(
            f,
            "refused",
            format_args!(
                "{}; {} cut short",
                count(self.refusals, "request"),
                count(self.cut_short, "connection")
            ),
        )?;
        line(
            f,
            "at most at a time",
            format_args!("{}", count(self.clients_peak as u64, "client")),
        )?;
        line(
            f,
            "CPU an answer",
            format_args!(
                "{:.2} µs, and {:.2} µs of an emulated NIC; {:.3} s of polls that found nothing",
                self.cpu_us_per_answer, self.device_cpu_us_per_answer, self.idle_poll_cpu_s
            ),
        )?;
        self.counts.losses_memory_and_waits(f)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};
    use crate::counts::tests::tells_losses;

    #[test]
    fn frames_that_were_lost_are_in_the_report() {
        let line = "pagewire serve x --cable packet:n0 --ip 10.0.0.2/24";
        let Command::Serve(arguments) = Arguments::parse_from(line.split(' ')).command else {
            panic!("not serve");
        };
        let machine = arguments.machine().unwrap();
        tells_losses(|outcome| {
            let report = Report::new(&arguments, &machine, &Served::default(), outcome);
            (serde_json::to_value(&report).unwrap(), report.to_string())
        });
    }
}
