//! The wire between two NICs of a guest, as two streams of frames that pass through this process.
//!
//! QEMU's `stream` network back end writes each frame after its length (four bytes, big endian). Here frames are
//! recorded as they were sent, and then, where the guest has asked for it, every n-th one is lost: which frames those
//! are depends on nothing but how many came before.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use pcap_file::pcap::{PcapPacket, PcapWriter};

/// No frame is longer: QEMU's own limit.
const LONGEST_FRAME: usize = 69_632;

/// What both directions of a wire share.
pub struct Wire {
    /// Each frame whose number is a multiple of this is lost; 0 for none.
    drop_every: AtomicU64,
    dropped: AtomicU64,
    began: Instant,
    capture: Mutex<Option<PcapWriter<BufWriter<File>>>>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire")
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

impl Wire {
    /// Joins two ends. The wire is cut when either of them closes.
    ///
    /// # Errors
    /// The system has no more descriptors.
    pub fn join(one: UnixStream, other: UnixStream) -> io::Result<Arc<Self>> {
        let wire = Arc::new(Self {
            drop_every: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            began: Instant::now(),
            capture: Mutex::new(None),
        });
        for (from, to) in [(one.try_clone()?, other.try_clone()?), (other, one)] {
            let wire = Arc::clone(&wire);
            // It ends by itself when QEMU does: nobody waits for it.
            thread::spawn(move || wire.carry(from, to));
        }
        Ok(wire)
    }

    /// From now on each `n`-th frame of either direction is lost; 0 for none. Returns how many were lost so far.
    pub fn drop_every(&self, n: u64) -> u64 {
        self.drop_every.store(n, Ordering::Relaxed);
        self.dropped.swap(0, Ordering::Relaxed)
    }

    /// Records frames in a new file from now on, or no longer.
    ///
    /// # Errors
    /// The file cannot be written, or what was recorded before could not be.
    pub fn capture(&self, file: Option<&Path>) -> io::Result<()> {
        let mut capture = self.recording();
        if let Some(recorded) = capture.take() {
            recorded.into_writer().flush()?;
        }
        if let Some(path) = file {
            let output = BufWriter::with_capacity(1 << 20, File::create(path)?);
            *capture = Some(PcapWriter::new(output).map_err(io::Error::other)?);
        }
        Ok(())
    }

    fn carry(&self, from: UnixStream, to: UnixStream) -> io::Result<()> {
        let mut from = BufReader::with_capacity(1 << 18, from);
        let mut to = BufWriter::with_capacity(1 << 18, to);
        let mut packet = vec![0; 4 + LONGEST_FRAME];
        for number in 1_u64.. {
            from.read_exact(&mut packet[..4])?;
            let length = u32::from_be_bytes([packet[0], packet[1], packet[2], packet[3]]) as usize;
            let Some(frame) = packet.get_mut(4..4 + length) else {
                return Err(io::ErrorKind::InvalidData.into());
            };
            from.read_exact(frame)?;
            self.record(frame);
            let every = self.drop_every.load(Ordering::Relaxed);
            if every != 0 && number % every == 0 {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            } else {
                to.write_all(&packet[..4 + length])?;
            }
            if from.buffer().is_empty() {
                to.flush()?;
            }
        }
        Ok(())
    }

    fn record(&self, frame: &[u8]) {
        let mut capture = self.recording();
        if let Some(file) = capture.as_mut() {
            let packet = PcapPacket::new(self.began.elapsed(), frame.len() as u32, frame);
            // A full disk must not hold the frames up; the check on the file will see that it ends early.
            let _ = file.write_packet(&packet);
        }
    }

    fn recording(&self) -> MutexGuard<'_, Option<PcapWriter<BufWriter<File>>>> {
        self.capture.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(stream: &mut UnixStream, frame: &[u8]) {
        stream.write_all(&(frame.len() as u32).to_be_bytes()).unwrap();
        stream.write_all(frame).unwrap();
    }

    fn receive(stream: &mut UnixStream) -> Vec<u8> {
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut frame).unwrap();
        frame
    }

    #[test]
    fn every_third_frame_is_lost_and_all_are_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wire.pcap");
        let ((mut near, one), (other, mut far)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        let wire = Wire::join(one, other).unwrap();
        wire.capture(Some(&file)).unwrap();
        wire.drop_every(3);
        for n in 1..=7 {
            send(&mut near, &[n; 60]);
        }
        let arrived: Vec<u8> = (0..5).map(|_| receive(&mut far)[0]).collect();
        assert_eq!(arrived, [1, 2, 4, 5, 7]);
        assert_eq!(wire.drop_every(0), 2);
        wire.capture(None).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 24 + 7 * (16 + 60));
    }
}
