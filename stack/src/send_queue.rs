//! What a connection has promised to send: extents by 64-bit stream offset.
//!
//! smoltcp counts bytes; this queue knows which bytes they are. An extent is a run of the stream that one
//! [`Body`] provides (a file, a header). [`SendQueue::gather`] turns any range between the acknowledged and
//! the promised offset into slices of DMA memory, as often as it is asked: a retransmission is the same
//! look-up again. [`SendQueue::release`] forgets what was acknowledged; memory itself stays alive until the
//! last descriptor that names it has completed, because every posted slice holds its region.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use pagewire_nic::dma::{Chunk, GatherSlice};
use smoltcp::time::Instant;

use crate::small_bytes::SmallBytes;
use crate::source::{SharedFile, Source, SourceError};

/// Where the bytes of an extent are.
pub(crate) enum Body {
    /// In a source of the connection's own, all of it.
    Own(Box<dyn Source>),
    /// In a file that other connections send too; from this byte of it on.
    Shared(Arc<SharedFile>, u64),
    /// In a chunk of the stack's.
    Small(Chunk),
}

impl Body {
    fn gather(&mut self, offset: u64, len: usize, out: &mut Vec<GatherSlice>) -> Result<(), SourceError> {
        match self {
            Self::Own(source) => source.gather(offset, len, out),
            Self::Shared(file, first) => file.gather(*first + offset, len, out),
            Self::Small(chunk) => {
                out.push(chunk.slice(offset as usize, len)?);
                Ok(())
            }
        }
    }

    fn release(&mut self, below: u64) {
        if let Self::Own(source) = self {
            source.release(below);
        }
    }

    fn watch(&mut self, now: Instant) -> Result<(), SourceError> {
        match self {
            Self::Own(source) => source.watch(now),
            Self::Shared(file, _) => file.watch(now),
            Self::Small(_) => Ok(()),
        }
    }

    fn verify(&mut self, now: Instant) -> Result<(), SourceError> {
        match self {
            Self::Own(source) => source.verify(),
            Self::Shared(file, _) => file.verify(now),
            Self::Small(_) => Ok(()),
        }
    }

    /// Asked when its last byte is handed out. Not of a source of its own: a sender of one file ends with its connection, and
    /// could not say again a reset that was lost amid what is under way.
    fn verify_at_end(&self) -> Result<(), SourceError> {
        match self {
            Self::Shared(file, _) => file.check(),
            Self::Own(_) | Self::Small(_) => Ok(()),
        }
    }

    /// Gives back what others can use again.
    fn retire(self, chunks: &mut SmallBytes) {
        if let Self::Small(chunk) = self {
            chunks.retire(chunk);
        }
    }
}

/// A run of the stream that one body provides.
struct Extent {
    /// Stream offset of its first byte.
    start: u64,
    /// Length in bytes; never 0.
    len: u64,
    body: Body,
}

impl Extent {
    fn end(&self) -> u64 {
        self.start + self.len
    }
}

/// The stream of one connection, from the oldest unacknowledged byte to the newest promised one.
#[derive(Default)]
pub(crate) struct SendQueue {
    extents: VecDeque<Extent>,
    /// Everything below was acknowledged and may be gone.
    acknowledged: u64,
    /// One past the last promised byte.
    promised: u64,
}

impl SendQueue {
    /// Appends all bytes of `source` to the stream.
    pub(crate) fn push(&mut self, source: Box<dyn Source>) {
        self.append(source.len(), Body::Own(source));
    }

    /// Appends the bytes `range` of `file`, those of them that it has.
    pub(crate) fn push_shared(&mut self, file: &Arc<SharedFile>, range: Range<u64>) {
        let Range { start, end } = file.clamp(range);
        self.append(end - start, Body::Shared(Arc::clone(file), start));
    }

    /// Appends what the chunk was filled with.
    pub(crate) fn push_chunk(&mut self, chunk: Chunk) {
        self.append(chunk.len() as u64, Body::Small(chunk));
    }

    fn append(&mut self, len: u64, body: Body) {
        if len > 0 {
            self.extents.push_back(Extent {
                start: self.promised,
                len,
                body,
            });
            self.promised += len;
        }
    }

    /// One past the last promised byte, as a stream offset.
    pub(crate) fn promised(&self) -> u64 {
        self.promised
    }

    /// The oldest unacknowledged byte, as a stream offset.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Appends the slices that hold `len` bytes from stream offset `offset`.
    ///
    /// # Errors
    /// [`SourceError::OutOfRange`] where a byte was acknowledged already or never promised; what a source
    /// says otherwise; a shared file also of what it has handed out before, when its last byte is asked for. `out` may
    /// then hold some slices: the caller clears it.
    pub(crate) fn gather(
        &mut self,
        offset: u64,
        len: usize,
        out: &mut Vec<GatherSlice>,
    ) -> Result<(), SourceError> {
        let end = offset + len as u64;
        if offset < self.acknowledged || end > self.promised {
            return Err(SourceError::OutOfRange {
                offset,
                end,
                from: self.acknowledged,
                to: self.promised,
            });
        }
        // Nearly always the first extent: the queue of a busy connection is short and sent in order.
        let mut index = self.extents.partition_point(|extent| extent.end() <= offset);
        let mut at = offset;
        while at < end {
            let extent = &mut self.extents[index];
            let run = (end.min(extent.end()) - at) as usize;
            extent.body.gather(at - extent.start, run, out)?;
            at += run as u64;
            if at == extent.end() {
                // A peer that knows the length takes the last byte for the end of a whole file: it gets it of no other.
                extent.body.verify_at_end()?;
            }
            index += 1;
        }
        Ok(())
    }

