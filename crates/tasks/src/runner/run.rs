//! A run in progress: gives out questions one after the other, takes what was said, and writes a row for each. Items
//! are read as they are needed; a question that cannot be put is a failed row, and the rest goes on.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use firsthand_base::{
    Conversation, GenerateError, Generation, Manifest, Part, Sampling, VideoPart, VideoSource,
};

use super::journal::{Journal, read};
use super::mark::{View, fits, mark};
use super::plan::{Frames, Outside, Plan, Shown};
use super::record::{Record, Reply};
use super::results::Results;
use super::showing;
use super::{RESULTS, TABLE, write_whole};
use crate::benchmark::{BadRow, Benchmark, Item, Items, OpenTable};
use crate::{Error, Kind, Result, Style};

/// What rows call the frames of a question about nothing.
const NONE: &str = "none";

/// A question to put to a model.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What to say and show.
    pub conversation: Conversation,
    benchmark: usize,
    item: Item,
    record: Record,
}

/// What a model said.
#[derive(Clone, Debug)]
pub struct Said {
    /// The generation.
    pub generation: Generation,
    /// Seconds it took.
    pub seconds: f64,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows there will be.
    pub total: usize,
    /// Rows that are there.
    pub done: usize,
    /// Of these, rows that an earlier run left.
    pub known: usize,
    /// Rows of this run that failed.
    pub failed: usize,
}

/// A run in progress.
pub struct Run<'a> {
    plan: &'a Plan,
    outside: &'a dyn Outside,
    tables: Option<OpenTable<'a>>,
    journal: Journal,
    /// Benchmark now read, its items, and how many were taken.
    now: usize,
    items: Option<Items<'a>>,
    taken: usize,
    waiting: VecDeque<(usize, Item, Option<&'a Frames>, Shown)>,
    bad: Vec<(String, BadRow)>,
    progress: Progress,
}

