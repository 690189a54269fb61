//! On a terminal there is a progress bar.

use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::{sleep, spawn};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::driving::Place;

/// Opens a fifo for reading, and waits for somebody to write to it: for half a minute at most.
fn open_written(fifo: &Path) -> File {
    let ours = open(fifo, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
    let mut wait = [PollFd::new(&ours, PollFlags::IN)];
    let limit = Timespec {
        tv_sec: 30,
        tv_nsec: 0,
    };
    assert_eq!(
        poll(&mut wait, Some(&limit)).unwrap(),
        1,
        "nobody writes to the fifo"
    );
    fcntl_setfl(&ours, OFlags::empty()).unwrap();
    File::from(ours)
}

#[test]
fn a_bar_shows_rate_and_time_left_and_is_gone_in_the_end() {
    let place = Place::new();
    let (file, fifo) = (place.sparse("file", 32 << 20), place.fifo("fifo"));
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let theirs = ptsname(&ours, Vec::new()).unwrap();
    let theirs = Path::new(std::ffi::OsStr::from_bytes(theirs.as_bytes()));
    let terminal = File::options().read(true).write(true).open(theirs).unwrap();
    rustix::termios::tcsetwinsize(
        &terminal,
        rustix::termios::Winsize {
            ws_row: 24,
            ws_col: 120,
            ws_xpixel: 0,
            ws_ypixel: 0,
        },
    )
    .unwrap();

    let mut child = Command::new(env!("CARGO_BIN_EXE_pagewire"))
        .arg("send")
        .args([file.as_path(), "--output".as_ref(), &fifo])
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(terminal)
        .spawn()
        .unwrap();
    let screen = spawn(move || {
        let (mut screen, mut block) = (Vec::new(), [0; 4096]);
        let mut ours = File::from(ours);
        // A terminal whose programs are gone gives an error in place of an end.
        while let Ok(read @ 1..) = ours.read(&mut block) {
            screen.extend_from_slice(&block[..read]);
        }
        String::from_utf8_lossy(&screen).into_owned()
    });

    // Half of the file arrives, then the reader takes a rest, so that there is something to see.
    let mut reader = open_written(&fifo);
    let mut half = vec![0; 16 << 20];
    reader.read_exact(&mut half).unwrap();
    sleep(Duration::from_millis(800));
    assert_eq!(reader.read_to_end(&mut half).unwrap(), 16 << 20);
    assert!(child.wait().unwrap().success());
    let screen = screen.join().unwrap();
    for part in ["sending", "%", "of 33.55 MB", "/s", "left"] {
        assert!(screen.contains(part), "no '{part}' on the screen: {screen:?}");
    }
    let last = screen.rsplit(['\r', '\n']).find(|line| !line.is_empty());
    assert!(
        last.is_none_or(|line| !line.contains('%')),
        "the bar is still there: {last:?}"
    );
}
