//! A server and its clients, as the tests have them.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64};

use pagewire::live::{Application, Observer, Turn};
use pagewire::serve::files::{Files, Root, Symlinks};
use pagewire::serve::{Limits, Served, Serving};
use pagewire_stack::source::Bytes;
use pagewire_stack::{ConnectionId, Duration, IpEndpoint, TransmitRing};
use pagewire_tests::{Pair, Setup, address_v4};
use tempfile::TempDir;

const PORT: u16 = 80;

/// A server of a folder, and the machine that its clients are on.
pub(crate) struct Site<'a> {
    pub(crate) pair: Pair,
    pub(crate) serving: Serving<'a>,
    pub(crate) done: bool,
}

/// A client's connection, and what has arrived on it.
pub(crate) struct Visit {
    pub(crate) id: ConnectionId,
    pub(crate) arrived: Vec<u8>,
}

impl<'a> Site<'a> {
    pub(crate) fn open(folder: &Path, limits: Limits, drain: &'a AtomicBool) -> Self {
        let mut pair = Pair::new(&Setup {
            configure: |config| config.sockets = Limits::SOCKETS,
            configure_far: |config| config.sockets.receive = 256 << 10,
            ..Setup::default()
        });
        let mut serving = server(folder, limits, drain);
        watched(|observer| serving.begin(&mut pair.near.stack, observer, pair.now)).expect("it listens");
        Self {
            pair,
            serving,
            done: false,
        }
    }

    /// Begins a second server on the same machine; what it says where it cannot.
    pub(crate) fn open_another(&mut self, folder: &Path, drain: &AtomicBool) -> Result<(), String> {
        let mut second = server(folder, Limits::default(), drain);
        let stack = &mut self.pair.near.stack;
        let begun = watched(|observer| second.begin(stack, observer, self.pair.now));
        begun.map_err(|error| error.to_string())
    }

    /// A round of both machines, after which the clock has moved by a millisecond at most, also where nothing is to come.
    pub(crate) fn round(&mut self) {
        let before = self.pair.now;
        let comes = self.pair.round();
        let soon = before + Duration::from_millis(1);
        self.pair.now = if comes { self.pair.now.min(soon) } else { soon };
        let now = self.pair.now;
        let turn = watched(|observer| self.serving.turn(&mut self.pair.near.stack, observer, now));
        self.done |= turn.expect("the server goes on") == Turn::Done;
    }

    pub(crate) fn run_for(&mut self, seconds: u64) {
        let end = self.pair.now + Duration::from_secs(seconds);
        while self.pair.now < end {
            self.round();
        }
    }

    pub(crate) fn visit(&mut self) -> Visit {
        let to = IpEndpoint::new(address_v4(1), PORT);
        let id = self
            .pair
            .far
            .stack
            .connect(to, TransmitRing::Phantom, self.pair.now)
            .expect("it can connect");
        Visit { id, arrived: vec![] }
    }

    pub(crate) fn say(&mut self, visit: &Visit, text: &str) {
        let stack = &mut self.pair.far.stack;
        let bytes = Bytes::copy(stack.mapper(), text.as_bytes()).expect("there is memory");
        stack.send(visit.id, Box::new(bytes));
    }

    /// Takes what has arrived.
    pub(crate) fn listen(&mut self, visit: &mut Visit) {
        while self.pair.far.stack.receive(visit.id, |bytes| {
            visit.arrived.extend_from_slice(bytes);
            bytes.len()
        }) > 0
        {}
    }

    /// Rounds, within `seconds` of simulated time, until the client has what it waits for.
    pub(crate) fn until(&mut self, visit: &mut Visit, seconds: u64, done: impl Fn(&Self, &Visit) -> bool) {
        let end = self.pair.now + Duration::from_secs(seconds);
        while !done(self, visit) {
            assert!(
                self.pair.now < end,
                "not done after {seconds} s; arrived: {:?}",
                head(&visit.arrived)
            );
            self.round();
            self.listen(visit);
        }
    }

    /// One request on a connection of its own: head and body of the answer.
    pub(crate) fn fetch(&mut self, line: &str, fields: &str) -> (String, Vec<u8>) {
        let mut visit = self.visit();
        self.say(
            &visit,
            &format!("{line} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{fields}\r\n"),
        );
        self.until(&mut visit, 60, |site, visit| site.is_drained(visit.id));
        self.pair.far.stack.finish(visit.id);
        self.pair.far.stack.release(visit.id);
        let end = head_len(&visit.arrived).expect("there is a head");
        (head(&visit.arrived), visit.arrived.split_off(end))
    }

    pub(crate) fn is_drained(&self, id: ConnectionId) -> bool {
        self.pair.far.stack.status(id).is_none_or(|status| status.drained)
    }

    pub(crate) fn failure(&self, id: ConnectionId) -> Option<String> {
        let status = self.pair.far.stack.status(id)?;
        status.failure.map(ToString::to_string)
    }

    pub(crate) fn served(&self) -> Served {
        self.serving.served()
    }
}

fn server<'a>(folder: &Path, limits: Limits, drain: &'a AtomicBool) -> Serving<'a> {
    let root = Root::open(folder, Symlinks::Refused).expect("the folder can be opened");
    Serving::new(PORT, Files::new(root, true, 64), limits, None, 1, drain)
}

/// Lets `application` be called as a live machine calls it.
fn watched<O>(call: impl FnOnce(&Observer<'_>) -> O) -> O {
    call(&Observer {
        stop: &AtomicBool::new(false),
        progress: &AtomicU64::new(0),
        tell: &|_| {},
        wanted_back: &|| false,
        board: &Mutex::new(None),
    })
}

pub(crate) fn head_len(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .map(|at| at + 4)
}

pub(crate) fn head(bytes: &[u8]) -> String {
    let end = head_len(bytes).unwrap_or(bytes.len().min(200));
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// `len` bytes that are no run of each other.
pub(crate) fn content(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..len).map(|_| next()).collect()
}

pub(crate) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}
