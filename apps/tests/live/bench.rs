//! Two NICs on a cable, and a way to run an application on each.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pagewire::live::{
    self, Application, Counters, LiveError, Notice, Observer, Outcome, Receiving, Sending, Settings, Waiting,
};
use pagewire::transfer::{Mode, Sink};
use pagewire_emu::cable::Impairments;
use pagewire_emu::sanitizer::Level;
use pagewire_emu::schedule::Threaded;
use pagewire_emu::{EmulatedNic, Model, Options, connect};
use pagewire_stack::{IpAddress, IpCidr, IpEndpoint, StackConfig};

/// No test runs longer: its machines are told to stop then.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) const PORT: u16 = 5001;

/// Two NICs, running, plugged together.
pub(crate) struct Bench {
    pub(crate) near: EmulatedNic,
    pub(crate) far: EmulatedNic,
    cable: Impairments,
    _stepped: [Threaded; 2],
}

impl Bench {
    pub(crate) fn new(model: Model, cable: Impairments) -> Self {
        let device = |end: u8| {
            EmulatedNic::new(&Options {
                sanitizer: Level::Full,
                whole_segments: false,
                ..Options::new(model, [2, 0, 0, 0, 0, end])
            })
        };
        let (near, far) = (device(1), device(2));
        connect(&near, &far, &cable, &cable, None);
        let began = Instant::now();
        let stepped = [&near, &far].map(|nic| Threaded::start(nic.clone(), move || began.elapsed()).unwrap());
        Self {
            near,
            far,
            cable,
            _stepped: stepped,
        }
    }

    /// Pulls the cable out of both NICs.
    pub(crate) fn unplug(&self) {
        self.near.plug(None);
        self.far.plug(None);
    }

    /// Plugs it in again.
    pub(crate) fn plug(&self) {
        connect(&self.near, &self.far, &self.cable, &self.cable, None);
    }

    /// No rule of the devices was broken.
    pub(crate) fn assert_clean(&self) {
        for nic in [&self.near, &self.far] {
            let report = nic.report();
            assert_eq!(report.total(), 0, "{report:?}");
        }
    }
}

/// Who looks on in a test.
#[derive(Default)]
pub(crate) struct Watcher {
    pub(crate) stop: AtomicBool,
    pub(crate) wanted_back: AtomicBool,
    pub(crate) progress: AtomicU64,
    pub(crate) notices: Mutex<Vec<Notice>>,
    pub(crate) board: Mutex<Option<Counters>>,
}

impl Watcher {
    pub(crate) fn watch<O>(&self, work: impl FnOnce(&Observer<'_>) -> O) -> O {
        let tell = |notice| self.notices.lock().unwrap().push(notice);
        work(&Observer {
            stop: &self.stop,
            progress: &self.progress,
            tell: &tell,
            wanted_back: &|| self.wanted_back.load(Ordering::Relaxed),
            board: &self.board,
        })
    }

    pub(crate) fn told(&self, notice: &Notice) -> bool {
        self.notices.lock().unwrap().contains(notice)
    }
}

/// What arrived.
#[derive(Default)]
pub(crate) struct Kept(pub(crate) Vec<u8>);

impl Sink for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// 10.0.0.`end`
pub(crate) fn address(end: u8) -> IpAddress {
    IpAddress::v4(10, 0, 0, end)
}

/// fd00::`end`
pub(crate) fn address_v6(end: u8) -> IpAddress {
    IpAddress::v6(0xfd00, 0, 0, 0, 0, 0, 0, end.into())
}

pub(crate) fn settings(end: u8) -> Settings {
    Settings {
        stack: StackConfig::new(IpCidr::new(address(end), 24), end.into()),
        waiting: Waiting::Interrupts,
    }
}

/// A file of `len` bytes that no two places have alike.
pub(crate) fn file(len: usize) -> (File, Vec<u8>) {
    let contents: Vec<u8> = (0..len as u64)
        .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&contents).unwrap();
    (file, contents)
}

/// Sends `len` bytes from the near machine to `to`.
pub(crate) fn send(
    bench: &Bench,
    file: File,
    len: usize,
    to: u8,
    watcher: &Watcher,
) -> Result<Outcome, LiveError> {
    let mut sending = Sending::new(
        IpEndpoint::new(address(to), PORT),
        file,
        len as u64,
        Mode::ZeroCopy,
    );
    run_near(bench, &mut sending, watcher)
}

/// Runs an application on the near machine.
pub(crate) fn run_near<A: Application>(
    bench: &Bench,
    application: &mut A,
    watcher: &Watcher,
) -> Result<Outcome, LiveError> {
    let nic = Arc::new(bench.near.clone());
    watcher.watch(|observer| live::run(nic, &settings(1), application, observer))
}

/// Receives on `port` of the far machine.
pub(crate) fn receive(
    bench: &Bench,
    port: u16,
    sink: &mut dyn Sink,
    watcher: &Watcher,
) -> Result<Outcome, LiveError> {
    receive_as(bench, &settings(2), port, sink, watcher)
}

/// The same with other settings.
pub(crate) fn receive_as(
    bench: &Bench,
    settings: &Settings,
    port: u16,
    sink: &mut dyn Sink,
    watcher: &Watcher,
) -> Result<Outcome, LiveError> {
    let mut receiving = Receiving::new(port, sink);
    let nic = Arc::new(bench.far.clone());
    watcher.watch(|observer| live::run(nic, settings, &mut receiving, observer))
}

/// Does the work of machines that `watchers` belong to; whatever hangs is stopped in the end.
pub(crate) fn guarded<O>(watchers: &[&Watcher], work: impl FnOnce() -> O) -> O {
    let (over, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            // When the work is over, by a panic too, its end of the channel is gone.
            if ended.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                let stop = |watcher: &&Watcher| watcher.stop.store(true, Ordering::Relaxed);
                watchers.iter().for_each(stop);
            }
        });
        let output = work();
        drop(over);
        output
    })
}

/// Waits until `done`, within the limit.
pub(crate) fn wait_until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        thread::sleep(Duration::from_millis(1));
    }
}
