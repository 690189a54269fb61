//! Which queue a frame goes to: receive-side scaling (82599 §7.1.2.8).

use crate::offload::hash::{HashKinds, RssType, Toeplitz};
use crate::offload::headers::IpPacket;

/// Receive-side scaling, as the registers say.
#[derive(Clone, Debug)]
pub(crate) struct Rss {
    pub(crate) kinds: HashKinds,
    pub(crate) key: [u8; 40],
    pub(crate) hash: Toeplitz,
    /// Queue by the low seven bits of the hash.
    pub(crate) table: [u8; 128],
    /// The hash goes into the descriptor.
    pub(crate) report: bool,
}

impl Rss {
    /// Queue and hash of a packet; queue 0 for what is not hashed.
    #[inline]
    pub(crate) fn steer(&self, packet: Option<&IpPacket>, frame: &[u8]) -> (usize, Option<(RssType, u32)>) {
        let hash = packet.and_then(|packet| self.hash.packet(self.kinds, packet, frame));
        let queue = hash.map_or(0, |(_, hash)| self.table[hash as usize & 127]);
        (queue.into(), hash.filter(|_| self.report))
    }
}
