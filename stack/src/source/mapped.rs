//! A file sent from the page cache: its pages are mapped for the device, read only, window by window.
//!
//! The [`Windows`] are those of the stack, and shared. This source holds the ones that it may be asked for: from the
//! one with the oldest byte that is not acknowledged to the one that was asked for last. What becomes of a window
//! that it lets go depends on the file's length:
//! - a file that can be kept whole ([`WindowLimits::kept_bytes`](super::WindowLimits)) leaves its windows mapped, for
//!   the next time that it is sent;
//! - of a longer one only a few windows are mapped at a time: so a file larger than memory, or than the limits, can be
//!   sent. By the time it is sent again its first windows would be gone in any case.
//!
//! What cannot be mapped is copied: all of the file, or the rest of it from the window on that was refused. The
//! connection does not notice.
//!
//! A file may change under way. Where the kernel grants a read lease, a process that opens the file for
//! writing waits until we are done, or for [`LEASE_GRACE`](super::LEASE_GRACE), whichever comes first. Where it grants none (a
//! writer has the file open already, or it is another user's), the fingerprint tells at the end, and before
//! the end of the stream is sent, that the file is not the one that was declared.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

use pagewire_nic::dma::{GatherSlice, Region, ToDevice};
use smoltcp::time::Instant;

use super::lease::WatchedLease;
use super::windows::{Fallback, Refusal, Version, Windows};
use super::{CopiedFile, LeaseState, Source, SourceError};

/// A file whose pages the device reads in place.
pub struct MappedFile {
    file: File,
    version: Version,
    windows: Windows,
    /// Consecutive windows; the first has index `first`, below which all is acknowledged.
    held: VecDeque<Arc<Region<ToDevice>>>,
    first: u64,
    /// Where the file could not be mapped.
    rest: Option<Rest>,
    lease: WatchedLease,
}

/// What is copied of a file.
struct Rest {
    /// The first byte that is copied.
    from: u64,
    file: CopiedFile,
}

impl MappedFile {
    /// Declares the file as it is now. Nothing is mapped yet.
    ///
    /// # Errors
    /// What the system says to `fstat`.
    pub fn new(file: File, windows: &Windows) -> std::io::Result<Self> {
        let lease = WatchedLease::acquire(&file);
        let version = windows.declare(&file)?;
        Ok(Self {
            file,
            version,
            windows: windows.clone(),
            held: VecDeque::new(),
            first: 0,
            rest: None,
            lease,
        })
    }

    /// Maps what can be mapped ahead: all of a file that can be kept whole, the first window of a longer one. A
    /// file that cannot be mapped shows it here: it will be copied.
    ///
    /// # Errors
    /// [`SourceError::Changed`] and what the system says.
    pub fn prepare(&mut self) -> Result<(), SourceError> {
        if self.is_empty() {
            return Ok(());
        }
        let last = if self.is_kept() {
            (self.len() - 1) / self.windows.window_bytes()
        } else {
            0
        };
        for index in self.first + self.held.len() as u64..=last {
            self.version.fingerprint.check(&self.file)?;
            match self.windows.get(&self.file, &self.version, index) {
                Ok(window) => self.held.push_back(window),
                // There will be room for it when others are acknowledged.
                Err(refusal) if refusal.lacks_room() && index > 0 => break,
                Err(refusal) => return self.fall_back(index, &refusal),
            }
        }
        Ok(())
    }

    /// Whether writers are held off.
    #[must_use]
    pub fn lease(&self) -> LeaseState {
        self.lease.state()
    }

    /// Whether its windows stay mapped when they are acknowledged.
    fn is_kept(&self) -> bool {
        self.len() <= self.windows.limits().kept_bytes
    }

    /// Holds all windows up to `index`, or falls back to copying at one that cannot be had.
    fn reach(&mut self, index: u64) -> Result<(), SourceError> {
        while self.rest.is_none() && index >= self.first + self.held.len() as u64 {
            // Mapping beyond the end of a file that was truncated would hand the device pages that are not
            // there, and a window that was mapped before the truncation has bytes that are no longer the file's.
            self.version.fingerprint.check(&self.file)?;
            let next = self.first + self.held.len() as u64;
            match self.windows.get(&self.file, &self.version, next) {
                Ok(window) => self.held.push_back(window),
                Err(refusal) => self.fall_back(next, &refusal)?,
            }
        }
        Ok(())
    }

    /// From the window `index` on the file is copied.
    fn fall_back(&mut self, index: u64, refusal: &Refusal) -> Result<(), SourceError> {
        // A file that was truncated meanwhile cannot be mapped either, and is not to be sent at all.
        self.version.fingerprint.check(&self.file)?;
        let offset = index * self.windows.window_bytes();
        let file = self
            .file
            .try_clone()
            .map_err(|source| SourceError::Read { offset, source })?;
        self.windows.fall_back(Fallback {
            offset,
            reason: refusal.to_string(),
        });
        self.rest = Some(Rest {
            from: offset,
            file: CopiedFile::from(file, self.version.fingerprint, offset, &self.windows),
        });
        Ok(())
    }
}

impl Source for MappedFile {
    fn len(&self) -> u64 {
        self.version.fingerprint.size()
    }

    fn gather(&mut self, offset: u64, len: usize, out: &mut Vec<GatherSlice>) -> Result<(), SourceError> {
        let window_bytes = self.windows.window_bytes();
        let end = offset + len as u64;
        let mut at = offset;
        while at < end {
            let index = at / window_bytes;
            self.reach(index)?;
            if let Some(rest) = &mut self.rest
                && at >= rest.from
            {
                return rest.file.gather(at, (end - at) as usize, out);
            }
            let within = at % window_bytes;
            let run = (end - at).min(window_bytes - within);
            let window = Arc::clone(&self.held[(index - self.first) as usize]);
            out.push(GatherSlice::new(window, within as usize, run as usize)?);
            at += run;
        }
        Ok(())
    }

    fn release(&mut self, offset: u64) {
        while (self.first + 1) * self.windows.window_bytes() <= offset {
            if self.held.pop_front().is_some() && !self.is_kept() {
                self.windows.let_go(&self.version, self.first);
            }
            self.first += 1;
        }
        if let Some(rest) = &mut self.rest {
            rest.file.release(offset);
        }
    }

    fn watch(&mut self, now: Instant) -> Result<(), SourceError> {
        self.lease.watch(now)
    }

    fn verify(&mut self) -> Result<(), SourceError> {
        self.version.fingerprint.check(&self.file)
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        self.held.clear();
        if !self.is_kept() || !self.version.is_shared() {
            self.windows.let_go_all(&self.version);
        }
    }
}

#[cfg(test)]
mod tests;
