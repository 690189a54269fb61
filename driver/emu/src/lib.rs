//! Emulated NICs. Under construction.

#![allow(dead_code)]
mod memory;
pub mod offload;
pub mod sanitizer;
pub mod wire;
