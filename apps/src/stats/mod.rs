//! `pagewire stats`: what a running pagewire has counted on its NIC.
//!
//! A process that drives a NIC puts up a [`Board`]: a socket, named after the NIC, that says what was counted to whoever
//! connects. This command looks for boards and asks.

mod board;

pub(crate) use board::Board;

use std::fmt::{self, Display, Formatter};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::arguments::StatsArguments;
use crate::counts::Counts;
use crate::interrupt::Interrupt;
use crate::summary::{count, line};

/// How long a board may take to answer: it only has to be woken.
const ANSWER: Duration = Duration::from_secs(2);
/// From one look to the next under `--watch`.
const INTERVAL: Duration = Duration::from_secs(1);

/// Why there is nothing to show: one sentence each.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StatsError {
    #[error(
        "no running pagewire drives {what}; this shows what `pagewire send`, `recv` and `ping` count while they run (looked in {places})"
    )]
    Nobody { what: String, places: String },
    #[error("the pagewire that drives {address} did not answer: {cause}")]
    Silent { address: String, cause: io::Error },
    #[error("the counters could not be printed: {0}")]
    Print(io::Error),
}

/// What a board says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Said {
    /// The NIC, or its cable.
    pub(crate) address: String,
    /// Who drives it: a process, and which command.
    pub(crate) pid: u32,
    pub(crate) command: String,
    /// Null while the NIC starts.
    pub(crate) counts: Option<Counts>,
}

/// Runs the command.
pub(crate) fn run(arguments: &StatsArguments, interrupt: &Interrupt) -> Result<(), StatsError> {
    let folders = board::folders();
    let mut shown = false;
    loop {
        let said = ask_all(&folders, arguments.address.as_deref())?;
        if said.is_empty() && shown {
            // Whoever was watched has ended.
            return Ok(());
        }
        if said.is_empty() {
            let what = arguments.address.clone().unwrap_or_else(|| "any NIC".to_owned());
            let places: Vec<_> = folders
                .iter()
                .map(|folder| folder.display().to_string())
                .collect();
            let places = places.join(", ");
            return Err(StatsError::Nobody { what, places });
        }
        shown = true;
        for said in &said {
            match print(said, arguments.json) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                printed => printed.map_err(StatsError::Print)?,
            }
        }
        if !arguments.watch {
            return Ok(());
        }
        thread::sleep(INTERVAL);
        if interrupt.raised() {
            return Ok(());
        }
    }
}

/// Asks every board there is, or that of one NIC. One whose process is gone does not count.
fn ask_all(folders: &[PathBuf], address: Option<&str>) -> Result<Vec<Said>, StatsError> {
    let mut all = Vec::new();
    for (path, named) in board::find(folders) {
        if address.is_some_and(|address| address != named) {
            continue;
        }
        match ask(&path) {
            Ok(said) => all.push(said),
            Err(cause) if board::is_abandoned(&cause) => {
                tracing::info!("{} is left over from a process that is gone", path.display());
            }
            Err(cause) => {
                return Err(StatsError::Silent {
                    address: named,
                    cause,
                });
            }
        }
    }
    Ok(all)
}

fn ask(path: &Path) -> io::Result<Said> {
    let mut socket = std::os::unix::net::UnixStream::connect(path)?;
    socket.set_read_timeout(Some(ANSWER))?;
    let mut said = String::new();
    socket.read_to_string(&mut said)?;
    serde_json::from_str(&said).map_err(io::Error::other)
}

fn print(said: &Said, json: bool) -> io::Result<()> {
    let text = if json {
        let mut object = serde_json::to_string(said).map_err(io::Error::other)?;
        object.push('\n');
        object
    } else {
        said.to_string()
    };
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
}

impl Display for Said {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: pagewire {}, process {}",
            self.address, self.command, self.pid
        )?;
        let Some(counts) = &self.counts else {
            return line(f, "state", format_args!("starting"));
        };
        let link = if counts.link_up {
            format!("up, {} Mbit/s", counts.link_mbps)
        } else {
            "down".to_owned()
        };
        line(f, "driver, link", format_args!("{}, {link}", counts.nic))?;
        line(
            f,
            "sent",
            format_args!(
                "{}, {}",
                count(counts.tx_packets, "packet"),
                count(counts.tx_bytes, "byte")
            ),
        )?;
        line(
            f,
            "received",
            format_args!(
                "{}, {}",
                count(counts.rx_packets, "packet"),
                count(counts.rx_bytes, "byte")
            ),
        )?;
        line(
            f,
            "payload",
            format_args!(
                "{} by reference, {} copied, {} sent again",
                count(counts.gathered_bytes, "byte"),
                count(counts.payload_bytes_copied, "byte"),
                count(counts.retransmitted_bytes, "byte")
            ),
        )?;
        counts.losses_memory_and_waits(f)
    }
}
