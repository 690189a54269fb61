//! What bad input gets: one clear sentence with what to do, an exit code that is not 0, and nothing left behind.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use crate::driving::{Place, as_nobody, pagewire, pattern, refused, sentence, shell, stderr, stdout};

#[track_caller]
fn says(sentence: &str, parts: &[&str]) {
    for part in parts {
        assert!(sentence.contains(part), "no '{part}' in: {sentence}");
    }
}

#[test]
fn a_missing_file() {
    let place = Place::new();
    says(
        &refused([place.at("nothing")]),
        &["there is no file", "nothing", "check the name"],
    );
}

#[test]
fn standard_input() {
    says(&refused(["-"]), &["sends files", "cat > FILE"]);
}

#[test]
fn a_folder() {
    let place = Place::new();
    says(&refused([place.path()]), &["is a folder", "tar -cf"]);
}

#[test]
fn a_character_device() {
    says(&refused(["/dev/zero"]), &["is a device", "dd if="]);
}

#[test]
fn a_fifo_without_waiting_for_its_writer() {
    let place = Place::new();
    says(&refused([place.fifo("fifo")]), &["is a FIFO", "cat"]);
}

#[test]
fn a_socket() {
    let place = Place::new();
    let _listener = UnixListener::bind(place.at("socket")).unwrap();
    says(&refused([place.at("socket")]), &["is a socket"]);
}

#[test]
fn a_file_that_the_kernel_makes_up() {
    says(
        &refused(["/proc/self/status"]),
        &["made up by the kernel", "copy it first"],
    );
}

#[test]
fn a_file_that_may_not_be_read() {
    let place = Place::new();
    let secret = place.file("secret", b"secret");
    fs::set_permissions(secret, Permissions::from_mode(0o000)).unwrap();
    let output = as_nobody(&place, "exec \"$PAGEWIRE\" send secret");
    assert_eq!(output.status.code(), Some(1));
    says(
        sentence(&String::from_utf8_lossy(&output.stderr)),
        &["not allowed to read 'secret'", "chmod"],
    );
}

#[test]
fn nonsense_on_the_command_line_is_told_with_what_would_be_right() {
    let probability = "0 (never) to 1 (always)";
    for (words, told) in [
        (&["send", "FILE", "--loss", "2"][..], probability),
        (&["send", "FILE", "--duplicate", "-0.1"], probability),
        (&["send", "FILE", "--reorder", "NaN"], probability),
        (&["send", "FILE", "--corrupt", "inf"], probability),
        (&["send", "FILE", "--corrupt", "1%"], probability),
        (&["send", "FILE", "--mtu", "575"], "576..=9000"),
        (&["send", "FILE", "--mtu", "9001"], "576..=9000"),
        (&["send", "FILE", "--nic", "rtl8139"], "ixgbe, e1000, e1000e"),
        (&["send", "FILE", "--mode", "magic"], "zero-copy, copy"),
        (&["send", "FILE", "--tso", "maybe"], "on, off"),
        (&["send", "FILE", "--sanitizer", "off"], "on, full"),
        (&["send", "FILE", "--seed", "-1"], "--seed"),
        (&["send"], "<FILE>"),
        (&["send", "FILE", "ANOTHER"], "ANOTHER"),
        (&["sendd", "FILE"], "'send'"),
        (&[], "Usage"),
    ] {
        let assert = pagewire(words).code(2);
        assert_eq!(stdout(&assert), "");
        says(&stderr(&assert), &[told]);
    }
}

#[test]
fn a_log_filter_that_is_none() {
    let place = Place::new();
    place.file("file", b"");
    let output = shell(&place, "PAGEWIRE_LOG='a=b=c' exec \"$PAGEWIRE\" send file");
    assert_eq!(output.status.code(), Some(2));
    says(
        sentence(&String::from_utf8_lossy(&output.stderr)),
        &["PAGEWIRE_LOG", "try"],
    );
}

