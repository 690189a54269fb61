//! What a file was when it was declared, so that a change is noticed.

use std::fs::File;
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use super::SourceError;

/// The kernel stamps files with a clock that ticks: a file can change twice in a tick and keep its times.
const TICK: Duration = Duration::from_millis(10);
/// The same where the file system keeps whole seconds, FAT only even ones.
const COARSE_TICK: Duration = Duration::from_secs(2);

/// Which file it is; its size, modification and change times, to the nanosecond the file system keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint {
    device: u64,
    inode: u64,
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
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// The same, and whether every change from now on will show in it: the last one was not in the tick of the file
    /// system's clock that is not over yet.
    pub(super) fn of_now(file: &File) -> std::io::Result<(Self, bool)> {
        // Asked before the file is: what happens after this moment has no earlier time.
        let now = SystemTime::now();
        let fingerprint = Self::of(file)?;
        Ok((fingerprint, fingerprint.is_older_than_a_tick(now)))
    }

    fn is_older_than_a_tick(&self, now: SystemTime) -> bool {
        let (seconds, nanoseconds) = self.changed;
        let tick = if nanoseconds == 0 { COARSE_TICK } else { TICK };
        let (Ok(seconds), Ok(nanoseconds)) = (u64::try_from(seconds), u64::try_from(nanoseconds)) else {
            return false;
        };
        let changed = Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds);
        now.duration_since(SystemTime::UNIX_EPOCH)
            .is_ok_and(|now| now > changed + tick)
    }

    /// Every fingerprint that the file can have.
    pub(super) fn all_of_file(&self) -> RangeInclusive<Self> {
        let (earliest, latest) = ((i64::MIN, i64::MIN), (i64::MAX, i64::MAX));
        Self {
            size: 0,
            modified: earliest,
            changed: earliest,
            ..*self
        }..=Self {
            size: u64::MAX,
            modified: latest,
            changed: latest,
            ..*self
        }
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

#[cfg(test)]
impl Fingerprint {
    /// As if the file had changed `times` times since.
    pub(super) fn changed(self, times: i64) -> Self {
        let (seconds, nanoseconds) = self.changed;
        Self {
            changed: (seconds, nanoseconds + times),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_in_the_tick_of_the_last_one_may_keep_the_times_and_a_later_one_does_not() {
        let file = tempfile::tempfile().unwrap();
        let at = |seconds, nanoseconds| Fingerprint {
            changed: (seconds, nanoseconds),
            ..Fingerprint::of(&file).unwrap()
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        assert!(!at(1000, 1).is_older_than_a_tick(now), "from the future");
        assert!(!at(999, 995_000_000).is_older_than_a_tick(now));
        assert!(at(999, 985_000_000).is_older_than_a_tick(now));
        // The file system keeps whole seconds.
        assert!(!at(998, 0).is_older_than_a_tick(now));
        assert!(at(997, 0).is_older_than_a_tick(now));
        assert!(!at(-1, 5).is_older_than_a_tick(now));
    }

    #[test]
    fn a_file_is_another_than_one_that_looks_the_same() {
        let (one, two) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let (one, two) = (Fingerprint::of(&one).unwrap(), Fingerprint::of(&two).unwrap());
        assert_ne!(
            one,
            Fingerprint {
                inode: one.inode,
                ..two
            }
            .changed(1)
        );
        assert!(one.all_of_file().contains(&one.changed(7)));
        assert!(!one.all_of_file().contains(&two));
    }
}
