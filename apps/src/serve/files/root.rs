//! The folder that is served, and the wall around it.
//!
//! Each path is opened beneath the folder by `openat2` with RESOLVE_BENEATH: dot-dot, absolute links, and folders that
//! are moved while a path is walked lead nowhere else, whatever was asked for. What is opened is looked at before: opening what is no
//! file can have effects (a FIFO's writer would find a reader).

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat2};
use rustix::io::Errno;

use crate::serve::http::Status;

/// How often a path is walked anew because somebody has moved a folder on the way.
const TRIES: usize = 4;

/// What becomes of symbolic links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symlinks {
    /// None is followed.
    Refused,
    /// They are followed as long as they lead to something in the folder.
    Inside,
}

/// Why a folder cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum NoRoot {
    /// There is none.
    #[error("there is no folder '{}' to serve: check the name", path.display())]
    Missing {
        /// Its path.
        path: PathBuf,
    },
    /// It is something else.
    #[error("'{}' is no folder: name the folder that it is in", path.display())]
    NoFolder {
        /// Its path.
        path: PathBuf,
    },
    /// The kernel is older than Linux 5.6.
    #[error(
        "this system lacks openat2, which keeps requests inside of the folder: Linux 5.6 or later has it"
    )]
    NoBeneath,
    /// It may not be read, or the system refuses otherwise.
    #[error("the folder '{}' could not be opened: {cause}; name one whose files you may read", path.display())]
    Refused {
        /// Its path.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
}

/// Which file it is, and in which state: equal where nothing has happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    device: u64,
    inode: u64,
    pub(super) len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl State {
    fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            len: u64::try_from(stat.st_size).unwrap_or(0),
            modified: (stat.st_mtime, stat.st_mtime_nsec.cast_signed()),
            changed: (stat.st_ctime, stat.st_ctime_nsec.cast_signed()),
        }
    }

    /// When it was written to.
    pub(super) fn modified(&self) -> SystemTime {
        let (seconds, nanoseconds) = self.modified;
        let nanoseconds = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0));
        match u64::try_from(seconds) {
            Ok(seconds) => UNIX_EPOCH + Duration::from_secs(seconds) + nanoseconds,
            Err(_) => UNIX_EPOCH,
        }
    }
}

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File(State),
    Folder,
}

/// A folder whose files are served.
#[derive(Debug)]
pub struct Root {
    folder: OwnedFd,
    resolve: ResolveFlags,
}

impl Root {
    /// Opens the folder at `path`.
    ///
    /// # Errors
    /// See [`NoRoot`].
    pub fn open(path: &Path, symlinks: Symlinks) -> Result<Self, NoRoot> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| {
            let path = path.to_owned();
            match error {
                Errno::NOENT => NoRoot::Missing { path },
                Errno::NOTDIR => NoRoot::NoFolder { path },
                error => NoRoot::Refused {
                    path,
                    cause: error.into(),
                },
            }
        })?;
        let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        if symlinks == Symlinks::Refused {
            resolve |= ResolveFlags::NO_SYMLINKS;
        }
        let root = Self { folder, resolve };
        // Searched once, so that a folder that may not be is told now and not to each client.
        match root.try_open(b"", OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(_) => Ok(root),
            Err(Errno::NOSYS) => Err(NoRoot::NoBeneath),
            Err(error) => Err(NoRoot::Refused {
                path: path.to_owned(),
                cause: error.into(),
            }),
        }
    }

    /// What `path` names, without opening it.
    pub(super) fn look(&self, path: &[u8]) -> Result<Kind, Status> {
        let place = self.try_open(path, OFlags::PATH).map_err(refusal)?;
        kind_of(&place)
    }

    /// Opens the file at `path` for reading.
    pub(super) fn file(&self, path: &[u8]) -> Result<File, Status> {
        self.look(path)?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = self.try_open(path, flags).map_err(refusal)?;
        // Asked again: the name may stand for something else by now.
        match kind_of(&file)? {
            Kind::File(_) => Ok(File::from(file)),
            Kind::Folder => Err(Status::NotFound),
        }
    }

    /// Opens the folder at `path` to read its names.
    pub(super) fn folder(&self, path: &[u8]) -> Result<Dir, Status> {
        let folder = self
            .try_open(path, OFlags::RDONLY | OFlags::DIRECTORY)
            .map_err(refusal)?;
        Dir::new(folder).map_err(refusal)
    }

    fn try_open(&self, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let path = if path.is_empty() { b"." } else { path };
        let mut tries = 0;
        loop {
            let opened = openat2(
                &self.folder,
                path,
                flags | OFlags::CLOEXEC,
                Mode::empty(),
                self.resolve,
            );
            tries += 1;
            match opened {
                Err(Errno::AGAIN | Errno::INTR) if tries < TRIES => {}
                opened => return opened,
            }
        }
    }
}

