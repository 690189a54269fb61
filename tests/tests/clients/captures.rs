//! What a capture on a cable into the kernel shows, with tshark as the judge.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pagewire::serve::Limits;
use pagewire_emu::Model;
use pagewire_emu::cable::{Impairments, PcapTap};

use crate::kernel::{PORT, receive_over, send_over};
use crate::machine::file;
use crate::network::{KERNEL, Network, OURS, v4};
use crate::server::{have, while_serving_recorded};

/// Some segments of 64 KiB, and no whole number of anything.
const LEN: usize = 300_001;
/// Bytes of a pcap file without packets.
const FILE_HEADER: u64 = 24;
/// Flags of TCP.
const SYN: u16 = 2;
const ACK: u16 = 16;

pub(crate) fn a_capture_has_the_whole_conversation_both_ways_and_for_every_nic() {
    if !have("tshark") {
        return;
    }
    let (_, contents) = file(LEN);
    let clean = Impairments::none();
    // Uncut segments of both sides on one, frames that are cut for the other.
    for (model, network) in [
        (Model::Ixgbe, Network::with_tap(1500)),
        (Model::E1000, Network::with_packet_socket()),
    ] {
        captured(|tap| send_over(&network, model, v4(KERNEL), LEN, &clean, tap))
            .has_conversation_of_its_opener(&contents);
        captured(|tap| receive_over(&network, model, v4(OURS), LEN, &clean, tap))
            .has_conversation_of_its_opener(&contents);
    }
}

/// Frames are written down before the cable loses them: what was sent again is there twice.
pub(crate) fn a_capture_on_a_cable_with_loss_has_what_was_lost_too() {
    if !have("tshark") {
        return;
    }
    let wire = Impairments {
        loss: 0.02,
        seed: 4,
        ..Impairments::none()
    };
    let network = Network::with_tap(1500);
    let capture = captured(|tap| send_over(&network, Model::Ixgbe, v4(KERNEL), LEN, &wire, tap));
    let ours = format!("tcp.dstport == {PORT} && tcp.len > 0");
    let lens = capture.fields(&ours, "tcp.len");
    let sent: usize = lens.iter().map(|len| len.parse::<usize>().unwrap()).sum();
    assert!(sent > LEN, "{sent}: nothing was sent again");
}

pub(crate) fn a_capture_can_be_read_while_the_machine_is_at_work() {
    let (file, tap) = recording();
    let folder = tempfile::tempdir().unwrap();
    let is_there = || file.as_file().metadata().unwrap().len() > FILE_HEADER;
    let (is_there, _) = while_serving_recorded(folder.path(), Limits::default(), Some(tap), |_| {
        let began = Instant::now();
        while !is_there() && began.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(10));
        }
        is_there()
    });
    assert!(is_there, "nothing was written in 20 s");
}

/// A file that tshark can read, and when it was made.
struct Capture {
    file: tempfile::NamedTempFile,
    began: SystemTime,
    ended: SystemTime,
}

/// A file, and what writes frames down in it.
fn recording() -> (tempfile::NamedTempFile, Arc<PcapTap>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let tap = PcapTap::new(Box::new(file.reopen().unwrap())).unwrap();
    (file, tap)
}

/// Has a transfer's frames written down.
fn captured<R>(transfer: impl FnOnce(Option<Arc<PcapTap>>) -> R) -> Capture {
    let (file, tap) = recording();
    let began = SystemTime::now();
    transfer(Some(tap.clone()));
    tap.finish().unwrap();
    Capture {
        file,
        began,
        ended: SystemTime::now(),
    }
}

impl Capture {
    /// One connection from the first SYN to both FINs, in which the one that opened it said `contents` and the other nothing, with
    /// good checksums, and at the time of day at which it was.
    fn has_conversation_of_its_opener(&self, contents: &[u8]) {
        let bad = "_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || tcp.analysis.lost_segment";
        assert_eq!(self.fields(bad, "frame.number"), [""; 0]);
        let ends = self.fields("tcp.flags.syn == 1 || tcp.flags.fin == 1", "tcp.flags");
        let numbers = ends
            .iter()
            .map(|flags| u16::from_str_radix(&flags[2..], 16).unwrap());
        let (syns, fins): (Vec<_>, Vec<_>) = numbers.partition(|flags| flags & SYN != 0);
        assert_eq!(syns.iter().map(|flags| flags & ACK).collect::<Vec<_>>(), [0, ACK]);
        assert_eq!(fins.len(), 2, "{ends:?}");
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        // The clock of the day may be set while this runs, but not by much.
        let while_it_ran = since(self.began) - 1.0..since(self.ended) + 1.0;
        for time in self.fields("tcp", "frame.time_epoch") {
            let time: f64 = time.parse().unwrap();
            assert!(while_it_ran.contains(&time), "{time} is not in {while_it_ran:?}");
        }
        let (said_by_opener, said_by_other) = self.followed();
        assert!(said_by_opener == contents, "{} bytes", said_by_opener.len());
        assert!(said_by_other.is_empty(), "{} bytes", said_by_other.len());
    }

    /// A field of the frames that a filter lets through.
    fn fields(&self, filter: &str, field: &str) -> Vec<String> {
        let said = tshark(self.file.path(), &["-Y", filter, "-T", "fields", "-e", field]);
        said.lines().map(str::to_owned).collect()
    }

    /// What each side has said: the one that has opened the connection, and the other, whose lines begin with a tab.
    fn followed(&self) -> (Vec<u8>, Vec<u8>) {
        let said = tshark(self.file.path(), &["-q", "-z", "follow,tcp,raw,0"]);
        let mut sides = (vec![], vec![]);
        for line in said
            .lines()
            .skip_while(|line| !line.starts_with("Node 1"))
            .skip(1)
        {
            let (side, digits) = match line.strip_prefix('\t') {
                Some(digits) => (&mut sides.1, digits),
                None => (&mut sides.0, line),
            };
            if digits.starts_with("===") {
                break;
            }
            side.extend(digits.as_bytes().chunks(2).map(|pair| {
                let pair = std::str::from_utf8(pair).unwrap();
                u8::from_str_radix(pair, 16).unwrap()
            }));
        }
        sides
    }
}

/// What tshark says of a capture, all checksums verified.
fn tshark<S: AsRef<OsStr>>(capture: &Path, words: &[S]) -> String {
    let output = Command::new("tshark")
        .args([
            "-o",
            "ip.check_checksum:TRUE",
            "-o",
            "tcp.check_checksum:TRUE",
            "-r",
        ])
        .arg(capture)
        .args(words)
        .output()
        .expect("tshark runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
