//! Prints the register tables of all families as Markdown: what docs/ shows.

use pagewire_spec::{e1000, e1000e, ixgbe, markdown_table};

fn main() {
    println!("# Register tables\n");
    println!(
        "RO read only, RW read and write, WO write only, RC cleared by reading, W1C and W1S: a one written"
    );
    println!("clears or sets the bit. *Writable* is the mask of bits that software may set.\n");
    println!("## 82540EM (e1000)\n\n{}", markdown_table(e1000::REGISTERS));
    println!("## 82574L (e1000e)\n\n{}", markdown_table(e1000e::REGISTERS));
    println!("## 82599 (ixgbe)\n\n{}", markdown_table(ixgbe::REGISTERS));
}
