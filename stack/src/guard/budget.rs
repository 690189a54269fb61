//! How many challenge ACKs may leave.

use smoltcp::time::{Duration, Instant};

/// A limit on challenge ACKs: so many in each period (RFC 5961 §7, whose example is the default: ten in
/// five seconds).
///
/// Keep one for each connection. A single one for the whole host would tell a stranger, by what is left of
/// it, whether his guess at somebody else's connection was right (CVE-2016-5696).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChallengeBudget {
    limit: u32,
    period: Duration,
    left: u32,
    renewed: Option<Instant>,
}

impl ChallengeBudget {
    /// At most `limit` in each `period`, which begins with the first one.
    pub const fn new(limit: u32, period: Duration) -> Self {
        Self {
            limit,
            period,
            left: limit,
            renewed: None,
        }
    }

    /// Takes one out; `false` where none is left until the period is over.
    pub fn take(&mut self, now: Instant) -> bool {
        let over = self.renewed.is_none_or(|renewed| now >= renewed + self.period);
        if over {
            self.renewed = Some(now);
            self.left = self.limit;
        }
        let granted = self.left > 0;
        self.left -= u32::from(granted);
        granted
    }
}

impl Default for ChallengeBudget {
    fn default() -> Self {
        Self::new(10, Duration::from_secs(5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc5961_7_ten_challenge_acks_in_five_seconds() {
        let mut budget = ChallengeBudget::default();
        let start = Instant::from_secs(100);
        assert_eq!(
            (0..50)
                .filter(|n| budget.take(start + Duration::from_millis(*n)))
                .count(),
            10
        );
        assert!(!budget.take(start + Duration::from_millis(4999)));
        assert_eq!(
            (0..50)
                .filter(|_| budget.take(start + Duration::from_secs(5)))
                .count(),
            10
        );
    }

    #[test]
    fn a_limit_of_zero_grants_nothing() {
        let mut budget = ChallengeBudget::new(0, Duration::from_secs(1));
        assert!(!budget.take(Instant::ZERO));
        assert!(!budget.take(Instant::from_secs(9)));
    }
}
