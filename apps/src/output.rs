//! `--output`: where the received bytes are kept.
//!
//! A regular file is written under another name beside its place (`NAME.partial-PID`) and takes its name only when
//! every byte is verified and on disk: what stands under NAME is always whole. Whatever else happens, the partial file is
//! removed. Devices and FIFOs have nothing to rename; they are written as bytes arrive.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, FallocateFlags, OFlags};
use rustix::io::Errno;

use crate::input::Fingerprint;
use crate::interrupt::Interrupt;

/// How long a FIFO's reader may take to appear.
const READER_LIMIT: Duration = Duration::from_secs(30);
/// How often a wait looks whether it should end.
const LOOK: Duration = Duration::from_millis(100);
/// The longest file name that Linux's file systems take.
const NAME_MAX: usize = 255;

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

/// An output, open for writing.
#[derive(Debug)]
pub(crate) struct Output {
    file: File,
    /// As the person wrote it.
    path: PathBuf,
    kind: Kind,
    interrupt: Interrupt,
}

#[derive(Debug)]
enum Kind {
    /// A regular file that waits for its name.
    Kept { partial: Partial, target: PathBuf },
    /// A character device or FIFO.
    Direct {
        /// Whether standard output leads to the same place.
        shares_stdout: bool,
    },
}

/// A file that vanishes unless it is told that it is whole.
#[derive(Debug)]
struct Partial(Option<PathBuf>);

impl Drop for Partial {
    fn drop(&mut self) {
        if let Some(path) = self.0.take()
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!(
                "the partial file {} could not be removed: {error}",
                path.display()
            );
        }
    }
}

impl Output {
    /// Opens the place for `length` bytes, of `input` where they come from a file.
    pub(crate) fn open(
        path: &Path,
        input: Option<&Fingerprint>,
        length: u64,
        interrupt: &Interrupt,
    ) -> Result<Self, OutputError> {
        let told = |cause| OutputError::explain(path, cause);
        let name = || path.display().to_string();
        let existing = match fs::metadata(path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(told(error)),
        };
        let Some(metadata) = existing else {
            return Self::kept(path, path.to_owned(), None, length, interrupt);
        };
        let kind = metadata.file_type();
        if kind.is_dir() {
            Err(OutputError::Folder { path: name() })
        } else if kind.is_file() {
            if input.is_some_and(|input| Fingerprint::of(&metadata).same_file(input)) {
                return Err(OutputError::IsTheInput { path: name() });
            }
            if is_standard_output(&metadata) {
                return Err(OutputError::IsStandardOutput { path: name() });
            }
            // The file is replaced, not written, yet who may not write it shall not replace it either.
            rustix::fs::access(path, Access::WRITE_OK).map_err(|errno| told(errno.into()))?;
            // A link stays a link: what it leads to is replaced.
            let target = fs::canonicalize(path).map_err(told)?;
            Self::kept(path, target, Some(metadata.permissions()), length, interrupt)
        } else if kind.is_fifo() || kind.is_char_device() {
            Self::direct(path, &metadata, interrupt)
        } else {
            Err(OutputError::Unfit { path: name() })
        }
    }

    fn kept(
        path: &Path,
        target: PathBuf,
        permissions: Option<Permissions>,
        length: u64,
        interrupt: &Interrupt,
    ) -> Result<Self, OutputError> {
        let told = |cause| OutputError::explain(path, cause);
        if path.as_os_str().as_bytes().ends_with(b"/") {
            return Err(OutputError::Folder {
                path: path.display().to_string(),
            });
        }
        let (file, partial) = create_partial(&target).map_err(told)?;
        if let Some(permissions) = permissions {
            file.set_permissions(permissions).map_err(told)?;
        }
        reserve(&file, length, interrupt).map_err(told)?;
        let kind = Kind::Kept { partial, target };
        Ok(Self {
            file,
            path: path.to_owned(),
            kind,
            interrupt: interrupt.clone(),
        })
    }

    fn direct(path: &Path, metadata: &Metadata, interrupt: &Interrupt) -> Result<Self, OutputError> {
        let file = open_for_writing(path, metadata.file_type().is_fifo(), interrupt)?;
        let in_sight = metadata.file_type().is_fifo() || file.is_terminal();
        let kind = Kind::Direct {
            shares_stdout: in_sight && is_standard_output(metadata),
        };
        Ok(Self {
            file,
            path: path.to_owned(),
            kind,
            interrupt: interrupt.clone(),
        })
    }

