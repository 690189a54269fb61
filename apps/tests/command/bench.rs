//! `pagewire bench`: its table, its JSON, and what it refuses.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::driving::{Place, Running, pagewire, pattern, sentence, stderr, stdout};

/// The object that `bench --json` prints, with these words.
fn bench(file: &Path, words: &[&str]) -> Value {
    let file = file.to_str().unwrap();
    let words = [&["bench", file, "--json"], words].concat();
    serde_json::from_str(&stdout(&pagewire(&words).success())).unwrap()
}

fn refused(words: &[&str]) -> String {
    let assert = pagewire(&[&["bench"], words].concat()).code(1);
    assert_eq!(stdout(&assert), "", "a refusal says nothing on stdout");
    sentence(&stderr(&assert)).to_owned()
}

/// The values of a field over a list.
fn values<'a>(list: &'a Value, field: &str) -> BTreeSet<&'a str> {
    let rows = list.as_array().unwrap().iter();
    rows.map(|row| row[field].as_str().unwrap()).collect()
}

/// Whether networks can be made; where they must be, nothing may be skipped.
fn has_networks(report: &Value) -> bool {
    let rows = values(&report["rows"], "path");
    if rows.contains("veth") {
        return true;
    }
    let why = &report["not_available"][0]["why"];
    assert_ne!(
        std::env::var("PAGEWIRE_CLIENTS").as_deref(),
        Ok("required"),
        "{why}"
    );
    println!("skipped: {why}");
    false
}

#[test]
fn a_quick_run_has_a_row_for_each_method_over_each_path() {
    let place = Place::new();
    let bytes = 100_000;
    let file = place.file("file", &pattern(bytes));
    let begin = Instant::now();
    let report = bench(&file, &["--quick", "--rounds", "1"]);
    assert!(begin.elapsed() < Duration::from_secs(60));
    for row in report["rows"].as_array().unwrap() {
        assert_eq!(row["bytes"], bytes, "{row:#}");
        assert_eq!(
            (&row["receiver"], &row["cache"]),
            (&"blocking".into(), &"warm".into())
        );
        assert_eq!(row["resident"], 1.0, "{row:#}");
        for rate in ["gb_per_s", "sender_cpu_s_per_gb", "total_cpu_s_per_gb"] {
            let value = |suffix: &str| row[format!("{rate}{suffix}")].as_f64().unwrap();
            assert!(
                value("_min") <= value("") && value("") <= value("_max"),
                "{row:#}"
            );
            assert!(value("") > 0.0, "{row:#}");
        }
    }
    let methods = values(&report["rows"], "method");
    for method in [
        "read-write-64k",
        "sendfile",
        "splice",
        "msg-zerocopy",
        "pagewire-zero-copy",
        "pagewire-copy",
    ] {
        assert!(methods.contains(method), "{method}: {report:#}");
    }
    let paths = values(&report["rows"], "path");
    assert!(paths.contains("loopback") && paths.contains("pair"), "{paths:?}");
    if has_networks(&report) {
        assert!(methods.contains("sendfile-without-sg"));
        let over_tap = report["rows"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["path"] == "tap");
        let ours: BTreeSet<&str> = over_tap.map(|row| row["method"].as_str().unwrap()).collect();
        assert_eq!(
            ours,
            BTreeSet::from(["pagewire-copy", "pagewire-zero-copy"]),
            "{report:#}"
        );
    }
}