#[test]
fn outputs_that_cannot_be_written() {
    let place = Place::new();
    let file = place.file("file", b"contents");
    let output = |name: &str| refused([file.clone(), "--output".into(), place.at(name)]);
    says(&output("."), &["is a folder"]);
    says(&output("new/"), &["is a folder"]);
    says(&output("none/out"), &["does not exist", "mkdir -p"]);
    says(&output("file/out"), &["does not exist"]);
    says(&output("file"), &["is the file that is sent"]);
    fs::hard_link(&file, place.at("link")).unwrap();
    says(&output("link"), &["is the file that is sent"]);
    assert_eq!(fs::read(&file).unwrap(), b"contents");
    assert_eq!(place.names(), ["file", "link"]);
}

#[test]
fn an_output_where_one_may_not_write() {
    let place = Place::new();
    place.file("file", b"contents");
    let protected = place.file("protected", b"old");
    fs::set_permissions(protected, Permissions::from_mode(0o444)).unwrap();
    for (name, before) in [("new", None), ("protected", Some(b"old"))] {
        let script = format!("exec \"$PAGEWIRE\" send file --output {name}");
        let mode = if before.is_none() { 0o555 } else { 0o777 };
        fs::set_permissions(place.path(), Permissions::from_mode(mode)).unwrap();
        let output = as_nobody(&place, &script);
        assert_eq!(output.status.code(), Some(1), "{name}");
        says(
            sentence(&String::from_utf8_lossy(&output.stderr)),
            &["not allowed to write", name],
        );
        assert_eq!(
            fs::read(place.at(name)).ok().as_deref(),
            before.map(|old| &old[..])
        );
    }
    assert!(!place.names().iter().any(|name| name.contains("partial")));
}

#[test]
fn captures_that_cannot_be_written() {
    let place = Place::new();
    let file = place.file("file", b"contents");
    let pcap = |name: &str| refused([file.clone(), "--pcap".into(), place.at(name)]);
    says(&pcap("."), &["is a folder"]);
    says(&pcap("none/wire.pcap"), &["mkdir -p"]);
    says(&pcap("file"), &["is the file that is sent"]);
    let both = place.at("both");
    let both = refused([
        file.clone(),
        "--pcap".into(),
        both.clone(),
        "--output".into(),
        both,
    ]);
    says(&both, &["both --output and --pcap"]);
    assert_eq!(fs::read(&file).unwrap(), b"contents");
    assert_eq!(place.names(), ["file"]);
}

#[test]
fn a_full_device_as_output() {
    let place = Place::new();
    let file = place.file("file", &pattern(100_000));
    says(
        &refused([file, "--output".into(), "/dev/full".into()]),
        &["/dev/full", "is full"],
    );
}

#[test]
fn a_full_device_as_capture() {
    let place = Place::new();
    let file = place.file("file", &pattern(100_000));
    says(
        &refused([file, "--pcap".into(), "/dev/full".into()]),
        &["capture", "No space left"],
    );
}

#[test]
fn a_full_disk_keeps_no_part_of_the_file() {
    let place = Place::new();
    place.file("file", &pattern(3 << 20));
    fs::create_dir(place.at("disk")).unwrap();
    let output = shell(
        &place,
        "exec unshare -rm sh -c 'mount -t tmpfs -o size=1m none disk || exit 99; \
         \"$PAGEWIRE\" send file --output disk/out; code=$?; ls -A disk; exit $code'",
    );
    let told = String::from_utf8_lossy(&output.stderr);
    if told.contains("unshare") || output.status.code() == Some(99) {
        println!("skipped: a small disk cannot be mounted here ({})", told.trim());
        return;
    }
    assert_eq!(output.status.code(), Some(1), "{told}");
    says(sentence(&told), &["disk/out", "is full"]);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "",
        "something is left on the disk"
    );
}

#[test]
fn an_output_beyond_the_limit_of_file_sizes() {
    let place = Place::new();
    place.file("file", &pattern(3 << 20));
    let output = shell(&place, "ulimit -f 100; exec \"$PAGEWIRE\" send file --output out");
    assert_eq!(output.status.code(), Some(1), "{:?}", output.status);
    says(
        sentence(&String::from_utf8_lossy(&output.stderr)),
        &["larger than files may be", "ulimit -f"],
    );
    assert_eq!(place.names(), ["file"]);
}
