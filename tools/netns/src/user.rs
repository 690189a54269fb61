//! Root over networks of one's own, for who is not root.

use std::fs;
use std::io;

use nix::errno::Errno;
use nix::sched::CloneFlags;
use rustix::process::{getgid, getuid};
use rustix::thread::{CapabilitySet, capabilities};

use crate::NetnsError;

/// From here on, this process may make network namespaces: where it may not already, it moves into a user namespace
/// in which it is root. Outside of that it may do what it could before, no more; its files stay its user's.
///
/// # Errors
/// [`NetnsError::Threads`] where the process has other threads already: this belongs at the top of `main`.
/// [`NetnsError::NotPermitted`] where the kernel has no user namespaces for this user.
pub fn enter_user_namespace() -> Result<(), NetnsError> {
    let has = capabilities(None).map_err(|errno| NetnsError::step("reading capabilities")(errno.into()))?;
    if has
        .effective
        .contains(CapabilitySet::SYS_ADMIN | CapabilitySet::NET_ADMIN)
    {
        return Ok(());
    }
    let (user, group) = (getuid().as_raw(), getgid().as_raw());
    nix::sched::unshare(CloneFlags::CLONE_NEWUSER).map_err(|errno| match errno {
        Errno::EINVAL => NetnsError::Threads,
        errno => not_permitted(errno.into()),
    })?;
    // A map of groups may be written only once this process has given up on changing them.
    fs::write("/proc/self/setgroups", "deny").map_err(not_permitted)?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1")).map_err(not_permitted)?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1")).map_err(not_permitted)
}

fn not_permitted(cause: io::Error) -> NetnsError {
    NetnsError::NotPermitted {
        what: "a user namespace",
        cause,
    }
}
