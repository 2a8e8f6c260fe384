//! The folder store: the laws of every store, and what only it can suffer.

use std::collections::HashSet;

use super::SqliteStore;
use crate::store_tests::{ENCODER, encoder, record};
use crate::{Change, Level, RecordId, Scope, Store, store_tests};

fn scratch() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(&folder.path().join("memory")).unwrap();
    (folder, store)
}

#[test]
fn the_laws_of_stores_hold() {
    store_tests::writes_all_or_nothing(&mut scratch().1);
    store_tests::refuses_vectors_of_another_encoder(&mut scratch().1);
    store_tests::keeps_notes(&mut scratch().1);
}

#[test]
fn the_store_is_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    store_tests::follows_the_list(24, &|| {
        let place = folder.path().join(number.replace(number.get() + 1).to_string());
        let store = SqliteStore::create(&place).unwrap();
        [Box::new(store), Box::new(SqliteStore::open(&place).unwrap())]
    });
}

#[test]
fn damage_is_found_and_repaired() {
    for (damage, expect) in [
        ("DELETE FROM postings WHERE term = 'cup'", "full-text index disagrees"),
        ("UPDATE postings SET term = 'cap' WHERE term = 'cup'", "full-text index disagrees"),
        ("UPDATE records SET end_ms = end_ms + 1", "the times of records 0 to 1023 disagree"),
        ("UPDATE blocks SET data = x'00'", "the times of records 0 to 1023 disagree"),
        ("DELETE FROM blocks", "1 blocks of times are missing"),
        ("INSERT INTO vectors VALUES (77, 1.0, x'0102030405060708')", "1 vectors belong to no record"),
        ("UPDATE vectors SET data = x'01'", "1 vectors do not have the 8 numbers"),
        ("DELETE FROM vectors", "the times of records 0 to 1023 disagree"),
    ] {
        let (folder, mut store) = scratch();
        store.set_encoder(Some(&encoder())).unwrap();
        let clip = record(Level::Clip, "A1_JAKE", 0, 30, "takes a cup");
        store.write(&[Change::Put { record: clip, vector: Some(vec![1.0; ENCODER]) }]).unwrap();
        drop(store);
        let path = folder.path().join("memory");
        rusqlite::Connection::open(path.join("memory.db")).unwrap().execute_batch(damage).unwrap();
        let mut store = SqliteStore::open(&path).unwrap();
        let found = store.check(true).unwrap();
        assert!(found.iter().any(|fault| fault.contains(expect)), "{damage}: {found:?}");
        assert_eq!(store.check(false).unwrap(), Vec::<String>::new(), "{damage}");
        assert_eq!(
            store.text_candidates(&["cup".into()], &Scope::default(), 5).unwrap().len(),
            1,
            "{damage}"
        );
    }
}

