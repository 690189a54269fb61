//! docs/ holds together: its links resolve, the summary names every chapter, and the options it tells of exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}

/// Every Markdown file under `folder`.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

/// The targets of `[text](target)` that name a file, without `#anchor`. Code is no place for links.
fn links(markdown: &str) -> Vec<String> {
    let mut prose = String::new();
    for (index, block) in markdown.split("```").enumerate() {
        if index % 2 == 0 {
            prose.extend(block.split('`').step_by(2));
        }
    }
    prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap_or_default().to_owned())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .collect()
}

/// Every `--word` of the text.
fn options(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter_map(|word| word.strip_prefix("--"))
        .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect()
}

#[test]
fn every_relative_link_resolves() {
    let mut count = 0;
    for page in pages(&root().join("docs")) {
        for target in links(&read(&page)) {
            let there = page.parent().unwrap().join(&target);
            assert!(there.exists(), "{}: no file at {target}", page.display());
            count += 1;
        }
    }
    assert!(count > 10, "only {count} links were found");
}

#[test]
fn the_summary_names_every_chapter_once() {
    let docs = root().join("docs");
    let summary = docs.join("SUMMARY.md");
    let named = links(&read(&summary));
    let listed: BTreeSet<PathBuf> = named.iter().map(|target| docs.join(target)).collect();
    assert_eq!(listed.len(), named.len(), "a chapter is named twice");
    let there: BTreeSet<PathBuf> = pages(&docs).into_iter().filter(|page| *page != summary).collect();
    assert_eq!(listed, there);
}

#[test]
fn every_option_that_is_told_of_exists() {
    let folder = root().join("apps/src/arguments");
    let arguments: String = fs::read_dir(folder)
        .unwrap()
        .map(|file| read(&file.unwrap().path()))
        .collect();
    // Of cargo, which runs the command; of clap, which adds it to every command; of prlimit and Docker.
    let others = [
        "release", "test", "help", "version", "memlock", "pid", "device", "ulimit",
    ];
    let mut count = 0;
    for chapter in [
        "command.md",
        "tutorial.md",
        "real-nics.md",
        "network.md",
        "cables.md",
        "bench.md",
    ] {
        let text = read(&root().join("docs").join(chapter));
        for name in options(&text) {
            let field = format!("pub(crate) {}:", name.replace('-', "_"));
            assert!(
                others.contains(&name) || arguments.contains(&field),
                "{chapter} tells of --{name}, which is no option"
            );
            count += 1;
        }
    }
    assert!(count > 10, "only {count} options were found");
}

#[test]
fn links_in_code_are_none() {
    let text =
        "[a](a.md#part) `[b](b.md)` [c](https://example.org/c.md) [d](#d)\n```\n[e](e.md)\n```\n[f](f.md)";
    assert_eq!(links(text), ["a.md", "f.md"]);
}
