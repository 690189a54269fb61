//! `pagewire send`, as a person or a script uses it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::driving::{Place, Running, pagewire, pattern, refused, send, sentence, shell, stderr, stdout};

const PROMISED: &str = "bytes sha256 verified nic backend mode seconds gb_per_s sender_cpu_s_per_gb \
    device_cpu_s_per_gb receiver_cpu_s_per_gb payload_bytes_copied_by_sender_cpu tx_segments tx_descriptors \
    tx_doorbells retransmitted_bytes frames_lost_on_wire iommu_violations memcpy_gb_per_s";

fn json(file: &Path, more: &[&str]) -> Value {
    let words = [file.as_os_str(), "--json".as_ref()]
        .into_iter()
        .chain(more.iter().map(AsRef::as_ref));
    let assert = send(words).success();
    serde_json::from_str(&stdout(&assert)).expect("one JSON object on stdout")
}

fn sha256sum(file: &Path) -> String {
    let output = Command::new("sha256sum")
        .arg("-b")
        .arg(file)
        .output()
        .expect("sha256sum");
    String::from_utf8(output.stdout)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .trim_start_matches('\\')
        .to_owned()
}

#[test]
fn the_summary_says_in_words_what_happened() {
    let place = Place::new();
    let file = place.file("file", &pattern(123_456));
    let assert = send([&file]).success();
    let words = stdout(&assert);
    for part in [
        "123,456 bytes arrived whole",
        "an emulated 82599, zero-copy, MTU 1500, TSO on",
        "GB/s",
        "CPU per GB",
        "0 payload bytes on the sender",
        "descriptors",
        "doorbell",
        "TSO segment",
        "0 bytes; 0 frames lost",
        "no rule broken",
        &sha256sum(&file),
    ] {
        assert!(words.contains(part), "no '{part}' in: {words}");
    }
    // A bar would move its line; in a pipe there is none.
    assert!(
        !stderr(&assert).contains('\r') && !stderr(&assert).contains("sending"),
        "{}",
        stderr(&assert)
    );
}

#[test]
fn the_json_object_has_every_promised_field() {
    let place = Place::new();
    let file = place.file("file", &pattern(1_000_003));
    let object = json(&file, &[]);
    for field in PROMISED.split_whitespace() {
        assert!(!object[field].is_null(), "{field} is missing in {object:#}");
    }
    assert_eq!(object["bytes"], 1_000_003);
    assert_eq!(object["verified"], true);
    assert_eq!(object["sha256"], sha256sum(&file));
    assert_eq!(object["nic"], "ixgbe");
    assert_eq!(object["backend"], "emulated");
    assert_eq!(object["mode"], "zero-copy");
    assert_eq!(object["payload_bytes_copied_by_sender_cpu"], 0);
    assert_eq!(object["iommu_violations"], 0);
    assert_eq!(object["frames_lost_on_wire"], 0);
    assert_eq!(object["retransmitted_bytes"], 0);
    for field in ["seconds", "gb_per_s", "sender_cpu_s_per_gb", "memcpy_gb_per_s"] {
        assert!(object[field].as_f64().unwrap() > 0.0, "{field} in {object:#}");
    }
    for field in ["tx_segments", "tx_descriptors", "tx_doorbells"] {
        assert!(object[field].as_u64().unwrap() > 0, "{field} in {object:#}");
    }
}

#[test]
fn an_empty_file_arrives() {
    let place = Place::new();
    let file = place.file("empty", b"");
    for words in [
        &[][..],
        &["--mode", "copy"],
        &["--nic", "e1000"],
        &["--virtual-time"],
    ] {
        let assert = send([file.to_str().unwrap()].iter().chain(words)).success();
        assert!(stdout(&assert).contains("0 bytes arrived whole"), "{words:?}");
    }
    let output = place.at("out");
    send([file.as_path(), "--output".as_ref(), &output]).success();
    assert_eq!(fs::metadata(output).unwrap().len(), 0);
}

