//! Memory for a ring that is written, and counted, but never read.
//!
//! A stack that reads what arrives where the NIC has put it has no use for the copy that its TCP makes: the copy goes
//! into a ring whose every 16 KiB are the same 16 KiB, which stay in the first-level cache.
#![allow(
    unsafe_code,
    reason = "hands out pages that are mapped several times; nobody reads them"
)]

use std::mem::ManuallyDrop;

use super::DmaError;
use super::repeated::{PAGE, Repeated};

/// Four pages: a third of the smallest first-level cache that a server has, at a fourth of the mappings.
const PERIOD: usize = 4 * PAGE;

/// `len` bytes, rounded up to whole repetitions, that take whatever is written and keep nothing of it. They live as
/// long as the process. **Not to be read**: what is found there is not what was written there.
///
/// # Errors
/// [`DmaError::NoMemory`].
pub fn discard(len: usize) -> Result<&'static mut [u8], DmaError> {
    let repeated = ManuallyDrop::new(Repeated::new(0, PERIOD, len)?);
    // SAFETY: the range is mapped, readable, writable and initialised (the kernel's zeros), and stays so, because it is
    // never dropped; this is the only reference into it.
    //
    // What the slice is not: memory in which each byte is its own. The language's model has no such memory; what it
    // lets the compiler assume is that a store to one byte leaves the others' values as they were. That can only show
    // in values that are *read*, and the caller is told to read none (decision 5).
    Ok(unsafe { std::slice::from_raw_parts_mut(repeated.start().as_ptr(), repeated.len()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_of_any_length_takes_four_pages() {
        let ring = discard(3 * PERIOD - 1).unwrap();
        assert_eq!(ring.len(), 3 * PERIOD);
        ring[0] = 7;
        // The one look into it, to see that it is the same memory.
        assert_eq!(std::hint::black_box(&*ring)[2 * PERIOD], 7);
    }
}
