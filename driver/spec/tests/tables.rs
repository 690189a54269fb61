//! What must hold for the rows of all register tables.

use std::collections::HashSet;

use pagewire_spec::{Access, Register, e1000, e1000e, ixgbe};

const FAMILIES: [(&[Register], u32, &str); 3] = [
    (e1000::REGISTERS, e1000::BAR0_LEN, "13."),
    (e1000e::REGISTERS, e1000e::BAR0_LEN, "10.2."),
    (ixgbe::REGISTERS, ixgbe::BAR0_LEN, "8.2.3"),
];

fn rows() -> impl Iterator<Item = &'static Register> {
    FAMILIES.into_iter().flat_map(|(rows, ..)| rows)
}

#[test]
fn rows_are_sorted_by_offset() {
    for (rows, ..) in FAMILIES {
        assert!(rows.is_sorted_by_key(|row| row.offset));
    }
}

#[test]
fn no_two_elements_share_an_offset_and_all_lie_aligned_in_the_bar() {
    for (rows, bar_len, _) in FAMILIES {
        let mut taken = HashSet::new();
        for row in rows {
            for offset in (0..row.count).map(|index| row.at(index)) {
                assert!(taken.insert(offset), "{} at {offset:#x}", row.name);
                assert!(
                    offset.is_multiple_of(4) && offset < bar_len,
                    "{} at {offset:#x}",
                    row.name
                );
            }
        }
    }
}

#[test]
fn lookup_finds_every_element_and_nothing_else() {
    type Lookup = fn(u32) -> Option<(&'static Register, u32)>;
    let lookups: [Lookup; 3] = [e1000::lookup, e1000e::lookup, ixgbe::lookup];
    for ((rows, bar_len, _), lookup) in FAMILIES.into_iter().zip(lookups) {
        let mut found = 0;
        for offset in 0..bar_len {
            if let Some((row, index)) = lookup(offset) {
                assert_eq!(row.at(index), offset);
                assert_eq!(row.contains(offset), Some(index));
                found += 1;
            }
        }
        assert_eq!(found, rows.iter().map(|row| row.count).sum::<u32>());
        assert_eq!(lookup(bar_len), None);
        assert_eq!(lookup(!3), None);
    }
}

#[test]
fn names_are_unique_and_rows_say_where_they_come_from() {
    for (rows, _, chapter) in FAMILIES {
        let names: HashSet<_> = rows.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), rows.len());
        for row in rows {
            assert!(row.section.starts_with(chapter), "{} {}", row.name, row.section);
            assert!(row.what.len() > 3 && !row.what.contains('|'), "{}", row.name);
        }
    }
}

#[test]
fn an_array_has_a_stride_and_a_single_register_has_none() {
    for row in rows() {
        assert_eq!(row.stride == 0, row.count == 1, "{}", row.name);
        assert!(
            row.split
                .is_none_or(|split| 0 < split.from && split.from < row.count),
            "{}",
            row.name
        );
    }
}

#[test]
fn what_software_may_set_agrees_with_the_access_mode() {
    for row in rows() {
        match row.access {
            Access::ReadOnly => assert_eq!(row.writable, 0, "{}", row.name),
            Access::ReadClear => {
                assert!(
                    row.writable == 0 || matches!(row.name, "ICR" | "EICR"),
                    "{}",
                    row.name
                );
                assert_eq!(row.reset, 0, "{}", row.name);
            }
            Access::WriteOnly | Access::Write1Clear | Access::Write1Set => {
                assert_ne!(row.writable, 0, "{}", row.name);
                assert_eq!(row.reset, 0, "{}", row.name);
            }
            Access::ReadWrite => assert_ne!(row.writable, 0, "{}", row.name),
        }
    }
}

#[test]
fn writing_a_reset_value_back_is_never_misuse() {
    for row in rows() {
        for index in 0..row.count {
            assert_eq!(
                row.misused_bits(row.reset_at(index), row.reset_at(index)),
                0,
                "{}",
                row.name
            );
        }
    }
}

#[test]
fn an_alias_is_a_part_of_its_row_in_all_but_place() {
    let aliases: Vec<_> = rows().filter(|row| row.alias.is_some()).collect();
    assert_eq!(aliases.len(), 10);
    for alias in aliases {
        let row = alias.canonical();
        assert!(row.alias.is_none(), "{}", alias.name);
        assert!(alias.count <= row.count, "{}", alias.name);
        assert_eq!(alias.name, format!("{}_ALIAS", row.name));
        assert_eq!(
            (alias.access, alias.reset, alias.writable, alias.section),
            (row.access, row.reset, row.writable, row.section)
        );
    }
}

#[test]
fn the_128_receive_queues_lie_in_two_parts() {
    assert_eq!(ixgbe::RDT.at(63), 0x1fd8);
    assert_eq!(ixgbe::RDT.at(64), 0xd018);
    assert_eq!(ixgbe::RXDCTL.at(127), 0xdfe8);
    assert_eq!(ixgbe::TDT.at(127), 0x7fd8);
    assert_eq!((ixgbe::EITR.at(23), ixgbe::EITR.at(24)), (0x87c, 0x12300));
}