    /// Whether what is printed on standard output would end up among the received bytes.
    pub(crate) fn shares_stdout(&self) -> bool {
        matches!(self.kind, Kind::Direct { shares_stdout: true })
    }

    /// As the person wrote it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the next bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        write_patiently(&mut self.file, bytes, &self.interrupt)
    }

    /// The written file, where it can be read back.
    pub(crate) fn to_read_back(&self) -> Option<&File> {
        matches!(self.kind, Kind::Kept { .. }).then_some(&self.file)
    }

    /// Everything is verified: puts it on disk and gives it its name.
    pub(crate) fn commit(self) -> Result<(), OutputError> {
        let Kind::Kept { mut partial, target } = self.kind else {
            return Ok(());
        };
        let told = |cause| OutputError::explain(&self.path, cause);
        self.file.sync_all().map_err(told)?;
        if let Some(from) = &partial.0 {
            fs::rename(from, &target).map_err(told)?;
            partial.0 = None;
        }
        // The name itself is on disk when its folder is; a folder that cannot be opened is no reason to fail.
        if let Ok(folder) = File::open(folder_of(&target)) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

/// Opens a device, FIFO or other file for writing without waiting for ever: a FIFO's reader gets some time to appear.
pub(crate) fn open_for_writing(
    path: &Path,
    is_fifo: bool,
    interrupt: &Interrupt,
) -> Result<File, OutputError> {
    let mut options = File::options();
    options.write(true);
    let flags = if is_fifo {
        OFlags::NOCTTY | OFlags::NONBLOCK
    } else {
        OFlags::NOCTTY
    };
    options.custom_flags(flags.bits().cast_signed());
    let begin = Instant::now();
    let mut told = false;
    loop {
        match options.open(path) {
            Ok(file) => return Ok(file),
            Err(error) if is_fifo && error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
                if interrupt.raised() {
                    return Err(OutputError::Interrupted);
                }
                if begin.elapsed() > READER_LIMIT {
                    return Err(OutputError::NoReader {
                        path: path.display().to_string(),
                    });
                }
                if !told {
                    tracing::info!("waiting for somebody to read {}", path.display());
                    told = true;
                }
                std::thread::sleep(LOOK);
            }
            Err(error) => return Err(OutputError::explain(path, error)),
        }
    }
}

