//! From a request to what is sent: the file is found, the answer made, its bytes got ready.

use std::sync::Arc;

use pagewire_stack::source::{SharedFile, Source, Windows};
use pagewire_stack::{Instant, IpAddress};

use super::files::{Body, Files, Found, OpenFile};
use super::http::{Answer, Clock, Piece, Reading, Request, Status, target};
use super::log::Log;

/// Where the runs of a file are that an answer names.
pub(super) enum Bytes {
    /// It names none.
    None,
    /// In this file.
    Shared(Arc<SharedFile>),
    /// Here, one after the other.
    Parts(std::vec::IntoIter<Box<dyn Source>>),
}

/// What makes answers.
pub(super) struct Answering {
    pub(super) files: Files,
    pub(super) answer: Answer,
    pub(super) clock: Clock,
    log: Option<Log>,
}

impl Answering {
    pub(super) fn new(files: Files, log: Option<Log>, seed: u64, clock: Clock) -> Self {
        Self {
            files,
            answer: Answer::new(seed),
            clock,
            log,
        }
    }

    /// Makes the answer to what was read from a client.
    pub(super) fn answer(
        &mut self,
        reading: Reading<'_>,
        peer: IpAddress,
        windows: &Windows,
        now: Instant,
    ) -> Bytes {
        let (bytes, request) = match reading {
            Reading::Request { request, .. } => (self.look_up(&request, windows, now), Some(request)),
            Reading::Refused(status) => (self.refuse(status), None),
            // The rest of it has not come in time.
            Reading::Incomplete => (self.refuse(Status::RequestTimeout), None),
        };
        if let Some(log) = &mut self.log {
            let (status, body) = (self.answer.status().code(), self.answer.body());
            if let Err(error) = log.add(peer, request.as_ref(), status, body, &self.clock) {
                self.give_up_log(&error);
            }
        }
        bytes
    }

    /// Writes out the lines that were collected.
    pub(super) fn flush_log(&mut self) {
        if let Some(Err(error)) = self.log.as_mut().map(Log::flush) {
            self.give_up_log(&error);
        }
    }

    fn give_up_log(&mut self, error: &std::io::Error) {
        tracing::warn!("the access log could not be written ({error}); from here on there is none");
        self.log = None;
    }

    fn refuse(&mut self, status: Status) -> Bytes {
        self.answer.with_status(status, None, &self.clock);
        Bytes::None
    }

    fn look_up(&mut self, request: &Request<'_>, windows: &Windows, now: Instant) -> Bytes {
        let found = match target::path_of(request.target) {
            Some(path) => self.files.find(path, windows, now, self.clock.time()),
            None => Err(Status::BadRequest),
        };
        let Self { answer, clock, .. } = self;
        match found {
            Ok(Found::File(file)) => {
                answer.with_file(request, &file.representation, clock);
                match Self::bytes_of(answer, &file, windows) {
                    Ok(bytes) => return bytes,
                    Err(status) => answer.with_status(status, Some(request), clock),
                }
            }
            Ok(Found::Redirect(folder)) => {
                let location = folder + target::query_of(request.target);
                answer.with_redirect(&location, request, clock);
            }
            Ok(Found::Listing(page)) => answer.with_page(&page, request, clock),
            Err(status) => answer.with_status(status, Some(request), clock),
        }
        Bytes::None
    }

    /// What an answer needs of a file: nothing is got ready for one that has none of its bytes.
    fn bytes_of(answer: &Answer, file: &OpenFile, windows: &Windows) -> Result<Bytes, Status> {
        let runs = || {
            answer.pieces().iter().filter_map(|piece| match piece {
                Piece::File(run) => Some(run.clone()),
                Piece::Text(_) => None,
            })
        };
        match &file.body {
            _ if runs().next().is_none() => Ok(Bytes::None),
            Body::Shared(shared) => Ok(Bytes::Shared(Arc::clone(shared))),
            Body::Long(long) => {
                let declared = file.representation.len();
                let parts = runs().map(|run| OpenFile::part(long, declared, run, windows));
                Ok(Bytes::Parts(parts.collect::<Result<Vec<_>, _>>()?.into_iter()))
            }
        }
    }
}
