//! Echo requests to one host, one a second.

use pagewire_nic::port::{RxQueue, TxQueue};
use pagewire_stack::{Duration, EchoReply, Instant, IpAddress, PingError, Stack};

use super::{Application, LiveError, Observer, Turn};

/// From one request to the next.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long the last reply may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Some echo requests, and what became of them.
pub struct Pinging<'a> {
    to: IpAddress,
    count: u16,
    payload_len: usize,
    replied: &'a mut dyn FnMut(&EchoReply),
    sent: u16,
    received: u16,
    began: Instant,
    next: Instant,
    ended: Option<Instant>,
}

impl<'a> Pinging<'a> {
    /// Asks `to` for `count` echoes of `payload_len` bytes; `replied` hears of each.
    pub fn new(
        to: IpAddress,
        count: u16,
        payload_len: usize,
        replied: &'a mut dyn FnMut(&EchoReply),
    ) -> Self {
        Self {
            to,
            count,
            payload_len,
            replied,
            sent: 0,
            received: 0,
            began: Instant::ZERO,
            next: Instant::ZERO,
            ended: None,
        }
    }

    /// How many were asked for so far.
    #[must_use]
    pub fn sent(&self) -> u16 {
        self.sent
    }

    /// How many came back.
    #[must_use]
    pub fn received(&self) -> u16 {
        self.received
    }
}

impl Application for Pinging<'_> {
    fn begin<T: TxQueue, R: RxQueue>(
        &mut self,
        _stack: &mut Stack<T, R>,
        _observer: &Observer<'_>,
        now: Instant,
    ) -> Result<(), LiveError> {
        (self.began, self.next) = (now, now);
        Ok(())
    }

    fn turn<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        _observer: &Observer<'_>,
        now: Instant,
    ) -> Result<Turn, LiveError> {
        while let Some(reply) = stack.next_echo_reply() {
            self.received += 1;
            (self.replied)(&reply);
        }
        if self.received == self.count {
            self.ended = Some(now);
            return Ok(Turn::Done);
        }
        if now >= self.next {
            if self.sent == self.count {
                self.ended = Some(now);
                return Ok(Turn::Done);
            }
            match stack.ping(self.to, self.sent, self.payload_len, now) {
                // One that cannot even be sent is one without a reply: the neighbour may come.
                Ok(()) | Err(PingError::NoNeighbour { .. }) => self.sent += 1,
                Err(error) => return Err(error.into()),
            }
            self.next = now
                + if self.sent == self.count {
                    PATIENCE
                } else {
                    INTERVAL
                };
        }
        Ok(Turn::Going {
            until: Some(self.next),
        })
    }

    fn abandon<T: TxQueue, R: RxQueue>(&mut self, _stack: &mut Stack<T, R>) -> bool {
        false
    }

    fn span(&self) -> Option<(Instant, Instant)> {
        self.ended.map(|ended| (self.began, ended))
    }
}
