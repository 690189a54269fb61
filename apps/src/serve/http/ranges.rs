//! Which bytes of a file are asked for (RFC 9110 §14).

use std::ops::Range;

/// The most ranges of one request; who asks for more gets the whole file.
const MOST: usize = 64;

/// What a Range field selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of the file: there is no such field, or it is to be ignored.
    Whole,
    /// The ranges that were written out, in the order of the request; at least one, none of them empty.
    Parts,
    /// Nothing that is there.
    Unsatisfiable,
}

/// Writes the ranges that `field` selects of a file of `len` bytes to `out`.
///
/// Ranges that are together longer than the file (they overlap, then) select all of it, and so do more ranges than anybody needs:
/// either is cheap to ask for and dear to answer (§14.2, §17.15).
pub fn select(field: &[u8], len: u64, out: &mut Vec<Range<u64>>) -> Selection {
    out.clear();
    let Some(list) = ranges_of(field).filter(|list| !list.is_empty()) else {
        return Selection::Whole;
    };
    let mut total = 0_u64;
    for (count, spec) in list.split(|&byte| byte == b',').enumerate() {
        let range = match parse(spec.trim_ascii(), len) {
            // An empty element means nothing (§5.6.1.2).
            _ if spec.trim_ascii().is_empty() => continue,
            Some(range) => range,
            None => {
                out.clear();
                return Selection::Unsatisfiable;
            }
        };
        if range.is_empty() {
            // From the first byte on, an empty file has all that was asked for.
            if range.start == 0 {
                out.clear();
                return Selection::Whole;
            }
            continue;
        }
        total = total.saturating_add(range.end - range.start);
        if total > len || count >= MOST {
            out.clear();
            return Selection::Whole;
        }
        out.push(range);
    }
    if out.is_empty() {
        Selection::Unsatisfiable
    } else {
        Selection::Parts
    }
}

/// What follows `bytes=`, in any case; other units are ignored.
fn ranges_of(field: &[u8]) -> Option<&[u8]> {
    let (unit, list) = field.split_at_checked(6)?;
    unit.eq_ignore_ascii_case(b"bytes=").then_some(list)
}

/// One range, cut at the end of the file; empty where it lies beyond, `None` where it is no range.
fn parse(spec: &[u8], len: u64) -> Option<Range<u64>> {
    let dash = spec.iter().position(|&byte| byte == b'-')?;
    let (first, last) = (&spec[..dash], &spec[dash + 1..]);
    if first.is_empty() {
        let suffix = number(last)?;
        return Some(len.saturating_sub(suffix)..len);
    }
    let start = number(first)?;
    let end = if last.is_empty() {
        len
    } else {
        let last = number(last)?;
        if last < start {
            return None;
        }
        len.min(last.saturating_add(1))
    };
    Some(start..end)
}

/// A decimal number; one that is too large for any file is the largest.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().try_fold(0_u64, |value, digit| {
        value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    });
    Some(value.unwrap_or(u64::MAX))
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "one range is what is expected")]
mod tests {
    use super::*;

    fn selected(field: &str, len: u64) -> Result<Vec<Range<u64>>, Selection> {
        let mut out = vec![];
        match select(field.as_bytes(), len, &mut out) {
            Selection::Parts => Ok(out),
            other => {
                assert!(out.is_empty());
                Err(other)
            }
        }
    }

    #[test]
    fn rfc9110_14_1_2_the_examples() {
        assert_eq!(selected("bytes=0-499", 10_000), Ok(vec![0..500]));
        assert_eq!(selected("bytes=500-999", 10_000), Ok(vec![500..1000]));
        assert_eq!(selected("bytes=-500", 10_000), Ok(vec![9500..10_000]));
        assert_eq!(selected("bytes=9500-", 10_000), Ok(vec![9500..10_000]));
        assert_eq!(selected("bytes=0-0,-1", 10_000), Ok(vec![0..1, 9999..10_000]));
        let spaced = "bytes= 0-999, 4500-5499, -1000";
        assert_eq!(
            selected(spaced, 10_000),
            Ok(vec![0..1000, 4500..5500, 9000..10_000])
        );
    }

    #[test]
    fn a_range_is_cut_at_the_end_of_the_file() {
        assert_eq!(selected("bytes=5-99", 10), Ok(vec![5..10]));
        assert_eq!(selected("bytes=-99", 10), Ok(vec![0..10]));
        assert_eq!(
            selected("bytes=5-99999999999999999999999999", 10),
            Ok(vec![5..10])
        );
    }

    #[test]
    fn a_range_beyond_the_end_is_left_out_and_alone_it_is_not_satisfiable() {
        assert_eq!(selected("bytes=10-", 10), Err(Selection::Unsatisfiable));
        assert_eq!(selected("bytes=-0", 10), Err(Selection::Unsatisfiable));
        assert_eq!(selected("bytes=10-,0-0", 10), Ok(vec![0..1]));
        assert_eq!(
            selected("bytes=99999999999999999999999999-", 10),
            Err(Selection::Unsatisfiable)
        );
    }

    #[test]
    fn what_is_no_range_of_bytes_is_refused_and_other_units_are_ignored() {
        for bad in [
            "bytes=,",
            "bytes=a-b",
            "bytes=5-2",
            "bytes=-",
            "bytes=1",
            "bytes=0-1,x",
            "bytes=+1-2",
        ] {
            assert_eq!(selected(bad, 10), Err(Selection::Unsatisfiable), "{bad}");
        }
        for other in ["lines=1-2", "byte", "bytes=", ""] {
            assert_eq!(selected(other, 10), Err(Selection::Whole), "{other}");
        }
        assert_eq!(selected("Bytes=1-2,", 10), Ok(vec![1..3]));
    }

    #[test]
    fn more_bytes_than_the_file_has_are_the_file() {
        assert_eq!(selected("bytes=0-,0-", 10), Err(Selection::Whole));
        assert_eq!(selected("bytes=0-5,5-9", 10), Err(Selection::Whole));
        assert_eq!(selected("bytes=0-4,5-9", 10), Ok(vec![0..5, 5..10]));
    }

    #[test]
    fn more_ranges_than_anybody_needs_are_the_file() {
        let many = |count: usize| format!("bytes={}", vec!["0-0"; count].join(","));
        assert_eq!(selected(&many(MOST), 1000).map(|all| all.len()), Ok(MOST));
        assert_eq!(selected(&many(MOST + 1), 1000), Err(Selection::Whole));
    }

    #[test]
    fn all_that_an_empty_file_has_is_nothing() {
        assert_eq!(selected("bytes=0-0", 0), Err(Selection::Whole));
        assert_eq!(selected("bytes=-5", 0), Err(Selection::Whole));
        assert_eq!(selected("bytes=1-", 0), Err(Selection::Unsatisfiable));
    }
}
