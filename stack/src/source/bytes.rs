//! Bytes that are no file: a header, a short answer.

use std::sync::Arc;

use pagewire_bus::DmaMapper;
use pagewire_nic::dma::{DmaError, GatherSlice, Region, ToDevice};

use super::{Source, SourceError};

/// A copy of some bytes in DMA memory.
pub struct Bytes {
    region: Option<Arc<Region<ToDevice>>>,
    len: u64,
}

impl Bytes {
    /// Copies `bytes` into DMA memory of their own.
    ///
    /// # Errors
    /// No memory, or no mapping.
    pub fn copy(mapper: &Arc<dyn DmaMapper>, bytes: &[u8]) -> Result<Self, DmaError> {
        if bytes.is_empty() {
            return Ok(Self { region: None, len: 0 });
        }
        let mut region = Region::<ToDevice>::allocate(mapper, bytes.len())?;
        region.fill(0, bytes)?;
        Ok(Self {
            region: Some(Arc::new(region)),
            len: bytes.len() as u64,
        })
    }
}

impl Source for Bytes {
    fn len(&self) -> u64 {
        self.len
    }

    fn gather(&mut self, offset: u64, len: usize, out: &mut Vec<GatherSlice>) -> Result<(), SourceError> {
        if let Some(region) = &self.region {
            out.push(GatherSlice::new(Arc::clone(region), offset as usize, len)?);
        }
        Ok(())
    }

    fn release(&mut self, _offset: u64) {}

    fn verify(&mut self) -> Result<(), SourceError> {
        Ok(())
    }
}
