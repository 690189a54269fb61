//! Memory for a device, through its IOMMU.
#![allow(
    unsafe_code,
    reason = "implements the trait's unsafe method; the contract passes through"
)]

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities};

use super::allocator::IovaAllocator;
use super::geometry::Geometry;
use crate::{BusError, Direction, DmaMapper, HostRange, Iova, MapperCounters, MapperLimits};

/// What translates by the mapper's table: the IOMMU.
pub(super) trait Translator: Send + Sync {
    /// Lets the device reach memory.
    ///
    /// # Safety
    /// As [`DmaMapper::map`].
    unsafe fn map(&self, memory: HostRange, iova: u64, direction: Direction) -> io::Result<()>;

    /// Ends a mapping, whole.
    fn unmap(&self, iova: Iova, len: usize) -> io::Result<()>;
}

/// The mapper of one device. It keeps the device open.
pub(super) struct VfioMapper<T> {
    translator: T,
    page: usize,
    mappings: usize,
    state: Mutex<State>,
}

struct State {
    addresses: IovaAllocator,
    /// Length of each mapping by its address.
    live: BTreeMap<Iova, usize>,
    /// Mappings that exist or are being made.
    taken: usize,
    counters: MapperCounters,
}

impl<T: Translator> VfioMapper<T> {
    pub(super) fn new(translator: T, geometry: &Geometry) -> Self {
        Self {
            translator,
            page: geometry.page as usize,
            mappings: geometry.mappings,
            state: Mutex::new(State {
                addresses: IovaAllocator::new(&geometry.usable, geometry.page),
                live: BTreeMap::new(),
                taken: 0,
                counters: MapperCounters::default(),
            }),
        }
    }

    /// Takes an address. Pinning takes its time, so nobody else waits for it: the lock is not held meanwhile.
    fn reserve(&self, len: usize) -> Result<u64, BusError> {
        let mut state = self.state();
        let mappings = state.taken;
        let room = (mappings < self.mappings).then(|| state.addresses.allocate(len as u64));
        let iova = room.flatten().ok_or(BusError::NoIovaSpace { len, mappings })?;
        state.taken += 1;
        Ok(iova)
    }

    fn give_back(&self, iova: u64, len: usize) {
        let mut state = self.state();
        state.addresses.release(iova, len as u64);
        state.taken -= 1;
    }

    fn refusal(&self, error: io::Error, len: usize) -> BusError {
        let counters = self.counters();
        match (Errno::from_io_error(&error), self.limits().pinned_bytes) {
            (Some(Errno::NOMEM), Some(limit)) => BusError::LockedMemory {
                len,
                pinned: counters.pinned_bytes,
                limit,
            },
            (Some(Errno::NOSPC), _) => BusError::NoIovaSpace {
                len,
                mappings: counters.mappings,
            },
            _ => BusError::Os {
                step: "mapping memory for DMA",
                source: error,
            },
        }
    }

    /// Whole at any moment: each change is made under one hold.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Translator> DmaMapper for VfioMapper<T> {
    unsafe fn map(&self, memory: HostRange, direction: Direction) -> Result<Iova, BusError> {
        let (start, len, page) = (memory.start.as_ptr() as usize, memory.len, self.page);
        if len == 0 || !start.is_multiple_of(page) || !len.is_multiple_of(page) {
            return Err(BusError::Misaligned { start, len, page });
        }
        let iova = self.reserve(len)?;
        // SAFETY: the caller's promise is the one that is asked for.
        if let Err(error) = unsafe { self.translator.map(memory, iova, direction) } {
            self.give_back(iova, len);
            return Err(self.refusal(error, len));
        }
        let mut state = self.state();
        state.live.insert(Iova(iova), len);
        state.counters.count_map(len);
        Ok(Iova(iova))
    }

    fn unmap(&self, iova: Iova, len: usize) -> Result<(), BusError> {
        let mut state = self.state();
        if state.live.get(&iova) != Some(&len) {
            return Err(BusError::NotMapped { iova, len });
        }
        state.live.remove(&iova);
        drop(state);
        if let Err(source) = self.translator.unmap(iova, len) {
            self.state().live.insert(iova, len);
            let step = "unmapping memory from DMA";
            return Err(BusError::Os { step, source });
        }
        self.state().counters.count_unmap(len);
        self.give_back(iova.0, len);
        Ok(())
    }

    fn counters(&self) -> MapperCounters {
        self.state().counters
    }

