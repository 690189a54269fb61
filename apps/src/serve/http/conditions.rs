//! Whether what the client has makes an answer needless, or wrong (RFC 9110 §13).

use std::time::{Duration, SystemTime};

use super::representation::Representation;
use super::request::Preconditions;

/// What the conditions say of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Answer.
    Go,
    /// The client has it: 304.
    NotModified,
    /// 412.
    Failed,
}

/// Evaluates the conditions in the order of RFC 9110 §13.2.2, If-Range left out.
#[must_use]
pub fn evaluate(conditions: &Preconditions<'_>, file: &Representation) -> Verdict {
    if let Some(list) = conditions.if_match {
        if !is_listed(list, file.etag(), Comparison::Strong) {
            return Verdict::Failed;
        }
    } else if let Some(date) = conditions.if_unmodified_since.and_then(date)
        && file.modified().is_some_and(|modified| modified > date)
    {
        return Verdict::Failed;
    }
    if let Some(list) = conditions.if_none_match {
        if is_listed(list, file.etag(), Comparison::Weak) {
            return Verdict::NotModified;
        }
    } else if let Some(date) = conditions.if_modified_since.and_then(date)
        && file.modified().is_some_and(|modified| modified <= date)
    {
        return Verdict::NotModified;
    }
    Verdict::Go
}

/// Whether a Range is to be heeded: the client's part is of this very file (RFC 9110 §13.1.5).
#[must_use]
pub fn range_applies(if_range: Option<&[u8]>, file: &Representation, now: SystemTime) -> bool {
    let Some(validator) = if_range else { return true };
    if validator.starts_with(b"\"") || validator.starts_with(b"W/") {
        return validator == file.etag().as_bytes() && validator.starts_with(b"\"");
    }
    // A date is a strong validator only where the file cannot have changed again in the same second (§8.8.2.2).
    let is_strong = |modified: SystemTime| modified + Duration::from_secs(1) < now;
    match (date(validator), file.modified()) {
        (Some(date), Some(modified)) => date == modified && is_strong(modified),
        _ => false,
    }
}

/// How two entity tags are compared (RFC 9110 §8.8.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// The same, and neither is weak.
    Strong,
    /// The same, weak or not.
    Weak,
}

/// Whether a list of entity tags has this one, or is `*`.
fn is_listed(list: &[u8], own: &str, comparison: Comparison) -> bool {
    let mut rest = list.trim_ascii();
    if rest == b"*" {
        return true;
    }
    let (own_is_weak, own) = opaque(own.as_bytes());
    if comparison == Comparison::Strong && own_is_weak {
        return false;
    }
    // Tags may have commas in them: they are read one after the other, not split.
    loop {
        rest = rest.trim_ascii_start();
        let (weak, tag) = opaque(rest);
        let Some(end) = tag
            .strip_prefix(b"\"")
            .and_then(|inner| inner.iter().position(|&byte| byte == b'"'))
        else {
            return false;
        };
        let (tag, after) = tag.split_at(end + 2);
        if tag == own && !(weak && comparison == Comparison::Strong) {
            return true;
        }
        rest = after.trim_ascii_start();
        match rest.strip_prefix(b",") {
            Some(next) => rest = next,
            None => return false,
        }
    }
}

/// Whether a tag is weak, and what is left of it.
fn opaque(tag: &[u8]) -> (bool, &[u8]) {
    tag.strip_prefix(b"W/").map_or((false, tag), |rest| (true, rest))
}

