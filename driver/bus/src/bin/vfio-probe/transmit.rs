//! One frame by hand, with or without a planted mistake that the IOMMU has to notice.

use std::error::Error;
use std::time::Duration;

use pagewire_bus::{Bar, Direction, Function, Iova, PciAddress, ResetOutcome, vfio};

use crate::memory::Memory;

// Registers that the 82540EM and the 82574L have in common.
const CTRL: u32 = 0x0;
const MDIC: u32 = 0x20;
const RCTL: u32 = 0x100;
const TCTL: u32 = 0x400;
/// First register of the receive and of the transmit ring; the others follow at the offsets below.
const RECEIVE: u32 = 0x2800;
const TRANSMIT: u32 = 0x3800;
const BASE_LOW: u32 = 0x0;
const BASE_HIGH: u32 = 0x4;
const LENGTH: u32 = 0x8;
const HEAD: u32 = 0x10;
const TAIL: u32 = 0x18;
/// CTRL: set link up.
const SLU: u32 = 1 << 6;
/// CTRL: reset the device.
const RST: u32 = 1 << 26;
/// MDIC: write to register 0 of PHY 1 that it loops back, at full duplex.
const LOOP_BACK: u32 = 1 << 26 | 1 << 21 | 0x4100;
/// MDIC: write to register 0 of PHY 1 that it negotiates with whoever is at the other end, as after a reset.
const NEGOTIATE: u32 = 1 << 26 | 1 << 21 | 0x1140;
/// RCTL: on, for all stations.
const ENABLED_FOR_ALL: u32 = 1 << 1 | 1 << 3 | 1 << 15;
/// TCTL: on, and short packets padded.
const ENABLED_AND_PADDED: u32 = 1 << 1 | 1 << 3;
/// Descriptor: end of packet, insert the Ethernet checksum, report status.
const END_CHECKSUM_REPORT: u8 = 1 | 1 << 1 | 1 << 3;
/// Where a descriptor's first status byte is; bit 0 says done.
const STATUS: usize = 12;
const FRAME_LEN: usize = 100;

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plant {
    Nothing,
    /// The frame's memory is unmapped before the card reads it.
    UnmappedPayload,
    /// The card sends the frame to itself, and may only read the memory where it is to go.
    ReadOnlyBuffer,
}

pub(crate) fn one_frame(address: PciAddress, plant: Plant) -> Result<(), Box<dyn Error>> {
    let (ring, receive_ring) = (Memory::writable(4096)?, Memory::writable(4096)?);
    let (frame, buffer) = (Memory::writable(4096)?, Memory::writable(4096)?);
    let function = vfio::open(address)?;
    let (bar, mapper) = (function.bar(0)?, function.mapper());
    if function.reset()? == ResetOutcome::DriverMustReset {
        bar.write32(CTRL, bar.read32(CTRL) | RST);
        std::thread::sleep(Duration::from_millis(20));
    }
    let ring_iova = ring.map(&*mapper, Direction::Bidirectional)?;
    let receive_iova = receive_ring.map(&*mapper, Direction::Bidirectional)?;
    let frame_iova = frame.map(&*mapper, Direction::ToDevice)?;
    let buffer_iova = buffer.map(&*mapper, Direction::ToDevice)?;

    let mut bytes = [0x5a; FRAME_LEN];
    // To all, from nobody in particular, of the type for experiments (IEEE 802).
    bytes[..14].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]);
    frame.write(0, &bytes);
    ring.write(0, &frame_iova.0.to_le_bytes());
    ring.write(8, &[FRAME_LEN as u8, 0, 0, END_CHECKSUM_REPORT, 0, 0, 0, 0]);
    receive_ring.write(0, &buffer_iova.0.to_le_bytes());

    function.set_bus_master(true)?;
    bar.write32(CTRL, bar.read32(CTRL) | SLU);
    if plant == Plant::ReadOnlyBuffer {
        bar.write32(MDIC, LOOP_BACK);
        set_ring(&bar, RECEIVE, receive_iova, &receive_ring);
        bar.write32(RCTL, ENABLED_FOR_ALL);
        bar.write32(RECEIVE + TAIL, 1);
    }
    // A link that has come up only now, or a receiver, would swallow the frame.
    std::thread::sleep(Duration::from_millis(1500));
    set_ring(&bar, TRANSMIT, ring_iova, &ring);
    bar.write32(TCTL, ENABLED_AND_PADDED);
    if plant == Plant::UnmappedPayload {
        mapper.unmap(frame_iova, frame.len())?;
    }
    bar.write32(TRANSMIT + TAIL, 1);
    std::thread::sleep(Duration::from_millis(100));

    if plant == Plant::ReadOnlyBuffer {
        // The PHY keeps this through a reset of the controller.
        bar.write32(MDIC, NEGOTIATE);
    }
    let is_done = ring.read(STATUS) & 1 == 1;
    let received = bar.read32(RECEIVE + HEAD);
    println!(
        "sent: {is_done}, received: {received}, first byte there: {:#x}",
        buffer.read(0)
    );
    if buffer.read(0) != 0 {
        return Err("the card wrote to memory that it may only read".into());
    }
    if plant == Plant::Nothing && !is_done {
        return Err("the frame was not sent".into());
    }
    Ok(())
}

fn set_ring(bar: &impl Bar, first: u32, iova: Iova, ring: &Memory) {
    bar.write32(first + BASE_LOW, iova.0 as u32);
    bar.write32(first + BASE_HIGH, (iova.0 >> 32) as u32);
    bar.write32(first + LENGTH, ring.len() as u32);
    bar.write32(first + HEAD, 0);
    bar.write32(first + TAIL, 0);
}
