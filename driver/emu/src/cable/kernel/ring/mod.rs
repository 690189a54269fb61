//! A packet socket with rings (packet_mmap, `TPACKET_V2`): packets pass through memory that the kernel and this process
//! share.
//!
//! ```text
//!   NIC's TX engine ──► Transmit: a slot a packet ──► one send() a batch ──► the interface
//!   NIC's port ◄── Receive: the slot itself ◄── filled by the kernel as packets arrive, no call at all
//! ```
//! - [`slots`]: the memory, and whose a slot is;
//! - [`socket`]: options, rings and calls of the socket;
//! - [`transmit`], [`receive`]: our side of the two rings.
//!
//! In transmission, a packet that the kernel cannot send now (a queue is full, no memory) stays in its slot and is
//! offered again, and a ring of such slots lets the NIC wait. In reception the kernel drops what finds no slot free,
//! and says so in the status word of the next packet: only then it is asked how many. Nothing is allocated for a packet.

mod receive;
mod slots;
mod socket;
mod transmit;

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_send_buffer_size, set_socket_send_buffer_size_force, socket_error};

use self::receive::Receive;
use self::slots::{BLOCK, HEADER, SLOT, Slots};
use self::socket::{Socket, not_opened};
use self::transmit::Transmit;
use super::{AttachError, End, LONGEST, Lost, vnet};
use crate::wire::{Cable, Delivery, Inlet, Port, WireFrame};

/// Blocks of the receive ring: 960 packets, whatever their lengths. A TCP window of 1 MiB in frames of 1500 bytes takes 725.
const RECEIVE_BLOCKS: usize = 64;
/// Blocks of the transmit ring: 60 packets. More wait in the NIC's ring, as they are.
const TRANSMIT_BLOCKS: usize = 4;
/// How often the interface is asked after while nothing arrives.
const LOOK: Duration = Duration::from_millis(10);

/// A packet of any length fits, behind the 32 bytes of the slot's header in transmission; in reception, behind the
/// address that the kernel puts there too, with what it leaves so that the IP header is aligned.
const _: () = assert!(HEADER + vnet::HEADER + LONGEST <= SLOT);
const _: () = assert!(libc::TPACKET2_HDRLEN + 16 + libc::TPACKET_ALIGNMENT + vnet::HEADER + LONGEST <= SLOT);

/// The kernel's end of a cable.
#[derive(Debug)]
pub(super) struct Ring {
    line: Line,
    /// The last packet found no slot.
    busy: AtomicBool,
    /// Packets in slots wait until the kernel takes them.
    unsent: AtomicBool,
    /// Packets that the kernel found no slot for.
    no_slot: AtomicU64,
    transmit: Mutex<Transmit>,
    receive: Mutex<Receive>,
}

/// The socket, and what is known about it.
#[derive(Debug)]
struct Line {
    socket: Socket,
    calls: AtomicU64,
    /// The interface was down, or going, when it was last asked after.
    down: AtomicBool,
    /// The interface is no longer there.
    gone: AtomicBool,
}

impl Ring {
    /// A socket with rings on the interface of this name and index, whose packets have `mtu` bytes at most.
    pub(super) fn open(name: &str, index: u32, mtu: u32) -> Result<Self, AttachError> {
        let socket = Socket::new().map_err(|errno| not_opened(name, errno))?;
        socket.prepare().map_err(|(what, errno)| AttachError::NoRing {
            name: name.to_owned(),
            what,
            cause: errno.into(),
        })?;
        let refused = |what, blocks: usize, cause| AttachError::RingRefused {
            name: name.to_owned(),
            what,
            mib: blocks * (BLOCK >> 20),
            cause,
        };
        socket
            .make_ring(false, RECEIVE_BLOCKS)
            .map_err(|errno| refused("receive ring", RECEIVE_BLOCKS, errno.into()))?;
        socket
            .make_ring(true, TRANSMIT_BLOCKS)
            .map_err(|errno| refused("transmit ring", TRANSMIT_BLOCKS, errno.into()))?;
        let both = RECEIVE_BLOCKS + TRANSMIT_BLOCKS;
        let slots = Slots::map(socket.as_fd(), [RECEIVE_BLOCKS, TRANSMIT_BLOCKS])
            .map_err(|cause| refused("mapping of both rings", both, cause))?;
        // What a device has not sent yet counts against this. More than the system's limit only root may ask for; with less,
        // packets wait in their slots.
        let _ = set_socket_send_buffer_size_force(&socket, TRANSMIT_BLOCKS * BLOCK)
            .or_else(|_| set_socket_send_buffer_size(&socket, TRANSMIT_BLOCKS * BLOCK));
        socket.bind(index).map_err(|errno| not_opened(name, errno))?;
        Ok(Self::new(socket, slots, mtu))
    }