/// Writes everything; where the far end of a pipe takes its time, looks for the interrupt while it waits.
fn write_patiently(file: &mut File, mut bytes: &[u8], interrupt: &Interrupt) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                if interrupt.raised() {
                    return Err(io::Error::other("interrupted"));
                }
                if error.kind() == io::ErrorKind::WouldBlock {
                    let look = Timespec {
                        tv_sec: 0,
                        tv_nsec: i64::from(LOOK.subsec_nanos()),
                    };
                    let _ = poll(&mut [PollFd::new(file, PollFlags::OUT)], Some(&look));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Creates `NAME.partial-PID` beside the target.
fn create_partial(target: &Path) -> io::Result<(File, Partial)> {
    let name = target.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let mut result = Err(io::ErrorKind::AlreadyExists.into());
    // Another attempt where a process of the same id has left its file behind.
    for attempt in 0..16 {
        let path = folder_of(target).join(partial_name(name, attempt));
        result = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path);
        match result {
            Ok(file) => return Ok((file, Partial(Some(path)))),
            Err(ref error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(result
        .err()
        .unwrap_or_else(|| io::ErrorKind::AlreadyExists.into()))
}

fn partial_name(name: &OsStr, attempt: u32) -> OsString {
    let mut suffix = format!(".partial-{}", std::process::id());
    if attempt > 0 {
        suffix.push_str(&format!("-{attempt}"));
    }
    let mut bytes = name.as_bytes().to_vec();
    // A name that fits shall not fail because the suffix does not; one that is too long must.
    if bytes.len() <= NAME_MAX {
        bytes.truncate(NAME_MAX - suffix.len());
    }
    bytes.extend_from_slice(suffix.as_bytes());
    OsString::from_vec(bytes)
}

/// Asks the file system for the space now, so that a full disk shows before anything is sent.
fn reserve(file: &File, length: u64, interrupt: &Interrupt) -> io::Result<()> {
    if length == 0 {
        return Ok(());
    }
    loop {
        match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, length) {
            // Not every file system can; then a full disk shows while it is written.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => return Ok(()),
            Err(Errno::INTR) if !interrupt.raised() => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn is_standard_output(metadata: &Metadata) -> bool {
    rustix::fs::fstat(io::stdout()).is_ok_and(|stdout| {
        (stdout.st_dev, stdout.st_ino) == (metadata.dev(), metadata.ino())
            && stdout.st_rdev == metadata.rdev()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tempfile::tempdir;

    fn input() -> (tempfile::NamedTempFile, Fingerprint) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let fingerprint = Fingerprint::of(&file.as_file().metadata().unwrap());
        (file, fingerprint)
    }

    fn open(path: &Path, length: u64) -> Result<Output, OutputError> {
        Output::open(path, Some(&input().1), length, &Interrupt::default())
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_name_appears_only_with_the_commit() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("out");
        let mut output = open(&path, 5).unwrap();
        output.write(b"whole").unwrap();
        assert!(!path.exists());
        assert_eq!(
            names(folder.path()),
            [format!("out.partial-{}", std::process::id())]
        );
        output.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn without_the_commit_nothing_is_left_and_the_old_file_stays() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("out");
        fs::write(&path, b"old").unwrap();
        let mut output = open(&path, 3).unwrap();
        output.write(b"new").unwrap();
        drop(output);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn a_replaced_file_keeps_its_mode_and_a_link_stays_a_link() {
        let folder = tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, b"old").unwrap();
        fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("real", &link).unwrap();
        let mut output = open(&link, 3).unwrap();
        output.write(b"new").unwrap();
        output.commit().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn the_input_is_never_its_own_output_by_whatever_name() {
        let (file, fingerprint) = input();
        let folder = tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(file.path(), &link).unwrap();
        for path in [file.path(), &link] {
            let refused = Output::open(path, Some(&fingerprint), 0, &Interrupt::default()).unwrap_err();
            assert!(matches!(refused, OutputError::IsTheInput { .. }), "{refused}");
        }
    }

    #[test]
    fn places_that_cannot_be_written_are_refused_with_a_remedy() {
        let folder = tempdir().unwrap();
        let refused = |path: &Path| open(path, 0).unwrap_err().to_string();
        assert!(refused(folder.path()).contains("is a folder"));
        assert!(refused(&folder.path().join("new/")).contains("is a folder"));
        assert!(refused(&folder.path().join("none/out")).contains("mkdir -p"));
        fs::write(folder.path().join("file"), b"").unwrap();
        assert!(refused(&folder.path().join("file/out")).contains("mkdir -p"));
        assert!(refused(&folder.path().join("x".repeat(256))).contains("could not be written"));
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn the_longest_name_that_fits_can_be_used() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("x".repeat(NAME_MAX));
        let output = open(&path, 0).unwrap();
        output.commit().unwrap();
        assert!(path.exists());
    }

    #[test]
    fn what_a_dead_process_of_the_same_id_left_is_not_touched() {
        let folder = tempdir().unwrap();
        let left = folder.path().join(partial_name(OsStr::new("out"), 0));
        fs::write(&left, b"left").unwrap();
        open(&folder.path().join("out"), 0).unwrap().commit().unwrap();
        assert_eq!(fs::read(&left).unwrap(), b"left");
    }

    #[test]
    fn a_full_device_says_so() {
        let mut output = open(Path::new("/dev/full"), 0).unwrap();
        assert!(output.to_read_back().is_none());
        let cause = output.write(b"x").unwrap_err();
        let error = OutputError::explain(output.path(), cause);
        assert!(error.to_string().contains("is full"), "{error}");
    }

    #[test]
    fn a_fifo_without_a_reader_gives_way_to_the_interrupt() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        let interrupt = Interrupt::default();
        interrupt.flag().store(true, std::sync::atomic::Ordering::Relaxed);
        let refused = Output::open(&path, Some(&input().1), 0, &interrupt).unwrap_err();
        assert!(matches!(refused, OutputError::Interrupted), "{refused}");
    }

    #[test]
    fn a_reader_of_a_fifo_gets_every_byte_at_its_own_pace() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        let sent: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
        let reader = std::thread::spawn({
            let path = path.clone();
            move || fs::read(path).unwrap()
        });
        let mut output = open(&path, sent.len() as u64).unwrap();
        sent.chunks(70_000).for_each(|bytes| output.write(bytes).unwrap());
        output.commit().unwrap();
        assert!(reader.join().unwrap() == sent);
    }
}
