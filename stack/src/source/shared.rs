//! A file that many connections send at the same time, again and again.
//!
//! All of it is mapped when it is opened, so a response costs no system call, no look-up and no allocation. That is
//! for files that can be kept mapped whole ([`WindowLimits::kept_bytes`](super::WindowLimits)); a longer one, or one
//! that cannot be mapped, is sent by a [`MappedFile`](super::MappedFile) of each connection's own, [in
//! part](super::Part) where need be.
//!
//! What guards it against change is what guards a [`MappedFile`](super::MappedFile), asked less often: while the kernel
//! grants a read lease, that is looked at every 20 ms at most, and nothing else is. Without one, the fingerprint is
//! compared each time before the last byte of a response is sent, and when it was acknowledged.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use pagewire_nic::dma::{GatherSlice, Region, ToDevice};
use smoltcp::time::Instant;

use super::lease::WatchedLease;
use super::windows::{Version, Windows};
use super::{LeaseState, SourceError};

/// A file mapped whole for the device, to be sent by any number of connections.
pub struct SharedFile {
    file: File,
    version: Version,
    windows: Windows,
    /// All of its windows.
    held: Vec<Arc<Region<ToDevice>>>,
    lease: WatchedLease,
}

/// Why a file cannot be shared. It can be sent by a [`MappedFile`](super::MappedFile) all the same.
#[derive(Debug, thiserror::Error)]
pub enum NotShared {
    /// The system does not tell what file it is.
    #[error("the file cannot be looked at: {0}")]
    Unreadable(#[source] std::io::Error),
    /// It is too long to be kept mapped.
    #[error("its {bytes} bytes are more than the {limit} that are kept mapped")]
    TooLong {
        /// Its length in bytes.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// It cannot be mapped, or there is no room now.
    #[error("it cannot be mapped: {reason}")]
    NotMapped {
        /// Why.
        reason: String,
    },
}

impl SharedFile {
    /// Declares the file as it is now, and maps it.
    ///
    /// # Errors
    /// See [`NotShared`].
    pub fn open(file: File, windows: &Windows) -> Result<Self, NotShared> {
        let lease = WatchedLease::acquire(&file);
        let version = windows.declare(&file).map_err(NotShared::Unreadable)?;
        let (bytes, limit) = (version.fingerprint.size(), windows.limits().kept_bytes);
        if bytes > limit {
            return Err(NotShared::TooLong { bytes, limit });
        }
        let mut shared = Self {
            file,
            version,
            windows: windows.clone(),
            held: Vec::new(),
            lease,
        };
        for index in 0..bytes.div_ceil(windows.window_bytes()) {
            let window = windows.get(&shared.file, &version, index);
            let window = window.map_err(|refusal| NotShared::NotMapped {
                reason: refusal.to_string(),
            })?;
            shared.held.push(window);
        }
        // What was mapped while it was cut short is not there.
        let unchanged = version.fingerprint.check(&shared.file);
        unchanged.map_err(|error| NotShared::NotMapped {
            reason: error.to_string(),
        })?;
        Ok(shared)
    }

    /// Length in bytes, as declared.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.version.fingerprint.size()
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether writers are held off.
    #[must_use]
    pub fn lease(&self) -> LeaseState {
        self.lease.state()
    }

    /// Whether the file still is what was declared, and nobody waits to change it: one system call. Whoever keeps it
    /// for responses to come asks from time to time, and lets it go when it is not.
    #[must_use]
    pub fn is_current(&self) -> bool {
        let by_fingerprint = || self.version.fingerprint.check(&self.file).is_ok();
        self.lease.is_undisputed().unwrap_or_else(by_fingerprint)
    }

    /// The part of `range` that the file has.
    pub(crate) fn clamp(&self, range: Range<u64>) -> Range<u64> {
        let end = range.end.min(self.len());
        range.start.min(end)..end
    }

    /// Appends the slices that hold `len` bytes from `offset` of the file.
    pub(crate) fn gather(
        &self,
        offset: u64,
        len: usize,
        out: &mut Vec<GatherSlice>,
    ) -> Result<(), SourceError> {
        let window_bytes = self.windows.window_bytes();
        let end = offset + len as u64;
        let mut at = offset;
        while at < end {
            let within = at % window_bytes;
            let run = (end - at).min(window_bytes - within);
            let window = Arc::clone(&self.held[(at / window_bytes) as usize]);
            out.push(GatherSlice::new(window, within as usize, run as usize)?);
            at += run;
        }
        Ok(())
    }

    /// Looks at the lease, from time to time.
    pub(crate) fn watch(&self, now: Instant) -> Result<(), SourceError> {
        self.lease.watch(now)
    }

    /// Whether what was handed out is what was declared.
    pub(crate) fn verify(&self, now: Instant) -> Result<(), SourceError> {
        self.watch(now)?;
        self.check()
    }

    /// The same, by what is known of the lease already.
    pub(crate) fn check(&self) -> Result<(), SourceError> {
        if self.lease.was_undisputed() {
            return Ok(());
        }
        self.version.fingerprint.check(&self.file)
    }
}

impl Drop for SharedFile {
    fn drop(&mut self) {
        self.held.clear();
        if !self.version.is_shared() {
            self.windows.let_go_all(&self.version);
        }
    }
}

#[cfg(test)]
mod tests;
