//! A number that nobody can guess: where the random numbers of a machine among strangers start.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Another one each time. The standard library's hasher has keys of the system's making.
pub(crate) fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
