//! A file whose pages are to be sent where they lie.

use std::fs::File;

use pagewire_nic::port::{RxQueue, TxQueue};
use pagewire_stack::Stack;
use pagewire_stack::source::{LeaseState, MappedFile, Source};

/// All `declared` bytes of `file` as a source of `stack`: mapped, and copied where it cannot be.
///
/// # Errors
/// It cannot be read, or is not as long as was declared: the sentence says which.
pub(crate) fn by_reference<T: TxQueue, R: RxQueue>(
    stack: &Stack<T, R>,
    file: File,
    declared: u64,
) -> Result<Box<dyn Source>, String> {
    let mut mapped = MappedFile::new(file, stack.windows()).map_err(|cause| cause.to_string())?;
    if let LeaseState::Refused(reason) = mapped.lease() {
        tracing::info!("no read lease on the file ({reason}): a change under way is noticed at the end");
    }
    if mapped.len() != declared {
        let now = mapped.len();
        return Err(format!(
            "it changed from {declared} to {now} bytes: send it again"
        ));
    }
    mapped.prepare().map_err(|cause| cause.to_string())?;
    Ok(Box::new(mapped))
}
