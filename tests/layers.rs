//! Imports run one way: `wire` ← `storage`, `time`, `phy` ← `socket` ← `iface` ← `apps`.

use std::fs;
use std::path::{Path, PathBuf};

/// Each layer, and the ones that it must not know.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("wire", &["storage", "phy", "socket", "iface", "apps"]),
    ("storage", &["phy", "socket", "iface", "apps"]),
    ("phy", &["socket", "iface", "apps"]),
    ("socket", &["iface", "phy", "apps"]),
    ("iface", &["apps"]),
    // Applications know sockets and the set of them, not what carries their packets.
    ("apps", &["wire", "phy"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The layers that a source file names, comments and tests aside.
fn imports(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let names = lines.flat_map(|line| line.split("crate::").skip(1));
    names.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()).collect()
}

#[test]
fn no_import_runs_back() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut read = 0;
    for (layer, forbidden) in FORBIDDEN {
        let mut files = Vec::new();
        sources(&src.join(layer), &mut files);
        for file in files.iter().filter(|file| !file.components().any(|part| part.as_os_str() == "tests")) {
            read += 1;
            for name in imports(&fs::read_to_string(file).unwrap()) {
                assert!(!forbidden.contains(&name.as_str()), "{} imports {name}", file.display());
            }
        }
    }
    assert!(read > 40, "only {read} files were read");
}
