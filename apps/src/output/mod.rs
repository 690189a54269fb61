//! `--output`: where the received bytes are kept.
//!
//! A regular file is written under another name beside its place (`NAME.partial-PID`) and takes its name only when
//! every byte is verified and on disk: what stands under NAME is always whole. Whatever else happens, the partial file is
//! removed. Devices and FIFOs have nothing to rename; they are written as bytes arrive.

mod error;
mod fifo;
mod partial;

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::Access;

pub(crate) use error::OutputError;
pub(crate) use fifo::open_for_writing;

use crate::input::Fingerprint;
use crate::interrupt::Interrupt;
use fifo::write_patiently;
use partial::{Partial, folder_of};

/// Links that Linux follows at most (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// An output, open for writing.
#[derive(Debug)]
pub(crate) struct Output {
    file: File,
    /// As the person wrote it; where a link leads that leads nowhere yet.
    path: PathBuf,
    kind: Kind,
    interrupt: Interrupt,
}

#[derive(Debug)]
enum Kind {
    /// A regular file that waits for its name.
    Kept(Partial),
    /// A character device or FIFO.
    Direct {
        /// Whether standard output leads to the same place.
        shares_stdout: bool,
    },
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
            let target = follow(path);
            return Self::kept(&target, target.clone(), None, length, interrupt);
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
        let (file, partial) = Partial::create(target, permissions, length, interrupt).map_err(told)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            kind: Kind::Kept(partial),
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

    /// As the person wrote it; where a link leads that leads nowhere yet.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the next bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        write_patiently(&mut self.file, bytes, &self.interrupt)
    }

    /// The written file, where it can be read back.
    pub(crate) fn to_read_back(&self) -> Option<&File> {
        matches!(self.kind, Kind::Kept(_)).then_some(&self.file)
    }

    /// Everything is verified: puts it on disk and gives it its name.
    pub(crate) fn commit(self) -> Result<(), OutputError> {
        match self.kind {
            Kind::Kept(partial) => partial
                .commit(&self.file)
                .map_err(|cause| OutputError::explain(&self.path, cause)),
            Kind::Direct { .. } => Ok(()),
        }
    }
}

/// Where a file will be that is not there yet: a link may lead there.
fn follow(path: &Path) -> PathBuf {
    let mut target = path.to_owned();
    // Links in a ring are no file that is not there: the system has said so by now.
    for _ in 0..MOST_LINKS {
        let Ok(next) = fs::read_link(&target) else { break };
        target = folder_of(&target).join(next);
    }
    target
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
    fn a_link_that_leads_nowhere_yet_leads_to_the_output() {
        let folder = tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        std::os::unix::fs::symlink("second", at("first")).unwrap();
        std::os::unix::fs::symlink("sub/real", at("second")).unwrap();
        let mut output = open(&at("first"), 3).unwrap();
        output.write(b"new").unwrap();
        output.commit().unwrap();
        assert_eq!(fs::read(at("sub/real")).unwrap(), b"new");
        assert!(fs::symlink_metadata(at("first")).unwrap().is_symlink());
        assert_eq!(names(&at("sub")), ["real"]);
        std::os::unix::fs::symlink("none/out", at("lost")).unwrap();
        let refused = open(&at("lost"), 0).unwrap_err().to_string();
        assert!(refused.contains("none'"), "{refused}");
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
    fn a_full_device_says_so() {
        let mut output = open(Path::new("/dev/full"), 0).unwrap();
        assert!(output.to_read_back().is_none());
        let cause = output.write(b"x").unwrap_err();
        let error = OutputError::explain(output.path(), cause);
        assert!(error.to_string().contains("is full"), "{error}");
    }
}
