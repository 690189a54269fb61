//! Which kernel modules to load, in which order, read from the modules themselves: no depmod is needed.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::GuestError;

/// Stands in a module's information before the names of the modules that it needs.
const DEPENDS: &[u8] = b"\0depends=";

/// The files of `wanted` and of all that they need, each after what it needs. A module that the kernel has built in,
/// or does not have, is left out: the script sees what works.
///
/// # Errors
/// A folder or a module cannot be read.
pub fn in_load_order(folder: &Path, wanted: &[&str]) -> Result<Vec<PathBuf>, GuestError> {
    let mut files = HashMap::new();
    collect(folder, &mut files)?;
    let mut order = Vec::new();
    for name in wanted {
        add(name, &files, &mut order)?;
    }
    Ok(order)
}

fn add(name: &str, files: &HashMap<String, PathBuf>, order: &mut Vec<PathBuf>) -> Result<(), GuestError> {
    let Some(path) = files.get(&name.replace('-', "_")) else {
        return Ok(());
    };
    if order.contains(path) {
        return Ok(());
    }
    let module = fs::read(path).map_err(GuestError::file(path))?;
    for needed in dependencies(&module) {
        add(&needed, files, order)?;
    }
    order.push(path.clone());
    Ok(())
}

/// The modules that a module names as its dependencies.
fn dependencies(module: &[u8]) -> Vec<String> {
    let Some(at) = module.windows(DEPENDS.len()).position(|bytes| bytes == DEPENDS) else {
        return Vec::new();
    };
    let list = module[at + DEPENDS.len()..].split(|&byte| byte == 0).next();
    let list = String::from_utf8_lossy(list.unwrap_or_default()).into_owned();
    list.split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn collect(folder: &Path, files: &mut HashMap<String, PathBuf>) -> Result<(), GuestError> {
    for entry in fs::read_dir(folder).map_err(GuestError::file(folder))? {
        let path = entry.map_err(GuestError::file(folder))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "ko") {
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .replace('-', "_");
            files.insert(name, path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(depends: &str) -> Vec<u8> {
        [
            b"\x7fELF license=GPL\0depends=",
            depends.as_bytes(),
            b"\0name=x\0",
        ]
        .concat()
    }

    #[test]
    fn a_module_comes_after_all_that_it_needs_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, depends: &str| fs::write(folder.path().join(name), module(depends)).unwrap();
        file("top.ko", "mid-dle,base");
        file("mid_dle.ko", "base");
        file("base.ko", "");
        let order = in_load_order(folder.path(), &["top", "base", "built_in"]).unwrap();
        let names: Vec<_> = order
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["base.ko", "mid_dle.ko", "top.ko"]);
    }
}
