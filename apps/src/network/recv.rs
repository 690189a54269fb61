//! `pagewire recv`: one stream from whoever connects, kept in a file.
//!
//! Bytes are hashed as they arrive, and the file is read back before it gets its name: what stands under that name is what
//! arrived, up to the peer's FIN.

use std::fmt::{self, Display, Formatter};
use std::io;

use pagewire::live::{LiveError, Outcome, Receiving};
use pagewire::transfer::Sink;
use serde::Serialize;

use super::place::run;
use super::recording::Recording;
use super::{NetworkError, unless_interrupted};
use crate::arguments::{Machine, Place, RecvArguments};
use crate::counts::Counts;
use crate::hash::{Sha256Stream, Xxh3};
use crate::interrupt::Interrupt;
use crate::output::{Output, OutputError};
use crate::progress::Progress;
use crate::proof::kept_as_arrived;
use crate::report::{self, ratio};
use crate::summary::{count, line, time};

/// Runs the command. `Ok` means that the stream ended and all of it is kept.
pub(crate) fn recv(
    arguments: &RecvArguments,
    machine: &Machine,
    interrupt: &Interrupt,
) -> Result<(), NetworkError> {
    let (kept, recording) = unless_interrupted(keep(arguments, machine, interrupt), interrupt)?;
    report::print(&kept, &kept, arguments.json, kept.to_stderr).map_err(NetworkError::Print)?;
    recording.finish()
}

fn keep(
    arguments: &RecvArguments,
    machine: &Machine,
    interrupt: &Interrupt,
) -> Result<(Kept, Recording), NetworkError> {
    let output = Output::open(&arguments.output, None, 0, interrupt)?;
    if arguments.json && output.shares_stdout() {
        return Err(NetworkError::JsonAmongBytes);
    }
    let kept = ("--output", arguments.output.as_path());
    let recording = Recording::begin(machine, None, Some(kept), interrupt)?;
    let mut arriving = Arriving {
        xxh3: Xxh3::new(),
        // What cannot be read back is hashed as it arrives.
        sha256: output.to_read_back().is_none().then(Sha256Stream::default),
        output,
    };
    let mut receiving = Receiving::new(arguments.listen, &mut arriving);
    let progress = Progress::begin("receiving", None);
    let done = run(
        "recv",
        machine,
        &mut receiving,
        &recording,
        progress.counter(),
        interrupt,
    );
    drop(progress);
    let (bytes, peer) = (
        receiving.received(),
        receiving.peer().unwrap_or_default().to_owned(),
    );
    let Arriving { xxh3, sha256, output } = arriving;
    let told = |cause| OutputError::explain(output.path(), cause);
    let outcome = match done {
        Err(NetworkError::Live(LiveError::Sink(cause))) => return Err(told(cause).into()),
        done => done?,
    };
    let arrived = xxh3.finish();
    let sha256 = match (sha256, output.to_read_back()) {
        (Some(sha256), _) => sha256.finish(),
        (None, Some(file)) => kept_as_arrived(&output, file, arrived, interrupt)?,
        (None, None) => Sha256Stream::default().finish(),
    };
    let to_stderr = output.shares_stdout();
    output.commit()?;
    let sha256 = sha256.to_string();
    let kept = Kept {
        to_stderr,
        ..Kept::new(
            arguments,
            &machine.place,
            bytes,
            peer,
            &outcome,
            &sha256,
            arrived.xxh3,
        )
    };
    Ok((kept, recording))
}

/// Where the bytes go.
struct Arriving {
    xxh3: Xxh3,
    sha256: Option<Sha256Stream>,
    output: Output,
}

impl Sink for Arriving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.xxh3.update(bytes);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        self.output.write(bytes)
    }
}

/// A file that was received and what it cost: `--json` prints it, [`Display`] tells it in words. Names and meanings are a
/// promise to scripts.
#[derive(Debug, Serialize)]
struct Kept {
    file: String,
    bytes: u64,
    sha256: String,
    /// Whether what is kept is what arrived: it is, or there was no report.
    verified: bool,
    xxh3_128: String,
    from: String,
    address: String,
    backend: &'static str,
    mtu: u16,
    seconds: f64,
    setup_seconds: f64,
    gb_per_s: f64,
    receiver_cpu_s_per_gb: f64,
    device_cpu_s_per_gb: f64,
    idle_poll_cpu_s_per_gb: f64,
    #[serde(flatten)]
    counts: Counts,
    /// Standard output is where the bytes went: the report goes to stderr.
    #[serde(skip)]
    to_stderr: bool,
}

impl Kept {
    fn new(
        arguments: &RecvArguments,
        place: &Place,
        bytes: u64,
        from: String,
        outcome: &Outcome,
        sha256: &str,
        xxh3: u128,
    ) -> Self {
        let gigabytes = bytes as f64 / 1e9;
        Self {
            file: arguments.output.display().to_string(),
            bytes,
            sha256: sha256.to_owned(),
            verified: true,
            xxh3_128: format!("{xxh3:032x}"),
            from,
            address: place.to_string(),
            backend: place.backend(),
            mtu: arguments.mtu,
            seconds: outcome.seconds,
            setup_seconds: outcome.setup_seconds,
            gb_per_s: ratio(gigabytes, outcome.seconds),
            receiver_cpu_s_per_gb: ratio(outcome.cpu_s, gigabytes),
            device_cpu_s_per_gb: ratio(outcome.device_cpu_s, gigabytes),
            idle_poll_cpu_s_per_gb: ratio(outcome.idle_poll_cpu_s, gigabytes),
            counts: Counts::from(&outcome.counters),
            to_stderr: false,
        }
    }
}

impl Display for Kept {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        writeln!(
            f,
            "{}: {} received from {}",
            self.file,
            count(self.bytes, "byte"),
            self.from
        )?;
        line(
            f,
            "over",
            format_args!("{} ({}), MTU {}", self.address, counts.nic, self.mtu),
        )?;
        line(
            f,
            "time",
            format_args!("{}, {:.3} GB/s", time(self.seconds), self.gb_per_s),
        )?;
        line(
            f,
            "CPU per GB",
            format_args!(
                "{:.4} s, and {:.4} s of polls that found nothing; {:.4} s of the emulated NIC and the kernel behind it",
                self.receiver_cpu_s_per_gb, self.idle_poll_cpu_s_per_gb, self.device_cpu_s_per_gb
            ),
        )?;
        let packets = count(counts.rx_packets, "packet");
        line(f, "had from the NIC", format_args!("{packets}"))?;
        counts.losses_memory_and_waits(f)?;
        line(f, "SHA-256", format_args!("{}", self.sha256))
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
        let line = "pagewire recv --cable packet:n0 --ip 10.0.0.2/24 --listen 5001 --output x";
        let Command::Recv(arguments) = Arguments::parse_from(line.split(' ')).command else {
            panic!("not recv");
        };
        let machine = arguments.machine().unwrap();
        tells_losses(|outcome| {
            let kept = Kept::new(
                &arguments,
                &machine.place,
                1,
                "10.0.0.1:40000".into(),
                outcome,
                "",
                0,
            );
            (serde_json::to_value(&kept).unwrap(), kept.to_string())
        });
    }
}
