//! Waiting for a device, never without end.

use crate::port::{Delay, NicError};

/// What a removed device answers to every read.
pub(crate) const ALL_ONES: u32 = u32::MAX;

/// A wait for a register: what for, where, how long at most, and how often to look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    /// What the driver is doing, as a phrase ("resetting the device").
    pub(crate) step: &'static str,
    /// The register's name.
    pub(crate) register: &'static str,
    /// The longest time to wait, in microseconds.
    pub(crate) limit_us: u32,
    /// The time between two looks, in microseconds.
    pub(crate) every_us: u32,
}

impl Wait {
    /// Reads until `ready` says yes. The register is read `limit_us / every_us + 1` times at most.
    ///
    /// # Errors
    /// [`NicError::Removed`] where a read returns all ones, [`NicError::Timeout`] after the last look.
    pub(crate) fn until(
        self,
        delay: &mut dyn Delay,
        read: impl Fn() -> u32,
        ready: impl Fn(u32) -> bool,
    ) -> Result<u32, NicError> {
        let looks = self.limit_us / self.every_us.max(1);
        for look in 0..=looks {
            let value = read();
            if value == ALL_ONES {
                return Err(NicError::Removed { step: self.step });
            }
            if ready(value) {
                return Ok(value);
            }
            if look == looks {
                return Err(NicError::Timeout {
                    step: self.step,
                    waited_us: self.limit_us,
                    register: self.register,
                    value,
                });
            }
            delay.delay_us(self.every_us);
        }
        unreachable!("the last look returns")
    }
}

/// A wait without a clock, for the end of a handle: so many reads of a register, each of which takes a real
/// device about a microsecond. Returns whether `ready` said yes.
pub(crate) fn reads_until(limit: u32, read: impl Fn() -> u32, ready: impl Fn(u32) -> bool) -> bool {
    (0..limit).any(|_| {
        let value = read();
        value != ALL_ONES && ready(value)
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Counted(u32);

    impl Delay for Counted {
        fn delay_us(&mut self, us: u32) {
            self.0 += us;
        }
    }

    const WAIT: Wait = Wait {
        step: "testing",
        register: "TEST",
        limit_us: 100,
        every_us: 10,
    };

    #[test]
    fn a_wait_ends_after_its_limit_and_says_what_it_saw() {
        let mut delay = Counted(0);
        let reads = Cell::new(0);
        let read = || {
            reads.set(reads.get() + 1);
            7
        };
        let error = WAIT.until(&mut delay, read, |_| false).unwrap_err();
        assert!(
            matches!(
                error,
                NicError::Timeout {
                    waited_us: 100,
                    value: 7,
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!((delay.0, reads.get()), (100, 11));
    }

    #[test]
    fn all_ones_are_a_removed_device_even_where_they_look_ready() {
        let error = WAIT.until(&mut Counted(0), || ALL_ONES, |_| true).unwrap_err();
        assert!(matches!(error, NicError::Removed { step: "testing" }), "{error}");
        assert!(!reads_until(5, || ALL_ONES, |_| true));
    }

    #[test]
    fn a_wait_that_is_over_at_once_takes_no_time() {
        let mut delay = Counted(0);
        assert!(WAIT.until(&mut delay, || 1, |value| value == 1).is_ok());
        assert_eq!(delay.0, 0);
    }
}
