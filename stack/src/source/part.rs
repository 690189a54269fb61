//! A range of another source: what a request for some bytes of a file gets.

use std::ops::Range;

use pagewire_nic::dma::GatherSlice;
use smoltcp::time::Instant;

use super::{Source, SourceError};

/// Some of the bytes of a source that one connection has to itself.
pub struct Part<S> {
    source: S,
    range: Range<u64>,
}

impl<S: Source> Part<S> {
    /// The bytes `range` of `source`; those beyond its end are not there.
    pub fn new(mut source: S, range: Range<u64>) -> Self {
        let end = range.end.min(source.len());
        let range = range.start.min(end)..end;
        source.release(range.start);
        Self { source, range }
    }
}

impl<S: Source> Source for Part<S> {
    fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    fn gather(&mut self, offset: u64, len: usize, out: &mut Vec<GatherSlice>) -> Result<(), SourceError> {
        self.source.gather(self.range.start + offset, len, out)
    }

    fn release(&mut self, offset: u64) {
        self.source.release(self.range.start + offset);
    }

    fn watch(&mut self, now: Instant) -> Result<(), SourceError> {
        self.source.watch(now)
    }

    fn verify(&mut self) -> Result<(), SourceError> {
        self.source.verify()
    }
}
