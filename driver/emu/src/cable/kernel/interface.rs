//! The kernel's calls about interfaces that have no safe form: netdevice(7) and tuntap.
#![allow(
    unsafe_code,
    reason = "requests about interfaces are structures that ioctl reads and writes"
)]

use std::mem::zeroed;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, SocketType, socket};

use super::AttachError;

/// What the TAP may leave to us, and we to it: checksums, and TCP segments of either IP uncut.
const OFFLOADS: libc::c_uint = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6;

/// Refuses what the kernel would refuse, or read as a pattern.
pub(super) fn check_name(name: &str) -> Result<(), AttachError> {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':' | b'%');
    let fits = (1..libc::IFNAMSIZ).contains(&name.len());
    if fits && name.bytes().all(allowed) && !matches!(name, "." | "..") {
        return Ok(());
    }
    Err(AttachError::Name {
        name: name.to_owned(),
    })
}

/// An interface of the network that the calling thread is in.
#[derive(Debug)]
pub(super) struct Interface<'n> {
    name: &'n str,
    index: u32,
    /// Any socket will do to ask about interfaces.
    asked: OwnedFd,
}

impl<'n> Interface<'n> {
    /// The one of this name, if there is one.
    pub(super) fn find(name: &'n str) -> Result<Option<Self>, AttachError> {
        let failed = |errno: Errno| AttachError::Step {
            step: "looking for",
            name: name.to_owned(),
            cause: errno.into(),
        };
        let asked = socket(AddressFamily::INET, SocketType::DGRAM, None).map_err(failed)?;
        match name_to_index(&asked, name) {
            Ok(index) => Ok(Some(Self { name, index, asked })),
            Err(Errno::NODEV) => Ok(None),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// The one of this name, which must be there.
    pub(super) fn expect(name: &'n str) -> Result<Self, AttachError> {
        Self::find(name)?.ok_or_else(|| AttachError::NoInterface {
            name: name.to_owned(),
        })
    }

    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// Whether its frames are Ethernet's, which those of loopback and of tunnels are not.
    pub(super) fn speaks_ethernet(&self) -> Result<(), AttachError> {
        let mut request = request(self.name);
        self.ask(libc::SIOCGIFHWADDR, &mut request, "asking for the kind of")?;
        // SAFETY: this request has filled in the hardware address, and any bytes are numbers.
        let kind = unsafe { request.ifr_ifru.ifru_hwaddr.sa_family };
        if kind == libc::ARPHRD_ETHER {
            return Ok(());
        }
        Err(AttachError::NotEthernet {
            name: self.name.to_owned(),
        })
    }

    /// Whether its MTU is ours.
    pub(super) fn agree_on(&self, here: u32) -> Result<(), AttachError> {
        let mut request = request(self.name);
        self.ask(libc::SIOCGIFMTU, &mut request, "asking for the MTU of")?;
        // SAFETY: this request has filled in the MTU, and any bytes are a number.
        let there = unsafe { request.ifr_ifru.ifru_mtu } as u32;
        if there == here {
            return Ok(());
        }
        Err(AttachError::Mtu {
            name: self.name.to_owned(),
            there,
            here,
        })
    }

    pub(super) fn set_mtu(&self, mtu: u32) -> Result<(), AttachError> {
        let mut request = request(self.name);
        request.ifr_ifru.ifru_mtu = mtu as libc::c_int;
        self.ask(libc::SIOCSIFMTU, &mut request, "setting the MTU of")
    }

    /// Switches it on, if it is not.
    pub(super) fn switch_on(&self) -> Result<(), AttachError> {
        let up = libc::IFF_UP as libc::c_short;
        let mut request = request(self.name);
        self.ask(libc::SIOCGIFFLAGS, &mut request, "asking for the state of")?;
        // SAFETY: this request has filled in the flags, and any bytes are a number.
        let flags = unsafe { request.ifr_ifru.ifru_flags };
        if flags & up != 0 {
            return Ok(());
        }
        request.ifr_ifru.ifru_flags = flags | up;
        self.ask(libc::SIOCSIFFLAGS, &mut request, "switching on")
            .map_err(|error| match error {
                AttachError::Step { cause, .. } if cause.raw_os_error() == Some(libc::EPERM) => {
                    AttachError::Down {
                        name: self.name.to_owned(),
                    }
                }
                error => error,
            })
    }

    fn ask(
        &self,
        what: libc::c_ulong,
        request: &mut libc::ifreq,
        step: &'static str,
    ) -> Result<(), AttachError> {
        // SAFETY: each of these requests reads and writes one `ifreq`, which lives through the call.
        let outcome = unsafe { libc::ioctl(self.asked.as_raw_fd(), what as _, std::ptr::from_mut(request)) };
        checked(outcome).map(|_| ()).map_err(|errno| AttachError::Step {
            step,
            name: self.name.to_owned(),
            cause: errno.into(),
        })
    }
}

/// Makes the open `/dev/net/tun` the far end of the TAP `name`.
pub(super) fn tap_attach(tap: &OwnedFd, name: &str) -> Result<(), Errno> {
    let mut request = request(name);
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR) as libc::c_short;
    // SAFETY: this request reads and writes one `ifreq`, which lives through the call.
    checked(unsafe { libc::ioctl(tap.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) })?;
    // SAFETY: this request takes a number.
    checked(unsafe { libc::ioctl(tap.as_raw_fd(), libc::TUNSETOFFLOAD as _, OFFLOADS) })?;
    Ok(())
}

/// A request about an interface, whose name has passed [`check_name`].
fn request(name: &str) -> libc::ifreq {
    // SAFETY: an `ifreq` is numbers (and a pointer that stays null), for which zeros are values.
    let mut request: libc::ifreq = unsafe { zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request
}

fn checked(outcome: libc::c_int) -> Result<libc::c_int, Errno> {
    if outcome >= 0 {
        return Ok(outcome);
    }
    Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
}
