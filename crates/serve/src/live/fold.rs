//! What runs beside the requests: stretches that left a window become clips of memory, one at a time in each session, and
//! sessions that nobody asks for go. Questions come first: a look waits in the same queue as everybody.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use firsthand_base::{Conversation, Generate, GenerateError, Generation, SamplingOptions, StopRules};
use firsthand_memory::build::Clip;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::{Seen, Session, ask, window};
use crate::app::App;
use crate::chat::asking::render;
use crate::chat::tools::Tools;
use crate::days::{OWN_KEY, say};
use crate::log;
use crate::worker::Ready;

/// How often sessions are looked after when nothing happens.
const GLANCE: Duration = Duration::from_secs(2);
/// Sessions that are remembered at once.
const AT_ONCE: usize = 2;

/// Looks after all sessions until the server stops.
pub(crate) async fn keep(app: Arc<App>) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    while !app.gate.is_closed() {
        // Woken or not: there is always something that may have become due.
        let _ = tokio::time::timeout(GLANCE, app.live.wake.notified()).await;
        for session in app.live.all() {
            if session.idle() > app.live.idle {
                app.live.delete(&session).await;
                continue;
            }
            let Some(ready) = app.loaded.get().filter(|_| app.live.rule.due(&session.items()).is_some())
            else {
                continue;
            };
            if session.is_folding.swap(true, Ordering::SeqCst) {
                continue;
            }
            let (app, ready, room) = (app.clone(), ready.clone(), room.clone());
            tokio::spawn(async move {
                let Ok(_permit) = room.acquire().await else { return };
                let is_done = fold(&app, &ready, &session).await;
                session.is_folding.store(false, Ordering::SeqCst);
                // One stretch, then the others have their turn; a failure waits for the next glance.
                if is_done {
                    app.live.wake.notify_one();
                }
            });
        }
    }
}

/// Remembers what is due of a session; whether it did.
async fn fold(app: &Arc<App>, ready: &Ready, session: &Arc<Session>) -> bool {
    let items = session.items();
    let due = app.live.rule.due(&items).filter(|_| !session.is_gone() && !app.gate.is_closed());
    let (Some(count), Some(remember)) = (due, app.live.remember.clone()) else { return false };
    let (start_us, end_us) = (items[0].start_us, window::end_us(&items, count));
    let clip = Clip {
        wearer: session.about.wearer.clone(),
        start: session.moment(start_us),
        end: session.moment(end_us),
        file: Some(format!("live://{}", session.id)),
        start_s: start_us as f64 / 1e6,
        end_s: end_us as f64 / 1e6,
        said: Vec::new(),
        text: None,
        people: Vec::new(),
    };
    let parts = ask::parts(session, &items[..count], app.live.rule.frames);
    let seen = Seen { clip, parts, frames: items[..count].iter().map(|item| item.frames).sum() };
    let mut seer = Seer { app: app.clone(), ready: ready.clone(), runtime: Handle::current() };
    let own = session.clone();
    let work = move || remember(&mut own.memory()?, &seen, &mut seer);
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()));
    if session.is_gone() {
        // Deleted meanwhile: what was written since then goes, too.
        session.delete().await;
        return false;
    }
    match done {
        Ok(()) => {
            session.forget_pictures(count).await;
            true
        }
        Err(reason) => {
            log::fault(&format!("a session is not remembered: {reason}"));
            // Tried again at a later glance; until then what comes is refused when it is too much.
            false
        }
    }
}

/// Asks the served model about pictures of sessions, which are opened like those of requests.
struct Seer {
    app: Arc<App>,
    ready: Ready,
    runtime: Handle,
}

impl Generate for Seer {
    fn generate(
        &mut self,
        conversation: &Conversation,
        sampling: &SamplingOptions,
        stop: &StopRules,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Generation, GenerateError> {
        let started = Instant::now();
        let none = Tools::none();
        let rendered = render(&self.app, &self.ready, OWN_KEY, conversation.clone(), &none);
        let rendered =
            self.runtime.block_on(rendered).map_err(|refusal| match refusal.status.is_server_error() {
                true => GenerateError::Backend(refusal.message),
                false => GenerateError::Request(refusal.message),
            })?;
        say(&self.app.worker, &self.ready, rendered, started.elapsed(), sampling, stop, on_text)
    }
}
