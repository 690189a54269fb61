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
    reason = "turns addresses of the table into pieces and rooms, whose memory the mapper's caller vouches for"
)]

use std::cell::Cell;
use std::collections::VecDeque;
use std::ptr::NonNull;

use pagewire_bus::{BusError, Direction, HostRange, Iova, MapperCounters, MapperLimits};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use super::access::{Piece, Ring, Room};
use super::fault_guard::{Purpose, Watch, page_size};
use super::occupancy::Occupancy;
use super::view::{Retired, View};
use crate::sanitizer::Rule;

/// First address handed out: low addresses stay unmapped, where a forgotten address points.
const FIRST_IOVA: u64 = 0x1_0000_0000;
/// Mappings of this size and more begin at a multiple of it, as huge pages do.
const HUGE: u64 = 2 << 20;
/// How many ended mappings are remembered.
const TOMBSTONES: usize = 4096;

/// An access that the table does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) rule: Rule,
    pub(crate) iova: u64,
    pub(crate) len: usize,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes at iova {:#x}", self.len, self.iova)
    }
}

#[derive(Debug)]
struct Mapping {
    start: u64,
    end: u64,
    /// Where the device finds the memory: its own view, or the mapping it was given.
    host: NonNull<u8>,
    view: Option<View>,
    direction: Direction,
    /// Notices pages that are gone; on what the device only reads.
    source: Option<Watch>,
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

/// Receive memory that is closed to software while it is posted.
#[derive(Debug)]
struct Shield {
    /// Notices who touches a closed page.
    watch: Watch,
    pages: Mutex<Pages>,
}

#[derive(Debug)]
struct Pages {
    posted: Occupancy,
    /// One flag a page.
    closed: Box<[bool]>,
}

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
        let shield = (writes && self.strict).then(|| Shield {
            watch: Watch::new(start, len, Purpose::Shield),
            pages: Mutex::new(Pages {
                posted: Occupancy::new(len),
                closed: vec![false; len / page].into(),
            }),
        });
        let mut mapping = Mapping {
            start: 0,
            end: 0,
            host,
            view,
            direction,
            source: (!writes).then(|| Watch::new(host.as_ptr() as usize, len, Purpose::Source)),
            occupied: writes.then(|| Occupancy::new(len)),
            shield,
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
        ended.open_all();
        if let Some(view) = ended.view.take() {
            // Nobody watches addresses that may soon be somebody else's.
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
        Reach {
            table: self.table.read(),
            recent: [const { Cell::new(0) }; 2],
        }
    }

    /// Holds the table while another may be held too.
    pub(crate) fn hold_nested(&self) -> Reach<'_> {
        Reach {
            table: self.table.read_recursive(),
            recent: [const { Cell::new(0) }; 2],
        }
    }
}

impl Mapping {
    fn len(&self) -> usize {
        // A mapping is no longer than the memory it maps.
        (self.end - self.start) as usize
    }

    fn page(&self, index: usize) -> usize {
        self.host.as_ptr() as usize + index * page_size()
    }

    fn open_all(&self) {
        let Some(shield) = &self.shield else { return };
        let closed = &mut shield.pages.lock().closed;
        for index in 0..closed.len() {
            if std::mem::take(&mut closed[index]) {
                shield.watch.open(self.page(index), page_size());
            }
        }
    }

    /// How often software touched closed pages since the last call, and the device's address of the first.
    fn early_touches(&self) -> Option<(u64, u64)> {
        let watch = &self.shield.as_ref()?.watch;
        let (_, address) = watch.faults();
        let count = watch.take_faults();
        let offset = address.saturating_sub(self.host.as_ptr() as usize) as u64;
        (count > 0).then(|| (count, self.start + offset))
    }
}

/// A hold on the table: what translates addresses.
#[derive(Debug)]
pub(crate) struct Reach<'i> {
    table: RwLockReadGuard<'i, Table>,
    /// Positions of the mappings found last: headers and payload alternate.
    recent: [Cell<usize>; 2],
}