#[test]
fn folders_that_are_no_memory_are_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let refusal = |result: crate::Result<SqliteStore>| match result {
        Ok(_) => panic!("opened"),
        Err(error) => {
            let text = error.to_string();
            assert!(!text.contains('\n') && text.contains("emory"), "{text}");
            text
        }
    };
    assert!(refusal(SqliteStore::open(&path.join("nowhere"))).contains("there is no such folder"));
    assert!(refusal(SqliteStore::open(path)).contains("there is no memory.json in it"));
    fs_err::write(path.join("memory.json"), "{}").unwrap();
    assert!(refusal(SqliteStore::open(path)).contains("memory.json cannot be read"));
    assert!(refusal(SqliteStore::create(path)).contains("it is there already"));
    fs_err::write(path.join("memory.json"), r#"{"firsthand_memory":9,"store":"sqlite"}"#).unwrap();
    assert!(refusal(SqliteStore::open(path)).contains("it has format 9"));
    fs_err::write(path.join("memory.json"), r#"{"firsthand_memory":1,"store":"sqlite"}"#).unwrap();
    assert!(refusal(SqliteStore::open(path)).contains("memory.db is missing"));
    fs_err::write(path.join("memory.db"), "not a database, but long enough to be looked at".repeat(40))
        .unwrap();
    assert!(refusal(SqliteStore::open(path)).contains("not a database"));
    let whole = path.join("whole");
    drop(SqliteStore::create(&whole).unwrap());
    let bytes = fs_err::read(whole.join("memory.db")).unwrap();
    fs_err::write(whole.join("memory.db"), &bytes[..8192]).unwrap();
    assert!(refusal(SqliteStore::open(&whole)).contains("memory check"));
}

/// A power cut leaves some first part of the log: whatever part that is, the store opens as it was after some whole write.
#[test]
fn a_power_cut_takes_whole_writes() {
    let (folder, mut store) = scratch();
    let path = folder.path().join("memory");
    let mut states = vec![0];
    for turn in 0..12i64 {
        let clips = (0..=turn)
            .map(|i| record(Level::Clip, "A1_JAKE", turn * 100 + i, turn * 100 + i + 1, "takes a cup"));
        let mut changes: Vec<Change> = clips.map(Change::put).collect();
        changes.push(Change::Delete(RecordId(turn * 2 + 1)));
        store.write(&changes).unwrap();
        states.push(store.counts().unwrap().records());
    }
    let log = fs_err::read(path.join("memory.db-wal")).unwrap();
    let mut seen = HashSet::new();
    for cut in (0..=30).map(|part| log.len() * part / 30).chain([log.len() - 1, log.len() - 4096]) {
        let copy = folder.path().join(format!("cut{cut}"));
        fs_err::create_dir(&copy).unwrap();
        for file in ["memory.json", "memory.db"] {
            fs_err::copy(path.join(file), copy.join(file)).unwrap();
        }
        fs_err::write(copy.join("memory.db-wal"), &log[..cut]).unwrap();
        let Ok(mut store) = SqliteStore::open(&copy) else {
            // Before the schema itself was in the log there is no store yet; `create` had not returned.
            assert!(cut < log.len() / 6, "cut {cut} of {}", log.len());
            continue;
        };
        let records = store.counts().unwrap().records();
        assert!(states.contains(&records), "cut {cut}: {records} records");
        assert_eq!(store.check(false).unwrap(), Vec::<String>::new(), "cut {cut}");
        let found = store.text_candidates(&["cup".into()], &Scope::default(), 1000).unwrap();
        assert_eq!(found.len() as u64, records, "cut {cut}");
        seen.insert(records);
    }
    assert!(seen.len() > 6, "{seen:?}");
}

/// A store whose words were split by older rules makes its index again when it is opened.
#[test]
fn an_older_index_is_made_anew() {
    let (folder, mut store) = scratch();
    let path = folder.path().join("memory");
    let clip = record(Level::Clip, "A1_JAKE", 0, 30, "Nguye\u{302}\u{303}n and สมชาย take Will's cup");
    store.write(&[Change::put(clip)]).unwrap();
    // As the first rules had it: no marks of Thai, no Nguyễn, no function words.
    store
        .database
        .execute_batch(
            "DELETE FROM postings WHERE term NOT IN ('cup', 'take');
             INSERT INTO postings SELECT 'nguye', block, data FROM postings WHERE term = 'cup';
             UPDATE meta SET value = '1' WHERE key = 'terms';",
        )
        .unwrap();
    assert_eq!(store.text_candidates(&["nguyen".into()], &Scope::default(), 5).unwrap(), []);
    drop(store);
    let mut store = SqliteStore::open(&path).unwrap();
    for term in ["nguyen", "สมชาย", "will", "cup"] {
        assert_eq!(store.text_candidates(&[term.into()], &Scope::default(), 5).unwrap().len(), 1, "{term}");
    }
    assert_eq!(store.check(false).unwrap(), Vec::<String>::new());
    let terms: String =
        store.database.query_row("SELECT value FROM meta WHERE key = 'terms'", [], |row| row.get(0)).unwrap();
    assert_eq!(terms, crate::TERMS_VERSION.to_string());
}