#[test]
fn registers_that_the_82574l_kept_lie_where_the_82540em_has_them() {
    let mut kept = 0;
    for old in e1000::REGISTERS {
        let Some(new) = e1000e::REGISTERS.iter().find(|new| new.name == old.name) else {
            continue;
        };
        kept += 1;
        assert_eq!((old.offset, old.access), (new.offset, new.access), "{}", old.name);
        if old.count > 1 {
            assert_eq!((old.stride, old.count), (new.stride, new.count), "{}", old.name);
        }
    }
    assert!(kept > 100, "{kept}");
}

/// What Linux 6.1's ixgbe driver touches between probe and removal: (first offset, stride, count).
const TOUCHED_BY_LINUX: &[(u32, u32, u32)] = &[
    (0x0, 0x8, 2),
    (0x18, 0x8, 3),
    (0x200, 0x0, 1),
    (0x800, 0x0, 1),
    (0x810, 0x0, 1),
    (0x820, 0x4, 2),
    (0x880, 0x8, 2),
    (0x898, 0x0, 1),
    (0x900, 0x0, 1),
    (0xa00, 0x0, 1),
    (0xa90, 0x4, 2),
    (0xaa0, 0x4, 2),
    (0xab0, 0x4, 2),
    (0xad0, 0x4, 2),
    (0x1000, 0x8, 4),
    (0x1004, 0x0, 1),
    (0x1028, 0x40, 64),
    (0x1030, 0x40, 32),
    (0x1034, 0x40, 16),
    (0x1038, 0x40, 16),
    (0x2100, 0x0, 1),
    (0x2200, 0x0, 1),
    (0x241c, 0x0, 1),
    (0x2428, 0x4, 2),
    (0x2f00, 0x0, 1),
    (0x3000, 0x0, 1),
    (0x3028, 0x0, 1),
    (0x3200, 0x4, 4),
    (0x3220, 0x4, 24),
    (0x32a0, 0x0, 1),
    (0x3c00, 0x4, 8),
    (0x3d00, 0x0, 1),
    (0x3f00, 0x4, 16),
    (0x3f60, 0x8, 2),
    (0x3fa0, 0x4, 8),
    (0x4000, 0x40, 4),
    (0x4004, 0x4, 2),
    (0x4010, 0x0, 1),
    (0x4034, 0x40, 4),
    (0x4038, 0x40, 3),
    (0x405c, 0x4, 6),
    (0x407c, 0x0, 1),
    (0x4088, 0x4, 4),
    (0x40a4, 0x4, 4),
    (0x40c4, 0x0, 1),
    (0x40d0, 0x4, 9),
    (0x4140, 0x4, 16),
    (0x41a4, 0x4, 2),
    (0x4208, 0x0, 1),
    (0x4218, 0x0, 1),
    (0x4240, 0x0, 1),
    (0x425c, 0x4, 2),
    (0x4268, 0x40, 2),
    (0x4294, 0x0, 1),
    (0x42a0, 0x4, 2),
    (0x42b0, 0x0, 1),
    (0x42d0, 0x0, 1),
    (0x4900, 0x4, 2),
    (0x4950, 0x4, 8),
    (0x4984, 0x0, 1),
    (0x4a80, 0x0, 1),
    (0x5000, 0x8, 2),
    (0x5080, 0x8, 3),
    (0x5118, 0x8, 2),
    (0x5130, 0x4, 2),
    (0x5188, 0x0, 1),
    (0x51a4, 0x0, 1),
    (0x51b0, 0x0, 1),
    (0x5200, 0x4, 161),
    (0x5810, 0x8, 2),
    (0x5c00, 0x4, 42),
    (0x6000, 0x4, 5),
    (0x6018, 0x0, 1),
    (0x6028, 0x40, 128),
    (0x6030, 0x40, 16),
    (0x8120, 0x0, 1),
    (0x8220, 0x0, 1),
    (0x8700, 0x4, 32),
    (0x8784, 0x4, 2),
    (0x87a0, 0x0, 1),
    (0x8800, 0x4, 3),
    (0x8810, 0x0, 1),
    (0x8900, 0x4, 6),
    (0x8c00, 0x8, 3),
    (0x8c0c, 0x8, 2),
    (0x8d00, 0x4, 2),
    (0x8e00, 0x4, 13),
    (0xa000, 0x4, 128),
    (0xa280, 0x4, 480),
    (0xcc00, 0x4, 8),
    (0xcf90, 0x0, 1),
    (0xd028, 0x40, 64),
    (0xec08, 0x0, 1),
    (0xee58, 0x4, 2),
    (0xf000, 0x0, 1),
    (0xf100, 0x4, 320),
    (0x10010, 0x4, 2),
    (0x10140, 0x8, 3),
    (0x10160, 0x0, 1),
    (0x11074, 0x0, 1),
    (0x14f00, 0x0, 1),
    (0x15f00, 0x0, 1),
    (0x15f0c, 0x0, 1),
];

#[test]
fn every_register_that_linux_touches_has_a_row() {
    for (first, stride, count) in TOUCHED_BY_LINUX {
        for offset in (0..*count).map(|index| first + index * stride) {
            assert!(ixgbe::lookup(offset).is_some(), "{offset:#x}");
        }
    }
}
