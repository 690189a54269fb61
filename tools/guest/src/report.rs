//! What a boot has shown.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::last_lines;

/// What became of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Whether it went as it must.
    pub passed: bool,
    /// How long it took, in seconds.
    pub seconds: u32,
}

/// All that a guest has left behind.
#[derive(Clone, Debug)]
pub struct Report {
    /// The checks that came to an end, by their names.
    pub checks: BTreeMap<String, Check>,
    /// Where the files are: `console.log`, `dmesg.log`, a log for each check, captures.
    pub folder: PathBuf,
    /// Why the guest did not come to its end, if it did not.
    pub cut_short: Option<String>,
    /// Whether that is because QEMU itself has crashed.
    pub crashed: bool,
}

impl Report {
    /// Says nothing if the check of this name passed; what is known about it otherwise.
    ///
    /// # Errors
    /// It failed, or the guest never got there.
    pub fn check(&self, name: &str) -> Result<(), String> {
        let log = self.text(&format!("{name}.log"));
        match (self.checks.get(name), &self.cut_short) {
            (Some(Check { passed: true, .. }), _) => Ok(()),
            (Some(Check { seconds, .. }), _) => Err(format!(
                "{name} failed after {seconds} s; what it did:\n{}\nall of it: {}",
                last_lines(&log, 60),
                self.folder.display()
            )),
            (None, Some(why)) => Err(format!(
                "the guest {why} before {name} was done; {}",
                self.console()
            )),
            (None, None) => Err(format!("the guest ran no check named {name}; {}", self.console())),
        }
    }

    /// A text that the guest has left; empty where it has left none.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        let bytes = fs::read(self.folder.join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The captures, each of one check.
    #[must_use]
    pub fn captures(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "pcap"))
            .collect();
        found.sort();
        found
    }

    fn console(&self) -> String {
        let console = last_lines(&self.text("console.log"), 40);
        format!("the end of its console:\n{console}")
    }
}
