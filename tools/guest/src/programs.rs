//! Our own programs, linked statically: the guest has no libraries.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::{GuestError, run, workspace};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What is built, and lies in the guest's `/bin` under its own name.
pub const PROGRAMS: [&str; 2] = ["pagewire", "far-end"];

/// Builds the programs, once a process, and returns the folder that they lie in.
///
/// # Errors
/// They do not build.
pub fn build() -> Result<PathBuf, GuestError> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        // A folder of its own: these flags would throw out everything else that is built.
        let folder = workspace().join("target/guest-programs");
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .current_dir(workspace())
            .args(["build", "--quiet", "--profile", "guest", "--target", TARGET])
            .args(["-p", "pagewire", "-p", "pagewire-guest"])
            .arg("--target-dir")
            .arg(&folder)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("RUSTFLAGS", "-C target-feature=+crt-static");
        for program in PROGRAMS {
            command.args(["--bin", program]);
        }
        run(&mut command).map_err(|error| error.to_string())?;
        Ok(folder.join(TARGET).join("guest"))
    });
    built.clone().map_err(|told| GuestError::Program {
        program: "cargo build".into(),
        told,
    })
}
