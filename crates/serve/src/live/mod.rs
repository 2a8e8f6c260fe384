//! Live sessions: pictures and pieces of film come while time goes on, and questions at any time are asked of what is
//! seen. Only the newest frames are kept as pictures; what is older becomes clips of a memory by the same builder that
//! `remember` uses, looked at by the served model. A session is on the disk at every moment and outlives the server.

mod ask;
mod fold;
mod session;
mod window;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use firsthand_base::{Generate, Part};
use firsthand_memory::Memory;
use firsthand_memory::build::Clip;
use tokio::sync::Notify;

pub(crate) use ask::{Prompted, beside};
pub(crate) use fold::keep;
pub(crate) use session::{About, Session};
pub(crate) use window::{Item, Kind, Rule};

use crate::Result;
use crate::log;
use crate::options::Limits;
use crate::queue::Key;
use crate::refusal::{Answered, Refusal};
use crate::state::State;

/// A stretch of a session that is to be remembered.
pub struct Seen {
    /// Its time, and where it is in the session.
    pub clip: Clip,
    /// What is seen of it, and the session's second at which each begins.
    pub parts: Vec<(Part, f64)>,
    /// How many frames that is.
    pub frames: usize,
}

/// Puts a stretch into a memory by the words of a model. What is there already is passed over.
pub type Remember =
    Arc<dyn Fn(&mut Memory, &Seen, &mut dyn Generate) -> std::result::Result<(), String> + Send + Sync>;

/// All sessions.
pub(crate) struct Live {
    state: Arc<State>,
    home: PathBuf,
    most: usize,
    most_per_key: usize,
    pub(crate) most_bytes: u64,
    idle: Duration,
    pub(crate) rule: Rule,
    sessions: Mutex<BTreeMap<String, Arc<Session>>>,
    /// Heard when there may be something to remember.
    pub(crate) wake: Notify,
    /// None where nobody remembers: then there are no sessions.
    pub(crate) remember: Option<Remember>,
}

impl Live {
    /// The sessions in a server's folder.
    pub(crate) fn open(state: Arc<State>, limits: &Limits, remember: Option<Remember>) -> Result<Live> {
        let home = state.folder("live")?;
        let mut sessions = BTreeMap::new();
        for entry in fs_err::read_dir(&home).into_iter().flatten().flatten() {
            match Session::read(&entry.path()) {
                Some(session) => drop(sessions.insert(session.id.clone(), Arc::new(session))),
                // Half made or half deleted.
                None if !Session::is_one(&entry.path()) => drop(fs_err::remove_dir_all(entry.path())),
                None => drop(log::fault("a live session cannot be read; it is left as it is")),
            }
        }
        let own = &limits.live;
        Ok(Live {
            state,
            home,
            most: own.sessions,
            most_per_key: own.sessions_per_key,
            most_bytes: own.session_bytes,
            idle: Duration::from_secs_f64(own.idle_seconds),
            // A question shows up to two windows, which is not more than a request may.
            rule: Rule {
                frames: own.window.min(limits.media.frames / 2).max(1),
                bytes: own.session_bytes / 2,
            },
            sessions: Mutex::new(sessions),
            wake: Notify::new(),
            remember,
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a session.
    pub(crate) fn create(&self, key: Key, about: impl FnOnce(String) -> About) -> Answered<Arc<Session>> {
        let owner = self.state.owner(key);
        let mut sessions = self.lock();
        let own = sessions.values().filter(|session| session.about.owner == owner).count();
        if sessions.len() >= self.most || own >= self.most_per_key {
            return Err(Refusal::busy("there are as many live sessions as there may be; delete one"));
        }
        let session = Arc::new(Session::create(&self.state, &self.home, about(owner.to_owned()))?);
        sessions.insert(session.id.clone(), session.clone());
        Ok(session)
    }

    /// A session of this key.
    pub(crate) fn find(&self, id: &str, key: Key) -> Answered<Arc<Session>> {
        let owner = self.state.owner(key);
        let found = self.lock().get(id).filter(|session| session.about.owner == owner).cloned();
        let session = found.ok_or_else(|| Refusal::absent("such session"))?;
        session.touch();
        Ok(session)
    }

    /// The sessions of this key.
    pub(crate) fn of_key(&self, key: Key) -> Vec<Arc<Session>> {
        let owner = self.state.owner(key);
        self.lock().values().filter(|session| session.about.owner == owner).cloned().collect()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.lock().values().cloned().collect()
    }

    /// Removes a session and everything it has.
    pub(crate) async fn delete(&self, session: &Session) {
        self.lock().remove(&session.id);
        session.delete().await;
    }

    /// The file of an item, named `live-<id>/<item>`, of a session of this key or, for this program itself, of any.
    pub(crate) fn locate(&self, name: &str, key: Key) -> Answered<PathBuf> {
        let absent = || Refusal::absent("such frame; it may have been remembered");
        let (id, item) = name.split_once('/').ok_or_else(absent)?;
        let session = match key == crate::days::OWN_KEY {
            true => self.lock().get(id).cloned().ok_or_else(absent)?,
            false => self.find(id, key)?,
        };
        session.find(item).ok_or_else(absent)
    }
}
