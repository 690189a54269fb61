//! The register file: values, and what reading and writing does to them by the tables of the spec crate.
//!
//! What is generic stands here: access modes, reserved bits, reset values, clearing on read, partners of mask
//! registers, 64-bit counters in two halves. What a register makes the device do is the model's affair, which
//! is told of each write ([`Written`]). Tail registers do not come here at all: a doorbell has a path of its
//! own.
//!
//! Misuse is reported, and then the device does what hardware does: it ignores what it cannot store.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use pagewire_spec::{Access, Register};

use crate::sanitizer::{Rule, Sanitizer};

/// A family's register space, as facts.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) rows: &'static [Register],
    pub(crate) lookup: fn(u32) -> Option<(&'static Register, u32)>,
    /// Length of BAR 0 in bytes.
    pub(crate) len: u32,
    /// Registers whose writes act on another register.
    pub(crate) partners: &'static [(&'static Register, &'static Register)],
    /// Octet counters in two halves.
    pub(crate) wide: &'static [WideRows],
}

/// The rows of a 64-bit counter, low half and high half.
pub(crate) type WideRows = (&'static Register, &'static Register);

/// A write that reached a register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) row: &'static Register,
    pub(crate) index: u32,
    pub(crate) old: u32,
    pub(crate) new: u32,
}

impl Written {
    /// Whether this is a write to (an element of) `row`.
    pub(crate) fn is(&self, row: &Register) -> bool {
        self.row.offset == row.offset
    }
}

/// A 64-bit counter. A read of the low half remembers the whole, a read of the high half takes that away:
/// nothing that is counted in between is lost.
#[derive(Debug, Default)]
struct Wide {
    count: AtomicU64,
    latched: AtomicU64,
}

impl Wide {
    fn read(&self, is_low: bool) -> u32 {
        if is_low {
            let count = self.count.load(Ordering::Relaxed);
            self.latched.store(count, Ordering::Relaxed);
            return count as u32;
        }
        let latched = self.latched.swap(0, Ordering::Relaxed);
        self.count.fetch_sub(latched, Ordering::Relaxed);
        (latched >> 32) as u32
    }
}

/// The values of one device's registers.
#[derive(Debug)]
pub(crate) struct RegisterFile {
    layout: &'static Layout,
    values: Box<[AtomicU32]>,
    /// By place in the layout's list, then by element.
    wide: Box<[Box<[Wide]>]>,
    /// Counts writes, so that who derives something from registers knows when to derive it again.
    changes: AtomicU64,
}

impl RegisterFile {
    pub(crate) fn new(layout: &'static Layout) -> Self {
        let count = |row: &Register| row.count as usize;
        let file = Self {
            layout,
            values: (0..layout.len / 4).map(|_| AtomicU32::new(0)).collect(),
            wide: layout
                .wide
                .iter()
                .map(|(low, _)| (0..count(low)).map(|_| Wide::default()).collect())
                .collect(),
            changes: AtomicU64::new(1),
        };
        file.reset();
        file
    }

    /// Puts every register to its reset value.
    pub(crate) fn reset(&self) {
        for row in self.layout.rows {
            for index in 0..row.count {
                self.set(row, index, row.reset_at(index));
            }
        }
        for wide in self.wide.iter().flatten() {
            wide.count.store(0, Ordering::Relaxed);
            wide.latched.store(0, Ordering::Relaxed);
        }
        self.changed();
    }

    /// Grows with every write that may change what the device does.
    #[inline]
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// The device's own look at a register.
    #[inline]
    pub(crate) fn get(&self, row: &Register, index: u32) -> u32 {
        self.values
            .get(row.at(index) as usize / 4)
            .map_or(0, |value| value.load(Ordering::Relaxed))
    }

    /// The device's own write.
    #[inline]
    pub(crate) fn set(&self, row: &Register, index: u32, value: u32) {
        if let Some(place) = self.values.get(row.at(index) as usize / 4) {
            place.store(value, Ordering::Relaxed);
        }
    }

    /// Sets bits and returns what was there. What the device wrote to memory before is visible to whoever reads them.
    #[inline]
    pub(crate) fn fetch_or(&self, row: &Register, bits: u32) -> u32 {
        self.values
            .get(row.offset as usize / 4)
            .map_or(0, |place| place.fetch_or(bits, Ordering::SeqCst))
    }

