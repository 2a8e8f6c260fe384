//! Answers a run's questions with anything that implements `Generate`: one model on this thread, or several (clients of
//! a server far away, most likely) at once.

use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Instant;

use firsthand_base::{Generate, GenerateError, VideoPart};

use super::plan::Plan;
use super::run::{Ask, Progress, Run, Said};
use crate::{Error, Result};

/// Asks everything that is left, as many questions at once as there are models. `prepare` hears, before a question is
/// put, of the videos that it and the next ones about its item show ([`Run::videos`]). `on_row` hears of every row;
/// returning false ends the asking, and what was asked already is still written.
pub fn answer_all<G: Generate + Send>(
    run: &mut Run<'_>,
    plan: &Plan,
    models: &mut [G],
    prepare: &dyn Fn(&[VideoPart]),
    on_row: &mut dyn FnMut(Progress) -> bool,
) -> Result<()> {
    if models.is_empty() {
        return Err(Error::Run("no model is given".to_owned()));
    }
    let most = models.len();
    let (questions, questioned) = mpsc::channel::<Ask>();
    let (answers, answered) = mpsc::channel();
    let questioned = Mutex::new(questioned);
    std::thread::scope(|threads| {
        for model in models {
            let (questioned, answers) = (&questioned, answers.clone());
            threads.spawn(move || {
                loop {
                    let next = questioned.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(ask) = next else { return };
                    let outcome = one(model, plan, &ask);
                    if answers.send((ask, outcome)).is_err() {
                        return;
                    }
                }
            });
        }
        // Gone when this block ends, however it does; then the threads end too.
        let questions = questions;
        let (mut open, mut wanted) = (0, true);
        loop {
            while wanted && open < most {
                match run.next_ask()? {
                    Some(ask) => {
                        open += 1;
                        prepare(&run.videos(&ask));
                        questions.send(ask).expect("the threads wait for questions");
                    }
                    None => wanted = false,
                }
            }
            if open == 0 {
                on_row(run.progress());
                return Ok(());
            }
            let (ask, outcome) = answered.recv().expect("every question is answered");
            open -= 1;
            run.record(ask, outcome)?;
            wanted &= on_row(run.progress());
        }
    })
}

/// One question. A model that panics fails this row and no other.
fn one<G: Generate>(model: &mut G, plan: &Plan, ask: &Ask) -> std::result::Result<Said, GenerateError> {
    let started = Instant::now();
    let work = || model.generate(&ask.conversation, &plan.sampling, &plan.stop, &mut |_| true);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    let generation =
        outcome.unwrap_or_else(|_| Err(GenerateError::Backend("the model panicked".to_owned())))?;
    Ok(Said { generation, seconds: started.elapsed().as_secs_f64() })
}
