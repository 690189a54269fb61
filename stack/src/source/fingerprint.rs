//! What a file was when it was declared, so that a change is noticed.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use super::SourceError;

/// Size, modification and change times of a file, to the nanosecond the file system keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    /// Takes the fingerprint of an open file.
    ///
    /// # Errors
    /// What the system says to `fstat`.
    pub fn of(file: &File) -> std::io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// The file's length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Checks that `file` still is what it was.
    ///
    /// # Errors
    /// [`SourceError::Changed`] with what changed, [`SourceError::Read`] where the system refuses.
    pub fn check(&self, file: &File) -> Result<(), SourceError> {
        let now = Self::of(file).map_err(|source| SourceError::Read { offset: 0, source })?;
        let what = if now.size < self.size {
            format!("it was truncated from {} to {} bytes", self.size, now.size)
        } else if now.size > self.size {
            format!("it grew from {} to {} bytes", self.size, now.size)
        } else if now.modified != self.modified {
            "it was written to".to_string()
        } else {
            // A change time alone is a rename, a new link, a new owner: the bytes are the same.
            return Ok(());
        };
        Err(SourceError::Changed { what })
    }
}
