//! Files read back, so that what is reported is what is there.

use std::fs::File;
use std::io;

use crate::hash::{self, Content, Sha256Sum};
use crate::interrupt::Interrupt;
use crate::output::{Output, OutputError};
use crate::progress::Progress;

/// Hashes up to `length` bytes of a file, under a bar with a word such as "verifying".
///
/// # Errors
/// As [`hash::of_file`].
pub(crate) fn hash_with_bar(
    doing: &'static str,
    file: &File,
    length: u64,
    with_sha256: bool,
    interrupt: &Interrupt,
) -> io::Result<(Content, Option<Sha256Sum>)> {
    let progress = Progress::begin(doing, Some(length));
    hash::of_file(file, length, with_sha256, progress.counter(), interrupt)
}

/// The SHA-256 of an output, `file`, in which has to stand what has `arrived`.
///
/// # Errors
/// It cannot be read, or holds something else.
pub(crate) fn kept_as_arrived(
    output: &Output,
    file: &File,
    arrived: Content,
    interrupt: &Interrupt,
) -> Result<Sha256Sum, OutputError> {
    let told = |cause| OutputError::explain(output.path(), cause);
    let length = file.metadata().map_err(told)?.len();
    match hash_with_bar("verifying", file, length, true, interrupt).map_err(told)? {
        (written, Some(sha256)) if written == arrived => Ok(sha256),
        _ => Err(OutputError::ReadsBackOtherwise {
            path: output.path().display().to_string(),
        }),
    }
}