/// The state of an open file.
pub(super) fn state_of(file: &File) -> Result<State, Status> {
    Ok(State::of(&fstat(file).map_err(refusal)?))
}

fn kind_of(place: &OwnedFd) -> Result<Kind, Status> {
    let stat = fstat(place).map_err(refusal)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(Kind::File(State::of(&stat))),
        FileType::Directory => Ok(Kind::Folder),
        _ => Err(Status::Forbidden),
    }
}

/// How a refusal of the system is answered.
fn refusal(error: Errno) -> Status {
    match error {
        Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG => Status::NotFound,
        // A link where none is followed, or one that leads out.
        Errno::ACCESS | Errno::PERM | Errno::LOOP | Errno::XDEV => Status::Forbidden,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN => Status::ServiceUnavailable,
        _ => Status::InternalServerError,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder with a file `in/a`, beside a file `secret`, and links between them.
    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("served/in")).unwrap();
        fs::write(at("secret"), "secret").unwrap();
        fs::write(at("served/in/a"), "a").unwrap();
        symlink("in/a", at("served/inside")).unwrap();
        symlink("in", at("served/folder")).unwrap();
        symlink("../secret", at("served/outside")).unwrap();
        symlink(at("secret"), at("served/absolute")).unwrap();
        symlink("/proc/self/root", at("served/magic")).unwrap();
        folder
    }

    fn root(tree: &tempfile::TempDir, symlinks: Symlinks) -> Root {
        Root::open(&tree.path().join("served"), symlinks).unwrap()
    }

    #[test]
    fn a_file_is_opened_and_what_is_not_there_is_not_found() {
        let tree = tree();
        let root = root(&tree, Symlinks::Refused);
        assert_eq!(state_of(&root.file(b"in/a").unwrap()).unwrap().len, 1);
        assert_eq!(root.look(b""), Ok(Kind::Folder));
        assert_eq!(root.look(b"in"), Ok(Kind::Folder));
        for missing in [&b"b"[..], b"in/a/b", &[b'x'; 300]] {
            assert_eq!(root.look(missing), Err(Status::NotFound));
        }
        assert_eq!(root.file(b"in").unwrap_err(), Status::NotFound);
    }

    #[test]
    fn nothing_leads_out_even_where_dots_and_slashes_come_through() {
        let tree = tree();
        for symlinks in [Symlinks::Refused, Symlinks::Inside] {
            let root = root(&tree, symlinks);
            for bad in [
                "../secret",
                "in/../../secret",
                "/etc/passwd",
                "outside",
                "absolute",
                "magic/etc/passwd",
            ] {
                assert_eq!(root.file(bad.as_bytes()).unwrap_err(), Status::Forbidden, "{bad}");
            }
        }
    }

    #[test]
    fn links_inside_are_followed_only_where_that_was_asked_for() {
        let tree = tree();
        for link in [&b"inside"[..], b"folder/a"] {
            assert_eq!(
                root(&tree, Symlinks::Refused).file(link).unwrap_err(),
                Status::Forbidden
            );
            root(&tree, Symlinks::Inside).file(link).unwrap();
        }
    }

    #[test]
    fn what_is_no_file_is_forbidden_and_a_fifo_is_not_opened() {
        let tree = tree();
        let fifo = tree.path().join("served/fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, Mode::RUSR).unwrap();
        let root = root(&tree, Symlinks::Refused);
        assert_eq!(root.file(b"fifo").unwrap_err(), Status::Forbidden);
    }

    #[test]
    fn a_folder_that_cannot_be_served_is_told_with_a_remedy() {
        let tree = tree();
        let open = |name: &str| {
            Root::open(&tree.path().join(name), Symlinks::Refused)
                .unwrap_err()
                .to_string()
        };
        assert!(open("nothing").contains("check the name"));
        assert!(open("secret").contains("is no folder"));
        symlink("loop", tree.path().join("loop")).unwrap();
        assert!(open("loop").contains("you may read"));
    }
}