    /// Clears bits.
    pub(crate) fn clear(&self, row: &Register, bits: u32) {
        if let Some(place) = self.values.get(row.offset as usize / 4) {
            place.fetch_and(!bits, Ordering::SeqCst);
        }
    }

    /// Counts `by` in a statistics register, which sticks at all ones.
    #[inline]
    pub(crate) fn count(&self, row: &Register, index: u32, by: u64) {
        if by == 0 {
            return;
        }
        if let Some(place) = self.values.get(row.at(index) as usize / 4) {
            let by = u32::try_from(by).unwrap_or(u32::MAX);
            let _ = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |value| {
                Some(value.saturating_add(by))
            });
        }
    }

    /// Counts `by` octets in a counter of two halves, named by its place in the layout's list.
    #[inline]
    pub(crate) fn count_wide(&self, place: usize, index: u32, by: u64) {
        if by != 0
            && let Some(wide) = self.wide.get(place).and_then(|wide| wide.get(index as usize))
        {
            wide.count.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// A read by software.
    pub(crate) fn read(&self, offset: u32, sanitizer: &Sanitizer) -> u32 {
        let Some((row, index)) = (self.layout.lookup)(offset) else {
            sanitizer.record(Rule::RegisterMisuse, || {
                format!("read of {offset:#x}, which is no register")
            });
            return 0;
        };
        let row = row.canonical();
        if let Some((wide, is_low)) = self.wide_of(row, index) {
            return wide.read(is_low);
        }
        match row.access {
            Access::ReadClear => self.values[row.at(index) as usize / 4].swap(0, Ordering::AcqRel),
            Access::WriteOnly => 0,
            _ => match self.partner(row) {
                Some(partner) => self.get(partner, index),
                None => self.get(row, index),
            },
        }
    }

    /// A write by software; `None` where it reaches no register.
    pub(crate) fn write(&self, offset: u32, raw: u32, sanitizer: &Sanitizer) -> Option<Written> {
        let Some((row, index)) = (self.layout.lookup)(offset) else {
            sanitizer.record(Rule::RegisterMisuse, || {
                format!("write of {raw:#x} to {offset:#x}, which is no register")
            });
            return None;
        };
        let row = row.canonical();
        let target = self.partner(row).unwrap_or(row);
        let place = &self.values[target.at(index) as usize / 4];
        let old = place.load(Ordering::Acquire);
        if row.writable == 0 {
            sanitizer.record(Rule::RegisterMisuse, || {
                format!("write of {raw:#x} to {}, which is read-only", name(row, index))
            });
            return None;
        }
        let misused = row.misused_bits(old, raw);
        if misused != 0 {
            sanitizer.record(Rule::RegisterMisuse, || {
                format!(
                    "write of {raw:#x} to {} sets reserved bits {misused:#x}",
                    name(row, index)
                )
            });
        }
        let bits = raw & row.writable;
        let new = match row.access {
            Access::Write1Set => place.fetch_or(bits, Ordering::AcqRel) | bits,
            Access::Write1Clear | Access::ReadClear => place.fetch_and(!bits, Ordering::AcqRel) & !bits,
            Access::ReadOnly | Access::ReadWrite | Access::WriteOnly => {
                let new = old & !row.writable | bits;
                place.store(new, Ordering::Release);
                new
            }
        };
        self.changed();
        Some(Written { row, index, old, new })
    }

    fn partner(&self, row: &Register) -> Option<&'static Register> {
        let found = self
            .layout
            .partners
            .iter()
            .find(|(from, _)| from.offset == row.offset);
        found.map(|(_, to)| *to)
    }

    /// The wide counter that a register is a half of, and whether it is the low half.
    fn wide_of(&self, row: &Register, index: u32) -> Option<(&Wide, bool)> {
        let is = |half: &Register| half.offset == row.offset;
        let place = self
            .layout
            .wide
            .iter()
            .position(|(low, high)| is(low) || is(high))?;
        let wide = self.wide.get(place)?.get(index as usize)?;
        Some((wide, is(self.layout.wide[place].0)))
    }
}

/// A register's name, with its index where it is one of many.
pub(crate) fn name(row: &Register, index: u32) -> String {
    let mut name = row.name.to_owned();
    if row.count > 1 {
        let _ = write!(name, "[{index}]");
    }
    name
}
