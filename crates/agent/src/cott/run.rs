//! A teacher over a file of questions: one file for each question as soon as it is answered, so that a killed run loses
//! the question it was at and nothing else. Records that are there are not made again; failures are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use firsthand_base::Generate;
use serde_json::{Value, json};

use super::export::write;
use super::observations::{Observations, Seeing};
use super::questions::Asked;
use super::record::{Failure, Record};
use crate::investigate::{Manner, investigate};
use crate::tool::Tools;
use crate::{Error, Over, Result, Said, Seeker};

/// Whoever teaches, one question at a time.
pub trait Teacher: Send {
    /// Made ready for a question.
    fn ready(&mut self, asked: &Asked) -> &mut dyn Generate;
}

/// A model as a teacher: every question is alike to it.
pub struct ModelTeacher<G>(pub G);

impl<G: Generate + Send> Teacher for ModelTeacher<G> {
    fn ready(&mut self, _: &Asked) -> &mut dyn Generate {
        &mut self.0
    }
}

/// The searcher as a teacher that knows when what decides happened.
pub struct SeekerTeacher {
    /// The searcher.
    pub seeker: Seeker,
    /// Whether it leaves out which of several it looks for, but for one question in four, drawn by name.
    pub varies: bool,
}

impl Teacher for SeekerTeacher {
    fn ready(&mut self, asked: &Asked) -> &mut dyn Generate {
        self.seeker.target = asked.target;
        let name = format!("{}/{}", asked.question.wearer, asked.question.id);
        let drawn = blake3::hash(name.as_bytes()).as_bytes()[0];
        self.seeker.says_which = !self.varies || drawn.is_multiple_of(4);
        &mut self.seeker
    }
}

/// A run of a teacher in a folder.
pub struct Generation<'a> {
    /// Where its files are.
    pub folder: &'a Path,
    /// The tools.
    pub tools: Arc<dyn Tools>,
    /// How the teacher is asked.
    pub manner: &'a Manner,
    /// How much of its past it sees.
    pub observations: Observations,
    /// Who teaches, for the record of the run.
    pub teacher: &'a str,
}

/// What a question came to.
enum Outcome {
    Kept(Box<Record>),
    Failed(Failure),
}

