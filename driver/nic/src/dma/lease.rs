//! A read lease on a file: the kernel makes processes wait that want to write it.
#![allow(unsafe_code, reason = "the lease calls of fcntl have no safe wrapper")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use libc::{F_GETLEASE, F_RDLCK, F_SETLEASE, F_UNLCK};

/// Chooses the signal that tells of a break; Linux, include/uapi/asm-generic/fcntl.h. The libc crate lacks it.
const F_SETSIG: libc::c_int = 10;

/// A promise of the kernel: another process that opens the file for writing, or truncates it, waits until the lease is
/// released, for `/proc/sys/fs/lease-break-time` seconds (45 by default) at most. Released on drop.
///
/// A file may have many read leases at a time. Each belongs to an open file description of its own, so that one that goes
/// leaves the others alone.
#[derive(Debug)]
pub struct ReadLease {
    file: File,
}

/// Why the kernel granted no lease. None of them is an error: the file can be read without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseRefused {
    /// Somebody has the file open for writing.
    #[error("a process has it open for writing")]
    WriterPresent,
    /// The file is another user's, and this process lacks CAP_LEASE.
    #[error("it belongs to another user")]
    NotOwner,
    /// The file system has no leases, or it is no regular file, or leases are switched off.
    #[error("its file system grants no leases")]
    Unsupported,
    /// Something else; the error number of the system.
    #[error("{}", io::Error::from_raw_os_error(*.0))]
    Other(i32),
}

impl ReadLease {
    /// Asks for a lease on `file`, as it is seen through a descriptor that is open for reading.
    ///
    /// # Errors
    /// [`LeaseRefused`] says why there is none.
    pub fn acquire(file: &File) -> Result<Self, LeaseRefused> {
        let file = own_description(file).map_err(|error| refused(&error))?;
        // The kernel tells of a break by a signal: SIGIO by default, which ends a process that does not expect it. SIGURG
        // is ignored by one that does not.
        fcntl(&file, F_SETSIG, libc::SIGURG).map_err(|error| refused(&error))?;
        fcntl(&file, F_SETLEASE, F_RDLCK).map_err(|error| refused(&error))?;
        Ok(Self { file })
    }

    /// Whether the lease is gone or going: another process waits to write, or waited so long that the kernel gave it
    /// its way. One system call.
    #[must_use]
    pub fn broken(&self) -> bool {
        !matches!(fcntl(&self.file, F_GETLEASE, 0), Ok(F_RDLCK))
    }
}

impl Drop for ReadLease {
    fn drop(&mut self) {
        // It can only fail where there is no lease any more.
        let _ = fcntl(&self.file, F_SETLEASE, F_UNLCK);
    }
}

/// Opens the same file once more, for reading. Where that is not allowed any more (the permission was taken away since),
/// the caller's own description serves.
fn own_description(file: &File) -> io::Result<File> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    OpenOptions::new()
        .read(true)
        // Who waits for a lease of another process is not worth waiting for.
        .custom_flags(libc::O_NONBLOCK)
        .open(format!("/proc/self/fd/{}", file.as_raw_fd()))
        .or_else(|_| file.try_clone())
}

fn refused(error: &io::Error) -> LeaseRefused {
    match error.raw_os_error() {
        Some(libc::EAGAIN) => LeaseRefused::WriterPresent,
        Some(libc::EACCES | libc::EPERM) => LeaseRefused::NotOwner,
        Some(libc::EINVAL | libc::EOPNOTSUPP | libc::ENOSYS) => LeaseRefused::Unsupported,
        other => LeaseRefused::Other(other.unwrap_or(0)),
    }
}

fn fcntl(file: &File, command: libc::c_int, argument: libc::c_int) -> io::Result<libc::c_int> {
    // SAFETY: the descriptor is open, and these commands take an integer: no memory is passed.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), command, argument) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use tempfile::NamedTempFile;

    use super::*;

    /// These tests take turns: until the child of one of them has become another program, it has open for writing what
    /// the others have, and they would get no lease.
    fn turn() -> MutexGuard<'static, ()> {
        static TURN: Mutex<()> = Mutex::new(());
        TURN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file of a few bytes with a lease on it, where the file system for temporary files grants any.
    fn leased() -> Option<(NamedTempFile, ReadLease)> {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(b"bytes").unwrap();
        let (_, path) = file.into_parts();
        let reader = File::open(&path).unwrap();
        let file = NamedTempFile::from_parts(reader, path);
        match ReadLease::acquire(file.as_file()) {
            Ok(lease) => Some((file, lease)),
            Err(LeaseRefused::Unsupported) => {
                println!(
                    "skipped: the file system of {} grants no leases",
                    file.path().display()
                );
                None
            }
            Err(other) => panic!("no lease: {other}"),
        }
    }

    fn open_for_writing(file: &NamedTempFile) -> io::Result<File> {
        OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(file.path())
    }

    #[test]
    fn a_writer_has_to_wait_and_the_lease_says_so() {
        let _turn = turn();
        let Some((file, lease)) = leased() else { return };
        assert!(!lease.broken());
        assert_eq!(
            open_for_writing(&file).unwrap_err().raw_os_error(),
            Some(libc::EWOULDBLOCK)
        );
        assert!(lease.broken());
        drop(lease);
        open_for_writing(&file).unwrap();
    }

    #[test]
    fn a_break_does_not_end_the_process_and_the_writer_goes_on_after_the_release() {
        let _turn = turn();
        let Some((file, lease)) = leased() else { return };
        // Blocks in the kernel until the lease is released.
        let mut writer = std::process::Command::new("sh")
            .args(["-c", ": > \"$0\""])
            .arg(file.path())
            .spawn()
            .unwrap();
        let broken = (0..1000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            lease.broken()
        });
        assert!(broken, "the lease was not broken within 10 s");
        assert_eq!(file.as_file().metadata().unwrap().len(), 5);
        drop(lease);
        assert!(writer.wait().unwrap().success());
        assert_eq!(file.as_file().metadata().unwrap().len(), 0);
    }

    #[test]
    fn readers_do_not_break_it_and_each_lease_is_released_alone() {
        let _turn = turn();
        let Some((file, first)) = leased() else { return };
        let second = ReadLease::acquire(file.as_file()).unwrap();
        File::open(file.path()).unwrap();
        drop(first);
        assert!(!second.broken());
        assert!(open_for_writing(&file).is_err());
        assert!(second.broken());
    }

    #[test]
    fn none_is_granted_while_a_writer_has_the_file_open() {
        let _turn = turn();
        let Some((file, lease)) = leased() else { return };
        drop(lease);
        let writer = open_for_writing(&file).unwrap();
        assert_eq!(
            ReadLease::acquire(file.as_file()).unwrap_err(),
            LeaseRefused::WriterPresent
        );
        drop(writer);
        ReadLease::acquire(file.as_file()).unwrap();
    }

    #[test]
    fn none_is_granted_on_another_users_file_or_on_what_is_no_file() {
        let refusal = ReadLease::acquire(&File::open("/dev/null").unwrap()).unwrap_err();
        assert_eq!(refusal, LeaseRefused::Unsupported);
        if rustix::process::geteuid().is_root() {
            return println!("skipped: root is granted leases on all files");
        }
        let refusal = ReadLease::acquire(&File::open("/etc/passwd").unwrap()).unwrap_err();
        assert!(
            matches!(refusal, LeaseRefused::NotOwner | LeaseRefused::Unsupported),
            "{refusal}"
        );
    }
}
