//! The windows of files that are mapped for the device, shared by all sources of a stack.
//!
//! A window is a run of a file, mapped into this process and into the device's IOMMU, which pins its pages. That
//! costs much more than sending it, so a window that nobody uses any more stays, and a file that is sent again is
//! not mapped again. What is used for the longest time no more goes first, when room is needed.
//!
//! - A window is *in use* while a source holds it, or a descriptor that was posted from it. It is not unmapped then.
//! - It is found by the file's [`Fingerprint`], so that a file that has changed is never sent from pages that it had:
//!   after a truncation a device goes on sending the old ones. Where the times of the file are too young to tell the
//!   next change from the last one, its windows serve only the source that mapped them.
//! - The bytes mapped never exceed [`WindowLimits::bytes`]. When windows in use leave no room, or the mapper refuses,
//!   the source copies instead, and a [`Fallback`] tells why.

mod cache;
mod limits;
#[cfg(test)]
mod tests;

pub use cache::WindowCounters;
pub use limits::WindowLimits;

use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pagewire_bus::{BusError, DmaMapper};
use pagewire_nic::dma::{DmaError, Region, ToDevice};
use parking_lot::Mutex;

use super::Fingerprint;
use cache::{Cache, Key};

/// Fallbacks that wait to be taken; more are only counted.
const FALLBACKS: usize = 64;

/// The mapped windows of a stack. Clones are the same windows.
#[derive(Clone)]
pub struct Windows {
    shared: Arc<Shared>,
}

struct Shared {
    mapper: Arc<dyn DmaMapper>,
    limits: WindowLimits,
    /// Length of a window in bytes.
    window_bytes: u64,
    /// Where sources count the bytes they copy.
    copied: Arc<AtomicU64>,
    /// For the windows of files whose times do not tell the next change.
    next_owner: AtomicU64,
    cache: Mutex<Cache>,
    fallbacks: Mutex<Vec<Fallback>>,
}

/// A file, or the rest of one, that is copied because it could not be mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// The first byte that is copied.
    pub offset: u64,
    /// Why it could not be mapped.
    pub reason: String,
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, reason } = self;
        match offset {
            0 => write!(
                f,
                "the file cannot be mapped for the device ({reason}): its bytes are copied instead"
            ),
            _ => write!(
                f,
                "the file cannot be mapped for the device from byte {offset} on ({reason}): the rest is copied instead"
            ),
        }
    }
}

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Windows in use have all the room there is.
    #[error("{used} bytes of files are mapped and in use, of {limit} that may be")]
    InUse {
        /// Bytes that are mapped.
        used: u64,
        /// The limit.
        limit: u64,
    },
    /// The file system's refusal, or the mapper's.
    #[error(transparent)]
    Dma(#[from] DmaError),
}

impl Refusal {
    /// Whether there may be room later on, when windows are no longer in use.
    pub(super) fn lacks_room(&self) -> bool {
        match self {
            Self::InUse { .. } => true,
            Self::Dma(error) => lacks_room(error),
        }
    }
}

/// A state of a file, as its windows are found by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version {
    pub(super) fingerprint: Fingerprint,
    /// 0 where all may share its windows.
    owner: u64,
}

impl Version {
    /// Whether other sources find its windows.
    pub(super) fn is_shared(&self) -> bool {
        self.owner == 0
    }
}

