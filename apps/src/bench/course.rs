//! One run of one case, and the proof that what arrived is what was sent.

use std::sync::atomic::AtomicU64;

use pagewire::live::LiveError;
use pagewire_kernel_methods::{Inspect, Method, MethodError, Receiver, Receiving, run};

use super::case::{Case, Path, Way};
use super::error::BenchError;
use super::paths::Paths;
use super::sample::Sample;
use super::subject::Subject;
use super::{pair, tap};
use crate::hash::{Content, Xxh3};
use crate::interrupt::Interrupt;
use crate::transfer::{Mode, TransferError};

/// Why there is no sample.
pub(super) enum Missed {
    /// It cannot be measured here; the sentence says why.
    NotAvailable(String),
    /// The whole bench ends.
    Ends(BenchError),
}

impl From<MethodError> for Missed {
    fn from(error: MethodError) -> Self {
        match error {
            MethodError::Interrupted => Self::Ends(BenchError::Interrupted),
            other => Self::NotAvailable(other.to_string()),
        }
    }
}

impl From<TransferError> for Missed {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::Interrupted => Self::Ends(BenchError::Interrupted),
            other => Self::NotAvailable(other.to_string()),
        }
    }
}

impl From<LiveError> for Missed {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::Interrupted => Self::Ends(BenchError::Interrupted),
            other => Self::NotAvailable(other.to_string()),
        }
    }
}

/// What runs need.
pub(super) struct Course<'a> {
    pub(super) paths: &'a Paths,
    pub(super) interrupt: &'a Interrupt,
}

impl Course<'_> {
    /// A run that counts: nobody looks at the bytes.
    pub(super) fn measure(&self, case: Case, subject: &Subject) -> Result<Sample, Missed> {
        self.once(case, subject, None)
    }

    /// A run that does not: each byte that arrives is hashed. Where the receiver throws them away, their number has to do.
    pub(super) fn prove(&self, case: Case, subject: &Subject) -> Result<(), Missed> {
        let mut hash = Xxh3::new();
        self.once(case, subject, Some(&mut hash))?;
        let arrived = hash.finish();
        let nothing = Content {
            bytes: 0,
            ..Xxh3::new().finish()
        };
        if arrived == subject.content || (case.receiver == Receiver::Discard && arrived == nothing) {
            return Ok(());
        }
        Err(Missed::Ends(BenchError::Mismatch {
            what: case.to_string(),
        }))
    }

    fn once(&self, case: Case, subject: &Subject, hash: Option<&mut Xxh3>) -> Result<Sample, Missed> {
        let resident = subject.place(case.cache).map_err(Missed::NotAvailable)?;
        match case.way {
            Way::Kernel(method) => self.by_kernel(case, method, subject, resident, hash),
            Way::SendfileWithoutSg => self.by_kernel(case, Method::Sendfile, subject, resident, hash),
            Way::ZeroCopy => self.by_pagewire(case, Mode::ZeroCopy, subject, resident, hash),
            Way::Copy => self.by_pagewire(case, Mode::Copy, subject, resident, hash),
        }
    }

    fn by_kernel(
        &self,
        case: Case,
        method: Method,
        subject: &Subject,
        resident: f64,
        hash: Option<&mut Xxh3>,
    ) -> Result<Sample, Missed> {
        let ends = self
            .paths
            .ends(case.way, case.path)
            .map_err(Missed::NotAvailable)?;
        let mut update = hash.map(|hash| |bytes: &[u8]| hash.update(bytes));
        let receiving = Receiving {
            receiver: case.receiver,
            len: subject.bytes,
            inspect: update.as_mut().map(|update| update as &mut Inspect<'_>),
            received: &AtomicU64::new(0),
            stop: self.interrupt.flag(),
        };
        let measured = run(method, ends, &subject.file, receiving)?;
        let mut sample = Sample::of_kernel(&measured, resident);
        if case.way == Way::SendfileWithoutSg {
            // TCP sees that the device cannot gather, and copies the pages into packets (net/ipv4/tcp.c, MSG_SPLICE_PAGES).
            sample.sender_copied += sample.bytes;
            sample.extra_memory += sample.in_flight;
        }
        Ok(sample)
    }

    fn by_pagewire(
        &self,
        case: Case,
        mode: Mode,
        subject: &Subject,
        resident: f64,
        hash: Option<&mut Xxh3>,
    ) -> Result<Sample, Missed> {
        if case.path == Path::Pair {
            return pair::run(case, mode, subject, resident, hash, self.interrupt);
        }
        let tap = self.paths.tap().map_err(Missed::NotAvailable)?;
        tap::run(tap, case, mode, subject, resident, hash, self.interrupt)
    }
}
