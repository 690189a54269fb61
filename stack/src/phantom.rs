//! Socket buffers, and the ring that holds nothing.
//!
//! The transmit ring of a zero-copy socket is a *phantom*: anonymous memory that nobody ever writes. Every
//! page of it that is read is the kernel's one page of zeros, so a ring of any size costs page-table entries
//! and 4 KiB of first-level cache. smoltcp counts the bytes in it, and copies "them" behind each header it
//! emits; the adapter throws that payload away and sends the bytes that the send queue names instead.
//! (docs/decisions has the record of the alternatives.)
//!
//! Sockets are pooled, with their buffers: a connection that ends leaves its socket to the next one, so that
//! opening one allocates nothing and the memory follows the largest number of connections open at once. What a receive
//! ring has taken is given back while its connection is at rest.

use memmap2::{Advice, MmapOptions};
use pagewire_nic::dma::RingMemory;
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

/// The sizes of a socket's buffers.
#[derive(Clone, Copy, Debug)]
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
    source: std::io::Error,
}

/// A socket, and a handle on what its receive ring is made of.
pub(crate) struct PooledSocket {
    pub(crate) socket: Socket<'static>,
    pub(crate) receive: RingMemory,
}

/// Sockets at rest, and the way to make more.
pub(crate) struct SocketPool {
    idle: Vec<PooledSocket>,
    sizes: SocketSizes,
    congestion: CongestionControl,
}

impl SocketPool {
    pub(crate) fn new(sizes: SocketSizes, congestion: CongestionControl) -> Self {
        Self {
            idle: Vec::new(),
            sizes,
            congestion,
        }
    }

    /// A closed socket, as new.
    pub(crate) fn take(&mut self) -> Result<PooledSocket, NoSocketMemory> {
        let mut pooled = match self.idle.pop() {
            Some(pooled) => pooled,
            None => {
                let SocketSizes { receive, transmit } = self.sizes;
                let refused = |source| NoSocketMemory {
                    receive,
                    transmit,
                    source,
                };
                let (handle, ring) = RingMemory::lend(receive).map_err(refused)?;
                let phantom = untouched_zeros(transmit).map_err(refused)?;
                PooledSocket {
                    socket: Socket::new(SocketBuffer::new(ring), SocketBuffer::new(phantom)),
                    receive: handle,
                }
            }
        };
        let socket = &mut pooled.socket;
        // A fresh controller each time: smoltcp keeps the old one's window across a reset.
        socket.set_congestion_control(self.congestion);
        // A 10 ms delayed ACK halves the speed of a sender that waits for it; ACKs are coalesced by batches.
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

/// `len` bytes of zeros that take no memory until they are written. They live as long as the process: a
/// smoltcp buffer borrows them, and sockets are used again, never freed.
fn untouched_zeros(len: usize) -> std::io::Result<&'static mut [u8]> {
    let map = MmapOptions::new().len(len).map_anon()?;
    // A huge page of zeros would be 2 MiB that the cache has to hold; a small one fits into its first level.
    // A kernel without huge pages refuses the advice, and needs none.
    let _ = map.advise(Advice::NoHugePage);
    Ok(&mut Box::leak(Box::new(map))[..])
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_socket_that_comes_back_is_used_again() {
        let sizes = SocketSizes {
            receive: 65536,
            transmit: 1 << 20,
        };
        let mut pool = SocketPool::new(sizes, CongestionControl::None);
        let mut socket = pool.take().unwrap();
        socket.socket.listen(80).unwrap();
        pool.give(socket);
        assert_eq!(pool.idle.len(), 1);
        let socket = pool.take().unwrap();
        assert!(!socket.socket.is_open());
        assert!(pool.idle.is_empty());
    }
}
