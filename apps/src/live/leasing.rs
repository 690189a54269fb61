//! Waits until a DHCP server has lent an address.

use pagewire_nic::port::{RxQueue, TxQueue};
use pagewire_stack::{Duration, Instant, Stack};

use super::{Application, LiveError, Notice, Observer, Turn};

/// How long a server may take: the stack asks again every four seconds.
const LIMIT: Duration = Duration::from_secs(20);

/// The wait for a lease, done when there is one.
#[derive(Debug, Default)]
pub(super) struct Leasing {
    until: Option<Instant>,
}

impl Application for Leasing {
    fn begin<T: TxQueue, R: RxQueue>(
        &mut self,
        _stack: &mut Stack<T, R>,
        _observer: &Observer<'_>,
        now: Instant,
    ) -> Result<(), LiveError> {
        self.until = Some(now + LIMIT);
        Ok(())
    }

    fn turn<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        observer: &Observer<'_>,
        now: Instant,
    ) -> Result<Turn, LiveError> {
        if let Some(lease) = stack.lease() {
            (observer.tell)(Notice::Leased(lease.clone()));
            return Ok(Turn::Done);
        }
        if self.until.is_some_and(|until| now >= until) {
            return Err(LiveError::NoLease {
                seconds: LIMIT.secs(),
            });
        }
        Ok(Turn::Going { until: self.until })
    }

    fn abandon<T: TxQueue, R: RxQueue>(&mut self, _stack: &mut Stack<T, R>) -> bool {
        false
    }

    fn span(&self) -> Option<(Instant, Instant)> {
        None
    }
}
