//! A file sent from the page cache: its pages are mapped for the device, read only, window by window.
//!
//! A window is a run of the file that is mapped into this process and into the device's IOMMU. Windows
//! slide: one is mapped when its first byte is gathered, and let go when its last byte is acknowledged; it
//! is unmapped when the last descriptor that names it has completed, because each slice holds it. So a file
//! larger than memory, or than the IOMMU's mapping limit, is sent with a few windows at a time. A file of up
//! to [`KEPT_BYTES`] is mapped whole when it is [prepared](MappedFile::prepare), and kept until it is sent: mapping is
//! then paid for before the first byte, and once.
//!
//! A file may change under way. Where the kernel grants a read lease, a process that opens the file for
//! writing waits until we are done, or for [`LEASE_GRACE`], whichever comes first. Where it grants none (a
//! writer has the file open already, or it is another user's), the fingerprint tells at the end, and before
//! the end of the stream is sent, that the file is not the one that was declared.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

use pagewire_bus::DmaMapper;
use pagewire_nic::dma::{GatherSlice, LeaseRefused, ReadLease, Region, ToDevice};
use smoltcp::time::{Duration, Instant};

use super::{Fingerprint, Source, SourceError};

/// Length of a window in bytes. Large, so that mapping and unmapping (a TLB shoot-down each) stay rare.
pub(crate) const WINDOW_BYTES: u64 = 32 << 20;

/// Files up to this length are mapped whole and kept mapped.
pub const KEPT_BYTES: u64 = 1 << 30;

/// How long another process that opens the file for writing is kept waiting before the transfer is given up.
/// The kernel breaks a lease by force after `/proc/sys/fs/lease-break-time`, 45 s by default.
pub const LEASE_GRACE: Duration = Duration::from_secs(20);

/// How often the lease is looked at: a system call each.
const LEASE_INTERVAL: Duration = Duration::from_millis(20);

/// Whether writers are held off while the file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// The kernel makes writers wait.
    Held,
    /// The kernel granted no lease: only the fingerprint guards.
    Refused(LeaseRefused),
}

/// A file whose pages the device reads in place.
pub struct MappedFile {
    file: File,
    fingerprint: Fingerprint,
    mapper: Arc<dyn DmaMapper>,
    /// Consecutive windows; the first has index `first_window`.
    windows: VecDeque<Arc<Region<ToDevice>>>,
    first_window: u64,
    lease: Result<ReadLease, LeaseRefused>,
    next_lease_check: Instant,
    broken_since: Option<Instant>,
}

impl MappedFile {
    /// Declares the file as it is now. Nothing is mapped yet.
    ///
    /// # Errors
    /// What the system says to `fstat`.
    pub fn new(file: File, mapper: Arc<dyn DmaMapper>) -> std::io::Result<Self> {
        let lease = ReadLease::acquire(&file);
        let fingerprint = Fingerprint::of(&file)?;
        Ok(Self {
            file,
            fingerprint,
            mapper,
            windows: VecDeque::new(),
            first_window: 0,
            lease,
            next_lease_check: Instant::ZERO,
            broken_since: None,
        })
    }

    /// Maps what can be mapped ahead: all of a file of up to [`KEPT_BYTES`], the first window of a longer one. A
    /// file that cannot be mapped shows it here.
    ///
    /// # Errors
    /// The file system's or the mapper's refusal: such a file can be copied instead.
    pub fn prepare(&mut self) -> Result<(), SourceError> {
        if self.is_empty() {
            return Ok(());
        }
        let last = if self.is_kept() {
            (self.len() - 1) / WINDOW_BYTES
        } else {
            0
        };
        for index in 0..=last {
            self.window(index)?;
        }
        Ok(())
    }

    /// Whether writers are held off.
    #[must_use]
    pub fn lease(&self) -> LeaseState {
        match &self.lease {
            Ok(_) => LeaseState::Held,
            Err(reason) => LeaseState::Refused(*reason),
        }
    }

    fn is_kept(&self) -> bool {
        self.len() <= KEPT_BYTES
    }

    /// The window `index`, mapped now if it is the next one.
    fn window(&mut self, index: u64) -> Result<&Arc<Region<ToDevice>>, SourceError> {
        if self.windows.is_empty() {
            self.first_window = index;
        }
        while index >= self.first_window + self.windows.len() as u64 {
            // Mapping beyond the end of a file that was truncated would hand the device pages that are not
            // there: look before each window.
            self.fingerprint.check(&self.file)?;
            let start = (self.first_window + self.windows.len() as u64) * WINDOW_BYTES;
            let len = WINDOW_BYTES.min(self.fingerprint.size() - start) as usize;
            self.windows
                .push_back(Arc::new(Region::map_file(&self.mapper, &self.file, start, len)?));
        }
        Ok(&self.windows[(index - self.first_window) as usize])
    }
}

impl Source for MappedFile {
    fn len(&self) -> u64 {
        self.fingerprint.size()
    }

    fn gather(&mut self, offset: u64, len: usize, out: &mut Vec<GatherSlice>) -> Result<(), SourceError> {
        let end = offset + len as u64;
        let mut at = offset;
        while at < end {
            let index = at / WINDOW_BYTES;
            let within = at % WINDOW_BYTES;
            let run = (end - at).min(WINDOW_BYTES - within);
            let window = Arc::clone(self.window(index)?);
            out.push(GatherSlice::new(window, within as usize, run as usize)?);
            at += run;
        }
        Ok(())
    }

    fn release(&mut self, offset: u64) {
        while !self.is_kept() && !self.windows.is_empty() && (self.first_window + 1) * WINDOW_BYTES <= offset
        {
            self.windows.pop_front();
            self.first_window += 1;
        }
    }

    fn watch(&mut self, now: Instant) -> Result<(), SourceError> {
        let Ok(lease) = &self.lease else { return Ok(()) };
        if now < self.next_lease_check {
            return Ok(());
        }
        self.next_lease_check = now + LEASE_INTERVAL;
        if !lease.broken() {
            return Ok(());
        }
        let since = *self.broken_since.get_or_insert(now);
        if now >= since + LEASE_GRACE {
            return Err(SourceError::LeaseBroken {
                waited_s: (now - since).secs(),
            });
        }
        Ok(())
    }

    fn verify(&mut self) -> Result<(), SourceError> {
        self.fingerprint.check(&self.file)
    }
}
