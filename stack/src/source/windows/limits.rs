//! How much of the device's address space, and of memory, windows may take.

use pagewire_bus::{DmaMapper, MapperCounters, MapperLimits};

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
    /// copied into. Mapping pins memory, so half of the machine's is the limit in any case.
    #[must_use]
    pub fn of(mapper: &dyn DmaMapper) -> Self {
        let memory = rustix::system::sysinfo();
        let memory = memory.totalram as u64 * u64::from(memory.mem_unit);
        Self::within(mapper.limits(), mapper.counters(), memory)
    }

    fn within(limits: MapperLimits, used: MapperCounters, memory: u64) -> Self {
        let lockable = limits
            .pinned_bytes
            .map_or(u64::MAX, |limit| limit.saturating_sub(used.pinned_bytes) / 4 * 3);
        let bytes = lockable.min(memory / 2);
        Self {
            bytes,
            kept_bytes: MOST_KEPT.min(bytes).min(memory / 4),
            windows: limits.mappings.saturating_sub(used.mappings) / 4 * 3,
        }
    }

    /// Length of a window in bytes: a power of two, and whole pages.
    pub(super) fn window_bytes(&self) -> u64 {
        let page = rustix::param::page_size() as u64;
        let share = (self.bytes / FEWEST_WINDOWS).clamp(page, LONGEST_WINDOW);
        1 << share.ilog2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn limits(pinned_bytes: Option<u64>, pinned: u64, memory: u64) -> WindowLimits {
        let limits = MapperLimits {
            mappings: 65_535,
            pinned_bytes,
        };
        let used = MapperCounters {
            mappings: 35,
            pinned_bytes: pinned,
            ..MapperCounters::default()
        };
        WindowLimits::within(limits, used, memory)
    }

    #[test]
    fn a_machine_with_memory_keeps_a_gigabyte_in_windows_of_32_mebibytes() {
        let limits = limits(None, 8 << 20, 24 * GIB);
        assert_eq!((limits.bytes, limits.kept_bytes), (12 * GIB, GIB));
        assert_eq!(limits.windows, 49_125);
        assert_eq!(limits.window_bytes(), 32 << 20);
    }

    #[test]
    fn a_small_machine_is_not_pinned_whole() {
        let limits = limits(None, 0, GIB / 2);
        assert_eq!((limits.bytes, limits.kept_bytes), (GIB / 4, GIB / 8));
        assert_eq!(limits.window_bytes(), 32 << 20);
    }

    #[test]
    fn under_the_usual_limit_on_locked_memory_windows_are_small_and_there_are_several() {
        // 8 MiB, of which rings and frames have taken most.
        let limits = limits(Some(8 << 20), 6 << 20, 24 * GIB);
        assert_eq!((limits.bytes, limits.kept_bytes), (3 << 19, 3 << 19));
        assert_eq!(limits.window_bytes(), 128 << 10);
    }

    #[test]
    fn where_nothing_may_be_pinned_there_are_no_windows() {
        let limits = limits(Some(1 << 20), 2 << 20, GIB);
        assert_eq!((limits.bytes, limits.kept_bytes), (0, 0));
        assert_eq!(limits.window_bytes(), rustix::param::page_size() as u64);
    }
}
