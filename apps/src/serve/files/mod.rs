//! The files of a folder, as a server hands them out.
//!
//! 1. [`Root`]: the folder, and the wall around it: the kernel opens nothing that lies outside;
//! 2. [`OpenFile`]: a file with what is said of it, mapped for the device where it can be, with a lease where there is one;
//! 3. [`Files`]: files stay open between requests, found by the path as it was written, and are looked at again once a second;
//! 4. `listing`: a page for a folder that has none.

mod cache;
mod listing;
mod open;
mod root;

pub use cache::{Files, Found};
pub use open::{Body, OpenFile};
pub use root::{NoRoot, Root, Symlinks};
