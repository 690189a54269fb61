//! FIFOs and devices: written as they are, for somebody who may not be there yet and takes bytes at a pace of his own. Each wait
//! heeds the interrupt, and the one for a reader to appear has a limit.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::OutputError;
use crate::interrupt::Interrupt;

/// How long a FIFO's reader may take to appear.
pub(super) const READER_LIMIT: Duration = Duration::from_secs(30);
/// How often a wait looks whether it should end.
const LOOK: Duration = Duration::from_millis(100);

/// Opens a FIFO or character device for writing, without waiting for ever: a FIFO's reader gets some time to appear.
pub(crate) fn open_for_writing(
    path: &Path,
    is_fifo: bool,
    interrupt: &Interrupt,
) -> Result<File, OutputError> {
    let mut options = File::options();
    options.write(true);
    let flags = if is_fifo {
        OFlags::NOCTTY | OFlags::NONBLOCK
    } else {
        OFlags::NOCTTY
    };
    options.custom_flags(flags.bits().cast_signed());
    let begin = Instant::now();
    let mut told = false;
    loop {
        match options.open(path) {
            Ok(file) => return Ok(file),
            Err(error) if is_fifo && error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
                if interrupt.raised() {
                    return Err(OutputError::Interrupted);
                }
                if begin.elapsed() > READER_LIMIT {
                    return Err(OutputError::NoReader {
                        path: path.display().to_string(),
                    });
                }
                if !told {
                    tracing::info!("waiting for somebody to read {}", path.display());
                    told = true;
                }
                std::thread::sleep(LOOK);
            }
            Err(error) => return Err(OutputError::explain(path, error)),
        }
    }
}

/// Writes everything; where the far end of a pipe takes its time, looks for the interrupt while it waits.
pub(super) fn write_patiently(file: &mut File, mut bytes: &[u8], interrupt: &Interrupt) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                if interrupt.raised() {
                    return Err(io::Error::other("interrupted"));
                }
                if error.kind() == io::ErrorKind::WouldBlock {
                    let look = Timespec {
                        tv_sec: 0,
                        tv_nsec: i64::from(LOOK.subsec_nanos()),
                    };
                    let _ = poll(&mut [PollFd::new(file, PollFlags::OUT)], Some(&look));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::tempdir;

    #[test]
    fn a_fifo_without_a_reader_gives_way_to_the_interrupt() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        let interrupt = Interrupt::default();
        interrupt.flag().store(true, std::sync::atomic::Ordering::Relaxed);
        let refused = open_for_writing(&path, true, &interrupt).unwrap_err();
        assert!(matches!(refused, OutputError::Interrupted), "{refused}");
    }

    #[test]
    fn a_reader_of_a_fifo_gets_every_byte_at_its_own_pace() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        let sent: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
        let reader = std::thread::spawn({
            let path = path.clone();
            move || fs::read(path).unwrap()
        });
        let interrupt = Interrupt::default();
        let mut file = open_for_writing(&path, true, &interrupt).unwrap();
        for bytes in sent.chunks(70_000) {
            write_patiently(&mut file, bytes, &interrupt).unwrap();
        }
        drop(file);
        assert!(reader.join().unwrap() == sent);
    }
}
