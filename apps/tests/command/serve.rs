//! What `serve` says where it cannot begin.

use crate::driving::{Place, pagewire, sentence, stderr};

/// A machine that nobody gets to: what is wrong shows before.
const SLOT: [&str; 4] = ["--nic", "vfio:fffe:fe:1f.7", "--ip", "10.0.0.1/24"];

#[test]
fn a_folder_that_cannot_be_served_is_told_before_the_nic_is_looked_for() {
    let place = Place::new();
    let file = place.file("file", b"bytes");
    let missing = place.at("missing");
    for (folder, told) in [(&missing, "there is no folder"), (&file, "is no folder")] {
        let assert = pagewire(&[&["serve", folder.to_str().unwrap()][..], &SLOT].concat()).code(1);
        let said = stderr(&assert);
        assert!(sentence(&said).contains(told), "{said}");
    }
}

#[test]
fn a_log_that_cannot_be_written_is_told_by_its_name() {
    let place = Place::new();
    let folder = place.at(".");
    let words = ["serve", folder.to_str().unwrap(), "--log", "/proc/none/log"];
    let assert = pagewire(&[&words[..], &SLOT].concat()).code(1);
    let said = stderr(&assert);
    assert!(
        sentence(&said).contains("the access log '/proc/none/log'"),
        "{said}"
    );
}

#[test]
fn without_a_cable_or_a_slot_it_says_what_there_is() {
    let assert = pagewire(&["serve", ".", "--ip", "10.0.0.1/24"]).code(2);
    let said = stderr(&assert);
    assert!(said.contains("--cable tap:NAME"), "{said}");
}