#[test]
fn every_kind_of_wire_delivers_every_byte() {
    let place = Place::new();
    let contents = pattern(300_001);
    let (file, output) = (place.file("file", &contents), place.at("out"));
    for nic in ["ixgbe", "e1000", "e1000e"] {
        for mode in ["zero-copy", "copy"] {
            for rest in [
                "--mtu=576",
                "--mtu=9000",
                "--tso=off",
                "--sanitizer=full",
                "--virtual-time",
            ] {
                let words = ["--nic", nic, "--mode", mode, rest, "--output"];
                let all = [file.as_os_str()]
                    .into_iter()
                    .chain(words.iter().map(AsRef::as_ref));
                send(all.chain([output.as_os_str()])).success();
                assert!(fs::read(&output).unwrap() == contents, "{words:?}");
                fs::remove_file(&output).unwrap();
            }
        }
    }
}

#[test]
fn the_copying_mode_tells_what_it_copied() {
    let place = Place::new();
    let object = json(
        &place.file("file", &pattern(500_000)),
        &["--mode", "copy", "--tso", "off"],
    );
    assert_eq!(object["mode"], "copy");
    assert!(
        object["payload_bytes_copied_by_sender_cpu"].as_u64().unwrap() >= 500_000,
        "{object:#}"
    );
    assert_eq!(object["tx_segments"], 0);
}

#[test]
fn a_bad_wire_in_virtual_time_repeats_frame_by_frame() {
    let place = Place::new();
    let file = place.file("file", &pattern(2_000_000));
    let run = |capture: &str, seed: &str| {
        let capture = place.at(capture);
        let wire = [
            "--loss=0.02",
            "--duplicate=0.02",
            "--reorder=0.02",
            "--corrupt=0.005",
            "--virtual-time",
        ];
        let mut words = wire.to_vec();
        words.extend([
            "--sanitizer=full",
            "--seed",
            seed,
            "--pcap",
            capture.to_str().unwrap(),
        ]);
        let object = json(&file, &words);
        assert_eq!(object["verified"], true);
        assert_eq!(object["payload_bytes_copied_by_sender_cpu"], 0);
        assert!(object["frames_lost_on_wire"].as_u64().unwrap() > 0, "{object:#}");
        assert!(object["retransmitted_bytes"].as_u64().unwrap() > 0, "{object:#}");
        assert!(object["virtual_seconds"].as_f64().unwrap() > 0.0, "{object:#}");
        (
            fs::read(capture).unwrap(),
            object["virtual_seconds"].clone(),
            object["tx_descriptors"].clone(),
        )
    };
    let (first, again, other) = (run("first", "7"), run("again", "7"), run("other", "8"));
    assert!(first == again, "two runs with one seed differ");
    assert!(first != other, "the seed makes no difference");
}

#[test]
fn a_capture_holds_the_frames() {
    let place = Place::new();
    let contents = pattern(100_000);
    let (file, capture) = (place.file("file", &contents), place.at("wire.pcap"));
    send([file.as_path(), "--pcap".as_ref(), &capture]).success();
    let capture = fs::read(capture).unwrap();
    let magic = u32::from_be_bytes(capture[..4].try_into().unwrap());
    assert!([0xa1b2_c3d4, 0xa1b2_3c4d].contains(&magic), "{magic:x}");
    assert!(capture.len() > contents.len());
    let first = &contents[..256];
    assert!(
        capture.windows(first.len()).any(|window| window == first),
        "the payload is not there"
    );
}

#[test]
fn an_output_replaces_what_was_there_only_when_it_is_whole() {
    let place = Place::new();
    let contents = pattern(200_000);
    let (file, output) = (place.file("file", &contents), place.file("out", b"old"));
    let object = json(&file, &["--output", output.to_str().unwrap()]);
    assert!(fs::read(&output).unwrap() == contents);
    assert_eq!(object["sha256"], sha256sum(&output));
    assert_eq!(place.names(), ["file", "out"]);
}

