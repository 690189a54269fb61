//! The memory that a packet socket shares with this process (packet_mmap, `<linux/if_packet.h>`): slots of one packet
//! each, which belong to one side at a time.
//!
//! ```text
//!   mapping:  receive ring | transmit ring          each of blocks of 1 MiB, with 15 slots in a block
//!   slot:     status  tp_len  tp_snaplen  tp_mac ..  (32 bytes)  |  packet
//! ```
//! The status word says whose a slot is. The side that has it writes what it likes, and gives it away by its last write,
//! to the status word. A [`Slot`] exists only while the slot is ours.
#![allow(
    unsafe_code,
    reason = "reaches memory that the kernel writes, while a slot is ours"
)]

use std::io;
use std::os::fd::BorrowedFd;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use memmap2::{MmapOptions, MmapRaw};

/// Bytes of a block: physically together where the kernel has that, and a multiple of any page.
pub(super) const BLOCK: usize = 1 << 20;
/// Bytes of a slot: the longest packet with its headers, rounded up to pages of 4 KiB. In transmission the kernel makes
/// each page that a packet touches a fragment of it and has 17 at least (`CONFIG_MAX_SKB_FRAGS`): a slot that did not
/// begin at a page could touch 18.
pub(super) const SLOT: usize = 17 * 4096;
/// Slots of a block: none lies in two.
pub(super) const SLOTS_PER_BLOCK: usize = BLOCK / SLOT;
/// `struct tpacket2_hdr`, rounded up to `TPACKET_ALIGNMENT`: what follows may be a packet's.
pub(super) const HEADER: usize = 32;

const _: () = assert!(SLOT.is_multiple_of(libc::TPACKET_ALIGNMENT) && SLOT >= libc::TPACKET2_HDRLEN);
const _: () = assert!(size_of::<libc::tpacket2_hdr>() <= HEADER);

/// Where the fields of `struct tpacket2_hdr` lie.
pub(super) const LEN: usize = 4;
pub(super) const SNAPLEN: usize = 8;
pub(super) const MAC: usize = 12;
pub(super) const VLAN_TCI: usize = 24;
pub(super) const VLAN_TPID: usize = 26;

/// Which ring: the status words differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Receive,
    Transmit,
}

/// The slots of one ring.
#[derive(Debug)]
pub(super) struct Slots {
    /// Of both rings of a socket. Pages that the kernel still sends from stay when it goes: it has references to them.
    mapping: Arc<MmapRaw>,
    /// Where its first slot begins.
    first: usize,
    count: usize,
    side: Side,
}

impl Slots {
    /// Maps what a packet socket shares: the slots of `blocks[0]` blocks of receive ring, and behind them those of
    /// `blocks[1]` blocks of transmit ring.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn map(socket: BorrowedFd<'_>, blocks: [usize; 2]) -> io::Result<[Self; 2]> {
        let len = (blocks[0] + blocks[1]) * BLOCK;
        let mapping = Arc::new(MmapOptions::new().len(len).map_raw(&socket)?);
        let part = |first, blocks, side| Self {
            mapping: Arc::clone(&mapping),
            first,
            count: blocks * SLOTS_PER_BLOCK,
            side,
        };
        Ok([
            part(0, blocks[0], Side::Receive),
            part(blocks[0] * BLOCK, blocks[1], Side::Transmit),
        ])
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The slot behind slot `index`, round the ring.
    pub(super) fn after(&self, index: usize) -> usize {
        if index + 1 < self.count { index + 1 } else { 0 }
    }

    /// The slot before slot `index`, round the ring.
    pub(super) fn before(&self, index: usize) -> usize {
        if index > 0 { index - 1 } else { self.count - 1 }
    }

    /// Whether slot `index` is ours at this moment: it then stays so until we give it away.
    pub(super) fn is_ours(&self, index: usize) -> bool {
        let status = self.status(index);
        match self.side {
            Side::Receive => status & libc::TP_STATUS_USER != 0,
            Side::Transmit => status & (libc::TP_STATUS_SEND_REQUEST | libc::TP_STATUS_SENDING) == 0,
        }
    }