#[test]
fn copies_are_told_as_they_are_made() {
    let place = Place::new();
    let file = place.file("file", &pattern(1 << 20));
    let report = bench(
        &file,
        &[
            "--rounds=1",
            "--path=loopback,pair",
            "--cache=warm",
            "--size=1MiB",
        ],
    );
    let copies = |method: &str, receiver: &str| {
        let mut rows = report["rows"].as_array().unwrap().iter();
        let row = rows
            .find(|row| row["method"] == method && row["receiver"] == receiver)
            .unwrap_or_else(|| panic!("no {method} to {receiver} in {report:#}"));
        let of = |end: &str| row[format!("{end}_copies_per_byte")].as_f64().unwrap();
        (of("sender"), of("device"), of("receiver"))
    };
    assert_eq!(copies("read-write-1m", "blocking"), (2.0, 0.0, 1.0));
    assert_eq!(copies("mmap-write", "spinning"), (1.0, 0.0, 1.0));
    assert_eq!(copies("sendfile", "discard"), (0.0, 0.0, 0.0));
    assert_eq!(copies("msg-zerocopy", "blocking"), (1.0, 0.0, 1.0));
    assert_eq!(copies("pagewire-zero-copy", "blocking"), (0.0, 1.0, 1.0));
    assert_eq!(copies("pagewire-copy", "spinning"), (2.0, 1.0, 1.0));
    for row in report["rows"].as_array().unwrap() {
        let asks = ["msg-zerocopy", "io-uring-send-zc"].contains(&row["method"].as_str().unwrap());
        assert_eq!(row["reported_copied"].is_null(), !asks, "{row:#}");
    }
}

#[test]
fn a_cold_file_is_read_from_disk_whatever_sent_it_before() {
    let place = Place::new();
    let file = place.file("file", &pattern(1 << 20));
    let report = bench(
        &file,
        &[
            "--rounds=2",
            "--cache=cold,warm",
            "--receiver=blocking",
            "--size=1MiB",
        ],
    );
    let cold = |row: &&Value| row["cache"] == "cold";
    let rows: Vec<&Value> = report["rows"].as_array().unwrap().iter().filter(cold).collect();
    let kept: Vec<&Value> = report["not_available"]
        .as_array()
        .unwrap()
        .iter()
        .filter(cold)
        .filter(|row| row["why"].as_str().unwrap().contains("stay in memory"))
        .collect();
    if let ([], [first, ..]) = (&rows[..], &kept[..]) {
        println!("skipped: {}", first["why"]);
        return;
    }
    assert_eq!(kept, Vec::<&Value>::new());
    for row in rows {
        assert!(row["resident"].as_f64().unwrap() < 0.02, "{row:#}");
    }
}

#[test]
fn people_get_a_table_with_the_fastest_first() {
    let place = Place::new();
    let file = place.file("file", &pattern(300_000));
    let words = [
        "--method=sendfile,pagewire-zero-copy",
        "--path=loopback,pair",
        "--size=4KiB,200000",
        "--rounds=2",
    ];
    let table =
        stdout(&pagewire(&[&["bench", file.to_str().unwrap(), "--quick"], &words[..]].concat()).success());
    for part in [
        "4 KiB, warm page cache (100 % resident), blocking receiver",
        "200,000 bytes",
        "GB/s",
        "sender",
        "sendfile",
    ] {
        assert!(table.contains(part), "no '{part}' in: {table}");
    }
    assert!(
        table.contains(" x  bytes a second: pagewire-zero-copy over pair beside sendfile over loopback"),
        "{table}"
    );
}

#[test]
fn without_a_file_one_is_made_and_nothing_is_left() {
    let place = Place::new();
    let output = crate::driving::shell(
        &place,
        "TMPDIR=$PWD \"$PAGEWIRE\" bench --quick --rounds 1 --method sendfile --path loopback --size 64KiB --json",
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["rows"][0]["bytes"], 64 << 10);
    assert!(place.names().is_empty(), "{:?}", place.names());
}