impl Generation<'_> {
    /// Answers all questions that have no record yet, as many at once as there are teachers. `progress` hears how many are
    /// done; `false` stops. Gives the records and failures of all questions, in the order of the questions.
    pub fn run(
        &self,
        asked: &[Asked],
        teachers: &mut [Box<dyn Teacher + '_>],
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(Vec<Record>, Vec<Failure>)> {
        self.open()?;
        let mut outcomes: Vec<Option<Outcome>> = Vec::new();
        for one in asked {
            outcomes.push(self.read(one)?.map(|record| Outcome::Kept(Box::new(record))));
        }
        let left: Vec<usize> = (0..asked.len()).filter(|index| outcomes[*index].is_none()).collect();
        let mut done = asked.len() - left.len();
        let mut goes_on = progress(done);
        let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(!goes_on));
        let (sender, receiver) = channel();
        let mut trouble = None;
        std::thread::scope(|scope| {
            for teacher in teachers.iter_mut() {
                let (sender, next, stopped, left) = (sender.clone(), &next, &stopped, &left);
                scope.spawn(move || {
                    while !stopped.load(Ordering::SeqCst) {
                        let Some(&index) = left.get(next.fetch_add(1, Ordering::SeqCst)) else { break };
                        let outcome = self.one(&asked[index], &mut **teacher, stopped);
                        if sender.send((index, outcome)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            for (index, outcome) in receiver {
                match outcome {
                    Ok(Some(outcome)) => outcomes[index] = Some(outcome),
                    // Stopped in the middle: as if it had not begun.
                    Ok(None) => continue,
                    Err(error) => {
                        trouble.get_or_insert(error);
                        stopped.store(true, Ordering::SeqCst);
                    }
                }
                done += 1;
                goes_on = goes_on && progress(done);
                if !goes_on {
                    stopped.store(true, Ordering::SeqCst);
                }
            }
        });
        if let Some(error) = trouble {
            return Err(error);
        }
        let (mut records, mut failures) = (Vec::new(), Vec::new());
        for outcome in outcomes.into_iter().flatten() {
            match outcome {
                Outcome::Kept(record) => records.push(*record),
                Outcome::Failed(failure) => failures.push(failure),
            }
        }
        Ok((records, failures))
    }

    /// Answers one question and writes what came of it; `None` when it was stopped.
    fn one(&self, asked: &Asked, teacher: &mut dyn Teacher, stopped: &AtomicBool) -> Result<Option<Outcome>> {
        let mut seeing = Seeing { teacher: teacher.ready(asked), mode: self.observations };
        let goes_on = || !stopped.load(Ordering::SeqCst);
        let trace =
            investigate(asked.question.clone(), &self.tools, &mut seeing, self.manner, &mut |_| goes_on())?;
        let failed = self.path("errors", asked);
        match &trace.end {
            Said::Over(Over::Broken(_)) if !goes_on() => Ok(None),
            Said::Over(Over::Broken(reason)) => {
                let failure = Failure {
                    id: asked.question.id.clone(),
                    identity: asked.question.wearer.clone(),
                    prompt: asked.question.prompt(),
                    error: reason.clone(),
                    step: trace.turns.len(),
                };
                save(&failed, &json!(failure))?;
                Ok(Some(Outcome::Failed(failure)))
            }
            _ => {
                let record = Record::of(asked, trace);
                save(&self.path("raw", asked), &json!(record))?;
                if failed.exists() {
                    fs_err::remove_file(&failed)?;
                }
                Ok(Some(Outcome::Kept(Box::new(record))))
            }
        }
    }

    /// The record of a question that an earlier run made.
    fn read(&self, asked: &Asked) -> Result<Option<Record>> {
        let path = self.path("raw", asked);
        if !path.exists() {
            return Ok(None);
        }
        let bad = |reason: String| Error::File {
            path: path.display().to_string(),
            reason,
            remedy: "delete the file and run again, or name another folder",
        };
        let text = fs_err::read_to_string(&path)?;
        let record: Record = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        match record.trace.question == asked.question {
            true => Ok(Some(record)),
            false => Err(bad(format!("it answers another question than {} of the question file", record.id))),
        }
    }

    fn path(&self, kind: &str, asked: &Asked) -> PathBuf {
        let Asked { question, .. } = asked;
        self.folder.join(kind).join(plain(&question.wearer)).join(format!("{}.json", plain(&question.id)))
    }

    /// Makes the folder, or finds that it is one of the same run.
    fn open(&self) -> Result<()> {
        let manner = self.manner;
        let settings = json!({
            "teacher": self.teacher,
            "observations": self.observations.name(),
            "prompt": manner.prompt,
            "budgets": manner.budgets,
            "sampling": manner.sampling,
            "turn_tokens": manner.turn_tokens,
            "tools": self.tools.descriptions(),
        });
        let path = self.folder.join("run.json");
        fs_err::create_dir_all(self.folder)?;
        if !path.exists() {
            return save(&path, &settings);
        }
        let before: Value = serde_json::from_str(&fs_err::read_to_string(&path)?).unwrap_or_default();
        let names = settings.as_object().into_iter().flat_map(|all| all.keys());
        let differs: Vec<&str> =
            names.filter(|name| before[*name] != settings[*name]).map(String::as_str).collect();
        match differs.is_empty() {
            true => Ok(()),
            false => Err(Error::File {
                path: path.display().to_string(),
                reason: format!("the run in this folder had other {}", differs.join(", ")),
                remedy: "give the same settings, or another folder",
            }),
        }
    }
}

fn save(path: &Path, value: &Value) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder)?;
    }
    write(path, format!("{value:#}\n").as_bytes())
}

/// A name as a file name: letters, digits, `_` and `-` as they are, any other byte in hexadecimal.
fn plain(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => char::from(byte).to_string(),
        byte => format!("%{byte:02x}"),
    };
    name.bytes().map(byte).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