impl Windows {
    /// No windows yet; `copied` is where bytes are counted that had to be copied instead.
    #[must_use]
    pub fn new(mapper: Arc<dyn DmaMapper>, limits: WindowLimits, copied: Arc<AtomicU64>) -> Self {
        Self {
            shared: Arc::new(Shared {
                mapper,
                window_bytes: limits.window_bytes(),
                limits,
                copied,
                next_owner: AtomicU64::new(1),
                cache: Mutex::default(),
                fallbacks: Mutex::default(),
            }),
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> WindowCounters {
        self.shared.cache.lock().counters()
    }

    /// What they may take.
    #[must_use]
    pub fn limits(&self) -> WindowLimits {
        self.shared.limits
    }

    /// Which files could not be mapped, or not to their end, since this was asked last: for the user to be told.
    #[must_use]
    pub fn take_fallbacks(&self) -> Vec<Fallback> {
        std::mem::take(&mut *self.shared.fallbacks.lock())
    }

    /// The device's memory mapper.
    pub(super) fn mapper(&self) -> &Arc<dyn DmaMapper> {
        &self.shared.mapper
    }

    /// Where sources count the bytes they copy.
    pub(super) fn copied(&self) -> &AtomicU64 {
        &self.shared.copied
    }

    /// Length of a window in bytes.
    pub(super) fn window_bytes(&self) -> u64 {
        self.shared.window_bytes
    }

    /// Declares `file` as it is now. Windows of what it was before go, unless they are in use.
    pub(super) fn declare(&self, file: &File) -> std::io::Result<Version> {
        let (fingerprint, tells_changes) = Fingerprint::of_now(file)?;
        let owner = if tells_changes {
            0
        } else {
            self.shared.next_owner.fetch_add(1, Ordering::Relaxed)
        };
        self.shared.cache.lock().evict_outdated(&fingerprint);
        Ok(Version { fingerprint, owner })
    }

    /// The window `index` of the file: the one that is there, or mapped now. The caller has checked that the file
    /// still is what `version` says.
    pub(super) fn get(
        &self,
        file: &File,
        version: &Version,
        index: u64,
    ) -> Result<Arc<Region<ToDevice>>, Refusal> {
        let Shared { mapper, limits, .. } = &*self.shared;
        let key = Key::new(version, index);
        let start = index * self.window_bytes();
        let len = self.window_bytes().min(version.fingerprint.size() - start);
        let bytes = len.next_multiple_of(rustix::param::page_size() as u64);
        // Held while the window is mapped, so that nobody else maps the same, or takes the room for it.
        let mut cache = self.shared.cache.lock();
        if let Some(region) = cache.find(&key) {
            return Ok(region);
        }
        if !cache.make_room(bytes, limits) {
            return Err(Refusal::InUse {
                used: cache.counters().bytes,
                limit: limits.bytes,
            });
        }
        loop {
            match Region::map_file(mapper, file, start, len as usize) {
                Ok(region) => return Ok(cache.insert(key, region, bytes)),
                // Others map through the same mapper, so it may have less room than was counted on.
                Err(error) if lacks_room(&error) && cache.evict(bytes) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The window need not be kept: it goes as soon as nobody uses it.
    pub(super) fn let_go(&self, version: &Version, index: u64) {
        self.shared.cache.lock().let_go(Key::new(version, index));
    }

    /// The same for all windows of the file.
    pub(super) fn let_go_all(&self, version: &Version) {
        self.shared.cache.lock().let_go_all(version);
    }

    /// Unmaps windows of `bytes` bytes at the least that nobody uses, for memory that is to be mapped instead.
    /// Returns whether any went.
    pub(super) fn yield_room(&self, bytes: u64) -> bool {
        self.shared.cache.lock().evict(bytes)
    }

    /// Notes that a file is copied from here on.
    pub(super) fn fall_back(&self, fallback: Fallback) {
        self.shared.cache.lock().count_fallback();
        let mut waiting = self.shared.fallbacks.lock();
        if waiting.len() < FALLBACKS {
            waiting.push(fallback);
        }
    }
}

/// Whether the mapper would map this if other mappings were ended.
pub(super) fn lacks_room(error: &DmaError) -> bool {
    let DmaError::MapForDevice { source, .. } = error else {
        return false;
    };
    match source {
        BusError::NoIovaSpace { .. } | BusError::LockedMemory { .. } => true,
        BusError::Os { source, .. } => source.kind() == std::io::ErrorKind::OutOfMemory,
        _ => false,
    }
}
