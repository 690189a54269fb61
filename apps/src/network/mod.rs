//! The commands that run one machine on a network: `send --to`, `recv`, `serve`, `ping`.
//!
//! Each opens its files first, the capture of its frames ([`recording`]) among them, then the NIC ([`place`]), and proves and
//! reports what happened once the NIC is given back. Meanwhile `pagewire stats` can look at the counters.

mod ping;
mod place;
mod recording;
mod recv;
mod send;
mod serve;

pub(crate) use ping::ping;
pub(crate) use recv::recv;
pub(crate) use send::send;
pub(crate) use serve::serve;

use std::io;

use pagewire::live::LiveError;
use pagewire::serve::files::NoRoot;
use pagewire_bus::vfio::VfioError;
use pagewire_emu::cable::AttachError;

use crate::input::{Change, InputError};
use crate::interrupt::Interrupt;
use crate::output::OutputError;

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
    Attach(#[from] AttachError),
    #[error("{0}")]
    Root(#[from] NoRoot),
    #[error("the access log '{path}' could not be opened: {cause}; choose another file")]
    Log { path: String, cause: io::Error },
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
    #[error("the capture could not be written: {0}; free some space or leave --pcap out")]
    Capture(io::Error),
    #[error("the report could not be printed: {0}")]
    Print(io::Error),
    #[error("interrupted; the network card was stopped, and nothing was kept")]
    Interrupted,
}

/// Whatever else went wrong after a signal, the signal is the reason.
fn unless_interrupted<O>(result: Result<O, NetworkError>, interrupt: &Interrupt) -> Result<O, NetworkError> {
    if interrupt.raised() {
        Err(NetworkError::Interrupted)
    } else {
        result
    }
}
