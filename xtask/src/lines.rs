//! How large the rooms are. A report to argue over, not a gate.

use std::path::{Path, PathBuf};

use anyhow::Result;

pub(crate) fn report() -> Result<()> {
    let mut rooms: Vec<(String, usize, usize)> = Vec::new();
    let mut files: Vec<(usize, PathBuf)> = Vec::new();
    let crates = crate::root().join("crates");
    for entry in fs_err::read_dir(&crates)? {
        let room = entry?.path();
        let before = files.len();
        collect(&room, &mut files)?;
        let lines = files[before..].iter().map(|(count, _)| count).sum();
        rooms.push((
            room.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            files.len() - before,
            lines,
        ));
    }
    rooms.sort();
    files.sort();
    let mut text = String::new();
    for (room, count, lines) in &rooms {
        text += &format!("{room:<12} {count:>3} files {lines:>6} lines\n");
    }
    for (lines, path) in files.iter().rev().take(8) {
        let shown = path.strip_prefix(crate::root()).unwrap_or(path);
        text += &format!("{lines:>6} {}\n", shown.display());
    }
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<(usize, PathBuf)>) -> Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push((fs_err::read_to_string(&path)?.lines().count(), path));
        }
    }
    Ok(())
}
