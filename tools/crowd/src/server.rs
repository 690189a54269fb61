//! The server: `pagewire serve` as a user starts it.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use pagewire_cost::{private_memory, threads_time};
use pagewire_netns::Namespace;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{Arguments, CrowdError, SERVER};

/// The interface that it makes.
pub(crate) const TAP: &str = "pagewire0";
/// The file that is asked for.
pub(crate) const FILE: &str = "file";

/// How long it may take to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// Places beside those of the clients.
const SPARE: u32 = 16;
/// The file's age: what is said of one that has just changed is of another length.
const LONG_AGO: Duration = Duration::from_secs(3600);
/// Longer than any run: nobody is sent away for being idle.
const IDLE: &str = "86400";

/// A running server; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    /// What it serves, and where it complains.
    folder: TempDir,
}

/// Builds the command as it is released, and returns where it is.
pub(crate) fn build() -> Result<PathBuf, CrowdError> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(&root)
        .args(["build", "--quiet", "--release", "-p", "pagewire"])
        .status()
        .map_err(CrowdError::system("starting cargo"))?;
    if !status.success() {
        return Err(told("could not be built"));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |at| root.join(at));
    Ok(target.join("release/pagewire"))
}

impl Server {
    /// Starts it in `network`, and waits until its interface is there.
    pub(crate) fn start(
        program: &Path,
        network: &Namespace,
        arguments: &Arguments,
    ) -> Result<Self, CrowdError> {
        let folder = TempDir::new().map_err(CrowdError::system("making a folder"))?;
        let writing = |cause| CrowdError::system("writing into a folder of our own")(cause);
        fs::create_dir(folder.path().join("www")).map_err(writing)?;
        let mut file = fs::File::create(folder.path().join("www").join(FILE)).map_err(writing)?;
        file.write_all(&vec![b'x'; arguments.file as usize])
            .and_then(|()| file.set_modified(SystemTime::now() - LONG_AGO))
            .map_err(writing)?;
        let errors = fs::File::create(folder.path().join("errors")).map_err(writing)?;
        let mut command = Command::new(program);
        command
            .arg("serve")
            .arg(folder.path().join("www"))
            .args(["--cable", &format!("tap:{TAP}")])
            .args(["--ip", &format!("{SERVER}/{}", crate::PREFIX)])
            .args([
                "--clients",
                &(arguments.active + arguments.idle + SPARE).to_string(),
            ])
            .args(["--idle", IDLE])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors);
        let child = network
            .run(|| command.spawn())
            .map_err(|cause| told(&format!("({}) cannot be started: {cause}", program.display())))?;
        let mut server = Self { child, folder };
        let end = Instant::now() + PATIENCE;
        while !network.has(TAP, Duration::from_millis(100)) {
            server.still_runs()?;
            if Instant::now() >= end {
                return Err(told("has made no interface"));
            }
        }
        Ok(server)
    }

    /// Private memory, in bytes.
    pub(crate) fn private_bytes(&self) -> Result<u64, CrowdError> {
        let memory = private_memory(self.child.id());
        Ok(memory
            .map_err(CrowdError::system("reading the server's memory"))?
            .all)
    }

    /// CPU time of all its threads.
    pub(crate) fn cpu(&self) -> Result<Duration, CrowdError> {
        threads_time(self.child.id()).map_err(CrowdError::system("reading the server's CPU time"))
    }

    /// Fails with what it has said, if it has ended.
    fn still_runs(&mut self) -> Result<(), CrowdError> {
        let ended = self
            .child
            .try_wait()
            .map_err(CrowdError::system("looking after the server"))?;
        match ended {
            None => Ok(()),
            Some(status) => Err(told(&format!("has ended ({status}): {}", self.complaints()))),
        }
    }

    fn complaints(&self) -> String {
        let mut said = String::new();
        // What cannot be read is not told.
        let _ = fs::File::open(self.folder.path().join("errors"))
            .and_then(|mut file| file.read_to_string(&mut said));
        said.trim().replace('\n', "; ")
    }

    /// Ends it by Ctrl-C, as a user would; it must end well.
    pub(crate) fn stop(mut self) -> Result<(), CrowdError> {
        self.interrupt();
        let end = Instant::now() + PATIENCE;
        loop {
            match self
                .child
                .try_wait()
                .map_err(CrowdError::system("ending the server"))?
            {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(told(&format!("ended badly ({status}): {}", self.complaints()))),
                None if Instant::now() >= end => return Err(told("does not end")),
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    fn interrupt(&self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // One that is there no more has ended already.
            let _ = kill_process(pid, Signal::INT);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn told(what: &str) -> CrowdError {
    CrowdError::Server {
        what: what.to_owned(),
    }
}
