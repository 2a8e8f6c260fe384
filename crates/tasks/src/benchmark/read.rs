//! Items of a benchmark's folder, one at a time. What cannot be used is named by file and line, and the rest goes on:
//! files that are not there, rows that are no JSON, missing keys, empty options, gold answers that are no option, ids
//! that occurred before.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use firsthand_base::json;
use serde_json::Value;

use super::description::{Benchmark, Files, Gold, Group, Options};
use super::expression::{Reason, Row, scalar};
use super::item::Item;
use super::row::{Place, read};
use super::rows::{ENDINGS, OpenTable, Rows, open};

/// What cannot be used. One line: where, what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {reason}", file.display(), if *line == 0 { String::new() } else { format!(":{line}") })]
pub struct BadRow {
    /// The file.
    pub file: PathBuf,
    /// Where in the file, from 1; 0 is the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

/// Items of a folder; see [`Benchmark::items`].
pub struct Items<'a> {
    benchmark: &'a Benchmark,
    dir: PathBuf,
    tables: Option<OpenTable<'a>>,
    columns: BTreeSet<String>,
    files: VecDeque<Result<(Rc<Path>, &'a Files), BadRow>>,
    now: Option<(Rc<Path>, &'a Files, Rows)>,
    joined: HashMap<String, Value>,
    /// Where each id was seen first.
    seen: HashMap<String, (Rc<Path>, usize)>,
    /// Rows that the description leaves out.
    pub left_out: usize,
}

impl Benchmark {
    /// The items of a folder. `tables` opens parquet files; without it they cannot be used.
    pub fn items<'a>(&'a self, dir: &Path, tables: Option<OpenTable<'a>>) -> Items<'a> {
        let mut files = VecDeque::new();
        for listed in &self.files {
            match matching(dir, &listed.path) {
                Ok(found) if found.is_empty() && !listed.optional => {
                    let reason = format!("not there; expected: {}", self.source.layout.trim());
                    files.push_back(Err(BadRow { file: dir.join(&listed.path), line: 0, reason }));
                }
                Ok(found) => files.extend(found.into_iter().map(|path| Ok((Rc::from(path), listed)))),
                Err(reason) => files.push_back(Err(BadRow { file: dir.to_owned(), line: 0, reason })),
            }
        }
        if files.is_empty() {
            let reason = format!("nothing there; expected: {}", self.source.layout.trim());
            files.push_back(Err(BadRow { file: dir.to_owned(), line: 0, reason }));
        }
        let mut joined = HashMap::new();
        if let Some(join) = &self.join {
            let file = dir.join(&join.path);
            match read_object(&file) {
                Ok(values) => joined = values,
                Err(reason) => {
                    files.clear();
                    files.push_back(Err(BadRow { file, line: 0, reason }));
                }
            }
        }
        Items {
            benchmark: self,
            dir: dir.to_owned(),
            tables,
            columns: self.columns(),
            files,
            now: None,
            joined,
            seen: HashMap::new(),
            left_out: 0,
        }
    }

    /// The files with rows, answers and descriptions that are there.
    pub fn annotation_files(&self, dir: &Path) -> Vec<PathBuf> {
        let listed = self.files.iter().flat_map(|files| matching(dir, &files.path).unwrap_or_default());
        let joined = self.join.iter().map(|join| dir.join(&join.path)).filter(|path| path.is_file());
        listed.chain(joined).collect()
    }

    /// Names of the outermost keys that are looked at in rows.
    pub fn columns(&self) -> BTreeSet<String> {
        let item = &self.item;
        let mut all = vec![&item.id, &item.question, &self.answer.kind];
        all.extend([&item.cluster, &item.together, &item.asked_at].into_iter().flatten());
        match &item.options {
            Some(Options::Each(each)) => all.extend(each),
            Some(Options::List(list)) => all.push(list),
            Some(Options::Within(within)) => all.push(&within.text),
            None => {}
        }
        for media in &self.media {
            all.push(&media.path);
            all.extend([&media.kind, &media.start, &media.end].into_iter().flatten());
        }
        match &self.answer.gold {
            Gold::One(one) => all.push(one),
            Gold::Several(several) => all.extend(several),
        }
        for group in self.groups.values() {
            all.push(match group {
                Group::Named(named) => named,
                Group::Found(found) => &found.text,
            });
        }
        all.extend(&self.prompt.template);
        all.extend(self.join.iter().map(|join| &join.by));
        all.extend(self.judge.iter().flat_map(|judge| [&judge.before, &judge.after]));
        let first = |path: &'_ String| -> String { path.split('.').next().unwrap_or(path).to_owned() };
        let named = self.keep.keys().cloned().chain(self.answer.when.keys().map(first));
        all.into_iter().flat_map(|expression| expression.keys().map(str::to_owned)).chain(named).collect()
    }
}

impl Iterator for Items<'_> {
    type Item = Result<Item, BadRow>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((file, listed, rows)) = &mut self.now else {
                let (file, listed) = match self.files.pop_front()? {
                    Ok(next) => next,
                    Err(bad) => return Some(Err(bad)),
                };
                let columns: Vec<&str> = self.columns.iter().map(String::as_str).collect();
                let tables = self.tables.map(|open| (open, columns.as_slice()));
                let walk = listed.walk.as_ref().unwrap_or(&self.benchmark.walk);
                match open(&file, walk, tables) {
                    Ok(rows) => self.now = Some((file, listed, rows)),
                    Err(reason) => return Some(Err(BadRow { file: file.to_path_buf(), line: 0, reason })),
                }
                continue;
            };
            let (file, listed) = (file.clone(), *listed);
            let (line, row) = match rows.next() {
                Some(Ok((line, row))) => (line, Ok(row)),
                Some(Err((line, reason))) => (line, Err(reason)),
                None => {
                    self.now = None;
                    continue;
                }
            };
            match row.and_then(|row| self.item(&file, listed, line, row)) {
                Ok(Some(item)) => return Some(Ok(item)),
                Ok(None) => self.left_out += 1,
                Err(reason) => return Some(Err(BadRow { file: file.to_path_buf(), line, reason })),
            }
        }
    }
}

