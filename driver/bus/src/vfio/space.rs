//! The address space of a device: what its IOMMU translates by. The older way is a group in a container; where the
//! kernel has iommufd and a node for each device (Linux 6.6), those.
#![allow(unsafe_code, reason = "passes on memory that the mapper's caller vouches for")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use iommufd_ioctls::{IommuFd, IommufdError};
use rustix::fs::Access;
use rustix::io::Errno;
use vfio_ioctls::{VfioContainer, VfioDevice, VfioError as Cause, VfioIommufd, VfioOps};

use super::error::VfioError;
use super::geometry::Geometry;
use super::kernel;
use super::mapper::Translator;
use super::place::Place;
use crate::{Direction, HostRange, Iova};

const CONTAINER: &str = "/dev/vfio/vfio";
const IOMMUFD: &str = "/dev/iommu";

/// An address space with one device in it.
pub(super) enum Space {
    /// A container with the device's group.
    Container(Arc<VfioContainer>),
    /// An I/O address space of iommufd.
    Iommufd(Arc<VfioIommufd>),
}

/// Opens the device: its file, and its address space.
pub(super) fn open(place: &Place) -> Result<(VfioDevice, Space), VfioError> {
    let group = place.group()?;
    let group_node = place.group_node(group);
    let own_node = place.device_node().filter(|node| {
        let usable = |node: &Path| rustix::fs::access(node, Access::READ_OK | Access::WRITE_OK).is_ok();
        usable(node) && usable(Path::new(IOMMUFD)) || !group_node.exists()
    });
    let node = own_node.as_ref().unwrap_or(&group_node);
    let explain = |cause| explain(place, group, node, cause);
    if own_node.is_some() {
        let iommufd = IommuFd::new().map_err(|error| explain(Cause::NewVfioIommufd(error)))?;
        let space = Arc::new(VfioIommufd::new(Arc::new(iommufd), None, None).map_err(explain)?);
        let ops: Arc<dyn VfioOps> = Arc::clone(&space) as _;
        let device = VfioDevice::new(&place.folder, ops, true).map_err(explain)?;
        Ok((device, Space::Iommufd(space)))
    } else {
        let space = Arc::new(VfioContainer::new(None).map_err(explain)?);
        let ops: Arc<dyn VfioOps> = Arc::clone(&space) as _;
        let device = VfioDevice::new(&place.folder, ops, true).map_err(explain)?;
        Ok((device, Space::Container(space)))
    }
}

impl Space {
    /// What the IOMMU can do for the device. Meaningful once the device is in the space.
    pub(super) fn geometry(&self) -> io::Result<Geometry> {
        match self {
            Self::Container(container) => Ok(kernel::iommu_info(&**container)?.geometry()),
            Self::Iommufd(space) => Ok(Geometry {
                usable: kernel::ioas_ranges(&**space.iommufd(), space.ioas().id())?,
                page: rustix::param::page_size() as u64,
                // Bounded by locked memory alone.
                mappings: usize::MAX,
            }),
        }
    }
}

impl Translator for Space {
    unsafe fn map(&self, memory: HostRange, iova: u64, direction: Direction) -> io::Result<()> {
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe {
            match self {
                Self::Container(container) => kernel::map_type1(&**container, memory, iova, direction),
                Self::Iommufd(space) => {
                    kernel::map_ioas(&**space.iommufd(), space.ioas().id(), memory, iova, direction)
                }
            }
        }
    }

    fn unmap(&self, iova: Iova, len: usize) -> io::Result<()> {
        let ended = match self {
            Self::Container(container) => kernel::unmap_type1(&**container, iova, len),
            Self::Iommufd(space) => kernel::unmap_ioas(&**space.iommufd(), space.ioas().id(), iova, len),
        }?;
        if ended == len as u64 {
            Ok(())
        } else {
            Err(io::Error::other(format!("{ended} of {len} bytes were unmapped")))
        }
    }
}

/// What a refusal means, and so what helps.
fn explain(place: &Place, group: u32, node: &Path, cause: Cause) -> VfioError {
    let address = place.address;
    match cause {
        Cause::OpenContainer(error) => {
            cannot_open(place, CONTAINER.into(), "vfio", error, Cause::OpenContainer)
        }
        Cause::OpenGroup(error, name) => {
            let cause = |error| Cause::OpenGroup(error, name);
            cannot_open(place, node.to_owned(), "vfio-pci", error, cause)
        }
        Cause::OpenDeviceCdev(error) => {
            cannot_open(place, node.to_owned(), "vfio-pci", error, Cause::OpenDeviceCdev)
        }
        Cause::NewVfioIommufd(IommufdError::OpenIommufd(error)) => {
            let cause = |error| Cause::NewVfioIommufd(IommufdError::OpenIommufd(error));
            cannot_open(place, IOMMUFD.into(), "iommufd", error, cause)
        }
        Cause::VfioExtension => VfioError::NotLoaded {
            node: CONTAINER.into(),
            module: "vfio_iommu_type1",
        },
        Cause::GroupViable => VfioError::NotViable {
            address,
            group,
            others: place.neighbours(),
        },
        Cause::ContainerSetIOMMU(error) if error.errno() == Errno::PERM.raw_os_error() => {
            VfioError::NoInterruptRemapping {
                parameter: "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts",
            }
        }
        Cause::VfioDeviceBindIommufd(error) if error.errno() == Errno::PERM.raw_os_error() => {
            VfioError::NoInterruptRemapping {
                parameter: "/sys/module/iommufd/parameters/allow_unsafe_interrupts",
            }
        }
        // Open by its group, or by another who opened its node.
        Cause::VfioDeviceBindIommufd(error)
            if [Errno::BUSY, Errno::INVAL]
                .iter()
                .any(|errno| errno.raw_os_error() == error.errno()) =>
        {
            let holder = [node, &place.group_node(group)]
                .iter()
                .find_map(|node| place.holder(node));
            VfioError::Busy {
                node: node.to_owned(),
                holder,
            }
        }
        source => VfioError::Refused { address, source },
    }
}

fn cannot_open(
    place: &Place,
    node: PathBuf,
    module: &'static str,
    error: io::Error,
    cause: impl FnOnce(io::Error) -> Cause,
) -> VfioError {
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT | Errno::NODEV | Errno::NXIO) => VfioError::NotLoaded { node, module },
        Some(Errno::ACCESS | Errno::PERM) => VfioError::NoPermission {
            node,
            uid: rustix::process::geteuid().as_raw(),
        },
        Some(Errno::BUSY) => VfioError::Busy {
            holder: place.holder(&node),
            node,
        },
        _ => VfioError::Refused {
            address: place.address,
            source: cause(error),
        },
    }
}
