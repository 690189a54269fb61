//! What a driver must not do, and who did it.
//!
//! - [`Rule`]: the rules by name, and the [`Level`] that says how much is looked at;
//! - [`Report`]: counts, and the first occurrence of each in words.
//!
//! A violation never stops the device. It behaves as hardware behind an IOMMU does: the access is refused, the
//! descriptor is given back, and the report says what happened.

mod report;
mod rules;

pub use report::{Report, Violation};
pub use rules::{Level, Rule};

pub(crate) use report::Sanitizer;
