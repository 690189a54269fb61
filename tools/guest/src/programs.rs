//! Our own programs, built as this one is, with or without `--release`, but linked statically: the guest has no libraries.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::{GuestError, run, workspace};

/// What lies in the guest's `/bin`: the package, and the program's name.
const PROGRAMS: [(&str, &str); 3] = [
    ("pagewire", "pagewire"),
    ("pagewire-far-end", "far-end"),
    ("pagewire-bus", "vfio-probe"),
];

/// What the last step of each build is told, and no other: where we are built, so is nearly all that they are made of.
const LAST_STEP: [&str; 4] = ["-C", "target-feature=+crt-static", "-C", "strip=symbols"];

/// Builds the programs, once a process, and returns their files.
///
/// # Errors
/// They do not build.
pub fn build() -> Result<Vec<PathBuf>, GuestError> {
    static BUILT: OnceLock<Result<Vec<PathBuf>, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let built: Result<_, GuestError> = PROGRAMS.into_iter().map(build_one).collect();
        built.map_err(|error| error.to_string())
    });
    built.clone().map_err(|told| GuestError::Program {
        program: "cargo rustc".into(),
        told,
    })
}

fn build_one((package, name): (&str, &str)) -> Result<PathBuf, GuestError> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let told = run(Command::new(cargo)
        .current_dir(workspace())
        .args(["rustc", "--quiet", "--message-format=json-render-diagnostics"])
        .args((!cfg!(debug_assertions)).then_some("--release"))
        .args(["-p", package, "--bin", name, "--"])
        .args(LAST_STEP))?;
    // Cargo puts it where the next ordinary build of the same name goes.
    let kept = workspace().join("target/guest-programs").join(name);
    fs::create_dir_all(kept.with_file_name("")).map_err(GuestError::file(&kept))?;
    let built = executable(&told).ok_or_else(|| GuestError::Program {
        program: "cargo rustc".into(),
        told: format!("it does not say where `{name}` is"),
    })?;
    fs::copy(&built, &kept).map_err(GuestError::file(&built))?;
    Ok(kept)
}

/// The file that a build has made, by what cargo says of it, a line of JSON for each thing made.
fn executable(told: &[u8]) -> Option<PathBuf> {
    let lines = told.split(|byte| *byte == b'\n');
    let messages = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let mut files = messages.filter_map(|message| Some(message["executable"].as_str()?.into()));
    files.next()
}
