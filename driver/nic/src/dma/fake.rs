//! A mapper without a device behind it, for tests: it remembers what is mapped, reads and writes it as a device would, and
//! notes whether the memory is still there when it is unmapped.
#![allow(
    unsafe_code,
    reason = "plays the device: reads and writes memory by its address"
)]

use std::sync::{Arc, Mutex};

use pagewire_bus::{BusError, Direction, DmaMapper, HostRange, Iova, MapperCounters, MapperLimits};

/// One mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapping {
    pub(crate) iova: Iova,
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) direction: Direction,
}

#[derive(Debug, Default)]
struct State {
    mapped: Vec<Mapping>,
    /// What was unmapped, and whether the process still had the memory then.
    unmapped: Vec<(Mapping, bool)>,
    counters: MapperCounters,
    refuse_map: bool,
    refuse_unmap: bool,
}

/// The mapper.
#[derive(Debug, Default)]
pub(crate) struct FakeMapper {
    state: Mutex<State>,
}

impl FakeMapper {
    /// A mapper, as the tests and as the code under test see it.
    pub(crate) fn new() -> (Arc<Self>, Arc<dyn DmaMapper>) {
        let fake = Arc::new(Self::default());
        (Arc::clone(&fake), fake)
    }

    pub(crate) fn refuse_map(&self) {
        self.state.lock().unwrap().refuse_map = true;
    }

    pub(crate) fn refuse_unmap(&self) {
        self.state.lock().unwrap().refuse_unmap = true;
    }

    pub(crate) fn mapped(&self) -> Vec<Mapping> {
        self.state.lock().unwrap().mapped.clone()
    }

    pub(crate) fn unmapped(&self) -> Vec<(Mapping, bool)> {
        self.state.lock().unwrap().unmapped.clone()
    }

    /// What a device reads at `iova`. The caller sees to it that nobody writes there meanwhile.
    pub(crate) fn read(&self, iova: Iova, len: usize) -> Vec<u8> {
        let from = self.translate(iova, len, Direction::device_reads);
        let mut bytes = vec![0; len];
        // SAFETY: the range lies in a live mapping, whose memory its region keeps until it is unmapped.
        unsafe {
            std::ptr::copy_nonoverlapping(std::ptr::with_exposed_provenance(from), bytes.as_mut_ptr(), len)
        };
        bytes
    }

    /// Writes as a device does. The caller sees to it that no reference to the bytes exists.
    pub(crate) fn write(&self, iova: Iova, bytes: &[u8]) {
        let to = self.translate(iova, bytes.len(), Direction::device_writes);
        // SAFETY: as in `read`; the memory of a mapping that a device may write is writable.
        unsafe {
            std::ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                std::ptr::with_exposed_provenance_mut(to),
                bytes.len(),
            )
        };
    }

    fn translate(&self, iova: Iova, len: usize, allowed: impl Fn(Direction) -> bool) -> usize {
        let mapped = self.mapped();
        let found = mapped
            .iter()
            .find(|m| m.iova <= iova && iova.0 + len as u64 <= m.iova.0 + m.len as u64);
        let mapping = found.unwrap_or_else(|| panic!("{iova}, {len} bytes, is not mapped"));
        assert!(
            allowed(mapping.direction),
            "{iova} is mapped {:?}",
            mapping.direction
        );
        mapping.start + (iova.0 - mapping.iova.0) as usize
    }
}

impl DmaMapper for FakeMapper {
    unsafe fn map(&self, memory: HostRange, direction: Direction) -> Result<Iova, BusError> {
        let page = rustix::param::page_size();
        let (start, len) = (memory.start.as_ptr().expose_provenance(), memory.len);
        assert!(start.is_multiple_of(page) && len.is_multiple_of(page) && len > 0);
        let mut state = self.state.lock().unwrap();
        if state.refuse_map {
            return Err(BusError::NoIovaSpace {
                len,
                mappings: state.mapped.len(),
            });
        }
        // Mappings never meet: a read that crosses the end of one finds nothing.
        let ends = state
            .mapped
            .iter()
            .chain(state.unmapped.iter().map(|(m, _)| m))
            .map(|m| m.iova.0 + m.len as u64);
        let iova = Iova(ends.max().map_or(1 << 32, |end| end + (1 << 16)));
        state.mapped.push(Mapping {
            iova,
            start,
            len,
            direction,
        });
        state.counters.count_map(len);
        Ok(iova)
    }

    fn unmap(&self, iova: Iova, len: usize) -> Result<(), BusError> {
        let mut state = self.state.lock().unwrap();
        let found = state.mapped.iter().position(|m| m.iova == iova && m.len == len);
        let Some(index) = found.filter(|_| !state.refuse_unmap) else {
            return Err(BusError::NotMapped { iova, len });
        };
        let mapping = state.mapped.swap_remove(index);
        state
            .unmapped
            .push((mapping, is_mapped(mapping.start, mapping.len)));
        state.counters.count_unmap(len);
        Ok(())
    }

    fn counters(&self) -> MapperCounters {
        self.state.lock().unwrap().counters
    }

    fn limits(&self) -> MapperLimits {
        MapperLimits {
            mappings: usize::MAX,
            pinned_bytes: None,
        }
    }
}

/// Whether this process has memory at all at both ends of `start..start + len`: `mincore` fails where it has not.
fn is_mapped(start: usize, len: usize) -> bool {
    let page = rustix::param::page_size();
    [start, start + len - page].into_iter().all(|address| {
        let mut resident = 0_u8;
        // SAFETY: `mincore` writes one byte for the one page, and does not touch the page itself.
        unsafe { libc::mincore(std::ptr::without_provenance_mut(address), page, &raw mut resident) == 0 }
    })
}

/// Whether this process has any page of the file with this inode mapped. Addresses would not tell: another test may
/// have been given the same ones by now.
pub(crate) fn is_file_mapped(inode: u64) -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let inode = inode.to_string();
    maps.lines()
        .any(|line| line.split_whitespace().nth(4) == Some(&inode))
}
