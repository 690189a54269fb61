//! A regular file that has another name until it is whole: whoever sees NAME sees all of it, whatever happens meanwhile.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::interrupt::Interrupt;

/// The longest file name that Linux's file systems take.
const NAME_MAX: usize = 255;

/// `NAME.partial-PID` beside NAME. It vanishes unless it is told that it is whole.
#[derive(Debug)]
pub(super) struct Partial {
    /// Where it is, until it has its name.
    path: Option<PathBuf>,
    target: PathBuf,
}

impl Partial {
    /// Creates it beside `target` with room for `length` bytes, open for reading and writing.
    pub(super) fn create(
        target: PathBuf,
        permissions: Option<Permissions>,
        length: u64,
        interrupt: &Interrupt,
    ) -> io::Result<(File, Self)> {
        let (file, path) = create_beside(&target)?;
        let partial = Self {
            path: Some(path),
            target,
        };
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        reserve(&file, length, interrupt)?;
        Ok((file, partial))
    }

    /// It is whole: puts it on disk and gives it its name. `file` is what [`Partial::create`] has opened.
    pub(super) fn commit(mut self, file: &File) -> io::Result<()> {
        file.sync_all()?;
        if let Some(path) = &self.path {
            fs::rename(path, &self.target)?;
            self.path = None;
        }
        // The name itself is on disk when its folder is; a folder that cannot be opened is no reason to fail.
        if let Ok(folder) = File::open(folder_of(&self.target)) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Some(path) = self.path.take()
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!(
                "the partial file {} could not be removed: {error}",
                path.display()
            );
        }
    }
}

fn create_beside(target: &Path) -> io::Result<(File, PathBuf)> {
    let name = target.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    // Another attempt where a process of the same id has left its file behind.
    for attempt in 0..16 {
        let path = folder_of(target).join(partial_name(name, attempt));
        let created = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path);
        match created {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return Ok((created?, path)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
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

pub(super) fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::tempdir;

    fn create(target: &Path) -> (File, Partial) {
        Partial::create(target.to_owned(), None, 0, &Interrupt::default()).unwrap()
    }

    #[test]
    fn the_longest_name_that_fits_can_be_used() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("x".repeat(NAME_MAX));
        let (file, partial) = create(&path);
        partial.commit(&file).unwrap();
        assert!(path.exists());
    }

    #[test]
    fn what_a_dead_process_of_the_same_id_left_is_not_touched() {
        let folder = tempdir().unwrap();
        let left = folder.path().join(partial_name(OsStr::new("out"), 0));
        fs::write(&left, b"left").unwrap();
        let (file, partial) = create(&folder.path().join("out"));
        partial.commit(&file).unwrap();
        assert_eq!(fs::read(&left).unwrap(), b"left");
    }
}
