//! Files stay open between requests.
//!
//! A file is found by the path as it was written in the request: one look-up, without decoding it. Once a second at most it is looked
//! at again, by its name, so that what stands under the name is what is handed out. As many files as can be open at a time are kept;
//! the one that was not asked for the longest goes first, and one that nobody has asked for in a while goes by itself, so that writers do not
//! wait for a lease that serves nobody.

use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::SystemTime;

use lru::LruCache;
use pagewire_stack::source::Windows;
use pagewire_stack::{Duration, Instant};

use super::listing;
use super::open::{Body, OpenFile};
use super::root::{Kind, Root};
use crate::serve::http::{Status, target};

/// How long a file is handed out without a look at its name.
const FRESH: Duration = Duration::from_secs(1);
/// How long a file that nobody asks for stays open.
const KEPT: Duration = Duration::from_secs(10);
/// What is shown for a folder.
const INDEX: &[u8] = b"index.html";

/// What a path is answered with.
pub enum Found {
    /// A file.
    File(Rc<OpenFile>),
    /// The same path with a slash at its end.
    Redirect(String),
    /// A page that lists a folder.
    Listing(String),
}

/// A file that stays open.
struct Kept {
    file: Rc<OpenFile>,
    /// Where it was found.
    path: Vec<u8>,
    looked: Instant,
    asked: Instant,
}

/// The files of a folder.
pub struct Files {
    root: Root,
    /// Whether folders without an index are listed.
    lists: bool,
    kept: LruCache<Box<str>, Kept>,
}

impl Files {
    /// The files in `root`, of which `most` stay open at a time.
    #[must_use]
    pub fn new(root: Root, lists: bool, most: usize) -> Self {
        let most = NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN);
        Self {
            root,
            lists,
            kept: LruCache::new(most),
        }
    }

    /// What is at `path`, a path as it was written in a request; `wall` is the time of day.
    ///
    /// # Errors
    /// The status that says why there is nothing.
    pub fn find(
        &mut self,
        path: &str,
        windows: &Windows,
        now: Instant,
        wall: SystemTime,
    ) -> Result<Found, Status> {
        if let Some(kept) = self.kept.get_mut(path) {
            kept.asked = now;
            if now < kept.looked + FRESH || kept.is_still_there(&self.root) {
                if now >= kept.looked + FRESH {
                    kept.looked = now;
                }
                return Ok(Found::File(Rc::clone(&kept.file)));
            }
            self.kept.pop(path);
        }
        let place = match self.resolve(path)? {
            Resolution::File(place) => place,
            Resolution::Found(found) => return Ok(found),
        };
        let file = Rc::new(self.open(&place, windows, wall)?);
        let kept = Kept {
            file: Rc::clone(&file),
            path: place,
            looked: now,
            asked: now,
        };
        self.kept.put(path.into(), kept);
        Ok(Found::File(file))
    }

    /// Lets go what nobody has asked for in a while, and what somebody else wants to write.
    pub fn tend(&mut self, now: Instant) {
        let over = |kept: &Kept| now >= kept.asked + KEPT || !kept.file.is_current();
        let gone: Vec<Box<str>> = self
            .kept
            .iter()
            .filter(|(_, kept)| over(kept))
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            self.kept.pop(&path);
        }
    }

    /// How many files are open.
    #[must_use]
    pub fn open_files(&self) -> usize {
        self.kept.len()
    }

    fn open(&mut self, place: &[u8], windows: &Windows, wall: SystemTime) -> Result<OpenFile, Status> {
        let file = OpenFile::new(self.root.file(place)?, place, windows, wall)?;
        let could_be_shared = file.representation.len() <= windows.limits().kept_bytes;
        if !(matches!(file.body, Body::Long(_)) && could_be_shared) {
            return Ok(file);
        }
        // There is no room to map it: the older half makes some.
        drop(file);
        for _ in 0..self.kept.len().div_ceil(2) {
            self.kept.pop_lru();
        }
        OpenFile::new(self.root.file(place)?, place, windows, wall)
    }

    /// What a path names, where that is no file that can be opened: everything but the opening.
    fn resolve(&self, written: &str) -> Result<Resolution, Status> {
        let target::Resolved { mut path, folder } = target::resolve(written)?;
        match self.root.look(&path)? {
            Kind::File(_) if folder => return Err(Status::NotFound),
            Kind::File(_) => return Ok(Resolution::File(path)),
            Kind::Folder if !folder => {
                let uri = target::folder_uri(&path);
                return Ok(Resolution::Found(Found::Redirect(uri)));
            }
            Kind::Folder => {}
        }
        let bare = path.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(INDEX);
        match self.root.look(&path) {
            Ok(Kind::File(_)) => Ok(Resolution::File(path)),
            Err(Status::NotFound) | Ok(Kind::Folder) if self.lists => {
                let page = listing::page(&bare, self.root.folder(&bare)?)?;
                Ok(Resolution::Found(Found::Listing(page)))
            }
            Err(Status::NotFound) | Ok(Kind::Folder) => Err(Status::Forbidden),
            Err(status) => Err(status),
        }
    }
}

/// What a path stands for.
enum Resolution {
    /// A file at this place beneath the root.
    File(Vec<u8>),
    /// Something that needs no opening.
    Found(Found),
}

impl Kept {
    /// Whether its name still stands for it, and it is what it was.
    fn is_still_there(&self, root: &Root) -> bool {
        root.look(&self.path) == Ok(Kind::File(self.file.state)) && self.file.is_current()
    }
}
