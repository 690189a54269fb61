//! Emulated NICs. Under construction.

#![allow(dead_code)]
pub mod cable;
mod memory;
pub mod offload;
pub mod sanitizer;
pub mod wire;
