//! The time of day, as answers tell it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, in seconds, and its name. Written anew when the second changes, not for each answer.
#[derive(Clone, Debug)]
pub struct Clock {
    second: u64,
    date: String,
}

impl Clock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: SystemTime) -> Self {
        let mut clock = Self {
            second: 0,
            date: httpdate::fmt_http_date(UNIX_EPOCH),
        };
        clock.set(now);
        clock
    }

    /// Sets it.
    pub fn set(&mut self, now: SystemTime) {
        let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if second != self.second {
            self.second = second;
            self.date = httpdate::fmt_http_date(self.time());
        }
    }

    /// The second it stands at.
    #[must_use]
    pub fn time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.second)
    }

    /// The same as a Date field has it (RFC 9110 §5.6.7).
    #[must_use]
    pub fn date(&self) -> &str {
        &self.date
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_that_of_the_second() {
        let mut clock = Clock::at(UNIX_EPOCH + Duration::from_millis(784_111_777_900));
        assert_eq!(clock.date(), "Sun, 06 Nov 1994 08:49:37 GMT");
        clock.set(UNIX_EPOCH + Duration::from_secs(784_111_778));
        assert_eq!(clock.date(), "Sun, 06 Nov 1994 08:49:38 GMT");
    }
}
