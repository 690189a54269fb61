//! Why a network could not be made as asked.

use std::io;

/// Why a network could not be made as asked. Each is one sentence with its remedy, where there is one.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// The kernel does not let this user.
    #[error(
        "this user may not make {what} ({cause}); be root, or have user namespaces allowed: sysctl \
         user.max_user_namespaces, and on Debian and Ubuntu kernel.unprivileged_userns_clone=1 and \
         kernel.apparmor_restrict_unprivileged_userns=0"
    )]
    NotPermitted {
        /// What was to be made.
        what: &'static str,
        /// What the kernel said.
        cause: io::Error,
    },
    /// A user namespace is entered by a process as a whole.
    #[error("a user namespace is entered before the process starts its second thread")]
    Threads,
    /// The kernel refused one step.
    #[error("{step} failed: {cause}")]
    Step {
        /// What was tried.
        step: String,
        /// What the kernel said.
        cause: io::Error,
    },
}

impl NetnsError {
    /// For `map_err`: the kernel refused `step`.
    pub(crate) fn step(step: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        |cause| Self::Step {
            step: step.into(),
            cause,
        }
    }
}