impl Reach<'_> {
    /// Memory that the device reads.
    #[inline]
    pub(crate) fn piece(&self, iova: u64, len: usize) -> Result<Piece<'_>, Refusal> {
        let (mapping, offset) = self.translate(iova, len)?;
        if !mapping.direction.device_reads() {
            return Err(Refusal {
                rule: Rule::WrongDirection,
                iova,
                len,
            });
        }
        let watch = mapping.source.as_ref().map(Watch::view);
        // SAFETY: the range lies in a live mapping (`translate`), which cannot end while `self` is held; its
        // owner keeps the memory mapped until then. `Piece` borrows from `self`.
        Ok(unsafe { Piece::new(mapping.host.add(offset), len, watch) })
    }

    /// Memory that the device writes.
    #[inline]
    pub(crate) fn room(&self, iova: u64, len: usize) -> Result<Room<'_>, Refusal> {
        let (mapping, offset) = self.writable(iova, len)?;
        // SAFETY: as in `piece`; the mapping lets the device write, so its memory is writable.
        Ok(unsafe { Room::new(mapping.host.add(offset), len) })
    }

    /// Descriptor memory: `slots` slots of 16 bytes.
    pub(crate) fn ring(&self, iova: u64, slots: u32) -> Result<Ring<'_>, Refusal> {
        let len = slots as usize * 16;
        let (mapping, offset) = self.writable(iova, len)?;
        if !iova.is_multiple_of(16) || slots == 0 {
            return Err(Refusal {
                rule: Rule::RegisterMisuse,
                iova,
                len,
            });
        }
        // SAFETY: as in `room`; mappings are page aligned and the address is 16-byte aligned, so the words are
        // too. Drivers reach descriptors in flight through atomics (contract of `map`: no references).
        Ok(unsafe { Ring::new(mapping.host.add(offset), slots) })
    }

    /// Notes that a range stands in a posted descriptor; returns whether part of it did already. Only memory
    /// that the device may write counts: a file's pages may be sent many times at once.
    #[inline]
    pub(crate) fn occupy(&self, iova: u64, len: usize) -> bool {
        match self.translate(iova, len) {
            Ok((mapping, offset)) => mapping.occupied.as_ref().is_some_and(|map| map.mark(offset, len)),
            Err(_) => false,
        }
    }

    /// The descriptor that held a range is done.
    #[inline]
    pub(crate) fn vacate(&self, iova: u64, len: usize) {
        if let Ok((mapping, offset)) = self.translate(iova, len)
            && let Some(map) = &mapping.occupied
        {
            map.clear(offset, len);
        }
    }

    /// Whether this process could change the bytes (strict level only; a read-only mapping of a file changes
    /// by others' doing).
    pub(crate) fn is_ours(&self, iova: u64, len: usize) -> bool {
        self.translate(iova, len)
            .is_ok_and(|(mapping, _)| mapping.writable_here)
    }

    /// Closes to software the pages that now lie wholly in posted receive buffers. Strict level only.
    pub(crate) fn shield(&self, iova: u64, len: usize) {
        self.each_shield(iova, len, |mapping, shield, offset| {
            // Only whole samples are sure to leave no byte of software's between two buffers.
            if !offset.is_multiple_of(64) || !len.is_multiple_of(64) {
                return;
            }
            let mut pages = shield.pages.lock();
            pages.posted.mark(offset, len);
            for page in offset / page_size()..(offset + len).div_ceil(page_size()) {
                if !pages.closed[page] && pages.posted.is_full(page * page_size(), page_size()) {
                    pages.closed[page] = shield.watch.shield(mapping.page(page), page_size());
                }
            }
        });
    }

    /// Opens the pages of a buffer, for the device to write or because it is no longer posted. Returns how
    /// often software touched closed pages of this mapping since the last call, and where first.
    pub(crate) fn unshield(&self, iova: u64, len: usize) -> Option<(u64, u64)> {
        let mut early = None;
        self.each_shield(iova, len, |mapping, shield, offset| {
            let mut pages = shield.pages.lock();
            pages.posted.clear(offset, len);
            for page in offset / page_size()..(offset + len).div_ceil(page_size()) {
                if std::mem::take(&mut pages.closed[page]) {
                    shield.watch.open(mapping.page(page), page_size());
                }
            }
            early = mapping.early_touches();
        });
        early
    }

    /// Touches of closed pages in all mappings, for a report.
    pub(crate) fn early_touches(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.table.live.iter().filter_map(Mapping::early_touches)
    }

    #[inline]
    fn each_shield(&self, iova: u64, len: usize, act: impl FnOnce(&Mapping, &Shield, usize)) {
        if let Ok((mapping, offset)) = self.translate(iova, len)
            && let Some(shield) = &mapping.shield
        {
            act(mapping, shield, offset);
        }
    }

    #[inline]
    fn writable(&self, iova: u64, len: usize) -> Result<(&Mapping, usize), Refusal> {
        let (mapping, offset) = self.translate(iova, len)?;
        if !mapping.direction.device_writes() {
            return Err(Refusal {
                rule: Rule::WrongDirection,
                iova,
                len,
            });
        }
        Ok((mapping, offset))
    }

    #[inline]
    fn translate(&self, iova: u64, len: usize) -> Result<(&Mapping, usize), Refusal> {
        let Some(mapping) = self.find(iova) else {
            let was = self
                .table
                .ended
                .iter()
                .any(|(start, end)| (*start..*end).contains(&iova));
            let rule = if was {
                Rule::AccessAfterUnmap
            } else {
                Rule::UnmappedAddress
            };
            return Err(Refusal { rule, iova, len });
        };
        let offset = (iova - mapping.start) as usize;
        if len > mapping.len() - offset {
            return Err(Refusal {
                rule: Rule::CrossesMappingEnd,
                iova,
                len,
            });
        }
        Ok((mapping, offset))
    }

    #[inline]
    fn find(&self, iova: u64) -> Option<&Mapping> {
        for recent in &self.recent {
            if let Some(mapping) = self.table.live.get(recent.get())
                && (mapping.start..mapping.end).contains(&iova)
            {
                return Some(mapping);
            }
        }
        let index = self
            .table
            .live
            .partition_point(|mapping| mapping.start <= iova)
            .checked_sub(1)?;
        let mapping = self.table.live.get(index).filter(|mapping| iova < mapping.end)?;
        self.recent[1].set(self.recent[0].replace(index));
        Some(mapping)
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
