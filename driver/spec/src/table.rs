//! What a row of a register table is, and the macro that makes constants and tables out of one listing.
//!
//! A listing reads like the datasheet's own summary:
//!
//! ```text
//! CTRL                      @ 0x0000, rw(0xdcfc_1be9) = 0x0014_0240, "13.4.1", "Device control";
//! MTA[128]                  @ 0x5200 + 4, rw(0xffff_ffff) = 0, "13.5.1", "Multicast table array";
//! RDBAL[128]                @ 0x1000 + 0x40 | 64 @ 0xd000, rw(0xffff_ff80) = 0, "8.2.3.8.1", "...";
//! SRRCTL_ALIAS[16]          @ 0x2100 + 4 & SRRCTL, rw(...) = 0x402, "8.2.3.8.7", "...";
//! TXPBSIZE[8]               @ 0xcc00 + 4, rw(0x000f_fc00) = 0x0002_8000 .. 0, "8.2.3.9.13", "...";
//! ```
//!
//! name, `[count]`, offset, `+ stride`, `| first element of the upper part @ its offset`, `& row that it
//! aliases`, access with the mask of bits that software may set, reset value (`first .. all others`),
//! section, what it is.

/// How software may touch a register, and what touching it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reads have no effect; writes are ignored by the device.
    ReadOnly,
    /// Reads return what was written, but for reserved, self-clearing and status bits.
    ReadWrite,
    /// Reads return nothing of use.
    WriteOnly,
    /// A read returns the value and clears it. Where [`Register::writable`] is not 0 a write of ones clears
    /// just those bits, too (ICR, EICR).
    ReadClear,
    /// A write clears the bits that are one in it: in the register itself, or, for the write-only half of a
    /// mask pair (IMC, EIMC), in its partner.
    Write1Clear,
    /// A write sets the bits that are one in it: in the register itself (IMS, EIMS), or in its partner (ICS,
    /// EICS).
    Write1Set,
}

impl Access {
    /// The abbreviation that datasheets use: RO, RW, WO, RC, W1C, W1S.
    pub const fn abbreviation(self) -> &'static str {
        match self {
            Access::ReadOnly => "RO",
            Access::ReadWrite => "RW",
            Access::WriteOnly => "WO",
            Access::ReadClear => "RC",
            Access::Write1Clear => "W1C",
            Access::Write1Set => "W1S",
        }
    }
}

/// The upper part of a register array whose elements lie in two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// Index of the first element of the upper part.
    pub from: u32,
    /// Offset of that element; the stride is the same as in the lower part.
    pub offset: u32,
}

/// A row of a register table: one register, or an array of equal ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// The datasheet's name.
    pub name: &'static str,
    /// Offset in BAR 0 of the register, or of element 0, in bytes.
    pub offset: u32,
    /// Distance between elements, in bytes; 0 for a single register.
    pub stride: u32,
    /// Number of elements; 1 for a single register.
    pub count: u32,
    /// Where the upper elements lie, if they do not follow the lower ones.
    pub split: Option<Split>,
    /// The row that this one is another address of; accesses here act on that row's elements.
    pub alias: Option<&'static Register>,
    /// Access mode.
    pub access: Access,
    /// Value after a reset, of element 0; bits that the EEPROM or the link decide are at their usual values.
    pub reset: u32,
    /// Value after a reset of every other element.
    pub reset_rest: u32,
    /// Bits that software may set. All others are reserved or the device's own.
    pub writable: u32,
    /// Section of the family's manual.
    pub section: &'static str,
    /// What the register is, in a few words.
    pub what: &'static str,
}

impl Register {
    /// Offset of the element `index`. Not checked against [`count`](Self::count) in release builds.
    #[inline]
    pub const fn at(&self, index: u32) -> u32 {
        debug_assert!(index < self.count);
        match self.split {
            Some(split) if index >= split.from => split.offset + (index - split.from) * self.stride,
            _ => self.offset + index * self.stride,
        }
    }

