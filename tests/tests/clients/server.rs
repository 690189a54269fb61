//! Our server of files, and programs that are its clients.

use std::env;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pagewire::serve::files::{Files, Root, Symlinks};
use pagewire::serve::{Limits, Served, Serving};
use pagewire_emu::Model;
use pagewire_emu::cable::{Impairments, PcapTap};

use crate::machine::run_recorded;
use crate::network::{Network, OURS, v4};

/// The server's port.
pub(crate) const PORT: u16 = 80;

/// Raises the flag also where a test ends by a panic: the server shall not wait for it.
struct Raise<'a>(&'a AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Serves `folder` while `clients` are at work.
pub(crate) fn while_serving<O: Send>(
    folder: &Path,
    limits: Limits,
    clients: impl FnOnce(&Network) -> O + Send,
) -> (O, Served) {
    while_serving_recorded(folder, limits, None, clients)
}

/// The same, with its frames written down.
pub(crate) fn while_serving_recorded<O: Send>(
    folder: &Path,
    limits: Limits,
    tap: Option<Arc<PcapTap>>,
    clients: impl FnOnce(&Network) -> O + Send,
) -> (O, Served) {
    let network = Network::with_tap(1500);
    let drain = AtomicBool::new(false);
    thread::scope(|scope| {
        let (network, drain) = (&network, &drain);
        let clients = scope.spawn(move || {
            let _raise = Raise(drain);
            drop(network.connect(SocketAddr::new(v4(OURS), PORT)));
            clients(network)
        });
        let root = Root::open(folder, Symlinks::Refused).unwrap();
        let mut serving = Serving::new(PORT, Files::new(root, true, 256), limits, None, 1, drain);
        run_recorded(Model::Ixgbe, network, &Impairments::none(), tap, &mut serving)
            .expect("the server ends well");
        let clients = match clients.join() {
            Ok(output) => output,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        (clients, serving.served())
    })
}

/// Whether a program is there. One that is not is a failure where clients are required.
pub(crate) fn have(program: &str) -> bool {
    let there =
        env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|at| at.join(program).is_file()));
    if !there {
        assert_ne!(
            env::var("PAGEWIRE_CLIENTS").as_deref(),
            Ok("required"),
            "{program} is not installed"
        );
        println!("skipped: {program} is not installed");
    }
    there
}

impl Network {
    /// Runs a program among the kernel's; it is ended after `seconds`.
    pub(crate) fn program<S: AsRef<OsStr> + Sync>(&self, seconds: u32, words: &[S]) -> Output {
        self.kernel.run(|| {
            let mut command = Command::new("timeout");
            command.arg("--kill-after=2").arg(seconds.to_string()).args(words);
            command
                .stdin(Stdio::null())
                .output()
                .expect("timeout (coreutils) runs")
        })
    }

    /// What a program says, which ends well.
    pub(crate) fn says<S: AsRef<OsStr> + Sync>(&self, words: &[S]) -> Vec<u8> {
        let Output {
            status,
            stdout,
            stderr,
        } = self.program(40, words);
        let words: Vec<_> = words.iter().map(AsRef::as_ref).collect();
        assert!(
            status.success(),
            "{words:?}: {status}: {}",
            String::from_utf8_lossy(&stderr)
        );
        stdout
    }

    /// Says something to a server and listens to the end of the connection.
    pub(crate) fn exchange(&self, to: SocketAddr, text: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = self.connect(to);
        stream.write_all(text)?;
        let mut answer = vec![];
        stream.read_to_end(&mut answer).map(|_| answer)
    }

    /// A client of our server.
    pub(crate) fn client(&self) -> TcpStream {
        self.connect(at(v4(OURS)))
    }
}

/// Our server's place at an address.
pub(crate) fn at(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, PORT)
}

/// Where a path is, as programs are told.
pub(crate) fn url(path: &str) -> String {
    format!("http://{}{path}", v4(OURS))
}

/// `len` bytes that no two places have alike.
pub(crate) fn content(len: usize, seed: u64) -> Vec<u8> {
    let mix = |i: u64| (i.wrapping_add(seed << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
    (0..len as u64).map(mix).collect()
}
