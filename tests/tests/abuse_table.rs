//! The table of what could be tried (`tests/faults.md`): each line names tests that are there.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What the sources hold that a line may name.
#[derive(Default)]
struct Sources {
    /// Files and folders, from the project's folder on.
    paths: BTreeSet<String>,
    /// Names of tests.
    tests: BTreeSet<String>,
    /// Names of modules and of files.
    modules: BTreeSet<String>,
}

impl Sources {
    fn read(&mut self, root: &Path, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name == "target" || name == "corpus" {
                continue;
            }
            self.paths.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            if path.is_dir() {
                self.modules.insert(name);
                self.read(root, &path);
            } else if let Some(stem) = name.strip_suffix(".rs") {
                self.modules.insert(stem.to_owned());
                self.source(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    fn source(&mut self, text: &str) {
        let mut is_test = false;
        let mut in_replays = false;
        for line in text.lines().map(str::trim) {
            in_replays = (in_replays || line == "replays! {") && line != "}";
            if let Some((name, _)) = line.split_once(": \"").filter(|_| in_replays) {
                self.tests.insert(name.to_owned());
            }
            if let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.split([' ', ';']).next()) {
                self.modules.insert(name.to_owned());
            }
            let name = line.strip_prefix("async fn ").or(line.strip_prefix("fn "));
            if let Some(name) = name.and_then(|rest| rest.split(['(', '<']).next()) {
                if is_test {
                    self.tests.insert(name.to_owned());
                }
                is_test = false;
            }
            is_test |= line.starts_with("#[") && line.contains("test") && !line.contains("cfg");
        }
    }

    /// What a word of the last column names and is not there.
    fn lacks(&self, word: &str) -> bool {
        let bare = word.trim_matches('`');
        if let Some(start) = bare.strip_suffix('…') {
            let inside = start.strip_prefix('…');
            let fits = |test: &String| inside.map_or_else(|| test.starts_with(start), |part| test.contains(part));
            return !self.tests.iter().any(fits);
        }
        if bare.contains('/') {
            return !["", "tests/", "hub/"].iter().any(|above| self.paths.contains(&format!("{above}{bare}")));
        }
        let is_name = word.contains('`') || bare.contains('_') || bare.contains("::");
        is_name
            && bare
                .split("::")
                .any(|part| !self.modules.contains(part) && !self.tests.contains(part) && !is_crate(part))
    }
}

fn is_crate(name: &str) -> bool {
    ["agent", "hub", "card", "protocol"].contains(&name)
}

#[test]
fn each_line_of_the_table_of_abuse_names_tests_that_are_there() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let mut sources = Sources::default();
    for part in ["protocol", "card", "agent", "hub", "tests"] {
        sources.read(&root, &root.join(part));
    }
    assert!(sources.tests.len() > 500, "only {} tests were found", sources.tests.len());
    for (word, is_lacking) in [
        ("`tests/sale.rs`", false),
        ("`tests/sail.rs`", true),
        ("one_request_is_one_debit…", false),
        ("one_request_is_two_debits…", true),
        ("`histories`", false),
        ("`mysteries`", true),
        ("core::authorize", false),
        ("core::authorise", true),
    ] {
        assert_eq!(sources.lacks(word), is_lacking, "{word}");
    }

    let table = std::fs::read_to_string(root.join("tests/faults.md")).unwrap();
    let mut wrong = Vec::new();
    let mut lines = 0_usize;
    for (line, number) in table.lines().zip(1..).filter(|(line, _)| line.starts_with('|')).skip(2) {
        lines = lines.saturating_add(1);
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let shown_by: Vec<&str> = cells.last().unwrap().split([' ', ',']).filter(|word| !word.is_empty()).collect();
        if cells.len() != 4 || cells.iter().any(|cell| cell.is_empty()) {
            wrong.push(format!("line {number} has not four cells that say something"));
        }
        let lacking = shown_by.iter().filter(|word| sources.lacks(word));
        wrong.extend(lacking.map(|word| format!("line {number} names {word}, which is not there")));
    }
    assert!(lines > 100, "only {lines} lines were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
