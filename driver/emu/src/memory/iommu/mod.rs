//! The IOMMU table: which of the process's memory the device may reach, and how.
//!
//! Addresses are handed out upwards and never again, with a hole behind each mapping: so an address that runs
//! over a mapping's end meets nothing, and one used after its unmap is known as such.
//!
//! Who translates *holds* the table ([`Iommu::hold`], one shared lock for a batch of frames), and `unmap` waits
//! until nobody does. That is what makes the raw copies in [`access`](super::access) sound. A hold that is
//! taken while another table is held must be [nested](Iommu::hold_nested): it does not queue behind a
//! waiting unmap, or two devices that send to each other could wait in a ring.
#![allow(
    unsafe_code,
    reason = "takes memory on its owner's word, and looks at it from any thread"
)]

mod reach;

use std::collections::VecDeque;
use std::ptr::NonNull;

use pagewire_bus::{BusError, Direction, HostRange, Iova, MapperCounters, MapperLimits};
use parking_lot::RwLock;

pub(crate) use self::reach::{Reach, Refusal};
use super::fault_guard::{Purpose, Watch, page_size};
use super::occupancy::Occupancy;
use super::shield::Shield;
use super::view::{Retired, View};

/// First address handed out: low addresses stay unmapped, where a forgotten address points.
const FIRST_IOVA: u64 = 0x1_0000_0000;
/// Mappings of this size and more begin at a multiple of it, as huge pages do.
const HUGE: u64 = 2 << 20;
/// How many ended mappings are remembered.
const TOMBSTONES: usize = 4096;

#[derive(Debug)]
struct Mapping {
    start: u64,
    end: u64,
    /// Where the device finds the memory: its own view, or the mapping it was given.
    host: NonNull<u8>,
    direction: Direction,
    /// Notices pages that are gone; on what the device only reads. Dropped before the view: nobody watches addresses
    /// that may soon be somebody else's.
    source: Option<Watch>,
    view: Option<View>,
    /// Bytes in posted descriptors; on what the device writes.
    occupied: Option<Occupancy>,
    /// At the strict level, on what the device writes.
    shield: Option<Shield>,
    /// Whether this process can write there (known at the strict level only).
    writable_here: bool,
}

// SAFETY: `host` is an address, used only by the copies of `access`, which may run on any thread.
unsafe impl Send for Mapping {}
// SAFETY: as above; everything else in it is Sync.
unsafe impl Sync for Mapping {}

#[derive(Debug, Default)]
struct Table {
    /// Sorted by address, since addresses only grow.
    live: Vec<Mapping>,
    ended: VecDeque<(u64, u64)>,
    next: u64,
    counters: MapperCounters,
}

/// The table of one device.
#[derive(Debug)]
pub(crate) struct Iommu {
    table: RwLock<Table>,
    retired: Retired,
    max_mappings: usize,
    strict: bool,
}

impl Iommu {
    pub(crate) fn new(max_mappings: usize, strict: bool) -> Self {
        let table = Table {
            next: FIRST_IOVA,
            ..Table::default()
        };
        Self {
            table: RwLock::new(table),
            retired: Retired::default(),
            max_mappings,
            strict,
        }
    }

