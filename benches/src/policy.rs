//! Our half of the race of policy optimization: whole steps of the shipped trainer, from prompts to moved weights.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use firsthand_base::Silent;
use firsthand_media::Opener;
use firsthand_train::metrics::Record;
use firsthand_train::{Outline, Recipe, Run, Watch};
use serde_json::{Value, json};

use crate::ours::peak_gib;

/// Samples of a prompt, prompts of a step, most tokens of a sample: as peer.py is told.
pub(crate) const SHAPE: [usize; 3] = [8, 4, 96];

/// When steps ended.
struct Clock(Rc<RefCell<Vec<Instant>>>);

impl Watch for Clock {
    fn begin(&mut self, _: &Outline) {
        self.0.borrow_mut().push(Instant::now());
    }
    fn note(&mut self, _: &str) {}
    fn step(&mut self, _: &Record) {
        self.0.borrow_mut().push(Instant::now());
    }
    fn saved(&mut self, _: &Path) {}
    fn stop(&self) -> bool {
        false
    }
}

/// Seconds of each sample of `count` steps after the first, and the most memory held.
pub(crate) fn rl(model: &str, rows: &str, matmul: &str, count: usize) -> Result<Value> {
    let [group, batch, tokens] = SHAPE;
    let folder = std::env::temp_dir().join(format!("firsthand-bench-rl-{}", std::process::id()));
    let recipe = format!(
        "output = {folder:?}\n[model]\nstart = {model:?}\nmatmul = {matmul:?}\ndtype = \"f32\"\n\
         [[source]]\nname = \"rows\"\nformat = \"messages\"\npath = {rows:?}\n[save]\nevery = 1000\n\
         [train]\nkind = \"rl\"\nsteps = {}\nbatch = {batch}\nlearning_rate = 1e-6\nrecompute = false\nclip = 1.0\n\
         [train.rl]\ngroup = {group}\nmax_tokens = {tokens}\nshow_every = 0\nkl = {{ weight = 0.04 }}\n\
         [[train.rl.reward]]\nname = \"egothinker-format\"\n",
        count + 1,
    );
    let recipe = Recipe::parse(&recipe).map_err(anyhow::Error::msg)?;
    let run = Run::open(recipe, Some(model.into()), Arc::new(Opener::default()), Arc::new(Silent))?;
    let times = Rc::new(RefCell::new(Vec::new()));
    run.train(&mut Clock(times.clone()))?;
    fs_err::remove_dir_all(folder)?;
    let seconds: Vec<f64> = times
        .borrow()
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64() / (group * batch) as f64)
        .collect();
    Ok(json!({ "sample": seconds[1..], "peak_mib": [peak_gib()? * 1024.0] }))
}
