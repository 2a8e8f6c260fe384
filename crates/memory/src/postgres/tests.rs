//! The shared store against the laws of every store, and whole builds in it, on a real server: PyPI's `pgserver`, which is
//! installed below `target` when it is missing. Where Python or the package cannot be had, the tests say so aloud.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::PostgresStore;
use crate::build::{Builder, Clip, Extract, remember};
use crate::{Error, Memory, Query, Store, store_tests};

/// A server that lives as long as this value.
struct Server {
    address: String,
    _folder: tempfile::TempDir,
    /// Ends the server when its input closes.
    keeper: Child,
}

const KEEPER: &str = "
import sys, pgserver
server = pgserver.get_server(sys.argv[1], cleanup_mode='stop')
print(server.get_uri(), flush=True)
sys.stdin.read()
server.cleanup()
";

impl Server {
    fn start() -> Option<Server> {
        let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/postgres");
        let python = target.join("bin/python");
        let works = |command: &mut Command| {
            command.stderr(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        if !works(Command::new(&python).args(["-c", "import pgserver"])) {
            let made = works(Command::new("python3").arg("-m").arg("venv").arg(&target))
                && works(Command::new(&python).args(["-m", "pip", "install", "-q", "pgserver"]));
            if !made {
                eprintln!(
                    "skipped: Python's pgserver cannot be installed, so the shared store is not tested"
                );
                return None;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let mut keeper = Command::new(&python)
            .args(["-c", KEEPER])
            .arg(folder.path().join("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut address).unwrap();
        assert!(address.starts_with("postgres"), "pgserver did not start: {address:?}");
        Some(Server { address: address.trim().to_owned(), _folder: folder, keeper })
    }

    /// A memory that no other test uses, by two connections.
    fn fresh(&self) -> [Box<dyn Store>; 2] {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let address = format!("{}#test{}", self.address, NUMBER.fetch_add(1, Ordering::Relaxed));
        [(); 2].map(|()| -> Box<dyn Store> { Box::new(PostgresStore::open(&address).unwrap()) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// One server for all, since starting one takes seconds.
#[test]
fn a_shared_memory_is_a_store_like_any_other() {
    let Some(server) = Server::start() else { return };
    store_tests::writes_all_or_nothing(&mut *server.fresh()[0]);
    store_tests::refuses_vectors_of_another_encoder(&mut *server.fresh()[0]);
    store_tests::keeps_notes(&mut *server.fresh()[0]);
    store_tests::follows_the_list(6, &|| server.fresh());
    damage_is_found_and_repaired(&server);
    a_memory_is_built_and_searched(&server);
    people_are_forgotten_in_every_spelling(&server);
    addresses_that_cannot_be_are_refused(&server);
}

fn damage_is_found_and_repaired(server: &Server) {
    let address = format!("{}#damaged", server.address);
    let mut store = PostgresStore::open(&address).unwrap();
    let clip = store_tests::record(crate::Level::Clip, "A1_JAKE", 0, 30, "takes a cup");
    store.write(&[crate::Change::put(clip)]).unwrap();
    store.client.batch_execute("DELETE FROM postings").unwrap();
    assert_eq!(store.check(true).unwrap(), ["the full-text index disagrees with 1 records"]);
    assert_eq!(store.check(false).unwrap(), Vec::<String>::new());
    assert_eq!(store.text_candidates(&["cup".into()], &Default::default(), 5).unwrap().len(), 1);
    // Words split by older rules are split anew, and lengths with them.
    store
        .client
        .batch_execute(
            "DELETE FROM postings; UPDATE records SET length = 9; UPDATE meta SET value = '1' WHERE key = 'terms'",
        )
        .unwrap();
    let mut store = PostgresStore::open(&address).unwrap();
    assert_eq!(store.check(false).unwrap(), Vec::<String>::new());
    assert_eq!(store.text_candidates(&["cup".into()], &Default::default(), 5).unwrap().len(), 1);
    store.client.batch_execute("UPDATE meta SET value = '9' WHERE key = 'format'").unwrap();
    let error = PostgresStore::open(&address).err().unwrap().to_string();
    assert!(error.contains("format \"9\""), "{error}");
}

/// The same records as in a folder, and the same found.
fn a_memory_is_built_and_searched(server: &Server) {
    let [store, _] = server.fresh();
    let folder = tempfile::tempdir().unwrap();
    let mut memories = [Memory::over(store), Memory::create(&folder.path().join("memory")).unwrap()];
    let at = |s: i64| store_tests::moment(s);
    let clips: Vec<Clip> = (0..50)
        .map(|i| {
            Clip::told(
                "A1",
                at(36_000 + i * 90),
                at(36_030 + i * 90),
                format!("I move the box {i} to shelf {}.", i % 7),
            )
        })
        .collect();
    let mut found = Vec::new();
    for memory in &mut memories {
        let mut builder = Builder::new(memory);
        let mut nobody = crate::build::Untold;
        let report = remember(&mut builder, clips.clone(), &mut nobody, &mut Extract, &mut |_| true).unwrap();
        assert_eq!(report.remembered, 50);
        let mut records = Vec::new();
        memory
            .store()
            .walk(&mut |record| {
                records.push(record);
                Ok(())
            })
            .unwrap();
        let hits = memory.recall(&Query::new("which box is on shelf 3")).unwrap();
        found.push((records, hits.into_iter().map(|hit| hit.record).collect::<Vec<_>>()));
    }
    assert!(!found[0].1.is_empty());
    assert_eq!(found[0], found[1]);
}

/// What no record, note or term of the database has any more.
fn people_are_forgotten_in_every_spelling(server: &Server) {
    let address = format!("{}#scripts", server.address);
    let mut memory = Memory::over(Box::new(PostgresStore::open(&address).unwrap()));
    let changes: Vec<_> =
        crate::forget_scripts_tests::in_scripts().into_iter().map(crate::Change::put).collect();
    memory.write(&changes).unwrap();
    let mut store = PostgresStore::open(&address).unwrap();
    for script in &crate::forget_scripts_tests::SCRIPTS {
        let person = crate::Selection { person: Some(script.asked.into()), ..Default::default() };
        let forgotten = memory.forget(&person).unwrap();
        assert_eq!(forgotten.removed[&crate::Level::Clip], script.named.len() as u64, "{}", script.asked);
        let query = "SELECT text || ' ' || coalesce(transcript, '') || ' ' || people FROM records
                     UNION ALL SELECT term FROM postings UNION ALL SELECT key || text FROM notes";
        let all: Vec<String> = store.client.query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect();
        for spelling in script.bytes {
            let found = all.iter().find(|text| text.contains(*spelling));
            assert_eq!(found, None, "{spelling:?} is left of {}", script.asked);
        }
    }
    assert_eq!(memory.store().counts().unwrap().levels[&crate::Level::Clip], 20);
}

fn addresses_that_cannot_be_are_refused(server: &Server) {
    for (address, expect) in [
        (format!("{}#Name", server.address), "lower-case letters"),
        ("postgres://someone:secret@127.0.0.1:1/nowhere".to_owned(), "someone@127.0.0.1:1/nowhere"),
        ("postgres://".to_owned(), "failed"),
    ] {
        let error = PostgresStore::open(&address).err().expect(expect);
        let text = error.to_string();
        assert!(
            matches!(error, Error::Store { .. }) && text.contains(expect) && !text.contains("secret"),
            "{text}"
        );
        assert!(!text.contains('\n'));
    }
}
