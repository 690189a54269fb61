//! How much of the device's address space, and of memory, windows may take.

use pagewire_bus::DmaMapper;

/// Length of a window in bytes where there is room. Large, so that mapping and unmapping (a TLB shoot-down
/// each) stay rare.
const LONGEST_WINDOW: u64 = 32 << 20;

/// Windows that there is room for at the least: those of the bytes in flight, and the next one.
const FEWEST_WINDOWS: u64 = 8;

/// Most bytes that are kept mapped for a file to be sent again.
const MOST_KEPT: u64 = 1 << 30;

/// What the windows of a stack may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowLimits {
    /// Bytes that are mapped at a time.
    pub bytes: u64,
    /// Bytes up to which windows that nobody uses stay mapped. No more than `bytes`.
    pub kept_bytes: u64,
    /// Windows that are mapped at a time.
    pub windows: usize,
}

impl WindowLimits {
    /// What `mapper` has room for now, less a quarter for whoever else maps: frames, and the memory that bytes are
    /// copied into. Mapping pins memory, so where nobody counts pinned bytes, half of the machine's is the limit.
    #[must_use]
    pub fn of(mapper: &dyn DmaMapper) -> Self {
        let (limits, used) = (mapper.limits(), mapper.counters());
        let memory = rustix::system::sysinfo();
        let memory = memory.totalram as u64 * u64::from(memory.mem_unit);
        let lockable = limits
            .pinned_bytes
            .map_or(u64::MAX, |limit| limit.saturating_sub(used.pinned_bytes) / 4 * 3);
        let bytes = lockable.min(memory / 2);
        let windows = limits.mappings.saturating_sub(used.mappings) / 4 * 3;
        Self {
            bytes,
            kept_bytes: MOST_KEPT.min(bytes).min(memory / 4),
            windows,
        }
    }

    /// Length of a window in bytes: a power of two, and whole pages.
    pub(super) fn window_bytes(&self) -> u64 {
        let page = rustix::param::page_size() as u64;
        let share = (self.bytes / FEWEST_WINDOWS).clamp(page, LONGEST_WINDOW);
        1 << share.ilog2()
    }
}
