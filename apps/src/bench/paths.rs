//! The ways to a socket of the kernel: its loopback, a pair of virtual Ethernet devices between two networks of our own, and a
//! cable from an emulated NIC into one. The networks go when they are dropped.

use std::net::{IpAddr, TcpListener};

use pagewire_emu::cable::Attachment;
use pagewire_kernel_methods::Ends;
use pagewire_netns::{Namespace, NetnsError};

use super::case::{Path, Way};

/// Addresses of the two ends of a pair whose devices gather, and of one whose do not.
const GATHERING: [[u8; 4]; 2] = [[10, 99, 0, 1], [10, 99, 0, 2]];
const LINEAR: [[u8; 4]; 2] = [[10, 99, 1, 1], [10, 99, 1, 2]];

/// Two networks on two cables.
#[derive(Debug)]
struct Veth {
    near: Namespace,
    far: Namespace,
}

impl Veth {
    fn new() -> Result<Self, NetnsError> {
        let (near, far) = (Namespace::new()?, Namespace::new()?);
        for (here, there, addresses) in [("gathering", "gathered", GATHERING), ("linear", "lined", LINEAR)] {
            near.veth(here, &far, there)?;
            for (network, name, address) in [(&near, here, addresses[0]), (&far, there, addresses[1])] {
                network.address(name, IpAddr::from(address), 24)?;
                network.up(name)?;
            }
        }
        near.scatter_gather("linear", false)?;
        far.scatter_gather("lined", false)?;
        Ok(Self { near, far })
    }

    fn ends(&self, [_, far]: [[u8; 4]; 2]) -> std::io::Result<Ends> {
        let to = IpAddr::from(far);
        let listener = self.far.run(|| Ends::listen(to))?;
        let socket = self.near.run(|| Ends::socket(to))?;
        Ends::new(listener, socket)
    }
}

/// The end of a cable in a network of the kernel's, and how long packets are there and over the emulated pair: as over veth.
#[derive(Debug)]
pub(super) struct Tap {
    kernel: Namespace,
    pub(super) attachment: Attachment,
}

pub(super) const MTU: u16 = 1500;
const TAP: &str = "pagewire0";
/// The kernel's address there, and ours.
const THEIRS: [u8; 4] = [10, 99, 2, 1];
pub(super) const OURS: [u8; 4] = [10, 99, 2, 2];

impl Tap {
    fn new() -> Result<Self, String> {
        let kernel = Namespace::new().map_err(|error| error.to_string())?;
        let attachment = kernel
            .run(|| Attachment::tap(TAP, MTU.into()))
            .map_err(|error| error.to_string())?;
        kernel
            .address(TAP, IpAddr::from(THEIRS), 24)
            .map_err(|error| error.to_string())?;
        Ok(Self { kernel, attachment })
    }

    /// A listener of the kernel's at the far end.
    pub(super) fn listen(&self) -> std::io::Result<TcpListener> {
        self.kernel.run(|| Ends::listen(IpAddr::from(THEIRS)))
    }
}

/// What there is between two ends.
#[derive(Debug)]
pub(super) struct Paths {
    veth: Result<Veth, String>,
    tap: Result<Tap, String>,
}

impl Paths {
    /// Makes what is asked for; what cannot be had says why when it is used.
    pub(super) fn new(wanted: &[Path]) -> Self {
        const UNWANTED: &str = "it was not asked for";
        let veth = if wanted.contains(&Path::Veth) {
            Veth::new().map_err(|error| error.to_string())
        } else {
            Err(UNWANTED.to_string())
        };
        let tap = if wanted.contains(&Path::Tap) {
            Tap::new()
        } else {
            Err(UNWANTED.to_string())
        };
        Self { veth, tap }
    }

    /// The cable into the kernel.
    pub(super) fn tap(&self) -> Result<&Tap, String> {
        self.tap.as_ref().map_err(Clone::clone)
    }

    /// Two sockets that are about to meet.
    pub(super) fn ends(&self, way: Way, path: Path) -> Result<Ends, String> {
        let ends = match (path, way, &self.veth) {
            (Path::Veth, _, Err(why)) => return Err(why.clone()),
            (Path::Veth, Way::SendfileWithoutSg, Ok(veth)) => veth.ends(LINEAR),
            (Path::Veth, _, Ok(veth)) => veth.ends(GATHERING),
            _ => Ends::loopback(),
        };
        ends.map_err(|cause| format!("no sockets over {}: {cause}", path.name()))
    }
}
