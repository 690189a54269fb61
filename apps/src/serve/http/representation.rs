//! What is said of a file (RFC 9110 §3.2, §8): its type, its length, and what tells its states apart.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long after a change another one may have the same time: the kernel's clock ticks, and FAT keeps even seconds.
const TICK: Duration = Duration::from_secs(2);

/// A state of a file, with its fields written out.
#[derive(Clone, Debug)]
pub struct Representation {
    len: u64,
    content_type: &'static str,
    etag: String,
    modified: Option<SystemTime>,
    validators: String,
    whole: String,
}

impl Representation {
    /// A file of `len` bytes that was written to at `modified`, as it is seen at `now`. No file is longer than [`i64::MAX`] bytes:
    /// answers reckon with some more.
    #[must_use]
    pub fn new(len: u64, content_type: &'static str, modified: SystemTime, now: SystemTime) -> Self {
        let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        // What may change once more without a trace in its times is known by a weak tag (§8.8.1).
        let weak = if modified + TICK < now { "" } else { "W/" };
        let etag = format!(
            "{weak}\"{:x}.{:x}-{len:x}\"",
            since.as_secs(),
            since.subsec_nanos()
        );
        // A time to come is none (§8.8.2.1).
        let modified = (modified <= now).then(|| UNIX_EPOCH + Duration::from_secs(since.as_secs()));
        let mut validators = format!("ETag: {etag}\r\n");
        if let Some(modified) = modified {
            let _ = write!(
                validators,
                "Last-Modified: {}\r\n",
                httpdate::HttpDate::from(modified)
            );
        }
        let whole = format!(
            "Content-Type: {content_type}\r\nContent-Length: {len}\r\nAccept-Ranges: bytes\r\n{validators}"
        );
        Self {
            len,
            content_type,
            etag,
            modified,
            validators,
            whole,
        }
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its media type.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// Its entity tag, quotes included.
    #[must_use]
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// When it was written to, to the second.
    #[must_use]
    pub fn modified(&self) -> Option<SystemTime> {
        self.modified
    }

    /// The fields ETag and Last-Modified.
    pub(super) fn validators(&self) -> &str {
        &self.validators
    }

    /// The fields of an answer that has all of it.
    pub(super) fn whole(&self) -> &str {
        &self.whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(modified_ms: u64, now_ms: u64) -> Representation {
        let time = |ms| UNIX_EPOCH + Duration::from_millis(ms);
        Representation::new(255, "text/html", time(modified_ms), time(now_ms))
    }

    #[test]
    fn the_tag_tells_apart_what_differs_in_length_or_by_a_nanosecond() {
        assert_eq!(at(1500, 10_000).etag(), "\"1.1dcd6500-ff\"");
        assert_ne!(at(1500, 10_000).etag(), at(1501, 10_000).etag());
    }

    #[test]
    fn rfc9110_8_8_1_what_was_written_a_moment_ago_has_a_weak_tag() {
        assert!(at(9_000, 10_000).etag().starts_with("W/\""));
        assert!(at(7_000, 10_000).etag().starts_with('"'));
    }

    #[test]
    fn rfc9110_8_8_2_1_a_modification_to_come_is_not_told() {
        assert!(at(20_000, 10_000).modified().is_none());
        assert!(!at(20_000, 10_000).validators().contains("Last-Modified"));
        assert_eq!(
            at(1_999, 10_000).modified(),
            Some(UNIX_EPOCH + Duration::from_secs(1))
        );
    }
}
