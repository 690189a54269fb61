//! How a NIC is to be opened.

use std::time::Duration;

/// What a driver's `open` is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NicConfig {
    /// Queue pairs; 1 on e1000, up to 16 on ixgbe (RSS spreads received packets over them).
    pub queues: u16,
    /// Descriptors of each transmit ring: a power of two, 8 to 4096.
    pub tx_descriptors: u16,
    /// Descriptors of each receive ring: a power of two, 8 to 4096.
    pub rx_descriptors: u16,
    /// Bytes of one receive buffer: 2048, 4096, 8192 or 16384.
    pub rx_buffer: u32,
    /// Frames in each receive queue's pool; 0 stands for both rings' worth and a few bursts.
    pub rx_frames: u32,
    /// The largest frame that is taken, Ethernet header included, Ethernet checksum not; up to 9018.
    pub max_frame: u16,
    /// Take frames for other stations too. Broadcast and multicast are always taken.
    pub promiscuous: bool,
    /// Take coalesced TCP segments: packets of up to 64 KiB over many buffers.
    pub coalesce: bool,
    /// Key of the Toeplitz hash that spreads packets over the queues. The default is the published test key,
    /// the same on every machine: where strangers choose the addresses, pass a random one.
    pub rss_key: [u8; 40],
}

impl Default for NicConfig {
    fn default() -> Self {
        Self {
            queues: 1,
            tx_descriptors: 512,
            rx_descriptors: 512,
            rx_buffer: 2048,
            rx_frames: 0,
            max_frame: 1514,
            promiscuous: false,
            coalesce: false,
            rss_key: PUBLISHED_RSS_KEY,
        }
    }
}

/// The key of the verification suite in Microsoft's "RSS hashing functions", for which expected hashes are
/// published.
const PUBLISHED_RSS_KEY: [u8; 40] = [
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0,
    0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42,
    0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
];

/// Lets time pass between two looks at a register. Every wait of a driver is a bounded loop over this, so a
/// test can count the time instead of spending it.
pub trait Delay {
    /// Returns after at least `us` microseconds.
    fn delay_us(&mut self, us: u32);
}

/// Real time: the calling thread sleeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct SleepDelay;

impl Delay for SleepDelay {
    fn delay_us(&mut self, us: u32) {
        std::thread::sleep(Duration::from_micros(us.into()));
    }
}
