//! Why a bench ends without its table.

use std::io;

use crate::input::InputError;
use crate::output::OutputError;

/// Why `pagewire bench` failed: one sentence each.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error("{0}")]
    Input(#[from] InputError),
    #[error("{0}")]
    Output(#[from] OutputError),
    #[error(
        "'{path}' holds no bytes: there is nothing to measure; name a larger file, or none to have one made"
    )]
    Empty { path: String },
    #[error(
        "--size {size} is more than the {bytes} bytes of '{path}'; name a larger file, or none to have one made"
    )]
    TooShort { path: String, size: u64, bytes: u64 },
    #[error("--json and the page both go to standard output; give --html another file")]
    JsonAmongHtml,
    #[error(
        "nothing of what was chosen exists: the kernel's methods go over loopback and veth, pagewire's over tap and pair, \
         sendfile-without-sg over veth, and discard needs a receiver of the kernel's (not pair)"
    )]
    NothingToMeasure,
    #[error("nothing of what was chosen can be measured here: {why}")]
    NothingMeasured { why: String },
    #[error(
        "a file of {bytes} bytes could not be made in {folder} ({cause}); free some space, or name another folder: \
         TMPDIR=FOLDER pagewire bench"
    )]
    NoRoom {
        bytes: u64,
        folder: String,
        cause: io::Error,
    },
    #[error(
        "'{path}' could not be read: {cause}; measure again when nobody writes to it, or name another file"
    )]
    Unreadable { path: String, cause: io::Error },
    #[error(
        "what arrived by {what} is not what was sent; if nobody has written to the file meanwhile, this is a fault of pagewire: please report it"
    )]
    Mismatch { what: String },
    #[error("the page could not be drawn: {0}; this is a fault of pagewire: please report it")]
    Page(String),
    #[error("the report could not be printed: {0}")]
    Print(io::Error),
    #[error("interrupted; nothing was kept")]
    Interrupted,
}