#[test]
fn what_cannot_be_measured_is_refused_with_a_remedy() {
    let place = Place::new();
    let (file, empty) = (place.file("file", b"contents"), place.file("empty", b""));
    let (file, empty) = (file.to_str().unwrap(), empty.to_str().unwrap());
    let missing = place.at("nothing");
    let page = place.at("none/report.html");
    for (words, told) in [
        (&[missing.to_str().unwrap()][..], "there is no file"),
        (&["/dev/zero"], "is a device"),
        (&[empty], "holds no bytes"),
        (&[file, "--size", "1MiB"], "more than the 8 bytes"),
        (
            &[file, "--method", "sendfile", "--path", "pair"],
            "nothing of what was chosen exists",
        ),
        (
            &[file, "--path", "pair", "--receiver", "discard"],
            "nothing of what was chosen exists",
        ),
        (&[file, "--html", page.to_str().unwrap()], "mkdir -p"),
        (&[file, "--html", file], "is the file that is sent"),
    ] {
        let sentence = refused(words);
        assert!(sentence.contains(told), "no '{told}' in: {sentence}");
    }
    for words in [
        &["--size", "2GiB"][..],
        &["--rounds", "0"],
        &["--method", "teleport"],
        &["--path", "tap,teleport"],
        &["--receiver", "nobody"],
        &["--cache", "tepid"],
    ] {
        pagewire(&[&["bench", file], words].concat()).code(2);
    }
    assert_eq!(place.names(), ["empty", "file"]);
}

#[test]
fn ctrl_c_ends_it_whatever_it_measures() {
    let place = Place::new();
    let file = place.sparse("file", 1 << 30);
    for path in ["loopback", "pair"] {
        let words = ["--quick", "--rounds=1000", "--path", path, "--size=1GiB"];
        let mut running = Running::of("bench", [&[file.to_str().unwrap()], &words[..]].concat());
        running.wait_for("measuring");
        std::thread::sleep(Duration::from_millis(700));
        let begin = Instant::now();
        running.signal(Signal::INT);
        let (status, stdout, stderr) = running.end();
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "it took {:?}",
            begin.elapsed()
        );
        assert_eq!(status.code(), Some(130), "{status}: {stderr}");
        assert_eq!(stdout, "");
        assert!(sentence(&stderr).contains("interrupted"), "{stderr}");
    }
}

#[test]
fn the_page_is_one_file_that_a_browser_shows() {
    let place = Place::new();
    let (file, page) = (place.file("file", &pattern(300_000)), place.at("report.html"));
    let words = [
        "--quick",
        "--rounds=1",
        "--path=loopback,pair",
        "--size=4KiB,300000",
        "--html",
    ];
    let words = [
        &["bench", file.to_str().unwrap()],
        &words[..],
        &[page.to_str().unwrap()],
    ]
    .concat();
    assert!(
        stdout(&pagewire(&words).success()).contains("GB/s"),
        "the tables are printed as well"
    );
    assert_eq!(place.names(), ["file", "report.html"]);
    let Some(shown) = in_a_browser(&page) else {
        return;
    };
    for part in [
        "How each works",
        "pagewire-zero-copy · pair",
        "by reference",
        "4 KiB",
    ] {
        assert!(shown.contains(part), "no '{part}' in: {shown}");
    }
    assert!(
        shown.matches("<svg").count() > 10,
        "plots and drawings are missing"
    );
}

/// A page as headless Chromium has it once it is loaded; `None`, with the reason told, where there is none.
fn in_a_browser(page: &Path) -> Option<String> {
    let profile = tempfile::tempdir().unwrap();
    let mut chromium = assert_cmd::Command::new("chromium");
    chromium.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--dump-dom",
    ]);
    chromium.arg(format!("--user-data-dir={}", profile.path().display()));
    chromium.arg(format!("file://{}", page.display()));
    match chromium.timeout(crate::driving::PATIENCE).output() {
        Ok(output) => {
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            Some(String::from_utf8(output.stdout).unwrap())
        }
        Err(error) => {
            let required = std::env::var("PAGEWIRE_CLIENTS").as_deref() == Ok("required");
            assert!(!required, "no chromium: {error}");
            println!("skipped: no chromium ({error})");
            None
        }
    }
}
