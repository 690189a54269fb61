//! Memory to write into that nobody reads: the first page is real, the rest is one page over and over.
//!
//! A stack that sends by reference writes each segment as header and payload, keeps the header, and throws the
//! payload away. Written into ordinary memory, 64 KiB of payload fill the first-level cache and spill into the
//! second; written into a range in which every page is the same physical page, they stay in 4 KiB of it. On
//! the machine of docs/decisions/0005 that is 0.5 µs against 1.4 µs a segment, more than all the rest of the
//! stack's work on it.
#![allow(
    unsafe_code,
    reason = "writes to pages that are mapped several times; the aliasing is confined to bytes that are never read"
)]

use super::DmaError;
use super::repeated::{PAGE, Repeated};

/// Bytes at the front of a scratch that are memory of their own.
const REAL: usize = PAGE;
/// Where a packet begins: 54 bytes of headers (Ethernet, IPv4, TCP without options) end where a cache line does, and stores of
/// payload that are aligned take a quarter less time.
const LEAD: usize = 10;

/// A range that takes packets of up to a fixed length and gives back their headers only.
pub struct Scratch(Repeated);

impl Scratch {
    /// A scratch for packets of up to `len` bytes.
    ///
    /// # Errors
    /// [`DmaError::NoMemory`].
    pub fn new(len: usize) -> Result<Self, DmaError> {
        Ok(Self(Repeated::new(REAL, PAGE, LEAD + len)?))
    }

    /// Lets `write` write a packet of `len` bytes, which it must not read back, and returns what it returned
    /// together with the packet's first `front` bytes.
    ///
    /// # Panics
    /// The packet is longer than the scratch, or `front` longer than the packet or a page: lengths that the
    /// caller chose when it made the scratch.
    pub fn compose<R>(&mut self, len: usize, front: usize, write: impl FnOnce(&mut [u8]) -> R) -> (R, &[u8]) {
        assert!(
            LEAD + len <= self.0.len() && front <= len && LEAD + front <= REAL,
            "{front} of {len} bytes of a scratch of {}",
            self.0.len()
        );
        // SAFETY: the range, of which the packet lies within by the assertion, is mapped readable and writable for as long
        // as `self` lives, every byte is initialised (the kernel's zeros), and `&mut self` makes this the only reference
        // into it.
        //
        // What the slice is not: memory in which each byte is its own. Behind the first page, bytes 4096 apart
        // are one. The language's model has no such memory; what it lets the compiler assume is that a store to
        // one byte leaves the others' values as they were. That assumption can only show in values *read* from
        // bytes behind the first page, and none is: `write` is told not to (a packet writer has no reason to),
        // and the front returned below lies in the first page, which is mapped once. So every value that any
        // code observes is the one that was stored there.
        let packet = unsafe { std::slice::from_raw_parts_mut(self.0.start().as_ptr().add(LEAD), len) };
        let result = write(packet);
        (result, &packet[..front])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_what_was_written_whatever_the_payload() {
        let mut scratch = Scratch::new(65_549).unwrap();
        for fill in [0x00, 0xff] {
            let (len, header) = scratch.compose(65_549, 54, |packet| {
                packet.fill(fill);
                packet[..54].copy_from_slice(&[0xa5; 54]);
                packet.len()
            });
            assert_eq!((len, header), (65_549, &[0xa5; 54][..]));
        }
    }

    #[test]
    #[should_panic(expected = "54 of 12289 bytes")]
    fn a_packet_that_does_not_fit_is_the_callers_fault() {
        Scratch::new(9_000).unwrap().compose(12_289, 54, |_| ());
    }

    #[test]
    #[should_panic(expected = "4097 of 8000 bytes")]
    fn what_is_read_back_lies_in_the_real_page() {
        Scratch::new(9_000).unwrap().compose(8_000, 4_097, |_| ());
    }

    #[test]
    fn the_payload_takes_one_page_of_memory() {
        let mut scratch = Scratch::new(1 << 20).unwrap();
        let (distinct, _) = scratch.compose(1 << 20, 0, |packet| {
            // The one look behind the first page, to see that the pages are the same.
            packet[REAL] = 1;
            packet[5 * REAL] = 2;
            std::hint::black_box(&packet)[REAL]
        });
        assert_eq!(distinct, 2);
    }
}
