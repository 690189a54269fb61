//! Our own programs, linked statically: the guest has no libraries.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::{GuestError, run, workspace};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What is built, and lies in the guest's `/bin` under its own name.
const PROGRAMS: [&str; 3] = ["pagewire", "far-end", "vfio-probe"];

/// Builds the programs, once a process, and returns their files.
///
/// # Errors
/// They do not build.
pub fn build() -> Result<Vec<PathBuf>, GuestError> {
    static BUILT: OnceLock<Result<Vec<PathBuf>, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        // A folder of its own: these flags would throw out everything else that is built.
        let folder = workspace().join("target/guest-programs");
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .current_dir(workspace())
            .args(["build", "--quiet", "--profile", "guest", "--target", TARGET])
            .args(["-p", "pagewire", "-p", "pagewire-bus", "-p", "pagewire-far-end"])
            // No guest measures the kernel's ways to send.
            .arg("--no-default-features")
            .arg("--target-dir")
            .arg(&folder)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("RUSTFLAGS", "-C target-feature=+crt-static -D warnings");
        for program in PROGRAMS {
            command.args(["--bin", program]);
        }
        run(&mut command).map_err(|error| error.to_string())?;
        let built = folder.join(TARGET).join("guest");
        Ok(PROGRAMS.map(|program| built.join(program)).into())
    });
    built.clone().map_err(|told| GuestError::Program {
        program: "cargo build".into(),
        told,
    })
}
