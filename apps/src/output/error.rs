//! Why received bytes cannot be kept.

use std::io;
use std::path::Path;

use super::fifo::READER_LIMIT;

/// Why received bytes cannot be kept, each with what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    #[error("the output '{path}' is the file that is sent; choose another name")]
    IsTheInput { path: String },
    #[error("'{path}' cannot be both {option} and --pcap; give one of them another name")]
    IsKeptAlready { path: String, option: &'static str },
    #[error("the output '{path}' is a folder; name a file in it, such as '{path}/received'")]
    Folder { path: String },
    #[error("the folder of the output '{path}' does not exist; make it first: mkdir -p '{folder}'")]
    NoFolder { path: String, folder: String },
    #[error("not allowed to write the output '{path}'; choose a place that you may write to")]
    Forbidden { path: String },
    #[error(
        "the output '{path}' is a block device or a socket; name a regular file, a FIFO or a character device"
    )]
    Unfit { path: String },
    #[error("the output '{path}' is where standard output goes already; leave one of the two out")]
    IsStandardOutput { path: String },
    #[error("nobody opened the FIFO '{path}' for reading within {} s; start its reader first", READER_LIMIT.as_secs())]
    NoReader { path: String },
    #[error("the disk of the output '{path}' is full; free some space or choose another disk")]
    Full { path: String },
    #[error(
        "the output '{path}' would be larger than files may be here; raise the limit (ulimit -f) or choose another disk"
    )]
    TooLarge { path: String },
    #[error("whoever read the output '{path}' has stopped reading; the rest is lost")]
    ReaderGone { path: String },
    #[error(
        "the output '{path}' does not read back as it was written; the disk may be failing: choose another"
    )]
    ReadsBackOtherwise { path: String },
    #[error("the output '{path}' could not be written: {cause}")]
    Other { path: String, cause: io::Error },
    #[error("interrupted")]
    Interrupted,
}

impl OutputError {
    /// Names what the system said about `path`.
    pub(crate) fn explain(path: &Path, cause: io::Error) -> Self {
        let folder = path.parent().unwrap_or(path).display().to_string();
        let path = path.display().to_string();
        match cause.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NoFolder { path, folder },
            io::ErrorKind::PermissionDenied => Self::Forbidden { path },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            io::ErrorKind::FileTooLarge => Self::TooLarge { path },
            io::ErrorKind::BrokenPipe => Self::ReaderGone { path },
            io::ErrorKind::IsADirectory => Self::Folder { path },
            io::ErrorKind::Interrupted => Self::Interrupted,
            _ => Self::Other { path, cause },
        }
    }
}
