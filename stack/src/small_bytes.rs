//! Heads of responses and other short runs of bytes: copied into chunks of DMA memory, which are used again.
//!
//! The life of a chunk:
//! 1. *filled*, when an application promises bytes;
//! 2. *sent*, by reference, and sent again where it got lost;
//! 3. *acknowledged*, or its connection is gone: nothing new will name it, but descriptors that were posted before may;
//! 4. *free*, when the device is done with every descriptor that had been posted by then. A device works through its
//!    queue in order, so it is enough to count them.
//!
//! Nothing is allocated or mapped for it, once there are as many chunks as are in use at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use pagewire_bus::DmaMapper;
use pagewire_nic::dma::{Chunk, ChunkPool, DmaError};

/// The chunks of a stack.
pub(crate) struct SmallBytes {
    pool: ChunkPool,
    /// Acknowledged since the last round.
    acknowledged: Vec<Chunk>,
    /// Each with the number of the last descriptor that may name it; numbers grow.
    waiting: VecDeque<(u64, Chunk)>,
}

impl SmallBytes {
    pub(crate) fn new(mapper: Arc<dyn DmaMapper>) -> Self {
        Self {
            pool: ChunkPool::new(mapper),
            acknowledged: Vec::new(),
            waiting: VecDeque::new(),
        }
    }

    /// A chunk with the beginning of `bytes`, and the rest of them.
    pub(crate) fn fill<'a>(&mut self, bytes: &'a [u8]) -> Result<(Chunk, &'a [u8]), DmaError> {
        let mut chunk = self.pool.take()?;
        let filled = chunk.fill(bytes);
        Ok((chunk, &bytes[filled..]))
    }

    /// No segment will name `chunk` any more.
    #[inline]
    pub(crate) fn retire(&mut self, chunk: Chunk) {
        self.acknowledged.push(chunk);
    }

    /// The device is done with `completed` descriptors of the `posted` that it was ever given.
    pub(crate) fn settle(&mut self, posted: u64, completed: u64) {
        let late = self.acknowledged.drain(..).map(|chunk| (posted, chunk));
        self.waiting.extend(late);
        while self.waiting.front().is_some_and(|(last, _)| *last <= completed) {
            if let Some((_, chunk)) = self.waiting.pop_front() {
                self.pool.give(chunk);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pagewire_bus::Function;
    use pagewire_emu::{EmulatedNic, Model, Options};

    use super::*;

    #[test]
    fn a_chunk_is_used_again_only_when_the_device_has_done_all_that_was_posted_before_its_acknowledgment() {
        let device = EmulatedNic::new(&Options::new(Model::Ixgbe, [2, 0, 0, 0, 0, 1]));
        let mut bytes = SmallBytes::new(device.mapper());
        let (chunk, rest) = bytes.fill(&[1; 600]).unwrap();
        assert_eq!((chunk.len(), rest.len()), (512, 88));
        let free = bytes.pool.available();
        bytes.retire(chunk);
        bytes.settle(10, 4);
        bytes.settle(15, 9);
        assert_eq!(bytes.pool.available(), free);
        bytes.settle(15, 10);
        assert_eq!(bytes.pool.available(), free + 1);
    }
}
