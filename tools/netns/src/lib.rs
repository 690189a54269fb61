//! Network namespaces of one's own: networks for tests and measurements, beside the machine's, without touching it.
//!
//! ```text
//!   enter_user_namespace()           where there is no root; before the process has threads
//!         │
//!   Namespace::new() ── run(..) ──► sockets, processes, devices made in there belong there
//!         │
//!   veth(), address(), up(), mtu(), scatter_gather()       through netlink
//! ```
//! A namespace is held by a descriptor and by what lives in it. When the last of these is closed, by dropping, by a
//! panic or by a signal that ends the process, the kernel takes the namespace down, and its interfaces with it: there
//! is nothing to clean up, and nothing can be left behind.

mod error;
mod features;
mod links;
mod netlink;
mod user;

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;

use nix::sched::CloneFlags;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

pub use error::NetnsError;
pub use user::enter_user_namespace;

/// A network of its own. Its loopback interface is up.
#[derive(Debug)]
pub struct Namespace {
    /// `/proc/thread-self/ns/net` of a thread that was in it.
    held: File,
}

impl Namespace {
    /// An empty network.
    ///
    /// # Errors
    /// [`NetnsError::NotPermitted`] to who is neither root nor in a user namespace of his own
    /// ([`enter_user_namespace`]).
    pub fn new() -> Result<Self, NetnsError> {
        // A thread that has left the machine's network does not go back: it is made for this, and ends.
        let held = apart(|| {
            nix::sched::unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| NetnsError::NotPermitted {
                what: "a network namespace",
                cause: errno.into(),
            })?;
            File::open("/proc/thread-self/ns/net").map_err(NetnsError::step("holding a network namespace"))
        })?;
        let namespace = Self { held };
        namespace.up("lo")?;
        Ok(namespace)
    }

    /// Runs `work` on a thread that is in this network, and returns what it returns. Sockets that are made there stay
    /// there, whoever uses them later; processes that are started there stay too.
    ///
    /// # Panics
    /// `work` has panicked: the panic goes on here. Or the system gives no thread, or does not let it in.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        apart(|| {
            move_into_link_name_space(self.held.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("who made a namespace may enter it");
            work()
        })
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.held.as_fd()
    }
}

/// Runs something on a thread of its own.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
