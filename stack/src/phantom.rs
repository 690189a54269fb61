//! Socket buffers, and the ring that holds nothing.
//!
//! The transmit ring of a zero-copy socket is a *phantom*: anonymous memory that nobody ever writes. Every
//! page of it that is read is the kernel's one page of zeros, so a ring of any size costs page-table entries
//! and 4 KiB of first-level cache. smoltcp counts the bytes in it, and copies "them" behind each header it
//! emits; the adapter throws that payload away and sends the bytes that the send queue names instead.
//! (docs/decisions has the record of the alternatives.)
//!
//! The receive ring can be a phantom too ([`ReceiveRing::Phantom`]): what smoltcp writes there is thrown away, and the
//! application reads the bytes where the NIC has put them (the module `inbox`).
//!
//! Sockets are pooled, with their buffers: a connection that ends leaves its socket to the next one, so that
//! opening one allocates nothing and the memory follows the largest number of connections open at once. smoltcp borrows
//! the buffers for ever: a stack that ends leaves its sockets to the next one of the process, each to its like: a transmit
//! ring that was once written holds memory from then on, and is no phantom any more. What a receive ring has taken is given
//! back while its connection is at rest.

use std::error::Error;
use std::sync::{Mutex, PoisonError};

use memmap2::{Advice, MmapOptions};
use pagewire_nic::dma::{RingMemory, discard};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer};

/// What stands behind the transmit ring of a pool's sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransmitRing {
    /// Never written: payload is sent by reference, from the send queue.
    Phantom,
    /// Memory: payload is copied in, and copied out again into frames. For comparison, and for data that
    /// has no other home.
    Real,
}

/// What stands behind the receive rings of a stack's sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiveRing {
    /// Nothing: what arrives is read where the NIC has put it, and kept only where it is not read at once. For few
    /// connections that much is received on: a ring takes a mapping for each 16 KiB.
    Phantom,
    /// Memory: payload is copied in, and read there.
    Real,
}

/// The sizes of a socket's buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketSizes {
    /// Receive ring in bytes: the largest window that is advertised.
    pub receive: usize,
    /// Transmit ring in bytes: the most that is in flight.
    pub transmit: usize,
}

/// The socket's memory could not be had.
#[derive(Debug, thiserror::Error)]
#[error("no memory for a socket's buffers of {receive} and {transmit} bytes: {source}")]
pub struct NoSocketMemory {
    receive: usize,
    transmit: usize,
    source: Box<dyn Error + Send + Sync>,
}

/// A socket, and where its received bytes are.
pub(crate) struct PooledSocket {
    pub(crate) socket: Socket<'static>,
    /// A handle on the memory of its receive ring, or of its store.
    pub(crate) receive: RingMemory,
    /// Where its received bytes are kept if its receive ring keeps none.
    pub(crate) store: Option<Store>,
}

/// Room for what nobody has read yet, as long as the largest window: a byte's offset in the stream, modulo that
/// length, is its place.
pub(crate) struct Store(pub(crate) &'static mut [u8]);

impl Store {
    /// Keeps `bytes`, which are the stream's from `offset` on.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let len = self.0.len();
        let bytes = &bytes[..bytes.len().min(len)];
        let at = (offset % len as u64) as usize;
        let (first, second) = bytes.split_at(bytes.len().min(len - at));
        self.0[at..at + first.len()].copy_from_slice(first);
        self.0[..second.len()].copy_from_slice(second);
    }

    /// The bytes from `offset` on that lie in one piece, at most `len`.
    pub(crate) fn read(&self, offset: u64, len: usize) -> &[u8] {
        let at = (offset % self.0.len() as u64) as usize;
        &self.0[at..][..len.min(self.0.len() - at)]
    }
}

/// Sockets of stacks that have ended, each with what it was made as.
static PARKED: Mutex<Vec<(Make, PooledSocket)>> = Mutex::new(Vec::new());

/// As what a socket is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Make {
    sizes: SocketSizes,
    transmit: TransmitRing,
    receive: ReceiveRing,
}

