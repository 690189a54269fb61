//! One vector of a function, of the best kind that its bus grants.

use pagewire_bus::{BusError, Function, Interrupt, InterruptKind};

/// Turns on one vector: the first kind of the function's list that the bus does not refuse. `None` where the
/// list is empty.
///
/// # Errors
/// What the bus said to the last kind, where it refused all.
pub(crate) fn enable<F: Function>(function: &F) -> Result<Option<Interrupt>, BusError> {
    let mut refused = None;
    for support in function.interrupts().iter().filter(|support| support.vectors > 0) {
        match first_of(function, support.kind) {
            Ok(interrupt) => return Ok(Some(interrupt)),
            Err(error) => {
                tracing::debug!("no interrupt by {:?}: {error}", support.kind);
                refused = Some(error);
            }
        }
    }
    refused.map_or(Ok(None), Err)
}

fn first_of<F: Function>(function: &F, kind: InterruptKind) -> Result<Interrupt, BusError> {
    let vectors = function.enable_interrupts(kind, 1)?;
    vectors
        .into_iter()
        .next()
        .ok_or(BusError::NoInterrupt { kind, vectors: 1 })
}
