//! The commands that drive a NIC in a slot: `send --nic vfio:ADDRESS`, `recv`, `ping`.
//!
//! Each opens its files first, then the NIC ([`run`]), and proves and reports what happened once the NIC is given back.
//! Meanwhile `pagewire stats` can look at the counters.

mod ping;
mod recv;
mod send;

pub(crate) use ping::ping;
pub(crate) use recv::recv;
pub(crate) use send::send;

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use pagewire::live::{self, Application, LiveError, Notice, Observer, Outcome, Settings};
use pagewire_bus::PciAddress;
use pagewire_bus::vfio::{self, VfioError};

use crate::input::{Change, InputError};
use crate::interrupt::Interrupt;
use crate::output::OutputError;
use crate::stats::Board;

/// Why a command on a network failed: one sentence each.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetworkError {
    #[error("{0}")]
    Input(#[from] InputError),
    #[error("{0}")]
    Output(#[from] OutputError),
    #[error("--json and the received bytes both go to standard output; give --output another file")]
    JsonAmongBytes,
    #[error("{0}")]
    Open(#[from] VfioError),
    #[error("{0}")]
    Live(#[from] LiveError),
    #[error("{error}; the reason may be that of '{path}': {change}")]
    LiveOfChanged {
        error: LiveError,
        path: String,
        change: Change,
    },
    #[error("'{path}' changed while it was sent: {change}; send it again when nobody writes to it")]
    Changed { path: String, change: Change },
    #[error("'{path}' could not be read again to tell its SHA-256: {cause}")]
    Unreadable { path: String, cause: io::Error },
    #[error("{host} has answered none of {count} echo requests: is it up, and on this network?")]
    NoEcho { host: String, count: u16 },
    #[error("the report could not be printed: {0}")]
    Print(io::Error),
    #[error("interrupted; the network card was stopped, and nothing was kept")]
    Interrupted,
}

/// Opens the NIC at `address` and runs `application` there; the NIC is given back when this returns.
fn run<A: Application>(
    command: &'static str,
    address: PciAddress,
    settings: &Settings,
    application: &mut A,
    progress: &AtomicU64,
    interrupt: &Interrupt,
) -> Result<Outcome, NetworkError> {
    let function = Arc::new(vfio::open(address)?);
    tracing::info!("{address} is open, by {settings:?}");
    let counters = Arc::new(Mutex::new(None));
    let board = Board::put_up(command, address, Arc::clone(&counters));
    let asked = Arc::clone(&function);
    let observer = Observer {
        stop: interrupt.flag(),
        progress,
        tell: &tell,
        wanted_back: &|| asked.removal_requested() == Some(true),
        board: &counters,
    };
    let outcome = live::run(function, settings, application, &observer);
    drop(board);
    Ok(outcome?)
}

/// What a person should know at once is a warning; what one may want to know is for `-v`.
fn tell(notice: Notice) {
    match notice {
        Notice::LinkDown | Notice::LinkUp { .. } | Notice::Copying(_) => tracing::warn!("{notice}"),
        Notice::Connected { .. } | Notice::Leased(_) | Notice::NoInterrupts { .. } => {
            tracing::info!("{notice}")
        }
    }
}

/// Whatever else went wrong after a signal, the signal is the reason.
fn unless_interrupted<O>(result: Result<O, NetworkError>, interrupt: &Interrupt) -> Result<O, NetworkError> {
    if interrupt.raised() {
        Err(NetworkError::Interrupted)
    } else {
        result
    }
}
