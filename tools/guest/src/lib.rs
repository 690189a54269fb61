//! Guests: a Linux under QEMU whose NICs others have modelled, for our own programs to run in.
//!
//! A boot, in order:
//! 1. [`packages`]: a Debian kernel with its modules, and a static busybox, from apt, kept in a cache folder.
//! 2. [`programs`]: `pagewire` and the far end, linked statically.
//! 3. [`initramfs`]: those, the [`modules`] that are needed in the order they load, and the guest's own script.
//! 4. [`disk`]: an ext4 image with the files to send, and a blank disk that the guest writes its results to.
//! 5. [`relay`]: the wire between the NIC under test and a virtio-net NIC with Linux's TCP. It stands in this process,
//!    so that it can drop frames and record them.
//! 6. [`machine`]: QEMU itself, with a time limit that holds even if this process is killed.
//! 7. [`control`]: while it runs, the guest tells how its checks went, and asks for what only the host can do
//!    (drop frames, take a link down).
//!
//! What comes out is a [`Report`]: each check with its outcome, the console, and the files that the guest left.
//! Where QEMU or the packages cannot be had that is [`GuestError::Unavailable`], which a test may call "skipped".

pub mod boot;
pub mod control;
pub mod disk;
pub mod initramfs;
pub mod machine;
pub mod modules;
pub mod packages;
pub mod programs;
pub mod relay;
pub mod report;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub use boot::{Console, Setup, boot, prepare};
pub use report::{Check, Report};

/// Why a guest did not run.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// Something that a guest needs is not on this machine and cannot be fetched.
    #[error("{0}")]
    Unavailable(String),
    /// A file or a folder of ours cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program that is there has failed.
    #[error("`{program}` failed: {told}")]
    Program {
        /// Its name.
        program: String,
        /// The end of what it said.
        told: String,
    },
    /// The guest did not do what it must.
    #[error("the guest {what}; QEMU says: {log}")]
    Guest {
        /// What it did or failed to do.
        what: String,
        /// What QEMU complained of.
        log: String,
    },
}

impl GuestError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// The root of this workspace.
pub(crate) fn workspace() -> &'static Path {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("this crate lies two folders below the workspace")
}

/// Runs a program that must be there and succeed, and returns what it said on stdout.
pub(crate) fn run(command: &mut Command) -> Result<Vec<u8>, GuestError> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(Output { status, stdout, .. }) if status.success() => Ok(stdout),
        Ok(output) => Err(GuestError::Program {
            program,
            told: last_lines(&String::from_utf8_lossy(&output.stderr), 10),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(GuestError::Unavailable(format!(
            "there is no `{program}` on this machine"
        ))),
        Err(error) => Err(GuestError::Program {
            program,
            told: error.to_string(),
        }),
    }
}

pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
