//! The files that are sent, one of each length, and where they are before each run: in the page cache, or not.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use pagewire_kernel_methods::{drop_cache, fill_cache, resident_share};

use super::case::Cache;
use super::error::BenchError;
use crate::hash::{self, Content};
use crate::input::Input;
use crate::interrupt::Interrupt;

/// More than this is never sent.
pub(crate) const LONGEST: u64 = 1 << 30;

/// A file that counts as forgotten may still have this share in memory: what the kernel reads ahead while it looks.
const FORGOTTEN: f64 = 0.01;

/// A file of one length.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) file: File,
    pub(crate) bytes: u64,
    /// What has to arrive.
    pub(crate) content: Content,
}

/// Where subjects come from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// A file of the user's, which is as long as it is.
    Given(Input),
    /// One that is made, as long as need be.
    Made,
}

impl Origin {
    /// Bytes there are at most.
    pub(crate) fn longest(&self) -> u64 {
        match self {
            Self::Given(input) => input.declared_len().min(LONGEST),
            Self::Made => LONGEST,
        }
    }

    /// The name that reports have.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Given(input) => input.path.display().to_string(),
            Self::Made => "made for this".to_string(),
        }
    }

    /// A file with the first `bytes` of it: itself, where it is as long, or one without a name that goes by itself.
    pub(crate) fn subject(&self, bytes: u64, interrupt: &Interrupt) -> Result<Subject, BenchError> {
        let folder = std::env::temp_dir();
        let unmade = |cause| BenchError::NoRoom {
            bytes,
            folder: folder.display().to_string(),
            cause,
        };
        let (file, path) = match self {
            Self::Given(input) if input.declared_len() == bytes => {
                let file = input.file.try_clone().map_err(unreadable(&input.path))?;
                (file, input.path.clone())
            }
            Self::Given(input) => {
                let file = tempfile::tempfile_in(&folder).map_err(unmade)?;
                let unreadable = unreadable(&input.path);
                copy(&input.file, &file, bytes, interrupt, unreadable, unmade)?;
                (file, input.path.clone())
            }
            Self::Made => {
                let file = tempfile::tempfile_in(&folder).map_err(unmade)?;
                make(&file, bytes, interrupt, unmade)?;
                (file, folder)
            }
        };
        let (content, _) =
            hash::of_file(&file, bytes, false, &AtomicU64::new(0), interrupt).map_err(unreadable(&path))?;
        Ok(Subject { file, bytes, content })
    }
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> BenchError {
    let path = path.display().to_string();
    move |cause| BenchError::Unreadable {
        path: path.clone(),
        cause,
    }
}

const BLOCK: usize = 1 << 20;

fn copy(
    from: &File,
    mut to: &File,
    bytes: u64,
    interrupt: &Interrupt,
    unreadable: impl Fn(io::Error) -> BenchError,
    unmade: impl Fn(io::Error) -> BenchError,
) -> Result<(), BenchError> {
    let mut block = vec![0; BLOCK];
    let mut at = 0;
    while at < bytes {
        if interrupt.raised() {
            return Err(BenchError::Interrupted);
        }
        let wanted = (bytes - at).min(BLOCK as u64) as usize;
        from.read_exact_at(&mut block[..wanted], at)
            .map_err(&unreadable)?;
        to.write_all(&block[..wanted]).map_err(&unmade)?;
        at += wanted as u64;
    }
    Ok(())
}

/// Bytes of which no two blocks are alike.
fn make(
    mut file: &File,
    bytes: u64,
    interrupt: &Interrupt,
    unmade: impl Fn(io::Error) -> BenchError,
) -> Result<(), BenchError> {
    let mut block = vec![0; BLOCK];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut left = bytes;
    while left > 0 {
        if interrupt.raised() {
            return Err(BenchError::Interrupted);
        }
        for word in block.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        let wanted = left.min(BLOCK as u64) as usize;
        file.write_all(&block[..wanted]).map_err(&unmade)?;
        left -= wanted as u64;
    }
    Ok(())
}

impl Subject {
    /// The same file, opened once more, or a sentence that says why not.
    pub(crate) fn reopened(&self) -> Result<File, String> {
        let told = |cause| format!("the file cannot be opened once more: {cause}");
        self.file.try_clone().map_err(told)
    }

    /// Puts it where the case wants it, and tells the share of it that is in memory. Where it cannot be put there, the
    /// sentence says why.
    pub(crate) fn place(&self, cache: Cache) -> Result<f64, String> {
        let told = |cause: io::Error| format!("its pages cannot be looked at: {cause}");
        let resident = || resident_share(&self.file, self.bytes).map_err(told);
        match cache {
            Cache::Warm => {
                let share = resident()?;
                if share == 1.0 {
                    return Ok(share);
                }
                fill_cache(&self.file, self.bytes).map_err(|cause| format!("it cannot be read: {cause}"))?;
                resident()
            }
            Cache::Cold => {
                let share = drop_cache(&self.file, self.bytes)
                    .map_err(|cause| format!("its pages cannot be dropped: {cause}"))?;
                if share > FORGOTTEN {
                    return Err(format!(
                        "{:.0} % of it stay in memory: its file system has no disk, or others use it (TMPDIR=FOLDER names \
                         another place)",
                        share * 100.0
                    ));
                }
                Ok(share)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_has_the_first_bytes_of_its_origin() {
        let mut whole = tempfile::NamedTempFile::new().unwrap();
        whole.write_all(b"seven b and more").unwrap();
        let origin = Origin::Given(Input::open(whole.path()).unwrap());
        assert_eq!(origin.longest(), 16);
        let interrupt = Interrupt::default();
        let subject = origin.subject(7, &interrupt).unwrap();
        let mut bytes = [0; 7];
        subject.file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"seven b");
        assert_eq!(subject.file.metadata().unwrap().len(), 7);
        assert_eq!(subject.place(Cache::Warm), Ok(1.0));
    }

    #[test]
    fn a_file_that_was_cut_before_its_copy_was_made_is_told_to_be_unreadable() {
        let mut whole = tempfile::NamedTempFile::new().unwrap();
        whole.write_all(b"seven b and more").unwrap();
        let origin = Origin::Given(Input::open(whole.path()).unwrap());
        whole.as_file().set_len(3).unwrap();
        let error = origin.subject(7, &Interrupt::default()).unwrap_err().to_string();
        assert!(
            error.contains("could not be read") && error.contains("nobody writes to it"),
            "{error}"
        );
    }

    #[test]
    fn what_is_made_is_as_long_as_asked_for() {
        let subject = Origin::Made
            .subject((1 << 20) + 1, &Interrupt::default())
            .unwrap();
        assert_eq!(subject.file.metadata().unwrap().len(), (1 << 20) + 1);
        assert_eq!(subject.content.bytes, (1 << 20) + 1);
    }
}
