//! QEMU: one process with a time limit, and its monitor.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{GuestError, run};

const QEMU: &str = "qemu-system-x86_64";
/// How long QEMU may take until its sockets are there, and to answer its monitor.
const PATIENCE: Duration = Duration::from_secs(20);
/// The exit code of `timeout` when it had to end what it ran.
const TIMED_OUT: i32 = 124;

/// QEMU running. It is ended when this is dropped; it ends by itself after its time limit, whatever happens to us.
#[derive(Debug)]
pub struct Machine {
    /// `timeout`, which passes on to QEMU a signal that it gets.
    process: Child,
}

/// How QEMU ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The guest powered off.
    #[error("powered off")]
    PoweredOff,
    /// Its time was up.
    #[error("was not done when its time was up")]
    TimedOut,
    /// A signal ended QEMU: a fault of its own.
    #[error("is gone, because QEMU has crashed (signal {0})")]
    Crashed(i32),
    /// QEMU gave up.
    #[error("is gone, because QEMU ended with {0}")]
    Failed(ExitStatus),
}

/// QEMU's monitor, over which it is told to change the machine.
#[derive(Debug)]
pub struct Monitor {
    stream: BufReader<UnixStream>,
}

/// Asks whether QEMU is there.
///
/// # Errors
/// [`GuestError::Unavailable`] where it is not.
pub fn look_for_qemu() -> Result<(), GuestError> {
    run(Command::new(QEMU).arg("--version")).map(drop)
}

impl Machine {
    /// Starts QEMU with these arguments. What it complains of goes to `complaints`.
    ///
    /// # Errors
    /// There is no `timeout`.
    pub fn start(
        limit: Duration,
        arguments: &[String],
        complaints: File,
        interactive: bool,
    ) -> Result<Self, GuestError> {
        let mut command = Command::new("timeout");
        command.args(["--foreground", "--kill-after=5", &limit.as_secs().to_string()]);
        command
            .arg("qemu-system-x86_64")
            .args(arguments)
            .stderr(complaints);
        if !interactive {
            command.stdin(Stdio::null());
        }
        let process = command.spawn().map_err(|error| {
            GuestError::Unavailable(format!("QEMU cannot be started under `timeout`: {error}"))
        })?;
        Ok(Self { process })
    }

    /// Connects to a socket that QEMU makes while it starts.
    ///
    /// # Errors
    /// QEMU has ended, or the socket is not there in time.
    pub fn connect(&mut self, socket: &Path) -> Result<UnixStream, GuestError> {
        self.wait_for(socket, || UnixStream::connect(socket))
    }

    /// Tries until something comes of it, as long as QEMU runs.
    ///
    /// # Errors
    /// The last attempt's, once QEMU has ended or time is up.
    pub fn wait_for<T>(
        &mut self,
        path: &Path,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> Result<T, GuestError> {
        let end = Instant::now() + PATIENCE;
        loop {
            let error = match attempt() {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let ended = self.process.try_wait().map_err(GuestError::file(path))?;
            if ended.is_some() || Instant::now() > end {
                return Err(GuestError::file(path)(error));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for QEMU to end, which it does within its time limit.
    ///
    /// # Errors
    /// The system lost the process.
    pub fn wait(mut self) -> io::Result<End> {
        let status = self.process.wait()?;
        Ok(match (status.code(), status.signal()) {
            (Some(0), _) => End::PoweredOff,
            (Some(TIMED_OUT), _) => End::TimedOut,
            // What kills QEMU, `timeout` does to itself.
            (_, Some(signal)) => End::Crashed(signal),
            _ => End::Failed(status),
        })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            if let Some(pid) = Pid::from_raw(self.process.id().cast_signed()) {
                let _ = kill_process(pid, Signal::TERM);
            }
            let _ = self.process.wait();
        }
    }
}

impl Monitor {
    /// Begins a conversation over a fresh connection.
    ///
    /// # Errors
    /// QEMU does not answer as it should.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut monitor = Self {
            stream: BufReader::new(stream),
        };
        monitor.line()?;
        monitor.execute("qmp_capabilities", &json!({}))?;
        Ok(monitor)
    }

    /// Takes the link of a NIC down, or up again.
    ///
    /// # Errors
    /// QEMU knows no such device, or does not answer.
    pub fn set_link(&mut self, device: &str, up: bool) -> io::Result<()> {
        self.execute("set_link", &json!({ "name": device, "up": up }))
    }

    fn execute(&mut self, command: &str, arguments: &Value) -> io::Result<()> {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.stream.get_mut(), "{request}")?;
        // Events may come before the answer.
        for _ in 0..100 {
            let answer = self.line()?;
            if let Some(error) = answer.get("error") {
                return Err(io::Error::other(error.to_string()));
            }
            if answer.get("return").is_some() {
                return Ok(());
            }
        }
        Err(io::Error::other(format!("no answer to {command}")))
    }

    fn line(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        serde_json::from_str(&line).map_err(io::Error::other)
    }
}
