//! One file to one peer: connects, promises the file, and waits until its last byte is acknowledged.

use std::fs::File;
use std::sync::atomic::Ordering;

use pagewire_nic::port::{RxQueue, TxQueue};
use pagewire_stack::source::{MappedFile, Source};
use pagewire_stack::{ConnectionId, Duration, Failure, Instant, IpEndpoint, Stack, State, TransmitRing};

use super::{Application, LiveError, Notice, Observer, Turn};

/// How long the peer may take to answer the first SYN.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// How long no byte may be acknowledged. A link that is down for minutes is survived: smoltcp's retransmission time-out
/// backs off to a minute, and this is several of those.
const STALL: Duration = Duration::from_secs(300);
/// How long the peer may take to close its side, once it has acknowledged everything: it shall find us there.
const LINGER: Duration = Duration::from_millis(500);

/// One file on its way to one peer.
#[derive(Debug)]
pub struct Sending {
    remote: IpEndpoint,
    file: Option<File>,
    declared: u64,
    connection: Option<ConnectionId>,
    acknowledged: u64,
    began: Instant,
    /// When the last byte was acknowledged.
    last_move: Instant,
    /// When the FIN was acknowledged: all is done but for the peer's own FIN.
    ended: Option<Instant>,
}

impl Sending {
    /// Sends `file`, which holds `declared` bytes, to `remote`.
    #[must_use]
    pub fn new(remote: IpEndpoint, file: File, declared: u64) -> Self {
        Self {
            remote,
            file: Some(file),
            declared,
            connection: None,
            acknowledged: 0,
            began: Instant::ZERO,
            last_move: Instant::ZERO,
            ended: None,
        }
    }

    /// Bytes that the peer has acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    fn explain(&self, failure: &Failure) -> LiveError {
        match failure {
            Failure::Source(error) => LiveError::Source {
                cause: error.to_string(),
            },
            Failure::Refused => LiveError::Refused { remote: self.remote },
            other => LiveError::Reset {
                done: self.acknowledged,
                of: self.declared.to_string(),
                cause: other.to_string(),
            },
        }
    }
}

impl Application for Sending {
    fn begin<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        observer: &Observer<'_>,
        now: Instant,
    ) -> Result<(), LiveError> {
        let source = match self.file.take() {
            Some(file) => by_reference(stack, file, self.declared)?,
            None => return Ok(()),
        };
        tell_fallbacks(stack, observer);
        let id = stack.connect(self.remote, TransmitRing::Phantom, now)?;
        stack.send(id, source);
        stack.finish(id);
        self.connection = Some(id);
        (self.began, self.last_move) = (now, now);
        Ok(())
    }

    fn turn<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        observer: &Observer<'_>,
        now: Instant,
    ) -> Result<Turn, LiveError> {
        let Some(status) = self.connection.and_then(|id| stack.status(id)) else {
            return Ok(Turn::Done);
        };
        if status.acknowledged > self.acknowledged {
            self.acknowledged = status.acknowledged;
            self.last_move = now;
            tell_fallbacks(stack, observer);
            observer.progress.store(self.acknowledged, Ordering::Relaxed);
        }
        if let Some(ended) = self.ended {
            let until = ended + LINGER;
            let over = matches!(status.state, State::TimeWait | State::Closed) || now >= until;
            return Ok(if over {
                Turn::Done
            } else {
                Turn::Going { until: Some(until) }
            });
        }
        if let Some(failure) = status.failure {
            return Err(self.explain(failure));
        }
        if matches!(status.state, State::FinWait2 | State::TimeWait | State::Closed) {
            self.ended = Some(now);
            return Ok(Turn::Going { until: Some(now) });
        }
        let limit = if status.state == State::SynSent {
            CONNECT_LIMIT
        } else {
            STALL
        };
        let until = self.last_move + limit;
        if now < until {
            return Ok(Turn::Going { until: Some(until) });
        }
        Err(if status.state == State::SynSent {
            LiveError::NoAnswer {
                remote: self.remote,
                seconds: limit.secs(),
            }
        } else {
            LiveError::Stalled {
                seconds: limit.secs(),
                done: self.acknowledged,
            }
        })
    }

    fn abandon<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>) {
        if let Some(id) = self.connection {
            stack.abort(id, Failure::Aborted);
        }
    }

    fn span(&self) -> Option<(Instant, Instant)> {
        self.ended.map(|ended| (self.began, ended))
    }
}

/// The file as a source: mapped, and copied where it cannot be.
fn by_reference<T: TxQueue, R: RxQueue>(
    stack: &Stack<T, R>,
    file: File,
    declared: u64,
) -> Result<Box<dyn Source>, LiveError> {
    let told = |cause: String| LiveError::Source { cause };
    let mut mapped = MappedFile::new(file, stack.windows()).map_err(|cause| told(cause.to_string()))?;
    if mapped.len() != declared {
        return Err(told(format!(
            "it changed from {declared} to {} bytes: send it again",
            mapped.len()
        )));
    }
    mapped.prepare().map_err(|cause| told(cause.to_string()))?;
    Ok(Box::new(mapped))
}

/// Says what could not be mapped, as soon as it is known.
fn tell_fallbacks<T: TxQueue, R: RxQueue>(stack: &Stack<T, R>, observer: &Observer<'_>) {
    for fallback in stack.windows().take_fallbacks() {
        (observer.tell)(Notice::Copying(fallback));
    }
}
