//! A file read into DMA memory: for files that cannot be mapped, and for comparison.
//!
//! Chunks slide as the windows of a long mapped file do. A chunk whose bytes are acknowledged is used again as
//! soon as no descriptor names it any more. The bytes that `pread` copies are counted where they are copied.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_nic::dma::{GatherSlice, Region, ToDevice};

use super::windows::{Windows, lacks_room};
use super::{Fingerprint, Source, SourceError};

/// Length of a chunk in bytes: small enough to stay in the cache between the copy and the DMA.
const CHUNK_BYTES: u64 = 256 << 10;

/// A file whose bytes are copied into DMA memory as they are needed.
pub struct CopiedFile {
    file: File,
    fingerprint: Fingerprint,
    /// Windows of other files make room for chunks.
    windows: Windows,
    /// Consecutive chunks; the first has index `first_chunk`, below which all is acknowledged.
    chunks: VecDeque<Arc<Region<ToDevice>>>,
    first_chunk: u64,
    /// Acknowledged chunks, some of which descriptors may still name.
    retired: VecDeque<Arc<Region<ToDevice>>>,
}

impl CopiedFile {
    /// Declares the file as it is now. Every byte read is counted where `windows` has it counted.
    ///
    /// # Errors
    /// What the system says to `fstat`.
    pub fn new(file: File, windows: &Windows) -> std::io::Result<Self> {
        let fingerprint = Fingerprint::of(&file)?;
        Ok(Self::from(file, fingerprint, 0, windows))
    }

    /// The rest of a file that was declared before: bytes from `offset` on.
    pub(super) fn from(file: File, fingerprint: Fingerprint, offset: u64, windows: &Windows) -> Self {
        Self {
            file,
            fingerprint,
            windows: windows.clone(),
            chunks: VecDeque::new(),
            first_chunk: offset / CHUNK_BYTES,
            retired: VecDeque::new(),
        }
    }

    /// A region that no descriptor names: the oldest retired one, or a new one.
    fn unused_region(&mut self) -> Result<Region<ToDevice>, SourceError> {
        if let Some(oldest) = self.retired.pop_front() {
            match Arc::try_unwrap(oldest) {
                Ok(region) => return Ok(region),
                Err(busy) => self.retired.push_front(busy),
            }
        }
        loop {
            match Region::<ToDevice>::allocate(self.windows.mapper(), CHUNK_BYTES as usize) {
                Err(error) if lacks_room(&error) && self.windows.yield_room(CHUNK_BYTES) => {}
                region => return Ok(region?),
            }
        }
    }

    fn chunk(&mut self, index: u64) -> Result<&Arc<Region<ToDevice>>, SourceError> {
        while index >= self.first_chunk + self.chunks.len() as u64 {
            let start = (self.first_chunk + self.chunks.len() as u64) * CHUNK_BYTES;
            let len = CHUNK_BYTES.min(self.fingerprint.size() - start) as usize;
            let mut region = self.unused_region()?;
            let read = region
                .fill_from_file(&self.file, start, len)
                .map_err(|source| SourceError::Read {
                    offset: start,
                    source,
                })?;
            self.windows.copied().fetch_add(read as u64, Ordering::Relaxed);
            if read < len {
                let what = format!("it ends at byte {}", start + read as u64);
                return Err(SourceError::Changed { what });
            }
            self.chunks.push_back(Arc::new(region));
        }
        Ok(&self.chunks[(index - self.first_chunk) as usize])
    }
}

impl Source for CopiedFile {
    fn len(&self) -> u64 {
        self.fingerprint.size()
    }

    fn gather(&mut self, offset: u64, len: usize, out: &mut Vec<GatherSlice>) -> Result<(), SourceError> {
        let end = offset + len as u64;
        let mut at = offset;
        while at < end {
            let within = at % CHUNK_BYTES;
            let run = (end - at).min(CHUNK_BYTES - within);
            let chunk = Arc::clone(self.chunk(at / CHUNK_BYTES)?);
            out.push(GatherSlice::new(chunk, within as usize, run as usize)?);
            at += run;
        }
        Ok(())
    }

    fn release(&mut self, offset: u64) {
        while (self.first_chunk + 1) * CHUNK_BYTES <= offset {
            self.retired.extend(self.chunks.pop_front());
            self.first_chunk += 1;
        }
    }

    fn verify(&mut self) -> Result<(), SourceError> {
        self.fingerprint.check(&self.file)
    }
}
