//! The calls of VFIO and iommufd that are made here and not by the crate: it asks for reading and writing with every
//! mapping, which the page cache refuses; and it keeps to itself why a reset or an interrupt was refused.
//!
//! Linux: include/uapi/linux/vfio.h and iommufd.h.
#![allow(
    unsafe_code,
    reason = "ioctl takes pointers to structures that the kernel knows by the number of the call"
)]

use std::ffi::{c_int, c_void};
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, BorrowedFd};

use iommufd_bindings::{
    IOMMUFD_CMD_IOAS_IOVA_RANGES, IOMMUFD_CMD_IOAS_MAP, IOMMUFD_CMD_IOAS_UNMAP, iommu_ioas_iova_ranges,
    iommu_ioas_map, iommu_ioas_unmap, iommu_iova_range,
    iommufd_ioas_map_flags_IOMMU_IOAS_MAP_FIXED_IOVA as FIXED,
    iommufd_ioas_map_flags_IOMMU_IOAS_MAP_READABLE as READABLE,
    iommufd_ioas_map_flags_IOMMU_IOAS_MAP_WRITEABLE as WRITEABLE,
};
use rustix::io::Errno;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, opcode};
use vfio_bindings::bindings::vfio::{
    VFIO_BASE, VFIO_DMA_MAP_FLAG_READ, VFIO_DMA_MAP_FLAG_WRITE, VFIO_IRQ_SET_ACTION_TRIGGER,
    VFIO_IRQ_SET_ACTION_UNMASK, VFIO_IRQ_SET_DATA_EVENTFD, VFIO_IRQ_SET_DATA_NONE, VFIO_TYPE,
    vfio_iommu_type1_dma_map, vfio_iommu_type1_dma_unmap, vfio_irq_set,
};

use super::geometry::InfoBytes;
use crate::{Direction, HostRange, Iova};

/// The most vectors that can be turned on: as many as an 82599 has.
pub(super) const MAX_VECTORS: usize = 64;

// Numbers of the calls, behind VFIO_BASE; those of a device and those of a container overlap.
const DEVICE_SET_IRQS: u32 = 10;
const DEVICE_RESET: u32 = 11;
const IOMMU_GET_INFO: u32 = 12;
const IOMMU_MAP_DMA: u32 = 13;
const IOMMU_UNMAP_DMA: u32 = 14;

/// Resets the function behind a device's descriptor.
pub(super) fn reset(device: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: the call takes no argument.
    unsafe { call(device, VFIO_BASE + DEVICE_RESET, &mut ()) }?;
    Ok(())
}

/// What to do with the vectors of one kind of interrupt.
#[derive(Clone, Copy)]
pub(super) enum Signal<'e> {
    /// Let the first vectors signal these eventfds.
    To(&'e [BorrowedFd<'e>]),
    /// Let the line fire again.
    Unmask,
    /// Turn all off.
    Off,
}

/// Sets what the interrupts of `index` (VFIO_PCI_..._IRQ_INDEX) signal.
pub(super) fn set_interrupts(device: &impl AsRawFd, index: u32, signal: Signal<'_>) -> io::Result<()> {
    /// A `vfio_irq_set` with its data.
    #[repr(C)]
    struct Request {
        head: vfio_irq_set,
        events: [c_int; MAX_VECTORS],
    }
    let (flags, count) = match signal {
        Signal::To(events) => (
            VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
            events.len(),
        ),
        Signal::Unmask => (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 1),
        Signal::Off => (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 0),
    };
    let mut request = Request {
        head: vfio_irq_set {
            argsz: size_of::<Request>() as u32,
            flags,
            index,
            start: 0,
            count: count as u32,
            ..Default::default()
        },
        events: [-1; MAX_VECTORS],
    };
    if let Signal::To(events) = signal {
        for (slot, event) in request.events.iter_mut().zip(events) {
            *slot = event.as_raw_fd();
        }
    }
    // SAFETY: the kernel reads `argsz` bytes, the size of the request, and changes none.
    let short = unsafe { call(device, VFIO_BASE + DEVICE_SET_IRQS, &mut request) }?;
    // Fewer vectors are there than were asked for: the kernel tells how many and turns none on.
    if short > 0 {
        Err(Errno::NOSPC.into())
    } else {
        Ok(())
    }
}

/// What a container says of its IOMMU, as bytes.
pub(super) fn iommu_info(container: &impl AsRawFd) -> io::Result<Box<InfoBytes>> {
    let mut info = Box::new(InfoBytes::new());
    // SAFETY: the kernel writes at most the bytes that the first word tells, which are those of the whole.
    unsafe { call(container, VFIO_BASE + IOMMU_GET_INFO, &mut *info) }?;
    Ok(info)
}