    /// Looks after the source that is being sent, from time to time.
    ///
    /// # Errors
    /// The source's refusal to go on.
    pub(crate) fn watch(&mut self, now: Instant) -> Result<(), SourceError> {
        self.extents
            .front_mut()
            .map_or(Ok(()), |first| first.body.watch(now))
    }

    /// Asks the source that is being sent whether it is still what was declared.
    ///
    /// # Errors
    /// The source's refusal.
    pub(crate) fn verify(&mut self, now: Instant) -> Result<(), SourceError> {
        self.extents
            .front_mut()
            .map_or(Ok(()), |first| first.body.verify(now))
    }

    /// Forgets everything below `offset`, which the peer has acknowledged; chunks go back to `chunks`.
    ///
    /// # Errors
    /// An extent that is now wholly acknowledged has its source asked whether the bytes that were sent are
    /// the bytes that were declared; the source's refusal.
    pub(crate) fn release(
        &mut self,
        offset: u64,
        chunks: &mut SmallBytes,
        now: Instant,
    ) -> Result<(), SourceError> {
        debug_assert!(offset >= self.acknowledged && offset <= self.promised);
        self.acknowledged = offset;
        while let Some(first) = self.extents.front_mut() {
            if first.end() > offset {
                first.body.release(offset.saturating_sub(first.start));
                break;
            }
            first.body.verify(now)?;
            if let Some(done) = self.extents.pop_front() {
                done.body.retire(chunks);
            }
        }
        Ok(())
    }

    /// Forgets everything: the connection is over.
    pub(crate) fn abandon(&mut self, chunks: &mut SmallBytes) {
        for extent in self.extents.drain(..) {
            extent.body.retire(chunks);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use pagewire_bus::Function;
    use pagewire_emu::{EmulatedNic, Model, Options};

    use super::*;

    /// Notes what it was asked for.
    struct Recorder {
        len: u64,
        asked: Arc<std::sync::Mutex<Vec<(u64, usize)>>>,
        released: Arc<AtomicU64>,
    }

    impl Source for Recorder {
        fn len(&self) -> u64 {
            self.len
        }
        fn gather(&mut self, offset: u64, len: usize, _: &mut Vec<GatherSlice>) -> Result<(), SourceError> {
            assert!(offset + len as u64 <= self.len, "asked beyond the extent");
            self.asked.lock().unwrap().push((offset, len));
            Ok(())
        }
        fn release(&mut self, below: u64) {
            self.released.store(below, Ordering::Relaxed);
        }
        fn verify(&mut self) -> Result<(), SourceError> {
            self.released.store(self.len, Ordering::Relaxed);
            Ok(())
        }
    }

    fn chunks() -> SmallBytes {
        let device = EmulatedNic::new(&Options::new(Model::Ixgbe, [2, 0, 0, 0, 0, 1]));
        SmallBytes::new(device.mapper())
    }

    type Asked = Arc<std::sync::Mutex<Vec<(u64, usize)>>>;

    fn queue(lengths: &[u64]) -> (SendQueue, Vec<Asked>, Vec<Arc<AtomicU64>>) {
        let mut queue = SendQueue::default();
        let (mut asked, mut released): (Vec<Asked>, Vec<Arc<AtomicU64>>) = (vec![], vec![]);
        for &len in lengths {
            asked.push(Asked::default());
            released.push(Arc::default());
            let (asked, released) = (asked.last().unwrap().clone(), released.last().unwrap().clone());
            queue.push(Box::new(Recorder { len, asked, released }));
        }
        (queue, asked, released)
    }

    #[test]
    fn a_range_over_two_extents_asks_each_for_its_part() {
        let (mut queue, asked, _) = queue(&[100, 50]);
        queue.gather(90, 30, &mut vec![]).unwrap();
        assert_eq!(*asked[0].lock().unwrap(), [(90, 10)]);
        assert_eq!(*asked[1].lock().unwrap(), [(0, 20)]);
    }

    #[test]
    fn offsets_beyond_four_gigabytes_are_exact() {
        let (mut queue, asked, _) = queue(&[5 << 32, 7]);
        queue.gather((5 << 32) - 1, 8, &mut vec![]).unwrap();
        assert_eq!(*asked[0].lock().unwrap(), [((5 << 32) - 1, 1)]);
        assert_eq!(*asked[1].lock().unwrap(), [(0, 7)]);
    }

    #[test]
    fn what_was_acknowledged_or_never_promised_is_refused() {
        let (mut queue, _, released) = queue(&[100]);
        queue.release(40, &mut chunks(), Instant::ZERO).unwrap();
        assert_eq!(released[0].load(Ordering::Relaxed), 40);
        assert!(matches!(
            queue.gather(39, 1, &mut vec![]),
            Err(SourceError::OutOfRange { .. })
        ));
        assert!(matches!(
            queue.gather(99, 2, &mut vec![]),
            Err(SourceError::OutOfRange { .. })
        ));
        queue.gather(40, 60, &mut vec![]).unwrap();
    }

    #[test]
    fn an_empty_source_takes_no_place_and_a_finished_one_leaves() {
        let (mut queue, _, released) = queue(&[10, 0, 20]);
        assert_eq!(queue.promised(), 30);
        queue.release(10, &mut chunks(), Instant::ZERO).unwrap();
        assert_eq!(released[0].load(Ordering::Relaxed), 10);
        queue.gather(10, 20, &mut vec![]).unwrap();
    }
}