impl Items<'_> {
    /// The item of a row; `None` where the description leaves the row out.
    fn item(
        &mut self,
        file: &Rc<Path>,
        listed: &Files,
        line: usize,
        mut row: Row,
    ) -> Result<Option<Item>, Reason> {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        row.insert("file".to_owned(), Value::String(stem));
        row.insert("line".to_owned(), line.into());
        row.extend(listed.set.iter().map(|(key, value)| (key.clone(), Value::String(value.clone()))));
        for (key, values) in &self.benchmark.keep {
            let value = row.get(key).ok_or_else(|| format!("{key}: nothing there"))?;
            if !values.contains(&scalar(value, key)?) {
                return Ok(None);
            }
        }
        if let Some(join) = &self.benchmark.join {
            let Some(value) = self.joined.get(&join.by.text(&row)?) else { return Ok(None) };
            row.insert(join.key.clone(), value.clone());
        }
        let item = read(&Place { benchmark: self.benchmark, dir: &self.dir, file, line }, row)?;
        if let Some((first, at)) = self.seen.get(&item.id) {
            return Err(format!("the id {:?} is at {}:{at} already", item.id, first.display()));
        }
        self.seen.insert(item.id.clone(), (file.clone(), line));
        Ok(Some(item))
    }
}

fn read_object(file: &Path) -> Result<HashMap<String, Value>, Reason> {
    let bytes = fs_err::read(file).map_err(|error| error.to_string())?;
    json::read(&bytes).map_err(|fault| format!("expected a JSON object: {fault}"))
}

/// The files that a path with at most one `*` names, sorted; `.*` is any ending that can be read.
fn matching(dir: &Path, pattern: &str) -> Result<Vec<PathBuf>, Reason> {
    let (folder, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    let folder = dir.join(folder);
    let (name, any_ending) = match name.strip_suffix(".*") {
        Some(name) => (name, true),
        None => (name, false),
    };
    if !name.contains('*') && !any_ending {
        let path = folder.join(name);
        return Ok(if path.is_file() { vec![path] } else { Vec::new() });
    }
    let (before, after) = name.split_once('*').unwrap_or((name, ""));
    let fits = |path: &Path| {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = match any_ending {
            true => match file.rsplit_once('.') {
                Some((stem, ending)) if ENDINGS.contains(&ending) => stem.to_owned(),
                _ => return false,
            },
            false => file,
        };
        let exact = !name.contains('*');
        let middle = file.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        middle.is_some_and(|middle| !exact || middle.is_empty()) && path.is_file()
    };
    let entries = match fs_err::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let mut found: Vec<PathBuf> = paths.map_err(|error| error.to_string())?;
    found.retain(|path| fits(path));
    found.sort();
    Ok(found)
}