impl<'a> Run<'a> {
    /// Begins a run in a folder, or goes on with the one that is there. `made_by` says what shapes the rows; a folder
    /// with another such manifest is refused, its options `limit`, `blind` and `shuffled` aside. Items are counted here, once.
    pub fn open(
        folder: &Path,
        plan: &'a Plan,
        made_by: &Manifest,
        outside: &'a dyn Outside,
        tables: Option<OpenTable<'a>>,
    ) -> Result<Run<'a>> {
        let mut names: Vec<&str> =
            plan.benchmarks.iter().map(|(benchmark, _)| benchmark.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::Run(format!("two benchmarks are called {}\nhint: rename one", twice[0])));
        }
        plan.benchmarks.iter().try_for_each(|(benchmark, _)| check_metrics(benchmark))?;
        let journal = Journal::open(folder, made_by, plan.retry_failed)?;
        let mut run = Run {
            plan,
            outside,
            tables,
            journal,
            now: 0,
            items: None,
            taken: 0,
            waiting: VecDeque::new(),
            bad: Vec::new(),
            progress: Progress::default(),
        };
        while run.fill() {
            run.progress.total += run.waiting.len();
            run.waiting.clear();
        }
        (run.now, run.items, run.taken) = (0, None, 0);
        run.bad.clear();
        Ok(run)
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// The next question that no row answers yet. An error is the end: the rows cannot be written.
    pub fn next_ask(&mut self) -> Result<Option<Ask>> {
        loop {
            let Some((benchmark, item, frames, shown)) = self.waiting.pop_front() else {
                if !self.fill() {
                    return Ok(None);
                }
                continue;
            };
            let of = &self.plan.benchmarks[benchmark].0;
            let name = frames.map_or(NONE, |frames| frames.name.as_str());
            let record = Record::of(&of.name, &item, of.metric(item.kind), name, shown);
            if self.journal.has(&record.key()) {
                self.progress.known += 1;
                self.progress.done += 1;
                continue;
            }
            match self.conversation(benchmark, &item, frames, shown) {
                Ok(conversation) => return Ok(Some(Ask { conversation, benchmark, item, record })),
                Err(reason) => self.write(Record { error: Some(reason), ..record })?,
            }
        }
    }

    /// Video files of a question and of the next ones about its item, each way of choosing frames once: what one pass
    /// over a file can decode for all of them.
    pub fn videos(&self, ask: &Ask) -> Vec<VideoPart> {
        let media = |(_, item, frames, shown): &(usize, Item, Option<&Frames>, Shown)| {
            showing::media(item, &frames.as_ref()?.sampling, self.plan.limits, *shown).ok()
        };
        let next = self.waiting.iter().filter_map(media).flatten();
        let mut all: Vec<VideoPart> = Vec::new();
        for part in ask.conversation.parts().cloned().chain(next) {
            if let Part::Video(video) = part
                && matches!(video.source, VideoSource::File(_))
                && !all.contains(&video)
            {
                all.push(video);
            }
        }
        all
    }

    /// Takes what was said, or why nothing was.
    pub fn record(&mut self, ask: Ask, outcome: std::result::Result<Said, GenerateError>) -> Result<()> {
        let Ask { benchmark, item, mut record, .. } = ask;
        match outcome {
            Ok(said) => match self.reply(benchmark, &item, said) {
                Ok(reply) => record.reply = Some(reply),
                Err(reason) => record.error = Some(reason),
            },
            Err(error) => record.error = Some(one_line(&error.to_string())),
        }
        self.write(record)
    }

    /// Computes the figures from all rows of the folder and writes them beside the rows.
    pub fn finish(self) -> Result<Results> {
        let folder = self.journal.folder().to_owned();
        let recorded = read(&folder)?;
        let benchmarks: BTreeMap<&str, &Benchmark> =
            self.plan.benchmarks.iter().map(|(benchmark, _)| (benchmark.name.as_str(), benchmark)).collect();
        let results = Results::of(recorded.rows, &benchmarks, &self.bad);
        let text = serde_json::to_string_pretty(&results).expect("figures are JSON");
        write_whole(&folder.join(RESULTS), &(text + "\n"))?;
        write_whole(&folder.join(TABLE), &results.to_markdown())?;
        Ok(results)
    }

    /// Puts the questions of the next item into the queue; false at the end of the last benchmark.
    fn fill(&mut self) -> bool {
        let plan = self.plan;
        while let Some((benchmark, folder)) = plan.benchmarks.get(self.now) {
            let tables = self.tables;
            let items = self.items.get_or_insert_with(|| benchmark.items(folder, tables));
            let next = if plan.limit.is_some_and(|limit| self.taken >= limit) { None } else { items.next() };
            match next {
                Some(Ok(item)) => {
                    self.taken += 1;
                    self.queue(item);
                    return true;
                }
                Some(Err(bad)) => self.bad.push((benchmark.name.clone(), bad)),
                None => (self.now, self.items, self.taken) = (self.now + 1, None, 0),
            }
        }
        false
    }

    fn queue(&mut self, item: Item) {
        let plan = self.plan;
        let turns = match (plan.circular, item.kind) {
            (true, Kind::MultipleChoice) => {
                (0..item.options.len()).filter_map(|by| item.turned(by)).collect()
            }
            _ => vec![item],
        };
        for item in turns {
            // Settings side by side, so that what is decoded for one is at hand for the next.
            for frames in &plan.frames {
                self.waiting.push_back((self.now, item.clone(), Some(frames), Shown::Media));
                if plan.shuffled && showing::has(&item, Shown::Shuffled) {
                    self.waiting.push_back((self.now, item.clone(), Some(frames), Shown::Shuffled));
                }
            }
            if plan.blind {
                self.waiting.push_back((self.now, item, None, Shown::Blind));
            }
        }
    }

    fn style(&self, benchmark: &Benchmark) -> Style {
        self.plan.style.or(benchmark.prompt.style).unwrap_or_default()
    }

    fn conversation(
        &self,
        benchmark: usize,
        item: &Item,
        frames: Option<&Frames>,
        shown: Shown,
    ) -> std::result::Result<Conversation, String> {
        let benchmark = &self.plan.benchmarks[benchmark].0;
        let size = match (self.style(benchmark), item.media.first()) {
            (style, Some(medium)) if style.states_size() => Some(self.outside.size(&medium.path)?),
            _ => None,
        };
        let prompt =
            item.prompt(benchmark, self.plan.style, size).map_err(|error| one_line(&error.to_string()))?;
        let sampling = frames.map_or_else(Sampling::default, |frames| frames.sampling.clone());
        showing::conversation(item, prompt, &sampling, self.plan.limits, shown)
    }

    fn reply(&self, benchmark: usize, item: &Item, said: Said) -> std::result::Result<Reply, String> {
        let benchmark = &self.plan.benchmarks[benchmark].0;
        let Said { generation, seconds } = said;
        let view = match (item.kind, item.media.first()) {
            (Kind::Box, Some(medium)) => {
                let original = self.outside.size(&medium.path)?;
                let shown = generation.media.first().map_or(original, |seen| seen.size);
                let frame = benchmark.answer.coordinates.unwrap_or(crate::benchmark::Frame::Pixels);
                let said = self.outside.coordinates(self.style(benchmark), original, shown);
                Some(View { said, gold: frame.coordinates(original) })
            }
            _ => None,
        };
        let mark = mark(benchmark, item, &generation.text, view, self.outside);
        Ok(Reply {
            parsed: mark.parsed,
            score: mark.score,
            unread: mark.unread,
            also: mark.also,
            unjudged: mark.unjudged,
            prompt: generation.prompt,
            text: generation.text,
            finish: generation.finish,
            media: generation.media,
            prompt_tokens: generation.prompt_tokens,
            new_tokens: generation.new_tokens,
            seconds,
        })
    }

    fn write(&mut self, record: Record) -> Result<()> {
        self.progress.done += 1;
        self.progress.failed += usize::from(record.error.is_some());
        self.journal.write(&record)
    }
}

/// Metrics that cannot score what they are named for are found before anything is asked.
fn check_metrics(benchmark: &Benchmark) -> Result<()> {
    let named = benchmark.metric.iter().map(|(kind, metric)| (*kind, *metric));
    let further =
        benchmark.also.iter().flat_map(|(kind, metrics)| metrics.iter().map(|metric| (*kind, *metric)));
    for (kind, metric) in named.chain(further) {
        if !fits(metric, kind) {
            let metric = serde_json::to_value(metric).expect("a name");
            let what = format!("metric {metric} cannot score answers of type {}", kind.name());
            return Err(Error::Benchmark { name: benchmark.name.clone(), what });
        }
    }
    Ok(())
}

/// An error and its remedy on one line.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}