/// A date in one of the three forms of RFC 9110 §5.6.7; anything else is as if it were not there.
fn date(text: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(text).ok()?.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    const WRITTEN: u64 = 784_111_777;
    const BEFORE: &[u8] = b"Sun, 06 Nov 1994 08:49:36 GMT";
    const THEN: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";
    const AFTER: &[u8] = b"Sun, 06 Nov 1994 08:49:38 GMT";

    fn file() -> Representation {
        let written = UNIX_EPOCH + Duration::from_secs(WRITTEN);
        Representation::new(7, "text/plain", written, written + Duration::from_secs(60))
    }

    fn verdict(set: impl FnOnce(&mut Preconditions<'static>)) -> Verdict {
        let mut conditions = Preconditions::default();
        set(&mut conditions);
        evaluate(&conditions, &file())
    }

    fn leaked(text: String) -> &'static [u8] {
        Box::leak(text.into_boxed_str()).as_bytes()
    }

    fn own() -> &'static [u8] {
        leaked(file().etag().to_string())
    }

    #[test]
    fn rfc9110_13_1_1_if_match_takes_its_own_strong_tag_or_any() {
        assert_eq!(verdict(|c| c.if_match = Some(own())), Verdict::Go);
        assert_eq!(verdict(|c| c.if_match = Some(b"*")), Verdict::Go);
        assert_eq!(verdict(|c| c.if_match = Some(b"\"other\"")), Verdict::Failed);
        let weak = leaked(format!("W/{}", file().etag()));
        assert_eq!(verdict(|c| c.if_match = Some(weak)), Verdict::Failed);
    }

    #[test]
    fn rfc9110_13_1_2_if_none_match_takes_weak_tags_and_lists() {
        let list = leaked(format!("\"a,b\" ,W/\"c\", W/{}", file().etag()));
        assert_eq!(verdict(|c| c.if_none_match = Some(list)), Verdict::NotModified);
        assert_eq!(verdict(|c| c.if_none_match = Some(b"*")), Verdict::NotModified);
        assert_eq!(verdict(|c| c.if_none_match = Some(b"\"a\", \"b\"")), Verdict::Go);
        assert_eq!(verdict(|c| c.if_none_match = Some(b"")), Verdict::Go);
        assert_eq!(verdict(|c| c.if_none_match = Some(b"\"open")), Verdict::Go);
    }

    #[test]
    fn rfc9110_13_1_3_if_modified_since_is_about_later_than_the_date() {
        assert_eq!(verdict(|c| c.if_modified_since = Some(BEFORE)), Verdict::Go);
        assert_eq!(
            verdict(|c| c.if_modified_since = Some(THEN)),
            Verdict::NotModified
        );
        assert_eq!(
            verdict(|c| c.if_modified_since = Some(AFTER)),
            Verdict::NotModified
        );
        assert_eq!(verdict(|c| c.if_modified_since = Some(b"yesterday")), Verdict::Go);
        let obsolete = b"Sunday, 06-Nov-94 08:49:37 GMT";
        assert_eq!(
            verdict(|c| c.if_modified_since = Some(obsolete)),
            Verdict::NotModified
        );
    }

    #[test]
    fn rfc9110_13_1_4_if_unmodified_since_is_about_not_later_than_the_date() {
        assert_eq!(verdict(|c| c.if_unmodified_since = Some(BEFORE)), Verdict::Failed);
        assert_eq!(verdict(|c| c.if_unmodified_since = Some(THEN)), Verdict::Go);
        assert_eq!(verdict(|c| c.if_unmodified_since = Some(b"never")), Verdict::Go);
    }

    #[test]
    fn rfc9110_13_2_2_tags_go_before_dates_and_failure_before_not_modified() {
        let both = verdict(|c| (c.if_none_match, c.if_modified_since) = (Some(&b"\"x\""[..]), Some(AFTER)));
        assert_eq!(both, Verdict::Go);
        let both = verdict(|c| (c.if_match, c.if_unmodified_since) = (Some(own()), Some(BEFORE)));
        assert_eq!(both, Verdict::Go);
        let both = verdict(|c| (c.if_match, c.if_none_match) = (Some(&b"\"x\""[..]), Some(&b"*"[..])));
        assert_eq!(both, Verdict::Failed);
    }

    #[test]
    fn rfc9110_13_1_5_a_range_applies_to_the_same_file_alone() {
        let later = UNIX_EPOCH + Duration::from_secs(WRITTEN + 60);
        let applies = |validator| range_applies(validator, &file(), later);
        assert!(applies(None));
        assert!(applies(Some(own())));
        assert!(!applies(Some(b"\"x\"")));
        assert!(!applies(Some(leaked(format!("W/{}", file().etag())))));
        assert!(applies(Some(THEN)));
        assert!(!applies(Some(AFTER)));
        assert!(!applies(Some(b"nonsense")));
    }

    #[test]
    fn rfc9110_8_8_2_2_a_date_of_this_very_second_is_no_strong_validator() {
        let same = UNIX_EPOCH + Duration::from_secs(WRITTEN);
        assert!(!range_applies(Some(THEN), &file(), same));
    }
}
