//! Debian's packages, unpacked into a cache folder and never installed.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{GuestError, run, workspace};

/// Seconds that a download may take.
const PATIENCE: &str = "180";

/// Which of Debian's kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// The one for virtual machines: it boots fastest, and has no driver for Intel's NICs.
    Cloud,
    /// The one for every machine, with Linux's own drivers for the NICs under test.
    Full,
}

/// A kernel and a busybox, unpacked.
#[derive(Clone, Debug)]
pub struct Packages {
    /// The kernel image.
    pub kernel: PathBuf,
    /// The folder that holds the kernel's modules.
    pub modules: PathBuf,
    /// A static busybox.
    pub busybox: PathBuf,
}

impl Kernel {
    /// The package that depends on the newest kernel of its kind.
    fn meta_package(self) -> &'static str {
        match self {
            Self::Cloud => "linux-image-cloud-amd64",
            Self::Full => "linux-image-amd64",
        }
    }
}

impl Packages {
    /// Fetches what is not in the cache yet.
    ///
    /// # Errors
    /// [`GuestError::Unavailable`] where apt has no such package or the network does not answer.
    pub fn fetch(kernel: Kernel) -> Result<Self, GuestError> {
        let cache = cache_folder();
        fs::create_dir_all(&cache).map_err(GuestError::file(&cache))?;
        // Two tests may want the same package: one fetches, the other waits.
        let lock = cache.join("lock");
        let lock = File::create(&lock).map_err(GuestError::file(&lock))?;
        lock.lock().map_err(GuestError::file(&cache))?;

        let unpacked = unpacked_package(&cache, kernel.meta_package(), |meta| {
            Ok(format!("{}-unsigned", dependency(meta)?))
        })?;
        let busybox = unpacked_package(&cache, "busybox-static", |name| Ok(name.to_owned()))?;
        Ok(Self {
            kernel: only_entry(&unpacked.join("boot"), "vmlinuz-")?,
            modules: only_entry(&unpacked.join("lib/modules"), "")?,
            busybox: busybox.join("bin/busybox"),
        })
    }
}

fn cache_folder() -> PathBuf {
    env::var_os("PAGEWIRE_GUEST_CACHE").map_or_else(|| workspace().join("target/guest-cache"), PathBuf::from)
}

/// The folder of a package, which appears under its name only when it is whole.
fn unpacked_package(
    cache: &Path,
    name: &str,
    resolve: impl Fn(&str) -> Result<String, GuestError>,
) -> Result<PathBuf, GuestError> {
    let folder = cache.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    let package = resolve(name)?;
    let work = tempfile::Builder::new()
        .prefix("fetching-")
        .tempdir_in(cache)
        .map_err(GuestError::file(cache))?;
    run(Command::new("timeout")
        .args([PATIENCE, "apt-get", "download", "--quiet", &package])
        .current_dir(work.path()))
    .map_err(|error| {
        GuestError::Unavailable(format!(
            "the package {package} cannot be fetched ({error}); try: apt-get update"
        ))
    })?;
    let archive = only_entry(work.path(), &format!("{package}_"))?;
    let unpacked = work.path().join("unpacked");
    run(Command::new("dpkg-deb")
        .arg("--extract")
        .args([&archive, &unpacked]))?;
    fs::rename(&unpacked, &folder).map_err(GuestError::file(&folder))?;
    Ok(folder)
}

/// What a meta package stands for today.
fn dependency(meta: &str) -> Result<String, GuestError> {
    let unavailable = |why: String| GuestError::Unavailable(format!("{why}; try: apt-get update"));
    let told = run(Command::new("apt-cache").args(["depends", meta]))
        .map_err(|error| unavailable(format!("apt knows no package {meta} ({error})")))?;
    let told = String::from_utf8_lossy(&told);
    let mut depends = told
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "));
    let kernel = depends.find(|name| name.starts_with("linux-image-"));
    kernel
        .map(str::to_owned)
        .ok_or_else(|| unavailable(format!("{meta} depends on no kernel")))
}

/// The one entry of a folder whose name begins so.
fn only_entry(folder: &Path, prefix: &str) -> Result<PathBuf, GuestError> {
    let entries = fs::read_dir(folder).map_err(GuestError::file(folder))?;
    let mut entries = entries.filter_map(Result::ok).map(|entry| entry.path());
    entries
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(prefix))
        })
        .ok_or_else(|| GuestError::Unavailable(format!("{}: no file {prefix}*", folder.display())))
}
