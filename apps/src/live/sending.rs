//! One file to one peer: connects, promises the file, and waits until its last byte is acknowledged.

use std::fs::File;
use std::sync::atomic::Ordering;

use pagewire_nic::port::{RxQueue, TxQueue};
use pagewire_stack::{ConnectionId, Duration, Failure, Instant, IpEndpoint, Stack, State, TransmitRing};

use crate::by_reference::by_reference;
use crate::copying::Copying;
use crate::transfer::Mode;

use super::{Application, LiveError, Notice, Observer, Turn, linger, reset};

/// How long the peer may take to answer the first SYN.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// One file on its way to one peer.
#[derive(Debug)]
pub struct Sending {
    remote: IpEndpoint,
    file: Option<File>,
    declared: u64,
    mode: Mode,
    /// Where payload is copied: what is still to be read.
    copying: Option<Copying>,
    connection: Option<ConnectionId>,
    /// System calls that this took so far.
    reads: u64,
    acknowledged: u64,
    /// When the first SYN was about to leave: the file was mapped before.
    began: Option<Instant>,
    /// When the FIN was acknowledged: all is done but for the peer's own FIN.
    ended: Option<Instant>,
}

impl Sending {
    /// Sends `file`, which holds `declared` bytes, to `remote`.
    #[must_use]
    pub fn new(remote: IpEndpoint, file: File, declared: u64, mode: Mode) -> Self {
        Self {
            remote,
            file: Some(file),
            declared,
            mode,
            copying: None,
            connection: None,
            reads: 0,
            acknowledged: 0,
            began: None,
            ended: None,
        }
    }

    /// Bytes that the peer has acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// System calls that reading the file took: none where it is sent by reference.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads
    }

    fn explain(&self, failure: &Failure) -> LiveError {
        match failure {
            Failure::Source(error) => LiveError::Source {
                cause: error.to_string(),
            },
            Failure::Refused => LiveError::Refused { remote: self.remote },
            Failure::NoNeighbour => LiveError::NoNeighbour { remote: self.remote },
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
        let Some(file) = self.file.take() else {
            return Ok(());
        };
        match self.mode {
            Mode::ZeroCopy => {
                let source =
                    by_reference(stack, file, self.declared).map_err(|cause| LiveError::Source { cause })?;
                tell_fallbacks(stack, observer);
                let id = stack.connect(self.remote, TransmitRing::Phantom, now)?;
                self.connection = Some(id);
                stack.send(id, source);
                stack.finish(id);
            }
            Mode::Copy => {
                self.connection = Some(stack.connect(self.remote, TransmitRing::Real, now)?);
                self.copying = Some(Copying::new(file, self.declared));
            }
        }
        Ok(())
    }

    fn turn<T: TxQueue, R: RxQueue>(
        &mut self,
        stack: &mut Stack<T, R>,
        observer: &Observer<'_>,
        now: Instant,
    ) -> Result<Turn, LiveError> {
        let Some(id) = self.connection else {
            return Ok(Turn::Done);
        };
        let began = *self.began.get_or_insert(now);
        if let Some(copying) = &mut self.copying {
            let all = copying.fill(stack, id);
            self.reads = copying.reads();
            observer.progress.store(copying.read(), Ordering::Relaxed);
            if all.map_err(|cause| LiveError::Source { cause })? {
                self.copying = None;
                stack.finish(id);
            }
        }
        let Some(status) = stack.status(id) else {
            return Ok(Turn::Done);
        };
        if status.acknowledged > self.acknowledged {
            self.acknowledged = status.acknowledged;
            tell_fallbacks(stack, observer);
            observer.progress.store(self.acknowledged, Ordering::Relaxed);
        }
        if let Some(ended) = self.ended {
            return Ok(linger(status.state, ended, now));
        }
        if let Some(failure) = status.failure {
            return Err(self.explain(failure));
        }
        if matches!(status.state, State::FinWait2 | State::TimeWait | State::Closed) {
            self.ended = Some(now);
            return Ok(Turn::Going { until: Some(now) });
        }
        // Once they talk, the stack has the patience.
        if status.state != State::SynSent {
            return Ok(Turn::Going { until: None });
        }
        let until = began + CONNECT_LIMIT;
        if now < until {
            return Ok(Turn::Going { until: Some(until) });
        }
        Err(LiveError::NoAnswer {
            remote: self.remote,
            seconds: CONNECT_LIMIT.secs(),
        })
    }

    fn abandon<T: TxQueue, R: RxQueue>(&mut self, stack: &mut Stack<T, R>) -> bool {
        self.connection.is_some_and(|id| reset(stack, id))
    }

    fn span(&self) -> Option<(Instant, Instant)> {
        self.began.zip(self.ended)
    }
}

/// Says what could not be mapped, as soon as it is known.
fn tell_fallbacks<T: TxQueue, R: RxQueue>(stack: &Stack<T, R>, observer: &Observer<'_>) {
    for fallback in stack.windows().take_fallbacks() {
        (observer.tell)(Notice::Copying(fallback));
    }
}
