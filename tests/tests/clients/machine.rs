//! Our side of a cable.

use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pagewire::live::{self, Application, LiveError, Observer, OnCable, Outcome, Settings, Waiting};
use pagewire::transfer::Sink;
use pagewire_emu::Model;
use pagewire_emu::cable::{Impairments, PcapTap};
use pagewire_stack::{IpCidr, StackConfig};

use crate::network::{Network, OURS, v4, v6};

/// No test runs longer: its machine is told to stop then.
const LIMIT: Duration = Duration::from_secs(60);

/// A machine on a cable into `network`, and how it came to an end.
pub(crate) fn run<A: Application>(
    model: Model,
    network: &Network,
    wire: &Impairments,
    application: &mut A,
) -> Result<Outcome, LiveError> {
    run_recorded(model, network, wire, None, application)
}

/// The same, with its frames written down.
pub(crate) fn run_recorded<A: Application>(
    model: Model,
    network: &Network,
    wire: &Impairments,
    tap: Option<Arc<PcapTap>>,
    application: &mut A,
) -> Result<Outcome, LiveError> {
    let mac = [2, 0, 0, 0, 7, 2];
    let machine = OnCable::new(model, mac, network.attachment.clone(), wire, tap);
    let outcome = within_limit(|stop| {
        live::run_on_cable(
            &machine,
            &settings(),
            application,
            &Observer {
                stop,
                progress: &AtomicU64::new(0),
                tell: &|_| {},
                wanted_back: &|| false,
                board: &Mutex::new(None),
            },
        )
    });
    let report = machine.nic().report();
    assert_eq!(report.total(), 0, "rules were broken: {report:?}");
    outcome
}

fn settings() -> Settings {
    let own = |address: IpAddr, prefix| IpCidr::new(address.into(), prefix);
    let mut stack = StackConfig::new(own(v4(OURS), 24), 7);
    stack.addresses.push(own(v6(OURS), 64));
    Settings {
        stack,
        waiting: Waiting::Interrupts,
    }
}

/// Does some work, which is to end when the flag is raised.
fn within_limit<O>(work: impl FnOnce(&AtomicBool) -> O) -> O {
    let (stop, over) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let began = Instant::now();
            while !over.load(Ordering::Relaxed) {
                stop.store(began.elapsed() > LIMIT, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(10));
            }
        });
        let output = work(&stop);
        over.store(true, Ordering::Relaxed);
        output
    })
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

/// What arrived.
#[derive(Default)]
pub(crate) struct Kept(pub(crate) Vec<u8>);

impl Sink for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}
