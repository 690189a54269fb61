//! A hold on the table: the device's addresses become memory, or a refusal that names the rule.
//!
//! What comes out borrows from the hold, so it ends before the mapping can.
#![allow(
    unsafe_code,
    reason = "turns addresses of the table into pieces, rooms and rings, whose memory the mapper's caller vouches for"
)]

use std::cell::Cell;

use parking_lot::RwLockReadGuard;

use super::{Mapping, Table};
use crate::memory::access::{Piece, Ring, Room};
use crate::memory::fault_guard::Watch;
use crate::memory::shield::Shield;
use crate::sanitizer::Rule;

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

/// A hold on the table: what translates addresses.
#[derive(Debug)]
pub(crate) struct Reach<'i> {
    table: RwLockReadGuard<'i, Table>,
    /// Positions of the mappings found last: headers and payload alternate.
    recent: [Cell<usize>; 2],
}

impl<'i> Reach<'i> {
    pub(super) fn new(table: RwLockReadGuard<'i, Table>) -> Self {
        Self {
            table,
            recent: [const { Cell::new(0) }; 2],
        }
    }
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
        if let Some((_, shield, offset)) = self.shielded(iova, len) {
            shield.close(offset, len);
        }
    }

    /// Opens the pages of a buffer, for the device to write or because it is no longer posted. Returns how
    /// often software touched closed pages of this mapping since the last call, and where the first of all was.
    pub(crate) fn unshield(&self, iova: u64, len: usize) -> Option<(u64, u64)> {
        let (mapping, shield, offset) = self.shielded(iova, len)?;
        shield.open(offset, len);
        mapping.early_touches()
    }

    /// Touches of closed pages in all mappings, for a report.
    pub(crate) fn early_touches(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.table.live.iter().filter_map(Mapping::early_touches)
    }

    fn shielded(&self, iova: u64, len: usize) -> Option<(&Mapping, &Shield, usize)> {
        let (mapping, offset) = self.translate(iova, len).ok()?;
        Some((mapping, mapping.shield.as_ref()?, offset))
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
