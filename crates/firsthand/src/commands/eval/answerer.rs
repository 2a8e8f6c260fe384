//! Who answers the questions of `eval NAME...`: a checkpoint on this machine, many sequences in one engine, or a served
//! model, many requests at the same time.

use std::cell::RefCell;

use anyhow::Result;
use firsthand_base::{Manifest, VideoPart};
use firsthand_engine::{Answer, EngineOptions, Local, Request};
use firsthand_input::{Family, GenerationDefaults, Renderer};
use firsthand_media::{Opener, SizeRule};
use firsthand_model::ModelRunner;
use firsthand_tasks::runner::{self, Ask, Plan, Run, Said};

use super::endpoint::Endpoint;
use crate::progress::{Progress, Unit};
use crate::session::{STEP_TOKENS, Session};
use crate::showing;

/// A checkpoint or a served model.
pub(super) enum Answerer {
    Here(Box<Session>),
    There(Box<Endpoint>),
}

impl Answerer {
    /// How it samples where no flag says so.
    pub(super) fn defaults(&self) -> GenerationDefaults {
        match self {
            Answerer::Here(session) => session.renderer.generation_defaults().clone(),
            Answerer::There(_) => GenerationDefaults::default(),
        }
    }

    /// What is known of every answer.
    pub(super) fn manifest(&self) -> &Manifest {
        match self {
            Answerer::Here(session) => &session.manifest,
            Answerer::There(endpoint) => endpoint.manifest(),
        }
    }

    /// Whose habit boxes follow; what is served counts pixels of the pictures it gets.
    pub(super) fn family(&self) -> Family {
        match self {
            Answerer::Here(session) => session.renderer.family(),
            Answerer::There(_) => Family::Qwen25Vl,
        }
    }

    /// Asks what is left, `parallel` questions at the same time.
    pub(super) fn answer<'a>(
        self,
        mut run: Run<'a>,
        plan: &Plan,
        parallel: usize,
        opener: &Opener,
    ) -> Result<Run<'a>> {
        // What is asked under several settings is decoded in one pass.
        let prepare = |videos: &[VideoPart], rule: &SizeRule| {
            opener.prepare(&videos.iter().collect::<Vec<_>>(), rule);
        };
        match self {
            Answerer::There(endpoint) => {
                let prepare = |videos: &[VideoPart]| prepare(videos, &showing::sizes());
                let mut models = vec![*endpoint; parallel];
                let bar = bar(&run);
                let mut done = run.progress().done;
                runner::answer_all(&mut run, plan, &mut models, &prepare, &mut |progress| {
                    bar.add((progress.done - done) as u64);
                    done = progress.done;
                    true
                })?;
                Ok(run)
            }
            // A run that is complete needs no weights.
            Answerer::Here(session) => match run.next_ask()? {
                Some(first) => here(*session, run, first, plan, parallel, &prepare),
                None => Ok(run),
            },
        }
    }
}

fn bar(run: &Run<'_>) -> Progress {
    let bar = Progress::new("asking", run.progress().total as u64, &Unit::Things("rows"));
    bar.skip(run.progress().done as u64);
    bar
}

/// Loads the weights and feeds the engine.
fn here<'a>(
    session: Session,
    run: Run<'a>,
    first: Ask,
    plan: &Plan,
    parallel: usize,
    prepare: &dyn Fn(&[VideoPart], &SizeRule),
) -> Result<Run<'a>> {
    let (renderer, runner) = session.load_for_many(parallel)?;
    let step = EngineOptions {
        step_tokens: STEP_TOKENS.max(parallel),
        max_sequences: parallel,
        ..EngineOptions::default()
    };
    let sizes = renderer.sizes().copied();
    let mut local = Local::new(runner, renderer, step)?;
    let prepare = |videos: &[VideoPart]| {
        if let Some(rule) = &sizes {
            prepare(videos, rule);
        }
    };
    feed(&mut local, run, first, plan, &prepare)
}

/// Feeds the engine and lets the run write each result as it comes.
fn feed<'a>(
    local: &mut Local<ModelRunner, Renderer>,
    run: Run<'a>,
    first: Ask,
    plan: &Plan,
    prepare: &dyn Fn(&[VideoPart]),
) -> Result<Run<'a>> {
    let bar = bar(&run);
    let run = RefCell::new(run);
    let first = RefCell::new(Some(first));
    // Questions in the order the engine took them; the engine numbers them so.
    let taken: RefCell<Vec<Option<Ask>>> = RefCell::default();
    let trouble: RefCell<Option<firsthand_tasks::Error>> = RefCell::default();
    let requests = std::iter::from_fn(|| {
        if trouble.borrow().is_some() {
            return None;
        }
        let before = run.borrow().progress().done;
        let next = match first.take() {
            Some(ask) => Ok(Some(ask)),
            None => run.borrow_mut().next_ask(),
        };
        bar.add((run.borrow().progress().done - before) as u64);
        match next {
            Ok(ask) => {
                let ask = ask?;
                prepare(&run.borrow().videos(&ask));
                let conversation = ask.conversation.clone();
                taken.borrow_mut().push(Some(ask));
                Some(Request { conversation, sampling: plan.sampling.clone(), stop: plan.stop.clone() })
            }
            Err(error) => {
                trouble.replace(Some(error));
                None
            }
        }
    });
    local.batch(requests, &mut |index, outcome| {
        let ask = taken.borrow_mut()[index].take().expect("a question is answered once");
        let said = outcome.map(|Answer { generation, timing }| {
            let seconds = timing.render + timing.encode + timing.prefill + timing.decode;
            Said { generation, seconds: seconds.as_secs_f64() }
        });
        bar.add(1);
        let written = run.borrow_mut().record(ask, said);
        written.map_err(|error| trouble.replace(Some(error))).is_ok()
    })?;
    match trouble.into_inner() {
        Some(error) => Err(error.into()),
        None => Ok(run.into_inner()),
    }
}
