//! A read lease on a file: the kernel makes processes wait that want to write it.
#![allow(unsafe_code, reason = "the lease calls of fcntl have no safe wrapper")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

// fcntl commands of Linux, include/uapi/linux/fcntl.h and include/uapi/asm-generic/fcntl.h.
use libc::{F_GETLEASE, F_RDLCK, F_SETLEASE, F_UNLCK};

/// Command that chooses the signal which tells of a lease break (F_SETSIG; the libc crate has no name for it on all targets).
const F_SETSIG: libc::c_int = 10;

/// A promise of the kernel: another process that opens the file for writing, or truncates it, waits until the lease is
/// released, for `/proc/sys/fs/lease-break-time` seconds (45 by default) at most. Released on drop.
///
/// The lease belongs to the open file description, which the lease keeps open.
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
    /// Asks for a lease on `file`, which is open for reading only.
    ///
    /// # Errors
    /// [`LeaseRefused`] says why there is none.
    pub fn acquire(file: &File) -> Result<Self, LeaseRefused> {
        let file = file.try_clone().map_err(|error| refused(&error))?;
        // The kernel tells of a break by a signal: SIGIO by default, which ends a process that does not expect it. SIGURG
        // is ignored by one that does not.
        fcntl(&file, F_SETSIG, libc::SIGURG).map_err(|error| refused(&error))?;
        fcntl(&file, F_SETLEASE, F_RDLCK.into()).map_err(|error| refused(&error))?;
        Ok(Self { file })
    }

    /// Whether the lease is gone or going: another process waits to write, or waited so long that the kernel gave it
    /// its way. One system call.
    #[must_use]
    pub fn broken(&self) -> bool {
        !matches!(fcntl(&self.file, F_GETLEASE, 0), Ok(kind) if kind == libc::c_int::from(F_RDLCK))
    }
}

impl Drop for ReadLease {
    fn drop(&mut self) {
        // It can only fail where there is no lease any more.
        let _ = fcntl(&self.file, F_SETLEASE, F_UNLCK.into());
    }
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
