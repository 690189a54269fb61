//! The packet socket itself: its options, its rings, and the call that makes the kernel send (packet(7)).
#![allow(
    unsafe_code,
    reason = "options and addresses of packet sockets are structures that system calls read and write"
)]

use std::mem::zeroed;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use rustix::io::Errno;

use super::slots::{BLOCK, SLOT, SLOTS_PER_BLOCK};
use crate::cable::kernel::AttachError;

/// A packet socket, before and after it has rings.
#[derive(Debug)]
pub(super) struct Socket(OwnedFd);

impl Socket {
    /// One that receives nothing yet.
    pub(super) fn new() -> Result<Self, Errno> {
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: `socket` takes numbers. No protocol yet: nothing arrives before the socket is set up and bound.
        let socket = checked(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
        // SAFETY: `socket` is a descriptor that was just made, and nobody else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(socket) }))
    }

    /// A socket that stands for one, with no rings of the kernel's.
    #[cfg(test)]
    pub(super) fn standing_for(socket: OwnedFd) -> Self {
        Self(socket)
    }

    /// What the rings are to be like; the kernel takes these only before it has made them.
    ///
    /// No `PACKET_QDISC_BYPASS`: past the queueing discipline, the kernel drops a segment that the device cannot cut
    /// itself, or while that is busy. Through it, it cuts; and a packet that finds no room stays in its slot.
    ///
    /// # Errors
    /// Which option the kernel does not have, and what it says.
    pub(super) fn prepare(&self) -> Result<(), (&'static str, Errno)> {
        let on: libc::c_int = 1;
        let version = libc::tpacket_versions::TPACKET_V2 as libc::c_int;
        for (name, option, value) in [
            ("TPACKET_V2", libc::PACKET_VERSION, version),
            // Segments whole and checksums unfinished, both ways.
            ("PACKET_VNET_HDR", libc::PACKET_VNET_HDR, on),
            // What the kernel and other stations of this machine send through the interface is not for us.
            ("PACKET_IGNORE_OUTGOING", libc::PACKET_IGNORE_OUTGOING, on),
            // A packet that the kernel finds malformed goes, and those behind it move up. Without this it would stay
            // where it is, marked, and the ring would stand still until a better one was put in the same slot.
            ("PACKET_LOSS", libc::PACKET_LOSS, on),
        ] {
            self.set(option, &value).map_err(|errno| (name, errno))?;
        }
        Ok(())
    }

    /// Has the kernel make the receive ring, of so many blocks, or the transmit ring.
    pub(super) fn make_ring(&self, transmit: bool, blocks: usize) -> Result<(), Errno> {
        let request = libc::tpacket_req {
            tp_block_size: BLOCK as libc::c_uint,
            tp_block_nr: blocks as libc::c_uint,
            tp_frame_size: SLOT as libc::c_uint,
            tp_frame_nr: (blocks * SLOTS_PER_BLOCK) as libc::c_uint,
        };
        let option = if transmit {
            libc::PACKET_TX_RING
        } else {
            libc::PACKET_RX_RING
        };
        self.set(option, &request)
    }

    /// Binds it to the interface, which listens for every station's frames from then on, until the socket is closed.
    pub(super) fn bind(&self, index: u32) -> Result<(), Errno> {
        let everybody = libc::packet_mreq {
            mr_ifindex: index as libc::c_int,
            mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        self.set(libc::PACKET_ADD_MEMBERSHIP, &everybody)?;
        // SAFETY: a `sockaddr_ll` is numbers, for which zeros are values.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = libc::AF_PACKET as libc::c_ushort;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = index as libc::c_int;
        let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: the address is `len` bytes and lives through the call.
        checked(unsafe { libc::bind(self.0.as_raw_fd(), (&raw const address).cast(), len) })?;
        Ok(())
    }

    /// Makes the kernel send what waits in the transmit ring, as far as it can now. Returns how many bytes of packets it
    /// took, their virtio-net headers not counted.
    pub(super) fn kick(&self) -> Result<usize, Errno> {
        // SAFETY: no bytes are passed: they are in the ring.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), ptr::null(), 0, libc::MSG_DONTWAIT) };
        usize::try_from(sent).map_err(|_| last())
    }

    /// How many packets found no slot since this was last asked.
    pub(super) fn take_drops(&self) -> Result<u32, Errno> {
        let mut counts = libc::tpacket_stats {
            tp_packets: 0,
            tp_drops: 0,
        };
        let mut len = size_of::<libc::tpacket_stats>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `len` bytes of numbers to `counts`, and the length to `len`; both live
        // through the call.
        checked(unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut counts).cast(),
                &raw mut len,
            )
        })?;
        Ok(counts.tp_drops)
    }

    /// Sets an option whose value is a `T`, as packet(7) has it.
    fn set<T>(&self, option: libc::c_int, value: &T) -> Result<(), Errno> {
        let len = size_of::<T>() as libc::socklen_t;
        let value = ptr::from_ref(value).cast();
        // SAFETY: the value is `len` bytes and lives through the call, which only reads it.
        checked(unsafe { libc::setsockopt(self.0.as_raw_fd(), libc::SOL_PACKET, option, value, len) })?;
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Why there is no socket.
pub(super) fn not_opened(name: &str, errno: Errno) -> AttachError {
    let name = name.to_owned();
    let cause = errno.into();
    match errno {
        Errno::PERM | Errno::ACCESS => AttachError::PacketNotPermitted { name, cause },
        Errno::AFNOSUPPORT => AttachError::NoRing {
            name,
            what: "packet sockets",
            cause,
        },
        _ => AttachError::Step {
            step: "opening a packet socket on",
            name,
            cause,
        },
    }
}

fn checked(outcome: libc::c_int) -> Result<libc::c_int, Errno> {
    if outcome >= 0 { Ok(outcome) } else { Err(last()) }
}

fn last() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
