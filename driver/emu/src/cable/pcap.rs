//! A tap: writes what enters a cable into a pcap file that Wireshark reads.
//!
//! One tap may stand in both directions of a cable. A whole segment is recorded as one packet, as a capture on
//! a host with segmentation offload shows it, but with its TCP checksum filled in on the recorded copy: a
//! checksum that Wireshark calls wrong *is* wrong. Frames are recorded as they were sent, before an impaired
//! cable loses or alters them.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, PcapError, TsResolution};

use crate::offload::segment;
use crate::wire::{Checksums, WireFrame};

/// Longest packet that a reader is to expect, in bytes: what Wireshark itself writes.
const SNAPLEN: u32 = 262_144;

/// What waits to be written. The pcap writer keeps one handle to itself; what writes out has another.
#[derive(Clone)]
struct Buffer(Arc<Mutex<BufWriter<Box<dyn Write + Send>>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().flush()
    }
}

/// A pcap file in the making.
pub struct PcapTap(Mutex<State>);

struct State {
    /// What the times of calls count from, since 1970.
    epoch: Duration,
    /// Gone after an error and after [`PcapTap::finish`].
    output: Option<PcapWriter<Buffer>>,
    buffer: Buffer,
    error: Option<io::Error>,
    frames: u64,
    scratch: Vec<u8>,
}

impl fmt::Debug for PcapTap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PcapTap")
            .field("frames", &self.frames())
            .finish_non_exhaustive()
    }
}

impl PcapTap {
    /// A tap that writes to a new file at `path`.
    ///
    /// # Errors
    /// What the system says to creating the file or writing its header.
    pub fn create(path: &Path) -> io::Result<Arc<Self>> {
        Self::new(Box::new(File::create(path)?))
    }

    /// A tap that writes to `writer`; it buffers by itself.
    ///
    /// # Errors
    /// What the writer says to the file's header.
    pub fn new(writer: Box<dyn Write + Send>) -> io::Result<Arc<Self>> {
        let header = PcapHeader {
            snaplen: SNAPLEN,
            datalink: DataLink::ETHERNET,
            ts_resolution: TsResolution::NanoSecond,
            ..PcapHeader::default()
        };
        let buffer = Buffer(Arc::new(Mutex::new(BufWriter::with_capacity(256 << 10, writer))));
        let output = PcapWriter::with_header(buffer.clone(), header).map_err(into_io)?;
        let state = State {
            epoch: Duration::ZERO,
            output: Some(output),
            buffer,
            error: None,
            frames: 0,
            scratch: Vec::new(),
        };
        Ok(Arc::new(Self(Mutex::new(state))))
    }

    /// From here on, times count from `epoch` after the beginning of 1970: captures on other machines, and of the kernel,
    /// have theirs from there.
    pub fn count_from(&self, epoch: Duration) {
        self.0.lock().epoch = epoch;
    }

    /// How many frames have been recorded.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.0.lock().frames
    }

    /// Writes out what is buffered, for whoever reads along. An error is kept for [`finish`](Self::finish); nothing is
    /// recorded after it.
    pub fn write_out(&self) {
        let mut state = self.0.lock();
        if state.output.is_some()
            && let Err(reason) = state.buffer.flush()
        {
            state.fail(reason);
        }
    }

    /// Writes out what is buffered and closes the file. Frames after that are not recorded.
    ///
    /// # Errors
    /// The first error since the file was created. Frames from there on are not in it.
    pub fn finish(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.output.take().is_some() {
            state.buffer.flush()?;
        }
        state.error.take().map_or(Ok(()), Err)
    }

    /// Holds the tap for one batch at time `now`.
    pub(super) fn open(&self, now: Duration) -> Recorder<'_> {
        Recorder {
            now,
            state: self.0.lock(),
        }
    }
}

impl State {
    /// What is buffered stays there: it could not be written either.
    fn fail(&mut self, reason: io::Error) {
        self.error = Some(reason);
        self.output = None;
    }
}

/// A tap, held for one batch.
pub(super) struct Recorder<'t> {
    now: Duration,
    state: MutexGuard<'t, State>,
}

impl Recorder<'_> {
    /// Records a frame. An error is kept for [`PcapTap::finish`]; nothing is recorded after it.
    pub(super) fn record(&mut self, frame: &WireFrame<'_>) {
        let state = &mut *self.state;
        let State {
            epoch,
            output,
            frames,
            scratch,
            ..
        } = state;
        let Some(writer) = output else { return };
        scratch.clear();
        if frame.gather(scratch).is_err() {
            // The sender's file was truncated in this moment: there is nothing left to show.
            return;
        }
        if let (Checksums::Owed, Some(plan)) = (frame.checksums(), frame.segmentation()) {
            segment::seal(scratch, plan);
        }
        let len = u32::try_from(scratch.len()).unwrap_or(u32::MAX);
        let shown = &scratch[..scratch.len().min(SNAPLEN as usize)];
        match writer.write_packet(&PcapPacket::new(*epoch + self.now, len, shown)) {
            Ok(_) => *frames += 1,
            Err(reason) => state.fail(into_io(reason)),
        }
    }
}

fn into_io(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests;
