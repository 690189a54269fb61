//! The register pages of docs/ say what the tables of this crate say.

use std::path::Path;

use pagewire_spec::{Register, e1000, e1000e, ixgbe, markdown_table};

/// Set to anything, the tests write the pages in place of comparing them.
const WRITE: &str = "PAGEWIRE_WRITE_DOCS";

fn page(title: &str, source: &str, rows: &[Register]) -> String {
    format!(
        "# {title}\n\n\
         Sections are those of {source}. This page is written from the tables of `pagewire-spec`, which driver and \
         emulator share;\n`cargo run -p pagewire-spec --example register-tables` prints the same tables.\n\n\
         RO read only, RW read and write, WO write only, RC cleared by reading, W1C and W1S: a one written\n\
         clears or sets the bit. *Writable* is the mask of bits that software may set.\n\n{}",
        markdown_table(rows)
    )
}

fn check(name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    // The whole of two pages would be no message.
    assert!(
        found == expected,
        "docs/{name} is stale; write it anew: {WRITE}=1 cargo test -p pagewire-spec --test docs"
    );
}

#[test]
fn the_page_of_the_82540em_is_fresh() {
    let manual = "the *PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual*, Intel 317453, revision 4.0";
    check(
        "registers-e1000.md",
        &page("Registers of the 82540EM", manual, e1000::REGISTERS),
    );
}

#[test]
fn the_page_of_the_82574l_is_fresh() {
    let datasheet = "the *Intel 82574 GbE Controller Family Datasheet*, Intel 317694, revision 3.4; where only the group of a \
                     register could be checked, its section is that of the group";
    check(
        "registers-e1000e.md",
        &page("Registers of the 82574L", datasheet, e1000e::REGISTERS),
    );
}

#[test]
fn the_page_of_the_82599_is_fresh() {
    let datasheet = "the *Intel 82599 10 GbE Controller Datasheet*, Intel 331520";
    check(
        "registers-ixgbe.md",
        &page("Registers of the 82599", datasheet, ixgbe::REGISTERS),
    );
}