    /// Maps `memory`.
    ///
    /// # Safety
    /// As `DmaMapper::map`: the memory stays mapped in the process until [`unmap`](Self::unmap) returns, and
    /// nobody makes a Rust reference to bytes that the device may be writing.
    pub(crate) unsafe fn map(&self, memory: HostRange, direction: Direction) -> Result<Iova, BusError> {
        let (start, len, page) = (memory.start.as_ptr() as usize, memory.len, page_size());
        if len == 0 || !start.is_multiple_of(page) || !len.is_multiple_of(page) {
            return Err(BusError::Misaligned { start, len, page });
        }
        let writes = direction.device_writes();
        let view = if writes {
            None
        } else {
            // SAFETY: the caller vouches that the memory is mapped.
            unsafe { View::of(memory.start, len) }
        };
        let host = view.as_ref().map_or(memory.start, View::start);
        let mut mapping = Mapping {
            start: 0,
            end: 0,
            host,
            direction,
            source: (!writes).then(|| Watch::new(host.as_ptr() as usize, len, Purpose::Source)),
            view,
            occupied: writes.then(|| Occupancy::new(len)),
            shield: (writes && self.strict).then(|| Shield::new(start, len)),
            writable_here: self.strict && (writes || is_writable(start)),
        };
        let mut table = self.table.write();
        let unit = if len as u64 >= HUGE { HUGE } else { page as u64 };
        let from = table.next.next_multiple_of(unit);
        let end = from.checked_add(len as u64).filter(|end| *end < 1 << 48);
        let Some(end) = end.filter(|_| table.live.len() < self.max_mappings) else {
            return Err(BusError::NoIovaSpace {
                len,
                mappings: table.live.len(),
            });
        };
        (mapping.start, mapping.end) = (from, end);
        table.next = end + page as u64;
        table.live.push(mapping);
        table.counters.count_map(len);
        Ok(Iova(from))
    }

    /// Ends a mapping, whole. Waits until no device holds the table.
    pub(crate) fn unmap(&self, iova: Iova, len: usize) -> Result<(), BusError> {
        let mut table = self.table.write();
        let found = table.live.binary_search_by_key(&iova.0, |mapping| mapping.start);
        let Some(index) = found.ok().filter(|index| table.live[*index].len() == len) else {
            return Err(BusError::NotMapped { iova, len });
        };
        let mut ended = table.live.remove(index);
        if let Some(shield) = &ended.shield {
            shield.open_all();
        }
        if let Some(view) = ended.view.take() {
            ended.source = None;
            self.retired.push(view);
        }
        if table.ended.len() == TOMBSTONES {
            table.ended.pop_front();
        }
        table.ended.push_back((ended.start, ended.end));
        table.counters.count_unmap(len);
        Ok(())
    }

    /// What has been mapped and unmapped so far. The device copies: "pinned" is what real hardware would pin.
    pub(crate) fn counters(&self) -> MapperCounters {
        self.table.read().counters
    }

    pub(crate) fn limits(&self) -> MapperLimits {
        MapperLimits {
            mappings: self.max_mappings,
            pinned_bytes: None,
        }
    }

    /// Fills the page tables of everything that the device only reads.
    pub(crate) fn populate(&self) {
        for view in self
            .table
            .read()
            .live
            .iter()
            .filter_map(|mapping| mapping.view.as_ref())
        {
            view.populate();
        }
    }

    /// Lets go of what mappings that have ended still hold; a `busy` device puts it off as long as it can.
    #[inline]
    pub(crate) fn release_retired(&self, busy: bool) {
        self.retired.release(busy);
    }

    /// Waits until nobody who holds the table now holds it any more.
    pub(crate) fn settle(&self) {
        drop(self.table.write());
    }

    /// Holds the table for a batch.
    pub(crate) fn hold(&self) -> Reach<'_> {
        Reach::new(self.table.read())
    }

    /// Holds the table while another may be held too.
    pub(crate) fn hold_nested(&self) -> Reach<'_> {
        Reach::new(self.table.read_recursive())
    }
}

impl Mapping {
    fn len(&self) -> usize {
        // A mapping is no longer than the memory it maps.
        (self.end - self.start) as usize
    }

    /// How often software touched closed pages since the last call, and the device's address of the first touch of all.
    fn early_touches(&self) -> Option<(u64, u64)> {
        let (count, offset) = self.shield.as_ref()?.take_touches()?;
        Some((count, self.start + offset))
    }
}

/// Whether this process may write the page at `address`, by the system's own list of mappings.
fn is_writable(address: usize) -> bool {
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else {
        return false;
    };
    maps.lines().any(|line| {
        let mut words = line.split([' ', '-']);
        let mut bound = || usize::from_str_radix(words.next().unwrap_or_default(), 16).unwrap_or(0);
        let (start, end) = (bound(), bound());
        (start..end).contains(&address)
            && words
                .next()
                .is_some_and(|flags| flags.as_bytes().get(1) == Some(&b'w'))
    })
}
