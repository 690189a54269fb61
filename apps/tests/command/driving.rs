//! What the tests of the command line share: running it, and files that can be watched while they are sent.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longer than any of these runs should take on a busy machine; what lasts longer hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// `pagewire send`, with a time limit.
pub(crate) fn send(words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> assert_cmd::assert::Assert {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_pagewire"));
    command.env_remove("PAGEWIRE_LOG").timeout(PATIENCE);
    command.arg("send").args(words).assert()
}

/// `pagewire` with other words.
pub(crate) fn pagewire(words: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_pagewire"));
    command.env_remove("PAGEWIRE_LOG").timeout(PATIENCE);
    command.args(words).assert()
}

pub(crate) fn stdout(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).expect("stdout is text")
}

pub(crate) fn stderr(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).expect("stderr is text")
}

/// The sentence a failure must end in: one line, from pagewire, and no trace of a panic.
pub(crate) fn sentence(stderr: &str) -> &str {
    assert!(
        !stderr.contains("panicked") && !stderr.contains("RUST_BACKTRACE"),
        "{stderr}"
    );
    let mut told = stderr.lines().filter(|line| line.starts_with("pagewire: "));
    let sentence = told.next().unwrap_or_else(|| panic!("no sentence in: {stderr}"));
    assert_eq!(told.next(), None, "more than one sentence");
    sentence
}

/// Runs a command line that must fail with code 1, and returns its sentence.
pub(crate) fn refused(words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> String {
    let assert = send(words).code(1);
    assert_eq!(stdout(&assert), "", "a refusal says nothing on stdout");
    sentence(&stderr(&assert)).to_owned()
}

/// A folder that goes when the test ends.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, contents: &[u8]) -> PathBuf {
        fs::write(self.at(name), contents).expect("a file");
        self.at(name)
    }

    /// A file that is long and takes no space.
    pub(crate) fn sparse(&self, name: &str, length: u64) -> PathBuf {
        File::create(self.at(name))
            .and_then(|file| file.set_len(length))
            .expect("a sparse file");
        self.at(name)
    }

    pub(crate) fn fifo(&self, name: &str) -> PathBuf {
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, self.at(name), mode).expect("a FIFO");
        self.at(name)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).expect("the folder");
        let mut names: Vec<_> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }
}

/// Bytes of which no two blocks are alike, so that a byte out of place shows.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A `pagewire -v` that runs beside the test.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
}

impl Running {
    /// `pagewire -v send`.
    pub(crate) fn start(words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        Self::of("send", words)
    }

    /// `pagewire -v` with another command.
    pub(crate) fn of(name: &str, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pagewire"));
        command.args(["-v", name]).args(words).env_remove("PAGEWIRE_LOG");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("pagewire starts");
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let (tell, lines) = channel();
        thread::spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| tell.send(line))
        });
        Self {
            child,
            lines,
            heard: Vec::new(),
        }
    }

    /// Waits until stderr says something with this word in it.
    pub(crate) fn wait_for(&mut self, word: &str) {
        let begin = Instant::now();
        loop {
            match self.lines.recv_timeout(PATIENCE.saturating_sub(begin.elapsed())) {
                Ok(line) => {
                    self.heard.push(line);
                    if self.heard.last().is_some_and(|line| line.contains(word)) {
                        return;
                    }
                }
                Err(error) => panic!("no '{word}' ({error}) in {:?}", self.heard),
            }
        }
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal)
            .expect("a signal");
    }

    /// How it ended, with stdout and stderr.
    pub(crate) fn end(mut self) -> (ExitStatus, String, String) {
        let begin = Instant::now();
        loop {
            match self.lines.recv_timeout(PATIENCE.saturating_sub(begin.elapsed())) {
                Ok(line) => self.heard.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    panic!("it hangs after {:?}", self.heard);
                }
            }
        }
        let mut stdout = String::new();
        let mut pipe = self.child.stdout.take().expect("stdout is piped");
        pipe.read_to_string(&mut stdout).expect("stdout is text");
        let status = self.child.wait().expect("its status");
        (status, stdout, self.heard.join("\n"))
    }
}

/// Runs a shell script as somebody who is not root, with `$PAGEWIRE` as the command; `place` is made accessible.
pub(crate) fn as_nobody(place: &Place, script: &str) -> std::process::Output {
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).expect("permissions");
    // The build's own folder may be closed to others. The copy is a child's work: a file that this process has open for writing is
    // inherited by whatever another test starts meanwhile, and cannot be run until that has let go of it ("text file busy").
    let binary = place.at("pagewire-for-nobody");
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_pagewire"))
        .arg(&binary)
        .status();
    assert!(copied.expect("cp").success(), "a copy");
    let mut command = Command::new("sh");
    command
        .args(["-c", script])
        .current_dir(place.path())
        .env("PAGEWIRE", &binary)
        .env_remove("PAGEWIRE_LOG");
    if rustix::process::getuid().is_root() {
        command.uid(65534).gid(65534);
    }
    command.output().expect("a shell")
}

/// Runs a shell script with `$PAGEWIRE` as the command.
pub(crate) fn shell(place: &Place, script: &str) -> std::process::Output {
    let mut command = Command::new("sh");
    command
        .args(["-c", script])
        .current_dir(place.path())
        .env_remove("PAGEWIRE_LOG");
    command
        .env("PAGEWIRE", env!("CARGO_BIN_EXE_pagewire"))
        .output()
        .expect("a shell")
}
