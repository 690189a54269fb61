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
    renewed: Instant,
}

impl ChallengeBudget {
    /// Ten in each five seconds, from `now` on.
    pub const fn new(now: Instant) -> Self {
        Self::with_limit(10, Duration::from_secs(5), now)
    }

    /// At most `limit` in each `period`, from `now` on.
    pub const fn with_limit(limit: u32, period: Duration, now: Instant) -> Self {
        Self {
            limit,
            period,
            left: limit,
            renewed: now,
        }
    }

    /// Spends one; `false` where none is left until the period is over.
    pub fn spend(&mut self, now: Instant) -> bool {
        if now >= self.renewed + self.period {
            self.renewed = now;
            self.left = self.limit;
        }
        let granted = self.left > 0;
        self.left -= u32::from(granted);
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc5961_7_ten_challenge_acks_in_five_seconds() {
        let start = Instant::from_secs(100);
        let mut budget = ChallengeBudget::new(start);
        assert_eq!(
            (0..50)
                .filter(|n| budget.spend(start + Duration::from_millis(*n)))
                .count(),
            10
        );
        assert!(!budget.spend(start + Duration::from_millis(4999)));
        assert_eq!(
            (0..50)
                .filter(|_| budget.spend(start + Duration::from_secs(5)))
                .count(),
            10
        );
    }

    #[test]
    fn a_limit_of_zero_grants_nothing() {
        let mut budget = ChallengeBudget::with_limit(0, Duration::from_secs(1), Instant::ZERO);
        assert!(!budget.spend(Instant::ZERO));
        assert!(!budget.spend(Instant::from_secs(9)));
    }
}