    /// The element at `offset`, if `offset` is the first byte of one.
    pub const fn contains(&self, offset: u32) -> Option<u32> {
        let lower = match self.split {
            Some(split) => split.from,
            None => self.count,
        };
        if let Some(index) = element(self.offset, self.stride, lower, offset) {
            return Some(index);
        }
        match self.split {
            Some(split) => match element(split.offset, self.stride, self.count - split.from, offset) {
                Some(index) => Some(split.from + index),
                None => None,
            },
            None => None,
        }
    }

    /// Value of the element `index` after a reset.
    pub const fn reset_at(&self, index: u32) -> u32 {
        if index == 0 { self.reset } else { self.reset_rest }
    }

    /// The row that accesses act on: the aliased one, or this one.
    pub const fn canonical(&self) -> &Register {
        match self.alias {
            Some(row) => row,
            None => self,
        }
    }

    /// The bits of a write of `value` that software may not set: those that are not writable, unless they
    /// read as one in `current` (a read-modify-write gives status bits back as it found them).
    pub const fn misused_bits(&self, current: u32, value: u32) -> u32 {
        value & !self.writable & !current
    }
}

/// Index of the element of `count` registers from `base` whose first byte is `offset`.
const fn element(base: u32, stride: u32, count: u32, offset: u32) -> Option<u32> {
    if offset < base {
        return None;
    }
    let distance = offset - base;
    if stride == 0 {
        return if distance == 0 { Some(0) } else { None };
    }
    if distance.is_multiple_of(stride) && distance / stride < count {
        Some(distance / stride)
    } else {
        None
    }
}

/// The rows of several blocks as one table, sorted by offset.
pub(crate) const fn sorted<const ROWS: usize>(blocks: &[&[Register]]) -> [Register; ROWS] {
    let mut rows = [blocks[0][0]; ROWS];
    let (mut len, mut block) = (0, 0);
    while block < blocks.len() {
        let mut next = 0;
        while next < blocks[block].len() {
            let row = blocks[block][next];
            let mut slot = len;
            while slot > 0 && rows[slot - 1].offset > row.offset {
                rows[slot] = rows[slot - 1];
                slot -= 1;
            }
            rows[slot] = row;
            len += 1;
            next += 1;
        }
        block += 1;
    }
    assert!(len == ROWS, "the table's length is not the sum of its blocks");
    rows
}

/// The same rows as a section of another manual: registers that a later controller of the line kept.
pub(crate) const fn kept<const ROWS: usize>(rows: &[Register], section: &'static str) -> [Register; ROWS] {
    let mut kept = [rows[0]; ROWS];
    assert!(
        rows.len() == ROWS,
        "the block's length is not the number of its rows"
    );
    let mut row = 0;
    while row < ROWS {
        kept[row] = rows[row];
        kept[row].section = section;
        row += 1;
    }
    kept
}

/// For every 32-bit word of the register space the number of its row plus 1, or 0 where there is none.
///
/// Evaluated at compile time: two rows that claim one word do not compile.
pub(crate) const fn index_of_words<const WORDS: usize>(rows: &[Register]) -> [u16; WORDS] {
    let mut words = [0u16; WORDS];
    let mut row = 0;
    while row < rows.len() {
        let mut index = 0;
        while index < rows[row].count {
            let word = (rows[row].at(index) / 4) as usize;
            assert!(words[word] == 0, "two rows claim one offset");
            words[word] = row as u16 + 1;
            index += 1;
        }
        row += 1;
    }
    words
}

/// Finds the row and the element at `offset` with the help of [`index_of_words`].
#[inline]
pub(crate) fn find(
    rows: &'static [Register],
    words: &'static [u16],
    offset: u32,
) -> Option<(&'static Register, u32)> {
    if !offset.is_multiple_of(4) {
        return None;
    }
    let row = usize::from(*words.get(offset as usize / 4)?).checked_sub(1)?;
    let register = rows.get(row)?;
    Some((register, register.contains(offset)?))
}

