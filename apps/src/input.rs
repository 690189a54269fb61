//! The file to send: what it may be, what it was when it was opened, and whether it still is.

use std::fs::{self, File, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Why a file cannot be sent, each with what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("there is no file '{path}'; check the name (the current folder is {folder})")]
    Missing { path: String, folder: String },
    #[error(
        "'{path}' is standard input only by custom; pagewire sends files, whose pages it maps: cat > FILE first"
    )]
    StandardInput { path: String },
    #[error("not allowed to read '{path}'; make it readable (chmod u+r) or run as its owner")]
    Forbidden { path: String },
    #[error("'{path}' is a folder; name a file in it, or pack it first: tar -cf FILE '{path}'")]
    Folder { path: String },
    #[error(
        "'{path}' is a device, which has neither a length nor pages of a file; copy what you need first: dd if='{path}' of=FILE count=N"
    )]
    Device { path: String },
    #[error(
        "'{path}' is a FIFO, whose length nobody knows before its end; collect it first: cat '{path}' > FILE"
    )]
    Fifo { path: String },
    #[error("'{path}' is a socket; pagewire sends regular files: write what it says to a file first")]
    Socket { path: String },
    #[error(
        "'{path}' is made up by the kernel while it is read and has no length; copy it first: cat '{path}' > FILE"
    )]
    MadeUp { path: String },
    #[error("'{path}' could not be opened: {cause}")]
    Other { path: String, cause: io::Error },
}

/// A regular file, open for reading.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    /// What the file was when it was opened; its size is the declared length.
    pub(crate) before: Fingerprint,
}

impl Input {
    /// Opens `path` if it is a regular file. Never blocks, and never opens what is none: opening can have effects.
    pub(crate) fn open(path: &Path) -> Result<Self, InputError> {
        let told = |cause| explain(path, cause);
        refuse_other_than_regular(path, fs::metadata(path).map_err(told)?.file_type())?;
        let file = File::options()
            .read(true)
            .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
            .open(path)
            .map_err(told)?;
        // Asked again: the name may stand for something else by now.
        let metadata = file.metadata().map_err(told)?;
        refuse_other_than_regular(path, metadata.file_type())?;
        if metadata.len() == 0 && file.read_at(&mut [0], 0).map_err(told)? != 0 {
            return Err(InputError::MadeUp { path: name(path) });
        }
        Ok(Self {
            file,
            path: path.to_owned(),
            before: Fingerprint::of(&metadata),
        })
    }

    /// The length that is announced, and sent.
    pub(crate) fn declared_len(&self) -> u64 {
        self.before.size
    }

    /// What another process has done to the file since it was opened, if anything.
    pub(crate) fn change(&self) -> Option<Change> {
        match self.file.metadata() {
            Ok(metadata) => self.before.change_to(&Fingerprint::of(&metadata)),
            Err(_) => None,
        }
    }
}

fn refuse_other_than_regular(path: &Path, kind: FileType) -> Result<(), InputError> {
    let path = || name(path);
    if kind.is_file() {
        Ok(())
    } else if kind.is_dir() {
        Err(InputError::Folder { path: path() })
    } else if kind.is_fifo() {
        Err(InputError::Fifo { path: path() })
    } else if kind.is_socket() {
        Err(InputError::Socket { path: path() })
    } else {
        Err(InputError::Device { path: path() })
    }
}

fn explain(path: &Path, cause: io::Error) -> InputError {
    let folder =
        || std::env::current_dir().map_or_else(|_| "gone".into(), |folder| folder.display().to_string());
    match cause.kind() {
        io::ErrorKind::NotFound if path == Path::new("-") => InputError::StandardInput { path: name(path) },
        io::ErrorKind::NotFound => InputError::Missing {
            path: name(path),
            folder: folder(),
        },
        io::ErrorKind::PermissionDenied => InputError::Forbidden { path: name(path) },
        _ => InputError::Other {
            path: name(path),
            cause,
        },
    }
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) size: u64,
    /// Seconds and nanoseconds of the last write.
    pub(crate) mtime: (i64, i64),
    /// The same of the last change to the inode.
    pub(crate) ctime: (i64, i64),
    pub(crate) ino: u64,
    pub(crate) dev: u64,
}

impl Fingerprint {
    /// Reads it from what `fstat` said.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.len(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
            ino: metadata.ino(),
            dev: metadata.dev(),
        }
    }

    /// Whether both are the same file, whatever its contents.
    pub(crate) fn same_file(&self, other: &Self) -> bool {
        (self.ino, self.dev) == (other.ino, other.dev)
    }

    /// What has happened between this state and a later one.
    pub(crate) fn change_to(&self, later: &Self) -> Option<Change> {
        if later.size < self.size {
            Some(Change::Shrunk {
                from: self.size,
                to: later.size,
            })
        } else if later.size > self.size {
            Some(Change::Grown {
                from: self.size,
                to: later.size,
            })
        } else if later.mtime != self.mtime {
            Some(Change::Written)
        } else {
            // The inode alone (chmod, a new link, a new name) says nothing about the contents.
            None
        }
    }
}

/// What another process has done to the file while it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Change {
    #[error("another process cut it from {from} to {to} bytes while it was sent")]
    Shrunk { from: u64, to: u64 },
    #[error("another process made it grow from {from} to {to} bytes while it was sent")]
    Grown { from: u64, to: u64 },
    #[error("another process wrote to it while it was sent")]
    Written,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixListener;
    use tempfile::tempdir;

    fn refused(path: impl AsRef<Path>) -> String {
        Input::open(path.as_ref()).unwrap_err().to_string()
    }

    #[test]
    fn a_regular_file_tells_its_length() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"seven b").unwrap();
        let input = Input::open(&path).unwrap();
        assert_eq!(input.declared_len(), 7);
        assert_eq!(input.change(), None);
    }

    #[test]
    fn an_empty_file_is_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(Input::open(file.path()).unwrap().declared_len(), 0);
    }

    #[test]
    fn what_is_no_regular_file_is_refused_with_a_remedy() {
        let folder = tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(refused(at("nothing")).contains("there is no file"));
        assert!(refused("-").contains("pagewire sends files"));
        assert!(refused(folder.path()).contains("tar -cf"));
        assert!(refused("/dev/zero").contains("is a device"));
        assert!(refused("/proc/version").contains("made up by the kernel"));
        let _listener = UnixListener::bind(at("socket")).unwrap();
        assert!(refused(at("socket")).contains("is a socket"));
        std::os::unix::fs::symlink("loop", at("loop")).unwrap();
        assert!(refused(at("loop")).contains("could not be opened"));
    }

    #[test]
    fn a_fifo_is_refused_without_waiting_for_a_writer() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        assert!(refused(&path).contains("is a FIFO"));
    }

    #[test]
    fn growth_cuts_and_writes_are_told_apart() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"four").unwrap();
        let input = Input::open(file.path()).unwrap();
        let before = input.before;
        assert_eq!(before.change_to(&before), None);
        file.as_file().set_len(9).unwrap();
        assert_eq!(input.change(), Some(Change::Grown { from: 4, to: 9 }));
        file.as_file().set_len(1).unwrap();
        assert_eq!(input.change(), Some(Change::Shrunk { from: 4, to: 1 }));
        let written = Fingerprint {
            mtime: (before.mtime.0 + 1, 0),
            ..before
        };
        assert_eq!(before.change_to(&written), Some(Change::Written));
        let renamed = Fingerprint {
            ctime: (before.ctime.0 + 1, 0),
            ..before
        };
        assert_eq!(before.change_to(&renamed), None);
    }
}