    fn limits(&self) -> MapperLimits {
        let is_exempt = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
        MapperLimits {
            mappings: self.mappings,
            pinned_bytes: getrlimit(Resource::Memlock).current.filter(|_| !is_exempt),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ptr::NonNull;

    use super::*;

    const PAGE: usize = 4096;

    /// A table without a device, which refuses when it is told to.
    #[derive(Default)]
    struct Table {
        live: Mutex<BTreeMap<u64, usize>>,
        refuse: Mutex<Option<Errno>>,
    }

    impl Table {
        fn refuse(&self, errno: Option<Errno>) {
            *self.refuse.lock().unwrap() = errno;
        }

        fn answer(&self) -> io::Result<()> {
            let refuse = *self.refuse.lock().unwrap();
            refuse.map_or(Ok(()), |errno| Err(errno.into()))
        }
    }

    impl Translator for &Table {
        unsafe fn map(&self, memory: HostRange, iova: u64, _: Direction) -> io::Result<()> {
            self.answer()?;
            assert_eq!(
                self.live.lock().unwrap().insert(iova, memory.len),
                None,
                "mapped twice"
            );
            Ok(())
        }

        fn unmap(&self, iova: Iova, len: usize) -> io::Result<()> {
            self.answer()?;
            assert_eq!(
                self.live.lock().unwrap().remove(&iova.0),
                Some(len),
                "as it was mapped"
            );
            Ok(())
        }
    }

    fn mapper(table: &Table, mappings: usize) -> VfioMapper<&Table> {
        let geometry = Geometry {
            usable: vec![0..=0xffff_ffff],
            page: PAGE as u64,
            mappings,
        };
        VfioMapper::new(table, &geometry)
    }

    fn map(mapper: &VfioMapper<&Table>, start: usize, len: usize) -> Result<Iova, BusError> {
        let start = NonNull::new(std::ptr::without_provenance_mut(start)).unwrap();
        // SAFETY: no device is there, and the table does not touch the memory.
        unsafe { mapper.map(HostRange { start, len }, Direction::ToDevice) }
    }

    #[test]
    fn a_mapping_that_the_kernel_refuses_leaves_nothing_behind() {
        let table = Table::default();
        let mapper = mapper(&table, 10);
        table.refuse(Some(Errno::FAULT));
        for _ in 0..20 {
            assert!(matches!(map(&mapper, PAGE, PAGE), Err(BusError::Os { .. })));
        }
        assert_eq!(mapper.counters(), MapperCounters::default());
        table.refuse(None);
        let iova = map(&mapper, PAGE, PAGE).unwrap();
        mapper.unmap(iova, PAGE).unwrap();
        assert_eq!(mapper.state().taken, 0);
    }

    #[test]
    fn a_mapping_that_the_kernel_does_not_end_goes_on_and_can_be_ended_later() {
        let table = Table::default();
        let mapper = mapper(&table, 10);
        let iova = map(&mapper, PAGE, 2 * PAGE).unwrap();
        table.refuse(Some(Errno::NODEV));
        assert!(matches!(mapper.unmap(iova, 2 * PAGE), Err(BusError::Os { .. })));
        assert_eq!(mapper.counters().mappings, 1);
        table.refuse(None);
        mapper.unmap(iova, 2 * PAGE).unwrap();
        assert_eq!(mapper.counters().pinned_bytes, 0);
    }

    #[test]
    fn what_is_no_mapping_cannot_be_unmapped() {
        let table = Table::default();
        let mapper = mapper(&table, 10);
        let iova = map(&mapper, PAGE, 2 * PAGE).unwrap();
        for (iova, len) in [
            (iova, PAGE),
            (iova.offset(PAGE as u64), PAGE),
            (Iova(0), 2 * PAGE),
        ] {
            assert!(matches!(mapper.unmap(iova, len), Err(BusError::NotMapped { .. })));
        }
        mapper.unmap(iova, 2 * PAGE).unwrap();
        assert!(matches!(
            mapper.unmap(iova, 2 * PAGE),
            Err(BusError::NotMapped { .. })
        ));
    }

    #[test]
    fn the_limit_of_mappings_is_kept_and_named() {
        let table = Table::default();
        let mapper = mapper(&table, 3);
        let first = map(&mapper, PAGE, PAGE).unwrap();
        let _ = (
            map(&mapper, PAGE, PAGE).unwrap(),
            map(&mapper, PAGE, PAGE).unwrap(),
        );
        assert!(matches!(
            map(&mapper, PAGE, PAGE),
            Err(BusError::NoIovaSpace { mappings: 3, .. })
        ));
        mapper.unmap(first, PAGE).unwrap();
        map(&mapper, PAGE, PAGE).unwrap();
        assert_eq!(mapper.limits().mappings, 3);
    }

    #[test]
    fn half_pages_are_refused_before_the_kernel_is_asked() {
        let table = Table::default();
        let mapper = mapper(&table, 10);
        for (start, len) in [(PAGE, 0), (PAGE, 100), (100, PAGE)] {
            assert!(matches!(
                map(&mapper, start, len),
                Err(BusError::Misaligned { .. })
            ));
        }
        assert!(table.live.lock().unwrap().is_empty());
    }

    #[test]
    fn more_memory_than_may_be_locked_is_an_error_that_tells_how_much() {
        let error = BusError::LockedMemory {
            len: 1 << 20,
            pinned: 4096,
            limit: 8192,
        };
        let text = error.to_string();
        assert!(
            text.contains("--memlock=1052672") && text.contains("the 8192 bytes"),
            "{text}"
        );
    }

    #[test]
    fn threads_map_and_unmap_side_by_side() {
        let table = Table::default();
        let mapper = mapper(&table, 1000);
        std::thread::scope(|scope| {
            for pages in 1..=4 {
                let mapper = &mapper;
                scope.spawn(move || {
                    for _ in 0..500 {
                        let iova = map(mapper, PAGE, pages * PAGE).unwrap();
                        mapper.unmap(iova, pages * PAGE).unwrap();
                    }
                });
            }
        });
        let counters = mapper.counters();
        assert_eq!(
            (counters.maps, counters.unmaps, counters.mappings),
            (2000, 2000, 0)
        );
        assert!(table.live.lock().unwrap().is_empty());
    }
}