    fn new(socket: Socket, [receive, transmit]: [Slots; 2], mtu: u32) -> Self {
        Self {
            line: Line {
                socket,
                calls: AtomicU64::new(0),
                down: AtomicBool::new(false),
                gone: AtomicBool::new(false),
            },
            busy: AtomicBool::new(false),
            unsent: AtomicBool::new(false),
            no_slot: AtomicU64::new(0),
            transmit: Mutex::new(Transmit::new(transmit, mtu)),
            receive: Mutex::new(Receive::new(receive)),
        }
    }

    fn push(&self, transmit: &mut Transmit) {
        transmit.push(&self.line);
        self.unsent.store(transmit.unsent, Ordering::Relaxed);
    }

    /// Asks how many packets found no slot. The kernel forgets them by that.
    fn count_drops(&self) {
        self.line.calls.fetch_add(1, Ordering::Relaxed);
        let drops = self.line.socket.take_drops().unwrap_or(0);
        let before = self.no_slot.fetch_add(drops.into(), Ordering::Relaxed);
        if before == 0 && drops > 0 {
            tracing::warn!(
                drops,
                "the receive ring was full: packets were lost, and more may be"
            );
        }
    }
}

impl Port for Ring {
    fn receive(&self, batch: &mut dyn FnMut(&mut dyn Inlet)) {
        let mut transmit = self.transmit.lock();
        self.busy.store(false, Ordering::Relaxed);
        batch(&mut Filler {
            ring: self,
            transmit: &mut transmit,
        });
        self.push(&mut transmit);
    }
}

/// The transmit ring, for one batch.
struct Filler<'a> {
    ring: &'a Ring,
    transmit: &'a mut Transmit,
}

impl Inlet for Filler<'_> {
    fn deliver(&mut self, frame: &WireFrame<'_>) -> Delivery {
        let delivery = self.transmit.put(frame, &self.ring.line);
        if delivery == Delivery::Busy {
            self.ring.busy.store(true, Ordering::Relaxed);
        }
        delivery
    }
}

impl End for Ring {
    /// Readable while packets are in the receive ring.
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.line.socket.as_fd()
    }

    fn take_in(&self, now: Duration, back: &dyn Cable) -> usize {
        // Where it is locked, another thread steps another queue of this NIC.
        let Some(mut receive) = self.receive.try_lock() else {
            return 0;
        };
        if !receive.has_packet() {
            if now >= receive.look {
                receive.look = now + LOOK;
                self.line.look();
            }
            return 0;
        }
        let taken = receive.take_in(now, back);
        if taken.losing {
            self.count_drops();
        }
        taken.packets
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) || self.unsent.load(Ordering::Relaxed)
    }

    fn push_on(&self) {
        if let Some(mut transmit) = self.transmit.try_lock() {
            self.push(&mut transmit);
        }
    }

    fn is_gone(&self) -> bool {
        self.line.gone.load(Ordering::Relaxed)
    }

    fn system_calls(&self) -> u64 {
        self.line.calls.load(Ordering::Relaxed)
    }

    fn lost(&self) -> Option<Lost> {
        self.count_drops();
        let (refused, withdrawn) = {
            let transmit = self.transmit.lock();
            (transmit.refused, transmit.withdrawn)
        };
        let receive = self.receive.lock();
        Some(Lost {
            no_slot: self.no_slot.load(Ordering::Relaxed),
            too_long: receive.too_long,
            malformed: receive.malformed,
            refused,
            withdrawn,
        })
    }
}

impl Line {
    fn kick(&self) -> Result<usize, Errno> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let sent = self.socket.kick();
        if matches!(sent, Err(Errno::NXIO | Errno::NODEV)) {
            self.gone.store(true, Ordering::Relaxed);
        }
        sent
    }

    /// What the socket has to tell once, such as that the interface went down: while it is there, the descriptor wakes
    /// whoever sleeps on it. Reads into a ring do not take it away, since there are none.
    fn take_error(&self) -> bool {
        self.calls.fetch_add(1, Ordering::Relaxed);
        !matches!(socket_error(&self.socket), Ok(Ok(())))
    }

    /// Finds out whether the interface is still there: a kick is told, with or without something to send. One that is deleted
    /// goes down first, which the socket tells once, and is gone a while later, which it does not.
    fn look(&self) {
        if self.down.load(Ordering::Relaxed) || self.take_error() {
            self.down.store(self.kick().is_err(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