    /// Slot `index`, if it is ours.
    pub(super) fn take(&mut self, index: usize) -> Option<Slot<'_>> {
        if !self.is_ours(index) {
            return None;
        }
        let (word, status) = self.place(index);
        // SAFETY: the bytes lie in the mapping, behind the status word, which is not among them. They are ours: the
        // status word said so, read with Acquire, so that the kernel's writes before its own are seen; and the kernel
        // writes no slot whose status is not its own. No one else here has them: the two rings' parts are disjoint,
        // and this one is borrowed exclusively while the slot lives. Any bytes are bytes.
        let bytes = unsafe { slice::from_raw_parts_mut(word.add(4), SLOT - 4) };
        Some(Slot { status, bytes })
    }

    /// Whether slot `index` of the transmit ring waits until the kernel looks at it.
    pub(super) fn is_asked_for(&self, index: usize) -> bool {
        self.status(index) & libc::TP_STATUS_SEND_REQUEST != 0
    }

    /// Takes slot `index` of the transmit ring back from a kernel that has not looked at it: it looks only within calls
    /// of ours, and the caller makes none meanwhile.
    pub(super) fn withdraw(&mut self, index: usize) {
        // Nothing was written since it was given away: no order is needed.
        self.place(index)
            .1
            .store(libc::TP_STATUS_AVAILABLE, Ordering::Relaxed);
    }

    fn status(&self, index: usize) -> u32 {
        // Acquire: what the kernel wrote, or read, before it changed the word has happened.
        self.place(index).1.load(Ordering::Acquire)
    }

    /// Where slot `index` begins, and its status word.
    fn place(&self, index: usize) -> (*mut u8, &AtomicU32) {
        assert!(index < self.count, "a slot beyond the ring");
        let at = self.first + index / SLOTS_PER_BLOCK * BLOCK + index % SLOTS_PER_BLOCK * SLOT;
        // SAFETY: `map` has mapped the part's blocks, and the slot lies in one of them.
        let start = unsafe { self.mapping.as_mut_ptr().add(at) };
        // SAFETY: mapped for as long as `self` holds the mapping; at a multiple of 16 from a page, so aligned. Kernel and
        // process reach the word by single reads and writes only, which is what atomics are to each other, and no
        // reference of another kind is made to it.
        (start, unsafe { AtomicU32::from_ptr(start.cast()) })
    }
}

/// A slot that is ours.
#[derive(Debug)]
pub(super) struct Slot<'s> {
    status: &'s AtomicU32,
    /// All but the status word.
    bytes: &'s mut [u8],
}

impl Slot<'_> {
    /// The bits of its status word.
    pub(super) fn status(&self) -> u32 {
        self.status.load(Ordering::Relaxed)
    }

    /// Forgets bits of its status word; it stays ours.
    pub(super) fn forget(&mut self, bits: u32) {
        self.status.store(self.status() & !bits, Ordering::Relaxed);
    }

    /// A field of 32 bits of its header.
    pub(super) fn word(&self, field: usize) -> usize {
        let [a, b, c, d] = *self.field(field);
        u32::from_ne_bytes([a, b, c, d]) as usize
    }

    /// A field of 16 bits of its header.
    pub(super) fn half(&self, field: usize) -> u16 {
        let [a, b] = *self.field(field);
        u16::from_ne_bytes([a, b])
    }

    pub(super) fn set_word(&mut self, field: usize, value: usize) {
        self.bytes[field - 4..field].copy_from_slice(&(value as u32).to_ne_bytes());
    }

    pub(super) fn set_half(&mut self, field: usize, value: u16) {
        self.bytes[field - 4..field - 2].copy_from_slice(&value.to_ne_bytes());
    }

    /// What is behind the header: from byte `HEADER` of the slot to its end.
    pub(super) fn packet(&mut self) -> &mut [u8] {
        &mut self.bytes[HEADER - 4..]
    }

    /// Gives it to the kernel, which finds this status. Release: all that was written to the slot, and read from it, has
    /// happened by then.
    pub(super) fn give(self, status: u32) {
        self.status.store(status, Ordering::Release);
    }

    fn field<const N: usize>(&self, at: usize) -> &[u8; N] {
        // The status word is not among the bytes.
        self.bytes[at - 4..]
            .first_chunk()
            .expect("a header's field is in the slot")
    }
}
