//! `--pcap`: where frames are recorded.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use crate::input::Fingerprint;
use crate::interrupt::Interrupt;
use crate::output::{OutputError, open_for_writing};

/// Opens the place for recorded frames: an empty file, or a FIFO or device as it is (`wireshark -k -i FIFO`).
///
/// A capture is written as the frames pass and stays when the transfer fails: it may be wanted most then. So nothing is
/// emptied before it is certain that it is neither the `input`, a file that is sent, nor `kept`, what another option names to
/// be written.
pub(crate) fn create(
    path: &Path,
    input: Option<&Fingerprint>,
    kept: Option<(&'static str, &Path)>,
    interrupt: &Interrupt,
) -> Result<File, OutputError> {
    let told = |cause| OutputError::explain(path, cause);
    let name = || path.display().to_string();
    let (option, kept) = kept.unzip();
    let is_kept = || OutputError::IsKeptAlready {
        path: name(),
        option: option.unwrap_or_default(),
    };
    if kept == Some(path) {
        return Err(is_kept());
    }
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return File::create(path).map_err(told),
        Err(error) => return Err(told(error)),
    };
    let kind = metadata.file_type();
    if kind.is_file() {
        let here = Fingerprint::of(&metadata);
        let there = kept.and_then(|kept| fs::metadata(kept).ok());
        if input.is_some_and(|input| here.same_file(input)) {
            Err(OutputError::IsTheInput { path: name() })
        } else if there.is_some_and(|there| Fingerprint::of(&there).same_file(&here)) {
            Err(is_kept())
        } else {
            File::create(path).map_err(told)
        }
    } else if kind.is_dir() {
        Err(OutputError::Folder { path: name() })
    } else if kind.is_fifo() || kind.is_char_device() {
        let file = open_for_writing(path, kind.is_fifo(), interrupt)?;
        // Opened without blocking, so as not to wait for a reader for ever; written to as any file.
        rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::empty()).map_err(|errno| told(errno.into()))?;
        Ok(file)
    } else {
        Err(OutputError::Unfit { path: name() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::tempdir;

    #[test]
    fn neither_the_input_nor_the_output_is_overwritten() {
        let folder = tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("input"), b"precious").unwrap();
        fs::write(at("output"), b"old").unwrap();
        fs::hard_link(at("input"), at("link")).unwrap();
        let input = Fingerprint::of(&fs::metadata(at("input")).unwrap());
        let output = at("output");
        let create = |path: &str| {
            create(
                &at(path),
                Some(&input),
                Some(("--output", &output)),
                &Interrupt::default(),
            )
        };
        assert!(matches!(create("input"), Err(OutputError::IsTheInput { .. })));
        assert!(matches!(create("link"), Err(OutputError::IsTheInput { .. })));
        assert!(matches!(create("output"), Err(OutputError::IsKeptAlready { .. })));
        assert!(matches!(
            create("./output"),
            Err(OutputError::IsKeptAlready { .. })
        ));
        assert!(matches!(create("."), Err(OutputError::Folder { .. })));
        assert!(create("capture").is_ok());
        assert_eq!(fs::read(at("input")).unwrap(), b"precious");
        assert_eq!(fs::read(at("output")).unwrap(), b"old");
    }
}
