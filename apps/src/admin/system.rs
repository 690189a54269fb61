//! The one way to sysfs, procfs, `/dev` and `/run`: a root folder and a few verbs.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};

/// Who takes what is written to an attribute of sysfs: the kernel, or a test that plays it.
type Attribute = Box<dyn Fn(&Path, &str) -> io::Result<()>>;

/// A machine's kernel, as a tree of files. Paths are absolute, as on the machine itself.
pub(crate) struct System {
    root: PathBuf,
    attribute: Attribute,
}

impl System {
    /// This machine.
    pub(crate) fn here() -> Self {
        Self {
            root: PathBuf::from("/"),
            attribute: Box::new(|path, text| {
                File::options().write(true).open(path)?.write_all(text.as_bytes())
            }),
        }
    }

    /// A tree under `root`, in which `attribute` does what the kernel would.
    #[cfg(test)]
    pub(super) fn fabricated(root: &Path, attribute: Attribute) -> Self {
        let root = root.to_owned();
        Self { root, attribute }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// What a small file says, without the line's end.
    pub(super) fn read(&self, path: &str) -> io::Result<String> {
        fs::read_to_string(self.at(path)).map(|text| text.trim_end().to_owned())
    }

    /// A number such as `0x8086`, as sysfs writes identities.
    pub(super) fn read_hex(&self, path: &str) -> Option<u32> {
        let text = self.read(path).ok()?;
        u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
    }

    /// Whether the name is there; what it stands for may be gone.
    pub(super) fn exists(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    /// The names in a folder, in order; none where there is no such folder.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.at(folder)) else {
            return vec![];
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    /// The last part of what a link points to: sysfs tells a device's driver and group so.
    pub(super) fn link(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.at(path)).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    /// Whether a link points to one of `targets`.
    pub(super) fn points_to(&self, path: &str, targets: &[&str]) -> bool {
        let target = fs::read_link(self.at(path));
        target.is_ok_and(|target| targets.iter().any(|node| target == Path::new(node)))
    }

    /// Where a name leads, all links followed.
    pub(super) fn resolve(&self, path: &str) -> Option<PathBuf> {
        self.at(path).canonicalize().ok()
    }

    /// How many bytes a file takes.
    pub(super) fn allocated(&self, path: &str) -> Option<u64> {
        use std::os::unix::fs::MetadataExt;
        Some(self.at(path).symlink_metadata().ok()?.blocks() * 512)
    }

    /// Whether this process may read and write a node; asks, and opens nothing.
    pub(super) fn may_use(&self, node: &str) -> bool {
        let wish = Access::READ_OK | Access::WRITE_OK;
        rustix::fs::accessat(CWD, self.at(node), wish, AtFlags::EACCESS).is_ok()
    }

    /// Whether a node that only one may open at a time is open already.
    pub(super) fn is_busy(&self, node: &str) -> bool {
        let opened = File::options().read(true).write(true).open(self.at(node));
        opened.is_err_and(|cause| cause.kind() == io::ErrorKind::ResourceBusy)
    }

    /// Tells the kernel something through an attribute of sysfs.
    pub(super) fn tell(&self, path: &str, text: &str) -> io::Result<()> {
        tracing::info!("writing '{}' to {path}", text.trim_end());
        (self.attribute)(&self.at(path), text)
    }

    /// Keeps a note in a file of our own; its folder is made where it is missing.
    pub(super) fn remember(&self, path: &str, text: &str) -> io::Result<()> {
        let path = self.at(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)
    }

    /// Removes a note; one that is not there is no error.
    pub(super) fn forget(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.at(path)) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}
