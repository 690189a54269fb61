//! One run of one case, and the proof that what arrived is what was sent.

use std::io;
use std::sync::atomic::AtomicU64;

use pagewire_kernel_methods::{Inspect, Method, MethodError, Receiver, run};

use super::case::{Case, Path, Way};
use super::error::BenchError;
use super::paths::Paths;
use super::sample::Sample;
use super::subject::Subject;
use crate::hash::{Content, Xxh3};
use crate::interrupt::Interrupt;
use crate::transfer::{self, Impairments, Mode, NicModel, Plan, SanitizerLevel, Sink, TransferError};

/// Bytes in the largest IP packet of the emulated pair: that of the veth devices.
const MTU: u16 = 1500;

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
            what: format!("{} over {}", case.way.name(), case.path.name()),
        }))
    }

    fn once(&self, case: Case, subject: &Subject, hash: Option<&mut Xxh3>) -> Result<Sample, Missed> {
        let resident = subject.place(case.cache).map_err(Missed::NotAvailable)?;
        match case.way {
            Way::Kernel(method) => self.by_kernel(case, method, subject, resident, hash),
            Way::SendfileWithoutSg => self.by_kernel(case, Method::Sendfile, subject, resident, hash),
            Way::ZeroCopy => self.over_pair(case, Mode::ZeroCopy, subject, resident, hash),
            Way::Copy => self.over_pair(case, Mode::Copy, subject, resident, hash),
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
        let inspect = update.as_mut().map(|update| update as &mut Inspect<'_>);
        let measured = run(
            method,
            case.receiver,
            ends,
            &subject.file,
            subject.bytes,
            inspect,
            &AtomicU64::new(0),
            self.interrupt.flag(),
        )?;
        let mut sample = Sample::of_kernel(&measured, resident);
        if case.way == Way::SendfileWithoutSg {
            // TCP sees that the device cannot gather, and copies the pages into packets (net/ipv4/tcp.c, MSG_SPLICE_PAGES).
            sample.sender_copied += sample.bytes;
            sample.extra_memory += sample.in_flight;
        }
        Ok(sample)
    }

    fn over_pair(
        &self,
        case: Case,
        mode: Mode,
        subject: &Subject,
        resident: f64,
        hash: Option<&mut Xxh3>,
    ) -> Result<Sample, Missed> {
        if case.path == Path::Tap {
            return Err(Missed::NotAvailable(
                "there is no cable into the kernel yet".to_string(),
            ));
        }
        let file = subject
            .file
            .try_clone()
            .map_err(|cause| Missed::NotAvailable(format!("the file cannot be opened once more: {cause}")))?;
        let plan = Plan {
            file,
            path: subject.path.clone(),
            declared_len: subject.bytes,
            nic: NicModel::Ixgbe,
            mode,
            mtu: MTU,
            tso: true,
            impairments: Impairments {
                loss: 0.0,
                duplicate: 0.0,
                reorder: 0.0,
                corrupt: 0.0,
                seed: 1,
            },
            virtual_time: false,
            sanitizer: SanitizerLevel::On,
            spinning_receiver: case.receiver == Receiver::Spinning,
            pcap: None,
        };
        let mut sink = Arriving(hash);
        let outcome = transfer::run(plan, &mut sink, &AtomicU64::new(0), self.interrupt.flag())?;
        if let Some(first) = outcome.violations.first() {
            return Err(Missed::NotAvailable(format!(
                "the driver broke a rule of the device ({first}); this is a fault of pagewire: please report it"
            )));
        }
        Ok(Sample::of_pair(&outcome, mode, case.cache, resident))
    }
}

/// Whoever receives over the emulated pair has the bytes in the socket's memory, and looks at them only for the proof.
struct Arriving<'a>(Option<&'a mut Xxh3>);

impl Sink for Arriving<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Some(hash) => hash.update(bytes),
            None => {
                std::hint::black_box(bytes);
            }
        }
        Ok(())
    }
}
