//! A file that is handed out: what is said of it, and where its bytes are.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use pagewire_stack::source::{MappedFile, NotShared, Part, SharedFile, Source, Windows};

use super::root::{State, state_of};
use crate::serve::http::{Representation, Status};

/// Where the bytes of a file are.
pub enum Body {
    /// Mapped, for all connections.
    Shared(Arc<SharedFile>),
    /// Too long to be kept mapped, or not to be mapped: each answer maps or copies what it needs.
    Long(File),
}

/// A file with what is said of it.
pub struct OpenFile {
    /// What is said of it.
    pub representation: Representation,
    /// Where its bytes are.
    pub body: Body,
    pub(super) state: State,
}

impl OpenFile {
    /// Declares `file`, found at `path`, as it is now.
    pub(super) fn new(file: File, path: &[u8], windows: &Windows, now: SystemTime) -> Result<Self, Status> {
        let unreadable = |_| Status::InternalServerError;
        // The lease is taken before the state is: nobody changes the file between the two.
        let body = match SharedFile::open(file.try_clone().map_err(unreadable)?, windows) {
            Ok(shared) => Body::Shared(Arc::new(shared)),
            Err(NotShared::TooLong { .. } | NotShared::NotMapped { .. }) => {
                Body::Long(file.try_clone().map_err(unreadable)?)
            }
            Err(NotShared::Unreadable(_)) => return Err(Status::InternalServerError),
        };
        let state = state_of(&file)?;
        if let Body::Shared(shared) = &body
            && shared.len() != state.len
        {
            // It changes at this very moment.
            return Err(Status::ServiceUnavailable);
        }
        Ok(Self {
            representation: Representation::new(state.len, content_type(path), state.modified(), now),
            body,
            state,
        })
    }

    /// Whether it can go on being handed out: it is what was declared, and nobody waits to write it.
    pub(super) fn is_current(&self) -> bool {
        match &self.body {
            Body::Shared(shared) => shared.is_current(),
            Body::Long(file) => state_of(file).is_ok_and(|state| state == self.state),
        }
    }

    /// The bytes `range` of a long file, for one answer.
    ///
    /// # Errors
    /// It is no longer what was declared, or cannot be opened once more.
    pub fn part(
        file: &File,
        declared: u64,
        range: Range<u64>,
        windows: &Windows,
    ) -> Result<Box<dyn Source>, Status> {
        let own = file.try_clone().map_err(|_| Status::ServiceUnavailable)?;
        let source = MappedFile::new(own, windows).map_err(|_| Status::InternalServerError)?;
        if source.len() != declared {
            return Err(Status::InternalServerError);
        }
        Ok(Box::new(Part::new(source, range)))
    }
}

/// The media type that a name promises.
fn content_type(path: &[u8]) -> &'static str {
    mime_guess::from_path(Path::new(OsStr::from_bytes(path)))
        .first_raw()
        .unwrap_or("application/octet-stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_what_the_name_promises() {
        assert_eq!(content_type(b"a/index.html"), "text/html");
        assert_eq!(content_type(b"a.JPG"), "image/jpeg");
        assert_eq!(content_type(b"a.tar.gz"), "application/gzip");
        assert_eq!(content_type(b"README"), "application/octet-stream");
        assert_eq!(content_type(b"\xff.css"), "text/css");
    }
}