/// Sockets at rest, and the way to make more.
pub(crate) struct SocketPool {
    idle: Vec<PooledSocket>,
    make: Make,
    congestion: CongestionControl,
}

impl SocketPool {
    pub(crate) fn new(
        sizes: SocketSizes,
        transmit: TransmitRing,
        receive: ReceiveRing,
        congestion: CongestionControl,
    ) -> Self {
        let make = Make {
            sizes,
            transmit,
            receive,
        };
        Self {
            idle: Vec::new(),
            make,
            congestion,
        }
    }

    /// A closed socket, as new.
    pub(crate) fn take(&mut self) -> Result<PooledSocket, NoSocketMemory> {
        let mut pooled = match self.idle.pop() {
            Some(pooled) => pooled,
            None => self.make.socket().map_err(|source| NoSocketMemory {
                receive: self.make.sizes.receive,
                transmit: self.make.sizes.transmit,
                source,
            })?,
        };
        let socket = &mut pooled.socket;
        // A fresh controller each time: smoltcp keeps the old one's window across a reset.
        socket.set_congestion_control(self.congestion);
        // A 10 ms delayed ACK halves the speed of a sender that waits for it; ACKs are coalesced by batches, and those of long
        // packets by the connection (`owed`).
        socket.set_ack_delay(None);
        // Nagle keeps a window's odd end from becoming a runt that puts all later segments out of step with the
        // ring's end; what there is to send beyond it goes with the next full segment. A connection makes an exception
        // for the end of all that is promised.
        socket.set_nagle_enabled(true);
        Ok(pooled)
    }

    /// Takes a socket back; its connection is over.
    pub(crate) fn give(&mut self, mut pooled: PooledSocket) {
        pooled.socket.abort();
        self.idle.push(pooled);
    }
}

impl Drop for SocketPool {
    fn drop(&mut self) {
        let parked = self.idle.drain(..).map(|pooled| (self.make, pooled));
        PARKED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(parked);
    }
}

impl Make {
    /// One that was parked, or a new one.
    fn socket(self) -> Result<PooledSocket, Box<dyn Error + Send + Sync>> {
        let mut parked = PARKED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = parked.iter().rposition(|(make, _)| *make == self) {
            return Ok(parked.swap_remove(at).1);
        }
        drop(parked);
        let SocketSizes { receive, transmit } = self.sizes;
        let transmit = untouched_zeros(transmit)?;
        let (ring, receive, store) = match self.receive {
            ReceiveRing::Real => {
                let (handle, memory) = RingMemory::lend(receive)?;
                (memory, handle, None)
            }
            ReceiveRing::Phantom => {
                let ring = discard(receive)?;
                let (handle, memory) = RingMemory::lend(ring.len())?;
                (ring, handle, Some(Store(memory)))
            }
        };
        Ok(PooledSocket {
            socket: Socket::new(SocketBuffer::new(ring), SocketBuffer::new(transmit)),
            receive,
            store,
        })
    }
}

/// `len` bytes of zeros that take no memory until they are written. They live as long as the process: a
/// smoltcp buffer borrows them, and sockets are used again, never freed.
pub(crate) fn untouched_zeros(len: usize) -> std::io::Result<&'static mut [u8]> {
    let map = MmapOptions::new().len(len).map_anon()?;
    // A huge page of zeros would be 2 MiB that the cache has to hold; a small one fits into its first level.
    // A kernel without huge pages refuses the advice, and needs none.
    let _ = map.advise(Advice::NoHugePage);
    Ok(&mut Box::leak(Box::new(map))[..])
}

