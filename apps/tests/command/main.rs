//! The command line, driven as a person would.

mod admin;
mod bad_input;
mod bench;
mod changed_files;
mod driving;
mod interrupt;
mod send;
mod serve;
mod slot;
mod terminal;
