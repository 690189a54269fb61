//! The socket through which a running process says what it counts.
//!
//! It stands in the user's own folder for such things, or in `/run/pagewire`; its name is the address of the NIC, or its cable. It goes when
//! the process ends; where the process had no time for that (`kill -9`), nobody answers there, which is how anyone can
//! tell, and the next process takes the name over. Without a place for it, the work goes on unobserved.

use std::fs;
use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pagewire::live::Counters;

use super::Said;
use crate::counts::Counts;

/// What a board's name ends with, behind the NIC's address.
const ENDING: &str = ".stats";
/// Where the system's own processes put theirs.
const SYSTEM: &str = "/run/pagewire";
/// How long somebody who asks may take to listen.
const PATIENCE: Duration = Duration::from_secs(1);

/// A board that is up; dropping it takes it down.
#[derive(Debug)]
pub(crate) struct Board(Option<Up>);

#[derive(Debug)]
struct Up {
    path: PathBuf,
    end: Arc<AtomicBool>,
    speaker: JoinHandle<()>,
}

impl Board {
    /// Puts one up for the NIC or cable at `address`, in the first place that will have it.
    pub(crate) fn put_up(
        command: &'static str,
        address: &str,
        counters: Arc<Mutex<Option<Counters>>>,
    ) -> Self {
        Self::put_up_in(&own_folder(), command, address, counters)
    }

    fn put_up_in(
        folder: &Path,
        command: &'static str,
        address: &str,
        counters: Arc<Mutex<Option<Counters>>>,
    ) -> Self {
        let path = folder.join(format!("{address}{ENDING}"));
        let listener = match fs::create_dir_all(folder).and_then(|()| listen(&path)) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::info!(
                    "no counters for `pagewire stats`: {} cannot be had: {error}",
                    path.display()
                );
                return Self(None);
            }
        };
        let end = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&end);
        let address = address.to_owned();
        let speaker = thread::Builder::new().name("stats".into()).spawn(move || {
            for asking in listener.incoming() {
                if until.load(Ordering::Acquire) {
                    return;
                }
                let counters = *counters.lock().unwrap_or_else(PoisonError::into_inner);
                let said = Said {
                    address: address.clone(),
                    pid: std::process::id(),
                    command: command.to_owned(),
                    counts: counters.as_ref().map(Counts::from),
                };
                // Whoever asks and does not listen misses it.
                let _ = asking.and_then(|asking| say(asking, &said));
            }
        });
        match speaker {
            Ok(speaker) => Self(Some(Up { path, end, speaker })),
            Err(error) => {
                tracing::info!("no counters for `pagewire stats`: {error}");
                let _ = fs::remove_file(&path);
                Self(None)
            }
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let Some(Up { path, end, speaker }) = self.0.take() else {
            return;
        };
        end.store(true, Ordering::Release);
        // It waits for somebody to ask: this is the last who does.
        if UnixStream::connect(&path).is_ok() {
            let _ = speaker.join();
        }
        let _ = fs::remove_file(&path);
    }
}

fn say(mut asking: UnixStream, said: &Said) -> io::Result<()> {
    asking.set_write_timeout(Some(PATIENCE))?;
    let mut text = serde_json::to_string(said).map_err(io::Error::other)?;
    text.push('\n');
    asking.write_all(text.as_bytes())
}

/// Takes the name, also from a process that is gone.
fn listen(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            match UnixStream::connect(path) {
                Err(cause) if is_abandoned(&cause) => {}
                _ => return Err(error),
            }
            fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}

/// Whether that is what a board says whose process is gone.
pub(super) fn is_abandoned(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
    )
}

/// Where this process puts its board up.
fn own_folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(folder) if !folder.is_empty() => Path::new(&folder).join("pagewire"),
        _ => PathBuf::from(SYSTEM),
    }
}

/// Where boards may be: one's own folder, the system's, and those of other users as far as one may look.
pub(super) fn folders() -> Vec<PathBuf> {
    let mut folders = vec![own_folder(), PathBuf::from(SYSTEM)];
    let users = fs::read_dir("/run/user").into_iter().flatten().flatten();
    folders.extend(
        users
            .map(|user| user.path().join("pagewire"))
            .filter(|folder| folder.is_dir()),
    );
    folders.sort();
    folders.dedup();
    folders
}

/// The boards in these folders, with their NICs.
pub(super) fn find(folders: &[PathBuf]) -> Vec<(PathBuf, String)> {
    let entries = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .flatten();
    let boards = entries.filter_map(|entry| {
        let address = entry.file_name().to_str()?.strip_suffix(ENDING)?.to_owned();
        Some((entry.path(), address))
    });
    boards.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "0000:00:03.0";

    #[test]
    fn a_board_says_who_it_is_and_goes_with_its_process() {
        let folder = tempfile::tempdir().unwrap();
        let board = Board::put_up_in(folder.path(), "recv", ADDRESS, Arc::default());
        let found = find(&[folder.path().to_owned()]);
        assert_eq!(found.len(), 1);
        let said = super::super::ask(&found[0].0).unwrap();
        assert_eq!(
            (said.pid, said.command.as_str(), said.counts),
            (std::process::id(), "recv", None)
        );
        drop(board);
        assert!(find(&[folder.path().to_owned()]).is_empty());
    }

    #[test]
    fn a_board_whose_process_was_killed_is_known_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("{}{ENDING}", ADDRESS));
        drop(UnixListener::bind(&path).unwrap());
        assert!(is_abandoned(&super::super::ask(&path).unwrap_err()));
        let board = Board::put_up_in(folder.path(), "send", ADDRESS, Arc::default());
        assert_eq!(super::super::ask(&path).unwrap().command, "send");
        // A second of the same NIC cannot be; if it were, it would not take the first one's place.
        drop(Board::put_up_in(folder.path(), "ping", ADDRESS, Arc::default()));
        assert_eq!(super::super::ask(&path).unwrap().command, "send");
        drop(board);
    }

    #[test]
    fn without_a_place_the_work_goes_on() {
        drop(Board::put_up_in(
            Path::new("/dev/null/no"),
            "send",
            ADDRESS,
            Arc::default(),
        ));
    }
}
