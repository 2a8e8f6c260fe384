//! Prepared rows of a phase, step after step: threads open media and build model input ahead of the trainer, a few
//! steps and no more. What a step holds depends on its number alone, never on which thread was faster.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use firsthand_base::{Conversation, ModelInput};
use firsthand_input::Renderer;
use firsthand_model::layers::LossRow;

use crate::data::{BadRow, Dataset, Order, Row, RowId};
use crate::error::{Result, TrainError};
use crate::example::{Asking, Question, prepare, with_tools};

/// Steps that may be ready before the trainer wants them.
const AHEAD: u64 = 3;
/// Most tokens of remembered rows, at 16 bytes each.
const MOST_REMEMBERED: usize = 1 << 25;
/// Threads that prepare.
const THREADS: usize = 2;

/// A row as the model takes it.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Which row.
    pub id: RowId,
    /// The whole conversation.
    pub input: ModelInput,
    /// What is scored.
    pub targets: Vec<LossRow>,
    /// For rows that are asked instead of learned.
    pub asked: Option<Arc<Asked>>,
}

/// A row whose input is its prompt alone.
#[derive(Clone, Debug)]
pub struct Asked {
    /// With what rewards read.
    pub row: Row,
    /// The prompt with the frames of its videos out of order.
    pub shuffled: Option<(Conversation, ModelInput)>,
}

/// What rows are prepared for.
#[derive(Clone)]
pub enum Purpose {
    /// To be learned: the whole conversation.
    Learn,
    /// To be asked: the prompt.
    Ask(Asking),
}

/// The rows of one step.
pub struct Step {
    /// Which one, counted from 0.
    pub number: u64,
    /// In the order of the data.
    pub rows: Vec<Arc<Prepared>>,
    /// Rows that cannot be used after all: their media do not open, or they are too long.
    pub bad: Vec<BadRow>,
}

/// Steps in order, from a given one.
pub struct Feed {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    next: u64,
}

struct Shared {
    dataset: Arc<Dataset>,
    order: Order,
    renderer: Arc<Renderer>,
    purpose: Purpose,
    /// Items of a step.
    size: usize,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    ready: BTreeMap<u64, Result<Step>>,
    /// Rows that need no media any more.
    remembered: HashMap<RowId, Arc<Prepared>>,
    remembered_tokens: usize,
    /// The next step that nobody has taken up.
    next: u64,
    /// The step that the trainer waits for.
    wanted: u64,
    /// Steps from here on are not made.
    end: u64,
    closed: bool,
}

impl Purpose {
    /// Opens a row's media and makes its input.
    pub fn prepare(&self, renderer: &Renderer, id: RowId, row: &Row) -> Result<Prepared, String> {
        let told = |error: firsthand_input::Error| error.to_string();
        let row = &*with_tools(renderer, row).map_err(told)?;
        let Purpose::Ask(asking) = self else {
            let (input, targets) = prepare(renderer, row).map_err(told)?;
            return Ok(Prepared { id, input, targets, asked: None });
        };
        let Question { input, shuffled } = asking.ask(renderer, row)?;
        let asked = Some(Arc::new(Asked { row: row.clone(), shuffled }));
        Ok(Prepared { id, input, targets: Vec::new(), asked })
    }
}

impl Purpose {
    /// The same for one row of a step.
    fn at(&self, step: u64, row: usize) -> Purpose {
        match self {
            Purpose::Learn => Purpose::Learn,
            Purpose::Ask(asking) => {
                let shuffle = asking.shuffle.map(|shuffle| shuffle.of(step, row as u64));
                Purpose::Ask(Asking { shuffle, ..asking.clone() })
            }
        }
    }
}

impl Feed {
    /// Starts to prepare steps `first..end` of `size` items; see [`Feed::replace`].
    pub fn start(
        (dataset, order): (Arc<Dataset>, Order),
        renderer: Arc<Renderer>,
        purpose: Purpose,
        size: usize,
        (first, end): (u64, u64),
    ) -> Feed {
        let queue = Mutex::new(Queue { next: first, wanted: first, end, ..Queue::default() });
        let shared =
            Arc::new(Shared { dataset, order, renderer, purpose, size, queue, changed: Condvar::new() });
        let work = |_| {
            let shared = shared.clone();
            std::thread::spawn(move || shared.work())
        };
        let threads = (0..THREADS).map(work).collect();
        Feed { shared, threads, next: first }
    }

    /// The next step.
    pub fn next_step(&mut self) -> Result<Step> {
        let mut queue = self.shared.lock();
        let step = loop {
            if let Some(step) = queue.ready.remove(&self.next) {
                break step;
            }
            queue = self.shared.wait(queue);
        };
        self.next += 1;
        queue.wanted = self.next;
        self.shared.changed.notify_all();
        step
    }

    /// Makes one step more than was said at the start, because one gave nothing to learn from.
    pub fn replace(&mut self) {
        self.shared.lock().end += 1;
        self.shared.changed.notify_all();
    }

    /// Number of the next step.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Whether the steps from `first` on that were handed out show every row: see [`Order::shows_all`].
    pub fn has_shown_all(&self, first: u64) -> bool {
        self.shared.order.shows_all(first, self.next, self.shared.size)
    }

    /// Rows of the data.
    pub fn rows(&self) -> usize {
        self.shared.dataset.len()
    }

    /// Keeps a row without its patches: whoever calls this has the features of its media.
    pub fn remember(&self, row: &Arc<Prepared>) {
        let mut queue = self.shared.lock();
        let tokens = queue.remembered_tokens + row.input.ids.len();
        if queue.remembered.contains_key(&row.id) || tokens > MOST_REMEMBERED {
            return;
        }
        queue.remembered_tokens = tokens;
        let mut row = Prepared::clone(row);
        row.input.vision.iter_mut().for_each(|item| item.patches = Arc::default());
        queue.remembered.insert(row.id, Arc::new(row));
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A panic there was shown when it happened.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        let timeout = std::time::Duration::from_millis(500);
        self.changed.wait_timeout(queue, timeout).unwrap_or_else(PoisonError::into_inner).0
    }

    fn work(&self) {
        loop {
            let mut queue = self.lock();
            while !queue.closed && queue.next >= queue.end.min(queue.wanted + AHEAD) {
                queue = self.wait(queue);
            }
            if queue.closed {
                return;
            }
            let number = queue.next;
            queue.next += 1;
            drop(queue);
            // The trainer waits for this number: it must get an answer whatever happens.
            let step = catch_unwind(AssertUnwindSafe(|| self.step(number))).unwrap_or_else(|_| {
                Err(TrainError::Data("the preparation of a row panicked, as said above".into()))
            });
            self.lock().ready.insert(number, step);
            self.changed.notify_all();
        }
    }

    fn step(&self, number: u64) -> Result<Step> {
        let mut step = Step { number, rows: Vec::new(), bad: Vec::new() };
        for (place, id) in self.order.batch(number, self.size).into_iter().enumerate() {
            let known = self.lock().remembered.get(&id).cloned();
            if let Some(row) = known {
                step.rows.push(row);
                continue;
            }
            let row = self.dataset.row(id).map_err(|error| TrainError::Data(error.to_string()))?;
            match self.purpose.at(number, place).prepare(&self.renderer, id, &row) {
                Ok(prepared) => step.rows.push(Arc::new(prepared)),
                Err(error) => step.bad.push(row.blame(error)),
            }
        }
        Ok(step)
    }
}
