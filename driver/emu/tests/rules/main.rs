//! Every rule of the sanitizer on one planted fault, and what the device does then: it refuses, gives the
//! descriptor back, and goes on.

mod descriptors;
mod memory;
mod payload;
#[path = "../raw/mod.rs"]
mod raw;
mod registers;

use pagewire_emu::sanitizer::Rule;
use raw::{MAC_B, Raw, frame};

/// The report names `rule` and no other, and the named words are in it.
#[track_caller]
fn assert_only(raw: &Raw, rule: Rule, words: &str) {
    let report = raw.nic.report();
    assert_eq!(report.violations.len(), 1, "{report}");
    assert_eq!(report.violations[0].rule, rule, "{report}");
    assert!(report.to_string().starts_with(rule.name()), "{report}");
    assert!(report.violations[0].first.contains(words), "{report}");
}

/// Sends 100 bytes from `iova`; the descriptor comes back whatever happens, and nothing else is sent.
#[track_caller]
fn send_from(a: &mut Raw, iova: u64) {
    let words = a.data(iova, 100, true, None, 100);
    let slot = a.put(words);
    a.ring();
    a.step();
    assert!(a.is_sent(slot), "the descriptor comes back");
}

/// The device still works.
#[track_caller]
fn assert_goes_on(a: &mut Raw, b: &Raw, slot: u32) {
    a.out.write(0, &frame(MAC_B, 100));
    a.send(0, 100);
    assert_eq!(b.received(slot).expect("arrived").0, frame(MAC_B, 100));
}

#[test]
fn every_rule_has_a_planted_fault_here() {
    let here = concat!(
        include_str!("descriptors.rs"),
        include_str!("memory.rs"),
        include_str!("payload.rs"),
        include_str!("registers.rs"),
    );
    for rule in Rule::ALL {
        let test = format!("fn {}", rule.name().replace('-', "_"));
        assert!(here.contains(&test), "{rule}");
    }
}
