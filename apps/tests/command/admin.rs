//! The commands about NICs, on whatever machine this is: they change nothing here.

use serde_json::Value;

use crate::driving::{pagewire, sentence, stderr, stdout};

/// An address that no machine has: domain ffff, the last bus.
const NOWHERE: &str = "ffff:ff:1f.7";

#[test]
fn an_address_that_is_none_is_wrong_usage() {
    for command in ["bind", "unbind"] {
        let assert = pagewire(&[command, "eth0"]).code(2);
        assert!(stderr(&assert).contains("like 0000:00:03.0"));
    }
}

#[test]
fn a_device_that_is_not_there_is_named_and_what_is_there_too() {
    for command in ["bind", "unbind"] {
        let assert = pagewire(&[command, NOWHERE]).code(1);
        assert_eq!(stdout(&assert), "");
        let stderr = stderr(&assert);
        let sentence = sentence(&stderr);
        assert!(
            sentence.contains("there is no PCI device ffff:ff:1f.7"),
            "{sentence}"
        );
        assert!(sentence.contains("network card"), "{sentence}");
    }
}

#[test]
fn the_list_is_a_table_or_json() {
    let json: Value =
        serde_json::from_str(&stdout(&pagewire(&["list", "--all", "--json"]).success())).unwrap();
    let table = stdout(&pagewire(&["list", "--all"]).success());
    for nic in json.as_array().unwrap() {
        assert!(table.contains(nic["address"].as_str().unwrap()), "{table}");
    }
}

#[test]
fn the_doctor_exits_with_0_exactly_if_the_machine_is_ready() {
    let assert = pagewire(&["doctor", "--json"]);
    let json: Value = serde_json::from_str(&stdout(&assert)).unwrap();
    let failures = json["checks"].as_array().unwrap().iter();
    let failures = failures.filter(|check| check["status"] == "failure").count();
    assert_eq!(json["ready"], failures == 0);
    let assert = assert.code(i32::from(failures > 0));
    if failures > 0 {
        let stderr = stderr(&assert);
        assert!(sentence(&stderr).contains(&format!("{failures} of 10 checks failed")));
    }
}
