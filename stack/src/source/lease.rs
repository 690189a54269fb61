//! A read lease on a file that is sent, and the patience of whoever waits to write it.

use std::fs::File;
use std::sync::atomic::{AtomicI64, Ordering};

use pagewire_nic::dma::{LeaseRefused, ReadLease};
use smoltcp::time::{Duration, Instant};

use super::SourceError;

/// How long another process that opens the file for writing is kept waiting before the transfer is given up.
/// The kernel breaks a lease by force after `/proc/sys/fs/lease-break-time`, 45 s by default.
pub const LEASE_GRACE: Duration = Duration::from_secs(20);

/// How often the lease is looked at: a system call each.
const INTERVAL: Duration = Duration::from_millis(20);

/// No process waits to write the file.
const NOBODY: i64 = i64::MAX;

/// Whether writers are held off while the file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// The kernel makes writers wait.
    Held,
    /// The kernel granted no lease: only the fingerprint guards.
    Refused(LeaseRefused),
}

/// The lease on a file, where the kernel grants one; looked at from time to time.
pub(super) struct WatchedLease {
    lease: Result<ReadLease, LeaseRefused>,
    /// When to look at it again, in microseconds.
    next_look: AtomicI64,
    /// Since when a process waits to write the file, in microseconds; [`NOBODY`] where none was seen.
    wanted_since: AtomicI64,
}

impl WatchedLease {
    /// Asks the kernel for one.
    pub(super) fn acquire(file: &File) -> Self {
        Self {
            lease: ReadLease::acquire(file),
            next_look: AtomicI64::new(i64::MIN),
            wanted_since: AtomicI64::new(NOBODY),
        }
    }

    /// Whether writers are held off.
    pub(super) fn state(&self) -> LeaseState {
        match &self.lease {
            Ok(_) => LeaseState::Held,
            Err(reason) => LeaseState::Refused(*reason),
        }
    }

    /// Whether there is a lease that nobody wants an end of: one system call. `None` where there is no lease.
    pub(super) fn is_undisputed(&self) -> Option<bool> {
        self.lease.as_ref().ok().map(|lease| !lease.broken())
    }

    /// Whether a lease has held writers off, and none was seen to wait.
    pub(super) fn was_undisputed(&self) -> bool {
        self.lease.is_ok() && self.wanted_since.load(Ordering::Relaxed) == NOBODY
    }

    /// Looks at it, from time to time.
    ///
    /// # Errors
    /// [`SourceError::LeaseBroken`] once somebody has waited for [`LEASE_GRACE`].
    pub(super) fn watch(&self, now: Instant) -> Result<(), SourceError> {
        let Ok(lease) = &self.lease else { return Ok(()) };
        if now.total_micros() < self.next_look.load(Ordering::Relaxed) {
            return Ok(());
        }
        let next = (now + INTERVAL).total_micros();
        self.next_look.store(next, Ordering::Relaxed);
        if !lease.broken() {
            return Ok(());
        }
        let since = self.wanted_since.load(Ordering::Relaxed).min(now.total_micros());
        self.wanted_since.store(since, Ordering::Relaxed);
        let waited = now - Instant::from_micros(since);
        if waited >= LEASE_GRACE {
            return Err(SourceError::LeaseBroken {
                waited_s: waited.secs(),
            });
        }
        Ok(())
    }
}
