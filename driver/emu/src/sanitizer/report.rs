//! Counts of violations, and the first of each in words.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::Rule;

/// What one rule caught.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// How often.
    pub count: u64,
    /// The first occurrence: queue, descriptor, address, and what was found.
    pub first: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} times), first: {}", self.rule, self.count, self.first)
    }
}

/// What a device has seen its driver do wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One entry for each rule that was broken, in the order of [`Rule::ALL`].
    pub violations: Vec<Violation>,
}

impl Report {
    /// How many violations there were in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.violations.iter().map(|violation| violation.count).sum()
    }

    /// Whether no rule was broken.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// How often `rule` was broken.
    #[must_use]
    pub fn count(&self, rule: Rule) -> u64 {
        self.violations
            .iter()
            .find(|violation| violation.rule == rule)
            .map_or(0, |violation| violation.count)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("no violations");
        }
        for (index, Violation { rule, count, first }) in self.violations.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{rule}: {count} (first: {first})")?;
        }
        Ok(())
    }
}

/// Collects violations of one device, from any thread.
#[derive(Debug, Default)]
pub(crate) struct Sanitizer {
    counts: [AtomicU64; Rule::ALL.len()],
    first: Mutex<[Option<String>; Rule::ALL.len()]>,
}

impl Sanitizer {
    /// Notes a violation. `words` is asked for only the first time.
    #[cold]
    pub(crate) fn record(&self, rule: Rule, words: impl FnOnce() -> String) {
        self.record_many(rule, 1, words);
    }

    /// Notes `count` violations.
    #[cold]
    pub(crate) fn record_many(&self, rule: Rule, count: u64, words: impl FnOnce() -> String) {
        let index = rule as usize;
        self.counts[index].fetch_add(count, Ordering::Relaxed);
        let mut first = self.first.lock();
        if first[index].is_none() {
            let words = words();
            tracing::debug!(rule = rule.name(), %words, "the driver broke a rule");
            first[index] = Some(words);
        }
    }

    pub(crate) fn report(&self) -> Report {
        let first = self.first.lock();
        let violations = Rule::ALL.iter().filter_map(|rule| {
            let first = first[*rule as usize].clone()?;
            let count = self.counts[*rule as usize].load(Ordering::Relaxed);
            Some(Violation {
                rule: *rule,
                count,
                first,
            })
        });
        Report {
            violations: violations.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_stands_at_its_own_place() {
        for (index, rule) in Rule::ALL.iter().enumerate() {
            assert_eq!(*rule as usize, index);
        }
    }

    #[test]
    fn a_report_keeps_the_first_occurrence_and_counts_all() {
        let sanitizer = Sanitizer::default();
        sanitizer.record(Rule::WrongDirection, || "first".into());
        sanitizer.record(Rule::WrongDirection, || "second".into());
        let report = sanitizer.report();
        assert_eq!(report.total(), 2);
        assert_eq!(report.to_string(), "wrong-direction: 2 (first: first)");
    }
}
