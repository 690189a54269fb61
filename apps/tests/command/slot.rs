//! The commands for NICs in slots, on a machine that has none: what they say, and how soon.

use std::time::{Duration, Instant};

use crate::driving::{Place, pagewire, pattern, sentence, stderr, stdout};

/// An address that no device has here.
const NOBODY: &str = "vfio:fffe:fe:1f.7";

/// Runs a command line that must fail with code 1 within the three seconds that are promised.
#[track_caller]
fn refused_soon(words: &[&str]) -> String {
    let began = Instant::now();
    let assert = pagewire(words).code(1);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(stdout(&assert), "");
    sentence(&stderr(&assert)).to_owned()
}

#[test]
fn a_nic_that_is_not_there_is_named_with_where_to_look() {
    let place = Place::new();
    let (file, output) = (place.file("file", &pattern(10)), place.at("output"));
    let (file, output) = (file.to_str().unwrap(), output.to_str().unwrap());
    let slot = ["--nic", NOBODY, "--ip", "10.0.0.1/24"];
    let (to, listen) = (
        ["--to", "10.0.0.2:5001"],
        ["--listen", "5001", "--output", output],
    );
    for words in [
        [&["send", file][..], &slot, &to].concat(),
        [&["recv"][..], &slot, &listen].concat(),
        [&["ping", "10.0.0.2"][..], &slot].concat(),
    ] {
        let told = refused_soon(&words);
        assert!(
            told.contains("fffe:fe:1f.7") && told.contains("pagewire list"),
            "{told}"
        );
    }
    assert!(!place.at("output").exists());
}

#[test]
fn a_missing_file_is_noticed_before_the_nic_is() {
    let told = refused_soon(&["send", "nothing", "--nic", NOBODY, "--dhcp", "--to", "10.0.0.2:1"]);
    assert!(told.contains("there is no file 'nothing'"), "{told}");
}

#[test]
fn a_capture_that_cannot_be_made_is_told_by_every_command_before_there_is_a_cable() {
    let place = Place::new();
    let file = place.file("file", &pattern(10));
    let at = |name: &str| place.at(name).to_str().unwrap().to_owned();
    let (file, folder, output, log) = (file.to_str().unwrap(), at("."), at("output"), at("log"));
    // A name that no interface can have: whoever got so far would say that.
    let cable = ["--cable", "tap:no/name", "--ip", "10.0.0.1/24"];
    let send = ["send", file, "--to", "10.0.0.2:5001"];
    let recv = ["recv", "--listen", "5001", "--output", &output];
    let serve = ["serve", &folder, "--log", &log];
    let ping = ["ping", "10.0.0.2"];
    let nowhere = at("none/wire.pcap");
    for (words, capture, told) in [
        (&send[..], &nowhere, "mkdir -p"),
        (&recv, &nowhere, "mkdir -p"),
        (&serve, &nowhere, "mkdir -p"),
        (&ping, &nowhere, "mkdir -p"),
        (&send, &file.to_owned(), "is the file that is sent"),
        (&recv, &output, "both --output and --pcap"),
        (&serve, &log, "both --log and --pcap"),
        (&ping, &folder, "is a folder"),
    ] {
        let said = refused_soon(&[words, &cable, &["--pcap", capture]].concat());
        assert!(said.contains(told), "{words:?}: {said}");
    }
    assert_eq!(std::fs::read(file).unwrap(), pattern(10));
}

#[test]
fn without_a_running_pagewire_there_are_no_counters() {
    let told = refused_soon(&["stats", "fffe:fe:1f.7"]);
    assert!(told.contains("no running pagewire drives fffe:fe:1f.7"), "{told}");
}

#[test]
fn what_does_not_go_together_is_told_with_what_would() {
    for (words, told) in [
        (&["send", "FILE", "--to", "10.0.0.2:1"][..], "--nic vfio:ADDRESS"),
        (
            &["send", "FILE", "--nic", NOBODY, "--ip", "10.0.0.1/24"],
            "--to HOST:PORT",
        ),
        (&["send", "FILE", "--nic", NOBODY, "--to", "10.0.0.2:1"], "--dhcp"),
        (&["send", "FILE", "--nic", "vfio:eth0"], "pagewire list"),
        (
            &["send", "FILE", "--nic", NOBODY, "--ip", "10.0.0.1"],
            "192.168.1.5/24",
        ),
        (
            &["send", "FILE", "--nic", NOBODY, "--to", "example.org:80"],
            "names are not looked up",
        ),
        (&["ping", "10.0.0.2", "--nic", NOBODY], "--ip"),
        (
            &[
                "ping",
                "10.0.0.2",
                "--nic",
                NOBODY,
                "--ip",
                "10.0.0.1/24",
                "--pcap",
                "x",
            ],
            "--pcap: this is for the wire of an emulated NIC",
        ),
        (
            &["ping", "10.0.0.2", "--nic", NOBODY, "--vlan", "4095"],
            "1 to 4094",
        ),
        (
            &["recv", "--nic", "eth0", "--listen", "1", "--output", "x"],
            "vfio:0000:00:03.0",
        ),
        (
            &["recv", "--nic", NOBODY, "--listen", "0", "--output", "x"],
            "--listen",
        ),
    ] {
        let assert = pagewire(words).code(2);
        assert_eq!(stdout(&assert), "");
        assert!(stderr(&assert).contains(told), "{words:?}: {}", stderr(&assert));
    }
}