#[test]
fn an_output_can_be_a_device_or_a_pipe() {
    let place = Place::new();
    let contents = pattern(3 << 20);
    let (file, fifo) = (place.file("file", &contents), place.fifo("fifo"));
    send([file.as_path(), "--output".as_ref(), "/dev/null".as_ref()]).success();
    let running = Running::start([file.as_path(), "--output".as_ref(), &fifo]);
    assert!(fs::read(&fifo).unwrap() == contents);
    assert!(running.end().0.success());
    let output = shell(&place, "\"$PAGEWIRE\" send file --output /dev/stdout | cat");
    assert!(
        output.stdout == contents,
        "the summary is kept apart from the bytes"
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("arrived whole"));
}

#[test]
fn a_reader_that_goes_away_ends_it_with_a_sentence() {
    let place = Place::new();
    let (file, fifo) = (place.sparse("file", 64 << 20), place.fifo("fifo"));
    let running = Running::start([file.as_path(), "--output".as_ref(), &fifo]);
    drop(fs::File::open(&fifo).unwrap());
    let (status, _, stderr) = running.end();
    assert_eq!(status.code(), Some(1), "{status}");
    assert!(sentence(&stderr).contains("stopped reading"), "{stderr}");
}

#[test]
fn bytes_and_json_do_not_mix() {
    let place = Place::new();
    place.file("file", b"contents");
    let output = shell(
        &place,
        "\"$PAGEWIRE\" send file --json --output /dev/stdout | cat",
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("both go to standard output"));
    assert!(output.stdout.is_empty());
    let output = shell(&place, "\"$PAGEWIRE\" send file --output /dev/stdout > out");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("where standard output goes"));
}

#[test]
fn a_closed_or_full_standard_output_is_no_panic() {
    let place = Place::new();
    place.file("file", b"contents");
    let closed = shell(&place, "{ \"$PAGEWIRE\" send file; echo code $? >&2; } | true");
    let told = String::from_utf8_lossy(&closed.stderr).into_owned();
    assert!(told.contains("code 0") && !told.contains("fault"), "{told}");
    let full = shell(&place, "exec \"$PAGEWIRE\" send file > /dev/full");
    assert_eq!(full.status.code(), Some(1));
    assert!(sentence(&String::from_utf8_lossy(&full.stderr)).contains("report could not be printed"));
}

#[test]
fn a_wire_that_loses_everything_ends_with_a_reason() {
    let place = Place::new();
    let file = place.file("file", &pattern(10_000));
    let told = refused([file.as_os_str(), "--loss=1".as_ref(), "--virtual-time".as_ref()]);
    assert!(told.contains("0 of 10000"), "{told}");
}

#[test]
fn too_little_memory_is_told_in_a_sentence() {
    let place = Place::new();
    place.sparse("file", 1 << 30);
    // 22 MiB of address space: enough to start, not enough for rings and buffers.
    let output = shell(&place, "ulimit -v 22528; exec \"$PAGEWIRE\" send file");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{:?}: {told}", output.status);
    assert!(sentence(&told).contains("memory"), "{told}");
}

#[test]
fn help_teaches_and_names_the_exit_codes() {
    for words in [&["--help"][..], &["send", "--help"], &["help", "send"]] {
        let help = stdout(&pagewire(words).success());
        for part in [
            "Examples:",
            "pagewire send README.md --pcap wire.pcap",
            "Exit codes:",
            "130",
        ] {
            assert!(help.contains(part), "no '{part}' in: {help}");
        }
        assert!(
            help.lines().all(|line| line.len() <= 100),
            "a line is too long in: {help}"
        );
    }
    assert!(stdout(&pagewire(&["--version"]).success()).starts_with("pagewire "));
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stdout(&pagewire(&["completions", shell]).success());
        assert!(script.contains("virtual-time"), "{shell}");
    }
    pagewire(&["completions", "csh"]).code(2);
}