/// How far a phantom ring of `capacity` bytes is to be filled, which holds `queued` bytes up to `enqueued`, when `promised` are
/// to be sent in all, at most `request` at once. Where there are more than it takes, it ends with a whole request: smoltcp
/// sends what it has, and each acknowledgment would make a short request of the room that it frees.
pub(crate) fn filled_to(enqueued: u64, promised: u64, queued: usize, capacity: usize, request: usize) -> u64 {
    let full = enqueued + capacity.saturating_sub(queued) as u64;
    if promised <= full {
        return promised;
    }
    let whole = full - full % request.clamp(1, capacity.max(1)) as u64;
    whole.max(enqueued)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn private_kilobytes() -> u64 {
        let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
        let of = |name: &str| -> u64 {
            let line = rollup.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        of("Private_Dirty:")
    }

    #[test]
    fn a_ring_that_is_only_read_takes_no_memory() {
        let before = private_kilobytes();
        let ring = untouched_zeros(256 << 20).unwrap();
        assert_eq!(ring.iter().map(|&byte| u64::from(byte)).sum::<u64>(), 0);
        let grown = private_kilobytes().saturating_sub(before);
        assert!(grown < 16 << 10, "reading 256 MiB of zeros took {grown} KiB");
    }

    fn pool_of(sizes: SocketSizes, transmit: TransmitRing) -> SocketPool {
        SocketPool::new(sizes, transmit, ReceiveRing::Real, CongestionControl::None)
    }

    /// Smoltcp would read what was written there, in place of a page of zeros that is always near.
    #[test]
    fn a_ring_that_may_have_been_written_does_not_become_a_phantom() {
        // Nobody else has such sizes.
        let sizes = SocketSizes {
            receive: 65536,
            transmit: 77 << 12,
        };
        let parked = || {
            let parked = PARKED.lock().unwrap();
            let transmit = |(make, _): &(Make, _)| (make.sizes == sizes).then_some(make.transmit);
            parked.iter().filter_map(transmit).collect::<Vec<_>>()
        };
        for ring in [TransmitRing::Real, TransmitRing::Phantom] {
            let mut pool = pool_of(sizes, ring);
            let pooled = pool.take().unwrap();
            pool.give(pooled);
        }
        assert_eq!(parked(), [TransmitRing::Real, TransmitRing::Phantom]);
        pool_of(sizes, TransmitRing::Phantom).take().unwrap();
        assert_eq!(parked(), [TransmitRing::Real]);
    }

    #[test]
    fn a_socket_that_comes_back_is_used_again() {
        let sizes = SocketSizes {
            receive: 65536,
            transmit: 1 << 20,
        };
        let mut pool = pool_of(sizes, TransmitRing::Phantom);
        let mut pooled = pool.take().unwrap();
        pooled.socket.listen(80).unwrap();
        pool.give(pooled);
        assert_eq!(pool.idle.len(), 1);
        let pooled = pool.take().unwrap();
        assert!(!pooled.socket.is_open());
        assert!(pool.idle.is_empty());
    }

    #[test]
    fn an_acknowledgment_of_less_than_a_request_fills_nothing_but_the_end_is_taken() {
        let (request, capacity) = (1000, 4000);
        let filled = |promised, queued| filled_to(8000, promised, queued, capacity, request);
        assert_eq!(filled(90_000, 4000), 8000, "full");
        assert_eq!(filled(90_000, 3400), 8000, "room for 600");
        assert_eq!(filled(90_000, 2900), 9000, "room for 1100");
        assert_eq!(filled(8600, 3400), 8600, "the end has room");
    }

    proptest! {
        #[test]
        fn a_ring_takes_what_fits_in_whole_requests_and_never_stands_still_empty(
            enqueued in 0_u64..1 << 40,
            waiting in 0_u64..1 << 24,
            capacity in 1_usize..1 << 21,
            share in 0.0..=1.0,
            request in 1_usize..1 << 18,
        ) {
            let queued = (capacity as f64 * share) as usize;
            let promised = enqueued + waiting;
            let filled = filled_to(enqueued, promised, queued, capacity, request);
            prop_assert!((enqueued..=promised).contains(&filled));
            prop_assert!(filled - enqueued <= (capacity - queued) as u64);
            let whole = filled.is_multiple_of(request.min(capacity) as u64);
            prop_assert!(whole || filled == promised || filled == enqueued);
            prop_assert!(queued > 0 || waiting == 0 || filled > enqueued);
        }
    }
}
