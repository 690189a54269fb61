//! Which windows are mapped, and which of them go first.

use std::collections::BTreeMap;
use std::sync::Arc;

use pagewire_nic::dma::{Region, ToDevice};

use super::{Version, WindowLimits};
use crate::source::Fingerprint;

/// What was counted of the windows of a stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowCounters {
    /// Windows mapped so far.
    pub maps: u64,
    /// Windows unmapped so far.
    pub unmaps: u64,
    /// How often a window was asked for that was mapped already.
    pub hits: u64,
    /// Windows that are mapped now.
    pub windows: usize,
    /// Their length in bytes, in whole pages.
    pub bytes: u64,
    /// The most of these at a time.
    pub bytes_peak: u64,
    /// Files that were copied, or the rest of them, because they could not be mapped.
    pub fallbacks: u64,
}

/// What a window is found by. Those of a file lie next to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    fingerprint: Fingerprint,
    /// 0 where all may share it, else the source that it is for.
    owner: u64,
    index: u64,
}

impl Key {
    pub(super) fn new(version: &Version, index: u64) -> Self {
        Self {
            fingerprint: version.fingerprint,
            owner: version.owner,
            index,
        }
    }
}

struct Window {
    region: Arc<Region<ToDevice>>,
    bytes: u64,
    /// When it was asked for last: its place in the order.
    used: u64,
}

impl Window {
    /// Whether a source or a posted descriptor holds it. New holders come only through the cache, so one that is not
    /// in use stays so while the cache is locked.
    fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.region) > 1
    }
}

/// The windows that are mapped.
#[derive(Default)]
pub(super) struct Cache {
    windows: BTreeMap<Key, Window>,
    /// The same by when they were asked for last.
    order: BTreeMap<u64, Key>,
    next_use: u64,
    /// Windows that go as soon as nobody uses them.
    going: Vec<Key>,
    counters: WindowCounters,
}

impl Cache {
    pub(super) fn counters(&self) -> WindowCounters {
        self.counters
    }

    pub(super) fn count_fallback(&mut self) {
        self.counters.fallbacks += 1;
    }

    /// The window, if it is mapped.
    pub(super) fn find(&mut self, key: &Key) -> Option<Arc<Region<ToDevice>>> {
        let window = self.windows.get_mut(key)?;
        self.order.remove(&window.used);
        window.used = self.next_use;
        self.order.insert(self.next_use, *key);
        self.next_use += 1;
        self.counters.hits += 1;
        Some(Arc::clone(&window.region))
    }

    /// Adds a window that was just mapped.
    pub(super) fn insert(&mut self, key: Key, region: Region<ToDevice>, bytes: u64) -> Arc<Region<ToDevice>> {
        let region = Arc::new(region);
        let window = Window {
            region: Arc::clone(&region),
            bytes,
            used: self.next_use,
        };
        self.order.insert(self.next_use, key);
        self.next_use += 1;
        let before = self.windows.insert(key, window);
        debug_assert!(before.is_none(), "a window is mapped only where there is none");
        let counters = &mut self.counters;
        counters.maps += 1;
        counters.windows += 1;
        counters.bytes += bytes;
        counters.bytes_peak = counters.bytes_peak.max(counters.bytes);
        region
    }

    /// Unmaps what nobody uses until another `bytes` can be kept; returns whether they may be mapped.
    pub(super) fn make_room(&mut self, bytes: u64, limits: &WindowLimits) -> bool {
        self.sweep();
        while (self.counters.bytes + bytes > limits.kept_bytes || self.windows.len() >= limits.windows)
            && self.evict(1)
        {}
        self.counters.bytes + bytes <= limits.bytes && self.windows.len() < limits.windows
    }

    /// Unmaps the oldest windows that nobody uses, of `bytes` bytes at the least if there are so many. Returns whether
    /// any went.
    pub(super) fn evict(&mut self, bytes: u64) -> bool {
        let enough = self.counters.bytes.saturating_sub(bytes);
        let before = self.windows.len();
        let mut after = 0;
        while self.counters.bytes > enough {
            let mut later = self.order.range(after..);
            let Some((&used, &key)) = later.find(|(_, key)| !self.windows[key].is_in_use()) else {
                break;
            };
            self.remove(&key);
            after = used;
        }
        self.windows.len() < before
    }

    /// Unmaps windows of the same file in another state, where nobody uses them.
    pub(super) fn evict_outdated(&mut self, now: &Fingerprint) {
        let of_file = now.all_of_file();
        let keys = Key {
            fingerprint: *of_file.start(),
            owner: 0,
            index: 0,
        }..=Key {
            fingerprint: *of_file.end(),
            owner: u64::MAX,
            index: u64::MAX,
        };
        let outdated: Vec<Key> = self
            .windows
            .range(keys)
            .filter(|(key, window)| key.fingerprint != *now && !window.is_in_use())
            .map(|(key, _)| *key)
            .collect();
        for key in outdated {
            self.remove(&key);
        }
    }

    /// The window goes as soon as nobody uses it.
    pub(super) fn let_go(&mut self, key: Key) {
        if self.windows.contains_key(&key) {
            self.going.push(key);
            self.sweep();
        }
    }

    /// The same for all windows of a state of a file.
    pub(super) fn let_go_all(&mut self, version: &Version) {
        let keys = Key::new(version, 0)..=Key::new(version, u64::MAX);
        self.going.extend(self.windows.range(keys).map(|(key, _)| *key));
        self.sweep();
    }

    /// Unmaps those that are to go and that nobody uses any more.
    fn sweep(&mut self) {
        let mut going = std::mem::take(&mut self.going);
        going.retain(|key| match self.windows.get(key) {
            Some(window) if window.is_in_use() => true,
            Some(_) => {
                self.remove(key);
                false
            }
            None => false,
        });
        self.going = going;
    }

    fn remove(&mut self, key: &Key) {
        let Some(window) = self.windows.remove(key) else {
            return;
        };
        self.order.remove(&window.used);
        self.counters.unmaps += 1;
        self.counters.windows -= 1;
        self.counters.bytes -= window.bytes;
    }
}