/// Makes one constant a row and the slice `ROWS` of them all; the module's header shows the notation.
macro_rules! registers {
    (@or $default:expr;) => { $default };
    (@or $default:expr; $given:expr) => { $given };
    (@alias) => { None };
    (@alias $row:ident) => { Some(&$row) };
    (@split) => { None };
    (@split $from:literal $offset:literal) => {
        Some($crate::table::Split { from: $from, offset: $offset })
    };
    (@access ro) => { $crate::table::Access::ReadOnly };
    (@access rw) => { $crate::table::Access::ReadWrite };
    (@access wo) => { $crate::table::Access::WriteOnly };
    (@access rc) => { $crate::table::Access::ReadClear };
    (@access w1c) => { $crate::table::Access::Write1Clear };
    (@access w1s) => { $crate::table::Access::Write1Set };
    ($(
        $name:ident $([$count:literal])? @ $offset:literal $(+ $stride:literal)?
        $(| $from:literal @ $upper:literal)? $(& $alias:ident)?,
        $access:ident $(($writable:literal))? = $reset:literal $(.. $rest:literal)?,
        $section:literal, $what:literal;
    )+) => {
        $(
            #[doc = concat!($what, ". Offset ", stringify!($offset), ", §", $section, ".")]
            pub const $name: $crate::table::Register = $crate::table::Register {
                name: stringify!($name),
                offset: $offset,
                stride: registers!(@or 0; $($stride)?),
                count: registers!(@or 1; $($count)?),
                split: registers!(@split $($from $upper)?),
                alias: registers!(@alias $($alias)?),
                access: registers!(@access $access),
                reset: $reset,
                reset_rest: registers!(@or $reset; $($rest)?),
                writable: registers!(@or 0; $($writable)?),
                section: $section,
                what: $what,
            };
        )+
        pub(crate) const ROWS: &[$crate::table::Register] = &[$($name),+];
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    mod listing {
        #![allow(unreachable_pub, reason = "the macro makes public constants")]
        registers! {
            ONE @ 0x10, rw(0x0000_00ff) = 0x7, "1", "A single register";
            MANY[8] @ 0x20 + 4 | 4 @ 0x80, ro = 0x5 .. 0, "2", "An array in two parts";
            OTHER[2] @ 0xa0 + 4 & MANY, ro = 0x5 .. 0, "2", "Another address of the first two";
        }
    }
    use listing::*;

    #[test]
    fn the_offset_of_an_element_is_base_plus_stride_in_the_part_where_it_lies() {
        assert_eq!(MANY.at(3), 0x2c);
        assert_eq!(MANY.at(4), 0x80);
        assert_eq!(MANY.at(7), 0x8c);
        assert_eq!(ONE.at(0), 0x10);
    }

    #[test]
    fn an_offset_belongs_to_an_element_only_at_its_first_byte() {
        assert_eq!(MANY.contains(0x2c), Some(3));
        assert_eq!(MANY.contains(0x8c), Some(7));
        for offset in [0x1c, 0x21, 0x30, 0x7c, 0x90] {
            assert_eq!(MANY.contains(offset), None, "{offset:#x}");
        }
        assert_eq!((ONE.contains(0x10), ONE.contains(0x14)), (Some(0), None));
    }

    #[test]
    fn an_alias_leads_to_its_row() {
        assert_eq!(OTHER.canonical(), &MANY);
        assert_eq!(MANY.canonical(), &MANY);
    }

    #[test]
    fn only_element_0_resets_to_the_first_value_where_two_are_given() {
        assert_eq!((MANY.reset_at(0), MANY.reset_at(1), ONE.reset_at(0)), (5, 0, 7));
    }

    #[test]
    fn giving_a_status_bit_back_as_read_is_no_misuse_but_setting_a_reserved_bit_is() {
        assert_eq!(ONE.misused_bits(0x100, 0x1ff), 0);
        assert_eq!(ONE.misused_bits(0, 0x1ff), 0x100);
    }

    #[test]
    fn find_agrees_with_contains() {
        static TABLE: [Register; 3] = sorted(&[ROWS]);
        static WORDS: [u16; 64] = index_of_words(&TABLE);
        for offset in 0..512 {
            let slow = TABLE.iter().find_map(|row| Some((row, row.contains(offset)?)));
            assert_eq!(find(&TABLE, &WORDS, offset), slow, "{offset:#x}");
        }
    }
}
