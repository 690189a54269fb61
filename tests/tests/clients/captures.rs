//! What a capture on a cable into the kernel shows, with tshark as the judge.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use pagewire::live::{Application, Receiving, Sending};
use pagewire::transfer::Mode;
use pagewire_emu::Model;
use pagewire_emu::cable::{Impairments, PcapTap};

use crate::machine::{Kept, file, run_recorded};
use crate::network::{KERNEL, Network, OURS, v4};
use crate::server::have;

const PORT: u16 = 5001;
/// Some segments of 64 KiB, and no whole number of anything.
const LEN: usize = 300_001;
/// Flags of TCP.
const SYN: u16 = 2;
const ACK: u16 = 16;

pub(crate) fn a_capture_has_the_whole_conversation_both_ways_and_for_every_nic() {
    if !have("tshark") {
        return;
    }
    // Uncut segments of both sides on one, frames that are cut for the other.
    for (model, network) in [
        (Model::Ixgbe, Network::with_tap(1500)),
        (Model::E1000, Network::with_packet_socket()),
    ] {
        sent_and_captured(model, &network);
        received_and_captured(model, &network);
    }
}

fn sent_and_captured(model: Model, network: &Network) {
    let (file, contents) = file(LEN);
    let to = SocketAddr::new(v4(KERNEL), PORT);
    let listener = network.listen(to);
    let mut sending = Sending::new(to.into(), file, LEN as u64, Mode::ZeroCopy);
    let capture = thread::scope(|scope| {
        scope.spawn(|| listener.accept().unwrap().0.read_to_end(&mut vec![]).unwrap());
        captured(model, network, &Impairments::none(), &mut sending)
    });
    capture.has_conversation_of_its_opener(&contents);
}

fn received_and_captured(model: Model, network: &Network) {
    let (_, contents) = file(LEN);
    let mut kept = Kept::default();
    let mut receiving = Receiving::new(PORT, &mut kept);
    let capture = thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = network.connect(SocketAddr::new(v4(OURS), PORT));
            stream.write_all(&contents).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let _ = stream.read(&mut [0]);
        });
        captured(model, network, &Impairments::none(), &mut receiving)
    });
    capture.has_conversation_of_its_opener(&contents);
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
    let (file, contents) = file(LEN);
    let to = SocketAddr::new(v4(KERNEL), PORT);
    let listener = network.listen(to);
    let mut sending = Sending::new(to.into(), file, LEN as u64, Mode::ZeroCopy);
    let capture = thread::scope(|scope| {
        scope.spawn(|| listener.accept().unwrap().0.read_to_end(&mut vec![]).unwrap());
        captured(Model::Ixgbe, &network, &wire, &mut sending)
    });
    let ours = format!("tcp.dstport == {PORT} && tcp.len > 0");
    let lens = capture.fields(&ours, "tcp.len");
    let sent: usize = lens.iter().map(|len| len.parse::<usize>().unwrap()).sum();
    assert!(sent > contents.len(), "{sent}: nothing was sent again");
}

/// A file that tshark can read, and when it was made.
struct Capture {
    file: tempfile::NamedTempFile,
    began: SystemTime,
    ended: SystemTime,
}

/// Runs a machine while its frames are written down.
fn captured<A: Application>(
    model: Model,
    network: &Network,
    wire: &Impairments,
    application: &mut A,
) -> Capture {
    let file = tempfile::NamedTempFile::new().unwrap();
    let tap = PcapTap::new(Box::new(file.reopen().unwrap())).unwrap();
    let began = SystemTime::now();
    run_recorded(model, network, wire, Some(tap.clone()), application).expect("it ends well");
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
