//! What a mapper has done, and what it may do.

/// What a mapper has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapperCounters {
    /// How often memory was mapped.
    pub maps: u64,
    /// How often a mapping was ended.
    pub unmaps: u64,
    /// How many mappings exist.
    pub mappings: usize,
    /// How many bytes of memory they pin: the system cannot move or swap those.
    pub pinned_bytes: u64,
    /// The most that were pinned at a time.
    pub pinned_bytes_peak: u64,
}

impl MapperCounters {
    /// Counts a new mapping of `len` bytes.
    pub fn count_map(&mut self, len: usize) {
        self.maps += 1;
        self.mappings += 1;
        self.pinned_bytes += len as u64;
        self.pinned_bytes_peak = self.pinned_bytes_peak.max(self.pinned_bytes);
    }

    /// Counts the end of a mapping of `len` bytes.
    pub fn count_unmap(&mut self, len: usize) {
        self.unmaps += 1;
        self.mappings -= 1;
        self.pinned_bytes -= len as u64;
    }
}

/// What a mapper may do. Who maps a lot keeps below it, for rings and frames need some of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapperLimits {
    /// How many mappings may exist at a time.
    pub mappings: usize,
    /// How many bytes may be pinned at a time (`RLIMIT_MEMLOCK`); none where nobody counts them.
    pub pinned_bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_outlives_the_mappings() {
        let mut counters = MapperCounters::default();
        counters.count_map(0x3000);
        counters.count_map(0x1000);
        counters.count_unmap(0x3000);
        counters.count_map(0x2000);
        let told = MapperCounters {
            maps: 3,
            unmaps: 1,
            mappings: 2,
            pinned_bytes: 0x3000,
            pinned_bytes_peak: 0x4000,
        };
        assert_eq!(counters, told);
    }
}
