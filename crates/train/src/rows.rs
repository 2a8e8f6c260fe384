//! What is known of a run's rows before the first step: which cannot be read, which are too long to be asked, and which
//! words a new checkpoint needs.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use firsthand_base::{Begun, Part, Report, Unit};
use firsthand_input::Renderer;

use crate::data::{BadRow, Dataset, RowId, SourceConfig};
use crate::error::{Result, TrainError};
use crate::example::{Asking, with_tools};
use crate::init::pieces;
use crate::recipe::{OnBadRow, Recipe};
use crate::rl::recipe::HeldOutRecipe;
use crate::run::{Run, data_error};
use crate::vision_words;

impl Run {
    /// Everything that rows come from, held-out questions among them.
    pub(crate) fn datasets(&self) -> impl Iterator<Item = &Arc<Dataset>> {
        self.data.iter().flatten().map(|(dataset, _)| dataset).chain(self.held_out.iter().flatten())
    }

    /// Rows that cannot be read, each once.
    pub(crate) fn skipped(&self) -> Vec<BadRow> {
        let mut known = HashSet::new();
        let all = self.datasets().flat_map(|dataset| dataset.skipped());
        all.filter(|bad| known.insert((&bad.source_name, &bad.file, bad.at))).cloned().collect()
    }

    /// Ends a run that is to stop at rows that cannot be used.
    pub(crate) fn refuse(&self, bad: &[BadRow]) -> Result<()> {
        match (self.recipe.data.on_bad_row, bad.first()) {
            (OnBadRow::Stop, Some(bad)) => {
                let remedy = "repair the row, or set data.on_bad_row = \"skip\"";
                Err(TrainError::Data(format!("{bad}; {remedy}")))
            }
            _ => Ok(()),
        }
    }

    /// Finds rows whose words alone are too long a prompt, and rows that tools cannot answer, before anything runs. They
    /// are left out; where nothing else is there, the run is refused. Media are counted when they are opened.
    pub(crate) fn check_prompts(&self, renderer: &Renderer) -> Result<Vec<BadRow>> {
        let mut long = Vec::new();
        for (at, phase) in self.recipe.phases.iter().enumerate() {
            let Some(rl) = &phase.rl else { continue };
            if self.sampler.is_some() && rl.tools.is_some() {
                return Err(TrainError::Setup(
                    "rl.tools: a served policy samples whole answers and cannot stop to call tools; leave --rollouts or tools out".into(),
                ));
            }
            let asking = self.asking(at, renderer)?;
            let learned = self.data[at].iter().map(|(dataset, _)| dataset);
            for dataset in learned.chain(&self.held_out[at]) {
                let bad = self.bad_prompts(dataset, &asking, renderer)?;
                if let (true, Some(first)) = (bad.len() == dataset.len(), bad.first()) {
                    return Err(TrainError::Data(format!(
                        "none of {} rows can be used; the first: {first}",
                        bad.len()
                    )));
                }
                long.extend(bad);
            }
        }
        self.refuse(&long)?;
        Ok(long)
    }

    /// The rows of a dataset that cannot be asked.
    fn bad_prompts(&self, dataset: &Dataset, asking: &Asking, renderer: &Renderer) -> Result<Vec<BadRow>> {
        let unit = Unit::Things("rows");
        let checking = Begun::new(&*self.report, "checking prompts", Some(dataset.len() as u64), unit);
        let mut bad = Vec::new();
        let sources: Vec<usize> = dataset.sources().map(|(_, rows)| rows).collect();
        for (source, rows) in sources.into_iter().enumerate() {
            for index in 0..rows {
                let row = dataset.row(RowId { source, index }).map_err(data_error)?;
                let check = || {
                    let row = with_tools(renderer, &row).map_err(|error| error.to_string())?;
                    let conversation = asking.conversation(&row)?;
                    let long = renderer.longer_than(&conversation, asking.most_tokens);
                    let long = long.map_err(|error| error.to_string())?;
                    long.map_or(Ok(()), |tokens| asking.check_length(tokens))
                };
                if let Err::<(), String>(reason) = check() {
                    bad.push(row.blame(reason));
                }
                checking.advance(1);
            }
        }
        Ok(bad)
    }

    /// The pieces of all texts of all sources and of the words that vision towers are taught, sorted.
    pub(crate) fn words(&self) -> Result<Vec<String>> {
        let mut words = BTreeSet::new();
        let unweighted = |source: &SourceConfig| SourceConfig { weight: None, ..source.clone() };
        let sources: Vec<SourceConfig> = self.recipe.sources.iter().map(unweighted).collect();
        if !sources.is_empty() {
            let dataset = open_rows(&sources, &*self.report)?;
            let rows = dataset.sources().enumerate();
            for (source, rows) in rows.map(|(source, (_, rows))| (source, rows)).collect::<Vec<_>>() {
                for index in 0..rows {
                    let row = dataset.row(RowId { source, index }).map_err(data_error)?;
                    words.extend(row.tools.iter().flat_map(|text| pieces(text)).map(str::to_owned));
                    for part in row.conversation.parts() {
                        if let Part::Text(text) = part {
                            words.extend(pieces(text).into_iter().map(str::to_owned));
                        }
                    }
                }
            }
        }
        words.extend(vision_words::words().into_iter().flatten().map(|word| format!(" {word}")));
        Ok(words.into_iter().collect())
    }
}

/// Opens sources, and tells how far it is.
pub(crate) fn open_rows(sources: &[SourceConfig], report: &dyn Report) -> Result<Arc<Dataset>> {
    Dataset::open_and_tell(sources, report).map(Arc::new).map_err(data_error)
}

/// The source that a phase asks and never learns from.
pub(crate) fn held_out_source(recipe: &Recipe, wanted: &HeldOutRecipe) -> SourceConfig {
    let source = recipe.sources.iter().find(|source| source.name == wanted.source);
    SourceConfig { weight: None, ..source.expect("the recipe was checked").clone() }
}
