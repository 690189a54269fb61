//! What the emulated IOMMU tells about its mappings.
#![allow(unsafe_code, reason = "hands memory to a device")]

mod raw;

use std::ptr::NonNull;

use pagewire_bus::{BusError, Direction, Function, HostRange, MapperCounters};
use pagewire_emu::{EmulatedNic, Model, Options};
use raw::Memory;

#[test]
fn a_mapping_counts_while_it_lives_and_a_refused_one_does_not() {
    let mut options = Options::new(Model::E1000, [2, 0, 0, 0, 0, 1]);
    options.max_mappings = 2;
    let nic = EmulatedNic::new(&options);
    let mapper = nic.mapper();
    assert_eq!(mapper.limits().mappings, 2);

    let first = Memory::new(&nic, 0x3000, Direction::ToDevice);
    let _second = Memory::new(&nic, 0x1000, Direction::Bidirectional);
    let memory = HostRange {
        start: NonNull::dangling(),
        len: 0x1000,
    };
    // SAFETY: refused for its address alone, so that nothing is mapped.
    let refused = unsafe { mapper.map(memory, Direction::ToDevice) };
    assert!(matches!(refused, Err(BusError::Misaligned { .. })));
    first.unmap(&nic);

    let told = MapperCounters {
        maps: 2,
        unmaps: 1,
        mappings: 1,
        pinned_bytes: 0x1000,
        pinned_bytes_peak: 0x4000,
    };
    assert_eq!(mapper.counters(), told);
}
