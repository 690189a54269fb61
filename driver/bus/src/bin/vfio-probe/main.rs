//! Opens a network card through VFIO and tells what it finds; maps memory and unmaps it, lets the card interrupt.
//! - `vfio-probe ADDRESS [CYCLES [BYTES]]` does that CYCLES times with BYTES of a file, and says whether anything was left
//!   behind.
//! - `vfio-probe ADDRESS await-removal` holds the card until the system wants it back.
//! - `vfio-probe ADDRESS transmit` sends a frame; `transmit-unmapped` sends one from memory that is no longer mapped,
//!   `receive-read-only` sends one to itself, into memory that the card may only read: the IOMMU has to notice both.

mod memory;
mod transmit;

use std::error::Error;
use std::time::Duration;

use memory::Memory;
use pagewire_bus::{Bar, BusError, Direction, Function, Interrupt, PciAddress, ResetOutcome, vfio};
use transmit::Plant;

// Registers that the 82540EM and the 82574L have in common, but for IVAR, which the first ignores.
const STATUS: u32 = 0x8;
const ICR: u32 = 0xc0;
const ICS: u32 = 0xc8;
const IMS: u32 = 0xd0;
const IMC: u32 = 0xd8;
const IVAR: u32 = 0xe4;
/// ICR: the link has changed.
const LINK_CHANGE: u32 = 1 << 2;
/// ICR: a cause that is no queue's (82574L, with MSI-X).
const OTHER: u32 = 1 << 24;
/// IVAR: five causes, each with its valid bit.
const ALL_TO_VECTOR_0: u32 = 0x0008_8888;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Err(error) = run(&arguments) {
        eprintln!("vfio-probe: {error}");
        std::process::exit(1);
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let address = arguments.first().map_or("", String::as_str).parse()?;
    let number = |index, default| {
        arguments
            .get(index)
            .map_or(Ok(default), |text: &String| text.parse())
    };
    match arguments.get(1).map(String::as_str) {
        Some("await-removal") => await_removal(address),
        Some("transmit") => transmit::one_frame(address, Plant::Nothing),
        Some("transmit-unmapped") => transmit::one_frame(address, Plant::UnmappedPayload),
        Some("receive-read-only") => transmit::one_frame(address, Plant::ReadOnlyBuffer),
        _ => cycle(address, number(1, 1)?, number(2, 64 << 10)?),
    }
}

/// Ten seconds are more than a system takes to ask.
fn await_removal(address: PciAddress) -> Result<(), Box<dyn Error>> {
    let function = vfio::open(address)?;
    println!("open");
    for _ in 0..1000 {
        if function.removal_requested() == Some(true) {
            println!("the system wants {address} back");
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err("nobody wants it".into())
}

/// The first cycle tells, and brings what the process keeps: the others have to leave nothing.
fn cycle(address: PciAddress, cycles: usize, bytes: usize) -> Result<(), Box<dyn Error>> {
    probe(address, bytes, true)?;
    let before = left()?;
    for _ in 1..cycles {
        probe(address, bytes, false)?;
    }
    let after = left()?;
    println!("open files, mappings, locked memory: {before:?}, after {cycles} cycles {after:?}");
    if before == after {
        Ok(())
    } else {
        Err("something was left behind".into())
    }
}

fn probe(address: PciAddress, bytes: usize, is_told: bool) -> Result<(), Box<dyn Error>> {
    let function = vfio::open(address)?;
    let bar = function.bar(0)?;
    let mapper = function.mapper();
    let page = Memory::read_only(bytes)?;
    let reset = function.reset()?;
    function.set_bus_master(true)?;
    let status = bar.read32(STATUS);
    let iova = page.map(&*mapper, Direction::ToDevice)?;
    let writable = page.map(&*mapper, Direction::Bidirectional);
    if is_told {
        println!("{function:?}");
        println!("BAR 0: {:#x} bytes, STATUS {status:#010x}", bar.size());
        println!(
            "reset: {}",
            if reset == ResetOutcome::Done {
                "by the bus"
            } else {
                "by the driver"
            }
        );
        println!("limits: {:?}", mapper.limits());
        println!("{bytes} bytes of a read-only file at {iova}; to write there: {writable:?}");
        println!("removal requested: {:?}", function.removal_requested());
    }
    for support in function.interrupts() {
        let vectors = function.enable_interrupts(support.kind, support.vectors)?;
        let fired = [fire(&bar, &vectors[0])?, fire(&bar, &vectors[0])?];
        if is_told {
            println!("{support:?}: {} on, fired {fired:?}", vectors.len());
        }
        if fired.contains(&0) {
            return Err(format!("{:?} did not fire", support.kind).into());
        }
    }
    if !matches!(writable, Err(BusError::Os { .. })) {
        return Err("a read-only page was mapped for writing".into());
    }
    mapper.unmap(iova, page.len())?;
    if is_told {
        println!("{:?}", mapper.counters());
    }
    Ok(())
}

/// Makes the card interrupt for a change of its link, and clears that; returns how often it fired: 0 after a second.
fn fire(bar: &vfio::VfioBar, vector: &Interrupt) -> Result<u64, Box<dyn Error>> {
    bar.write32(IVAR, ALL_TO_VECTOR_0);
    bar.write32(IMS, LINK_CHANGE | OTHER);
    bar.write32(ICS, LINK_CHANGE | OTHER);
    let mut count = 0;
    for _ in 0..100 {
        count += vector.take()?;
        if count > 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    bar.write32(IMC, u32::MAX);
    // QEMU 7.2 ends with a failed assertion where MSI-X is turned off while an 82574L still holds an interrupt back.
    std::thread::sleep(Duration::from_millis(10));
    bar.write32(ICR, u32::MAX);
    bar.read32(ICR);
    vector.unmask()?;
    Ok(count)
}

/// How many files are open and ranges mapped, and how much memory is locked.
fn left() -> Result<(usize, usize, String), Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let locked = status
        .lines()
        .find(|line| line.starts_with("VmLck:"))
        .unwrap_or_default();
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    Ok((
        std::fs::read_dir("/proc/self/fd")?.count(),
        maps.lines().count(),
        locked.to_owned(),
    ))
}
