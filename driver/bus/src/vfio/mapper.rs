//! Memory for a device, through its IOMMU.
#![allow(
    unsafe_code,
    reason = "implements the trait's unsafe method; the contract passes through"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities};

use super::allocator::IovaAllocator;
use super::device::Device;
use super::geometry::Geometry;
use crate::{BusError, Direction, DmaMapper, HostRange, Iova, MapperCounters, MapperLimits};

/// The mapper of one device. It keeps the device open.
pub(super) struct VfioMapper {
    device: Arc<Device>,
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

impl VfioMapper {
    pub(super) fn new(device: Arc<Device>, geometry: &Geometry) -> Self {
        Self {
            device,
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

    fn refusal(&self, error: std::io::Error, len: usize) -> BusError {
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

impl DmaMapper for VfioMapper {
    unsafe fn map(&self, memory: HostRange, direction: Direction) -> Result<Iova, BusError> {
        let (start, len, page) = (memory.start.as_ptr() as usize, memory.len, self.page);
        if len == 0 || !start.is_multiple_of(page) || !len.is_multiple_of(page) {
            return Err(BusError::Misaligned { start, len, page });
        }
        let iova = self.reserve(len)?;
        // SAFETY: the caller's promise is the one that is asked for.
        if let Err(error) = unsafe { self.device.space.map(memory, iova, direction) } {
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
        if let Err(source) = self.device.space.unmap(iova, len) {
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
