//! The `pagewire` command.

mod transfer;

fn main() {}
