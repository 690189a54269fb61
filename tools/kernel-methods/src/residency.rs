//! How much of a file is in the page cache, and how to have all of it there, or none.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;

use rustix::fs::{Advice, fadvise};

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

/// Asks the kernel to forget the pages of a file, after what was written to it is on disk. Pages that somebody has mapped stay, and
/// so do those of a file system that has no disk: see [`resident_share`].
///
/// # Errors
/// As the system says.
pub fn drop_cache(file: &File, len: u64) -> io::Result<()> {
    // What is not on disk yet cannot be forgotten. A file that may only be read was written by somebody else: as it is then.
    let _ = rustix::fs::fdatasync(file);
    fadvise(file, 0, NonZeroU64::new(len), Advice::DontNeed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn what_was_read_is_there_and_a_file_of_no_bytes_is_too() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; 1 << 20]).unwrap();
        fill_cache(&file, 1 << 20).unwrap();
        assert_eq!(resident_share(&file, 1 << 20).unwrap(), 1.0);
        assert_eq!(resident_share(&file, 0).unwrap(), 1.0);
        assert!(fill_cache(&file, (1 << 20) + 1).is_err());
    }

    #[test]
    fn what_was_forgotten_is_not_there_where_there_is_a_disk() {
        let mut file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        file.write_all(&vec![7; 1 << 20]).unwrap();
        drop_cache(&file, 1 << 20).unwrap();
        let share = resident_share(&file, 1 << 20).unwrap();
        if share == 1.0 {
            println!("skipped: this file system keeps its pages");
        } else {
            assert!(share < 0.5, "{share}");
        }
    }
}
