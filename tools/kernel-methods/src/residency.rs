//! How much of a file is in the page cache, and how to have all of it there, or none.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, fadvise, fstatfs};

use crate::deferred::free_packets;
use crate::mapped::Mapped;

/// The share of the first `len` bytes that is in memory, 0 to 1, by `mincore`. A file of somebody else's that may not be written
/// counts as there: the kernel does not tell about those.
///
/// # Errors
/// It cannot be mapped.
pub fn resident_share(file: &File, len: u64) -> io::Result<f64> {
    let Some(len) = usize::try_from(len).ok().filter(|len| *len > 0) else {
        return Ok(1.0);
    };
    let (resident, pages) = Mapped::new(file, len)?.resident()?;
    Ok(resident as f64 / pages as f64)
}

/// Reads the first `len` bytes, so that they are in memory.
///
/// # Errors
/// It cannot be read.
pub fn fill_cache(file: &File, len: u64) -> io::Result<()> {
    let mut room = vec![0; 1 << 20];
    let mut at = 0;
    while at < len {
        match file.read_at(&mut room, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => at += read as u64,
        }
    }
    Ok(())
}

/// How long pages may be in use after a file was sent: the rest of an io_uring, of a connection that is being closed, of a device's
/// maps is done away with in the background. And how long between two attempts.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(5);

/// Has the kernel forget the pages of a file, after what was written to it is on disk, and tells the share of them that stays all the
/// same: pages that somebody has mapped or is sending, and all those of a file system that has no disk. Takes a second where
/// some stay that another could give up.
///
/// # Errors
/// As the system says.
pub fn drop_cache(file: &File, len: u64) -> io::Result<f64> {
    // What is not on disk yet cannot be forgotten. A file that may only be read was written by somebody else: as it is then.
    let _ = rustix::fs::fdatasync(file);
    let began = Instant::now();
    loop {
        fadvise(file, 0, NonZeroU64::new(len), Advice::DontNeed)?;
        let share = resident_share(file, len)?;
        if share == 0.0 || began.elapsed() > PATIENCE || is_in_memory_only(file)? {
            return Ok(share);
        }
        free_packets();
        std::thread::sleep(PAUSE);
    }
}

fn is_in_memory_only(file: &File) -> io::Result<bool> {
    // The field's type is not the constant's on every machine.
    Ok(i128::from(fstatfs(file)?.f_type) == i128::from(libc::TMPFS_MAGIC))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ends, Method, Receiver, Receiving, run};
    use rustix::pipe::SpliceFlags;
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, AtomicU64};

    #[test]
    fn what_was_read_is_there_and_a_file_of_no_bytes_is_too() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; 1 << 20]).unwrap();
        fill_cache(&file, 1 << 20).unwrap();
        assert_eq!(resident_share(&file, 1 << 20).unwrap(), 1.0);
        assert_eq!(resident_share(&file, 0).unwrap(), 1.0);
        assert!(fill_cache(&file, (1 << 20) + 1).is_err());
    }

    /// A file of `len` bytes where there should be a disk, or why there is none.
    fn on_disk(len: usize) -> Result<File, &'static str> {
        let mut file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        file.write_all(&vec![7; len]).unwrap();
        if drop_cache(&file, len as u64).unwrap() == 1.0 {
            return Err("this file system keeps its pages");
        }
        Ok(file)
    }

    #[test]
    fn what_was_just_sent_by_reference_can_be_forgotten() {
        const LEN: u64 = 8 << 20;
        let file = match on_disk(LEN as usize) {
            Ok(file) => file,
            Err(why) => return println!("skipped: {why}"),
        };
        for method in Method::ALL.into_iter().cycle().take(4 * Method::ALL.len()) {
            fill_cache(&file, LEN).unwrap();
            let receiving = Receiving {
                receiver: Receiver::Blocking,
                len: LEN,
                inspect: None,
                received: &AtomicU64::new(0),
                stop: &AtomicBool::new(false),
            };
            match run(method, Ends::loopback().unwrap(), &file, receiving) {
                // A busy machine takes its time; what nobody frees stays for ever.
                Ok(_) => assert!(
                    (0..20).any(|_| drop_cache(&file, LEN).unwrap() == 0.0),
                    "{}",
                    method.name()
                ),
                Err(why) => println!("skipped: {}: {why}", method.name()),
            }
        }
    }

    #[test]
    fn what_somebody_uses_stays_and_is_told() {
        let file = match on_disk(1 << 20) {
            Ok(file) => file,
            Err(why) => return println!("skipped: {why}"),
        };
        fill_cache(&file, 1 << 20).unwrap();
        // A pipe that nobody reads from holds on to the pages that were spliced into it.
        let (_reader, writer) = rustix::pipe::pipe().unwrap();
        let held =
            rustix::pipe::splice(&file, Some(&mut 0), &writer, None, 1 << 15, SpliceFlags::NONBLOCK).unwrap();
        assert_eq!(held, 1 << 15);
        assert!(drop_cache(&file, 1 << 20).unwrap() > 0.0);
    }
}