/// Maps memory in a container.
///
/// # Safety
/// As [`DmaMapper::map`](crate::DmaMapper::map).
pub(super) unsafe fn map_type1(
    container: &impl AsRawFd,
    memory: HostRange,
    iova: u64,
    direction: Direction,
) -> io::Result<()> {
    let mut request = vfio_iommu_type1_dma_map {
        argsz: size_of::<vfio_iommu_type1_dma_map>() as u32,
        flags: flags(direction, VFIO_DMA_MAP_FLAG_READ, VFIO_DMA_MAP_FLAG_WRITE),
        vaddr: memory.start.as_ptr().expose_provenance() as u64,
        iova,
        size: memory.len as u64,
    };
    // SAFETY: the kernel takes this structure; the caller vouches for the memory that it names.
    unsafe { call(container, VFIO_BASE + IOMMU_MAP_DMA, &mut request) }?;
    Ok(())
}

/// Ends a mapping in a container; returns how many bytes that were.
pub(super) fn unmap_type1(container: &impl AsRawFd, iova: Iova, len: usize) -> io::Result<u64> {
    let mut request = vfio_iommu_type1_dma_unmap {
        argsz: size_of::<vfio_iommu_type1_dma_unmap>() as u32,
        iova: iova.0,
        size: len as u64,
        ..Default::default()
    };
    // SAFETY: the kernel takes and changes this structure.
    unsafe { call(container, VFIO_BASE + IOMMU_UNMAP_DMA, &mut request) }?;
    Ok(request.size)
}

/// The addresses that every device of an I/O address space can use.
pub(super) fn ioas_ranges(iommufd: &impl AsRawFd, ioas_id: u32) -> io::Result<Vec<RangeInclusive<u64>>> {
    let mut ranges = [iommu_iova_range::default(); 64];
    let mut request = iommu_ioas_iova_ranges {
        size: size_of::<iommu_ioas_iova_ranges>() as u32,
        ioas_id,
        num_iovas: ranges.len() as u32,
        allowed_iovas: ranges.as_mut_ptr().expose_provenance() as u64,
        ..Default::default()
    };
    // SAFETY: the kernel writes at most `num_iovas` ranges, which are there.
    unsafe { call(iommufd, IOMMUFD_CMD_IOAS_IOVA_RANGES, &mut request) }?;
    let told = ranges.iter().take(request.num_iovas as usize);
    Ok(told.map(|range| range.start..=range.last).collect())
}

/// Maps memory in an I/O address space.
///
/// # Safety
/// As [`DmaMapper::map`](crate::DmaMapper::map).
pub(super) unsafe fn map_ioas(
    iommufd: &impl AsRawFd,
    ioas_id: u32,
    memory: HostRange,
    iova: u64,
    direction: Direction,
) -> io::Result<()> {
    let mut request = iommu_ioas_map {
        size: size_of::<iommu_ioas_map>() as u32,
        flags: FIXED | flags(direction, READABLE, WRITEABLE),
        ioas_id,
        user_va: memory.start.as_ptr().expose_provenance() as u64,
        length: memory.len as u64,
        iova,
        ..Default::default()
    };
    // SAFETY: the kernel takes this structure; the caller vouches for the memory that it names.
    unsafe { call(iommufd, IOMMUFD_CMD_IOAS_MAP, &mut request) }?;
    Ok(())
}

/// Ends a mapping in an I/O address space; returns how many bytes that were.
pub(super) fn unmap_ioas(iommufd: &impl AsRawFd, ioas_id: u32, iova: Iova, len: usize) -> io::Result<u64> {
    let mut request = iommu_ioas_unmap {
        size: size_of::<iommu_ioas_unmap>() as u32,
        ioas_id,
        iova: iova.0,
        length: len as u64,
    };
    // SAFETY: the kernel takes and changes this structure.
    unsafe { call(iommufd, IOMMUFD_CMD_IOAS_UNMAP, &mut request) }?;
    Ok(request.length)
}

/// The permission, in the bits of one call or the other.
fn flags(direction: Direction, read: u32, write: u32) -> u32 {
    let read = if direction.device_reads() { read } else { 0 };
    let write = if direction.device_writes() { write } else { 0 };
    read | write
}

/// Makes call `number` with `argument`, and returns what it returned: no less than 0.
///
/// # Safety
/// The kernel finds at `argument` what this call takes, and writes no more than fits there.
unsafe fn call<T>(descriptor: &impl AsRawFd, number: u32, argument: &mut T) -> io::Result<c_int> {
    // SAFETY: whoever lends us its owner keeps it open meanwhile.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor.as_raw_fd()) };
    let request = Call {
        // Both have the letter `;`.
        opcode: opcode::none(VFIO_TYPE, number as u8),
        argument: std::ptr::from_mut(argument).cast(),
    };
    // SAFETY: the caller's promise.
    Ok(rustix::io::retry_on_intr(|| unsafe {
        rustix::ioctl::ioctl(descriptor, request)
    })?)
}

#[derive(Clone, Copy)]
struct Call {
    opcode: Opcode,
    argument: *mut c_void,
}

// SAFETY: hands on the pointer and the result as they are; `call` asks its caller for the rest.
unsafe impl Ioctl for Call {
    type Output = c_int;

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        self.opcode
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.argument
    }

    unsafe fn output_from_ptr(out: IoctlOutput, _: *mut c_void) -> rustix::io::Result<c_int> {
        Ok(out)
    }
}
