//! `--pcap` on a cable into the kernel: frames are written down as they enter it, in both directions.

use std::path::Path;
use std::sync::Arc;

use pagewire_emu::cable::PcapTap;

use super::NetworkError;
use crate::arguments::Machine;
use crate::capture;
use crate::input::Fingerprint;
use crate::interrupt::Interrupt;

/// A capture in the making, if one was asked for. However the command ends, what was recorded until then is in the file.
pub(super) struct Recording(Option<Arc<PcapTap>>);

impl Recording {
    /// Opens the file. It must be neither `input`, a file that is sent, nor what another option names to be written (`kept`).
    pub(super) fn begin(
        machine: &Machine,
        input: Option<&Fingerprint>,
        kept: Option<(&'static str, &Path)>,
        interrupt: &Interrupt,
    ) -> Result<Self, NetworkError> {
        let Some(path) = &machine.wire.pcap else {
            return Ok(Self(None));
        };
        let file = capture::create(path, input, kept, interrupt)?;
        let tap = PcapTap::new(Box::new(file)).map_err(NetworkError::Capture)?;
        Ok(Self(Some(tap)))
    }

    /// What records.
    pub(super) fn tap(&self) -> Option<Arc<PcapTap>> {
        self.0.clone()
    }

    /// Writes out what is left, and tells what went wrong since the beginning.
    pub(super) fn finish(mut self) -> Result<(), NetworkError> {
        let finish = |tap: Arc<PcapTap>| tap.finish().map_err(NetworkError::Capture);
        self.0.take().map_or(Ok(()), finish)
    }
}

impl Drop for Recording {
    /// After a failure, which goes before one of the capture.
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.take().map(|tap| tap.finish()) {
            tracing::warn!("the capture could not be written: {error}");
        }
    }
}
