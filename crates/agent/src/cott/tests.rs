use std::sync::Arc;

use firsthand_base::{Finish, GenerateError, Generation as Generated, SamplingOptions, StopRules};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};

use super::*;
use crate::cott::{Filter, Rejected, Statistics, alpaca, export, read_ids, read_questions, share_gpt};
use crate::tools::Rag;
use crate::{CallRules, Prompt, Toolbox, scripted_memory};

const ROWS: &str = r#"[
 {"ID": "1", "identity": "A1_JAKE", "type": "EntityLog", "question": "in which room did i last put the red cup ?",
  "choice_a": "kitchen", "choice_b": "bedroom", "choice_c": "garage", "choice_d": "", "answer": "B",
  "query_time": {"date": "DAY3", "time": "12000000"}, "target_time": {"date": "DAY2", "time": "10000000"}},
 {"ID": 2, "identity": "A1_JAKE", "type": "RelationMap", "question": "who did i give the drill to ?",
  "choice_a": "anna", "choice_b": "ben", "choice_c": "", "choice_d": "", "answer": "B",
  "query_time": {"date": "DAY3", "time": "12000000"}, "target_time": {"date": "DAY2", "time_list": ["09000000", "16300000xx"]}},
 {"ID": "3", "type": "EntityLog", "question": "which colour has my submarine ?",
  "choice_a": "red", "choice_b": "blue", "choice_c": "", "choice_d": "", "answer": "A",
  "query_time": {"date": "DAY3", "time": "12000000"}, "target_time": {"date": "DAY3", "time": "08000000"}}
]"#;

fn questions(text: &str, wearer: Option<&str>) -> crate::Result<Vec<Asked>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q.json");
    fs_err::write(&path, text).unwrap();
    read_questions(&path, wearer)
}

struct Bench {
    folder: tempfile::TempDir,
    tools: Arc<dyn Tools>,
    manner: Manner,
    asked: Vec<Asked>,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let rag = Rag::new(scripted_memory::memories(&folder.path().join("memory")), 3);
        let tools = Arc::new(Toolbox::new(vec![Arc::new(rag)], CallRules::default()).unwrap());
        Bench { folder, tools, manner: Manner::default(), asked: questions(ROWS, Some("A1_JAKE")).unwrap() }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn run(
        &self,
        mut teachers: Vec<Box<dyn Teacher + '_>>,
        stop_after: usize,
    ) -> crate::Result<(Vec<Record>, Vec<Failure>)> {
        let out = self.out();
        let generation = Generation {
            folder: &out,
            tools: self.tools.clone(),
            manner: &self.manner,
            observations: Observations::All,
            teacher: "test",
        };
        generation.run(&self.asked, &mut teachers, &mut |done| done < stop_after)
    }
}

fn seekers<'a>(count: usize) -> Vec<Box<dyn Teacher + 'a>> {
    (0..count)
        .map(|_| Box::new(SeekerTeacher { seeker: Seeker::new(), varies: false }) as Box<dyn Teacher>)
        .collect()
}

/// By the name of a question, whoever asks and whenever: some searches say which of several is looked for, some do not.
#[test]
fn a_teacher_that_varies_says_which_or_does_not() {
    let mut asked = questions(ROWS, Some("A1_JAKE")).unwrap().swap_remove(0);
    let mut ways = |varies: bool| -> Vec<bool> {
        let mut teacher = SeekerTeacher { seeker: Seeker::new(), varies };
        let names = (0..40).map(|id| id.to_string());
        names
            .map(|id| {
                asked.question.id = id;
                teacher.ready(&asked);
                teacher.seeker.says_which
            })
            .collect()
    };
    let drawn = ways(true);
    assert_eq!(drawn, ways(true));
    assert!((5..=18).contains(&drawn.iter().filter(|says| **says).count()), "{drawn:?}");
    assert_eq!(ways(false), [true; 40]);
}

/// A teacher that counts its questions and fails on some.
struct Counting<'a> {
    seeker: Seeker,
    asked: &'a AtomicUsize,
    fails: &'a [&'a str],
    now: String,
}

impl Teacher for Counting<'_> {
    fn ready(&mut self, asked: &Asked) -> &mut dyn Generate {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.now = asked.question.id.clone();
        self
    }
}

impl Generate for Counting<'_> {
    fn generate(
        &mut self,
        conversation: &firsthand_base::Conversation,
        sampling: &SamplingOptions,
        stop: &StopRules,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> std::result::Result<Generated, GenerateError> {
        if self.fails.contains(&self.now.as_str()) {
            return Err(GenerateError::Backend("no such server\nat all".into()));
        }
        self.seeker.generate(conversation, sampling, stop, on_text)
    }
}

#[test]
fn questions_are_read_with_ids_clocks_and_targets() {
    let asked = questions(ROWS, Some("A1")).unwrap();
    let seen: Vec<_> = asked
        .iter()
        .map(|one| {
            (
                one.question.id.as_str(),
                one.question.wearer.as_str(),
                one.gold,
                one.target.unwrap().to_string(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("1", "A1_JAKE", 1, "DAY2_10000000".to_owned()),
            ("2", "A1_JAKE", 1, "DAY2_16300000".to_owned()),
            ("3", "A1", 0, "DAY3_08000000".to_owned()),
        ]
    );
    assert_eq!(asked[0].question.options, ["kitchen", "bedroom", "garage"]);
    let rows: Vec<Value> = serde_json::from_str(ROWS).unwrap();
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    assert_eq!(questions(&lines, Some("A1")).unwrap(), asked);
    let check = |change: &dyn Fn(&mut Value), expect: &str| {
        let mut row = rows[0].clone();
        change(&mut row);
        let error = questions(&json!([row]).to_string(), None).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    check(&|row| row["identity"] = Value::Null, "row 1: no identity");
    check(&|row| row["query_time"] = Value::Null, "row 1: no query_time");
    check(&|row| row["query_time"]["time"] = json!("99999999"), "row 1: no query_time");
    check(&|row| row["answer"] = json!("D"), "row 1: the answer");
    check(&|row| row["choice_b"] = json!(""), "fewer than two choices");
    check(&|row| row["ID"] = json!(""), "no ID");
    let twice = json!([rows[0], rows[0]]).to_string();
    assert!(questions(&twice, None).unwrap_err().to_string().contains("row 2: ID 1 is there twice"));
}

#[test]
fn a_run_answers_filters_and_exports_what_it_may() {
    let bench = Bench::new();
    let (records, failures) = bench.run(seekers(2), usize::MAX).unwrap();
    assert_eq!((records.len(), failures.len()), (3, 0));
    assert_eq!(records.iter().map(Record::is_right).collect::<Vec<_>>(), [true, true, false]);
    let filter = Filter::default();
    let reasons: Vec<_> = records.iter().map(|record| filter.rejects(record)).collect();
    assert_eq!(reasons, [None, None, Some(Rejected::NotInMemory)]);
    let statistics = Statistics::of(&records, 0, &filter);
    assert_eq!(
        (statistics.kept, statistics.by_type["EntityLog"], statistics.by_type["RelationMap"]),
        (2, 0.5, 1.0)
    );
    assert_eq!(statistics.tools["rag"], 1.0);
    // The published raw form, with the wearer.
    let raw: Value =
        serde_json::from_str(&fs_err::read_to_string(bench.out().join("raw/A1_JAKE/1.json")).unwrap())
            .unwrap();
    let step = &raw["cot"][0];
    assert_eq!((raw["identity"].as_str(), step["tool"]["name"].as_str()), (Some("A1_JAKE"), Some("rag")));
    let arguments: Value = serde_json::from_str(step["tool"]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments["level"], "week");
    assert_eq!(raw["cot"].as_array().unwrap().last().unwrap()["answer"], "B");
    assert_eq!(raw["reasoning_span"]["span_str"], "1 day 02:00:00");
    // Exports.
    let kept: Vec<&Record> = records.iter().filter(|record| filter.rejects(record).is_none()).collect();
    let asked: Vec<&Asked> = bench.asked.iter().collect();
    let system = Prompt::Full.system(&bench.tools.descriptions()).unwrap();
    let written = export(&bench.out(), &kept, &asked, &system, "train").unwrap();
    assert_eq!((written.traces, written.questions), (2, 3));
    assert_eq!(written.steps, records[0].cot.len() + records[1].cot.len());
}

#[test]
fn rows_have_the_very_turns_and_observations_of_the_episode() {
    let bench = Bench::new();
    let (records, _) = bench.run(seekers(1), usize::MAX).unwrap();
    let record = &records[0];
    let again = record.trace.replay().unwrap();
    assert_eq!(again, record.trace);
    let row = share_gpt(record);
    let turns = row["conversations"].as_array().unwrap();
    assert_eq!(turns.len(), 2 * record.cot.len());
    assert_eq!(turns[0]["value"], record.trace.question.prompt());
    assert_eq!(row["system"], record.trace.system);
    for (turn, pair) in record.trace.turns.iter().zip(turns.chunks(2)) {
        assert_eq!(pair[1]["value"], turn.done.text);
    }
    let Said::Observation(first) = &record.trace.turns[0].done.said else { panic!("a look") };
    assert_eq!(turns[2]["value"], crate::information(first));
    // One row a step: its history is the steps before it, its system the tools.
    let rows = alpaca(record);
    assert_eq!(rows.len(), record.cot.len());
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row["history"].as_array().unwrap().len(), index);
        assert_eq!(
            (&row["instruction"], &row["output"]),
            (&turns[2 * index]["value"], &turns[2 * index + 1]["value"])
        );
        assert_eq!(row["system"], record.trace.system);
    }
}

fn value(field: &Field) -> Value {
    match field {
        Field::Str(text) => json!(text),
        Field::Long(number) => json!(number),
        Field::Group(row) => {
            row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
        }
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_table_is_read_back_with_wearer_clock_and_its_own_index() {
    let bench = Bench::new();
    let mut asked = bench.asked.clone();
    asked[1].question.wearer = "A2_ALICE".into();
    let asked: Vec<&Asked> = asked.iter().collect();
    fs_err::create_dir_all(bench.out()).unwrap();
    export(&bench.out(), &[], &asked, "tools", "train").unwrap();
    let file = fs_err::File::open(bench.out().join("rl.parquet")).unwrap().into_parts().0;
    let reader = SerializedFileReader::new(file).unwrap();
    let rows: Vec<Value> =
        reader.get_row_iter(None).unwrap().map(|row| value(&Field::Group(row.unwrap()))).collect();
    let lines = fs_err::read_to_string(bench.out().join("rl.jsonl")).unwrap();
    let told: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows, told);
    assert_eq!(rows[0]["prompt"][1], json!({"role": "user", "content": asked[0].question.prompt()}));
    assert_eq!(rows[0]["golden_answer"], json!(["B"]));
    assert_eq!(rows[0]["reward_model"]["ground_truth"]["target"], "B");
    let keys: Vec<_> =
        rows.iter().map(|row| (row["identity"].clone(), row["extra_info"]["index"].clone())).collect();
    assert_eq!(
        keys,
        [(json!("A1_JAKE"), json!(0)), (json!("A2_ALICE"), json!(1)), (json!("A1_JAKE"), json!(2))]
    );
    assert!(rows.iter().all(|row| row["clock"] == "DAY3_12000000"));
    // Files of no rows are files.
    export(&bench.out(), &[], &[], "tools", "train").unwrap();
}

#[test]
fn a_run_goes_on_and_failures_are_kept_and_tried_again() {
    let bench = Bench::new();
    let count = AtomicUsize::new(0);
    let teacher = |fails: &'static [&'static str]| {
        let counting = Counting { seeker: Seeker::new(), asked: &count, fails, now: String::new() };
        vec![Box::new(counting) as Box<dyn Teacher>]
    };
    let (records, failures) = bench.run(teacher(&["2"]), usize::MAX).unwrap();
    assert_eq!((records.len(), failures.len(), count.swap(0, Ordering::SeqCst)), (2, 1, 3));
    assert_eq!(
        (failures[0].id.as_str(), failures[0].error.as_str(), failures[0].step),
        ("2", "no such server", 0)
    );
    let error = bench.out().join("errors/A1_JAKE/2.json");
    let told: Failure = serde_json::from_str(&fs_err::read_to_string(&error).unwrap()).unwrap();
    assert_eq!(told, failures[0]);
    // Only what failed is asked again; once it goes well nothing is left of the failure.
    let (records, failures) = bench.run(teacher(&[]), usize::MAX).unwrap();
    assert_eq!((records.len(), failures.len(), count.swap(0, Ordering::SeqCst)), (3, 0, 1));
    assert!(!error.exists());
    // A half-written file of a killed run is not one.
    fs_err::write(bench.out().join("raw/A1_JAKE/.3.json.99.part"), "{").unwrap();
    fs_err::remove_file(bench.out().join("raw/A1_JAKE/3.json")).unwrap();
    bench.run(teacher(&[]), usize::MAX).unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn a_stopped_run_keeps_what_is_done_and_another_run_is_refused() {
    let mut bench = Bench::new();
    let (records, _) = bench.run(seekers(1), 1).unwrap();
    assert!((1..3).contains(&records.len()), "{}", records.len());
    bench.manner.budgets.turns = 5;
    let error = bench.run(seekers(1), usize::MAX).unwrap_err().to_string();
    assert!(error.contains("had other budgets"), "{error}");
    bench.manner = Manner::default();
    bench.asked[0].question.text.push('?');
    let error = bench.run(seekers(1), usize::MAX).unwrap_err().to_string();
    assert!(error.contains("it answers another question than 1"), "{error}");
}

#[test]
fn what_is_not_good_enough_is_named() {
    let bench = Bench::new();
    let (records, _) = bench.run(seekers(1), usize::MAX).unwrap();
    let check = |filter: Filter, change: &dyn Fn(&mut Record), expect: Option<Rejected>| {
        let mut record = records[0].clone();
        change(&mut record);
        assert_eq!(filter.rejects(&record), expect);
    };
    let plain = Filter::default;
    check(plain(), &|_| (), None);
    let excluded = Filter { excluded: ["1".to_owned()].into(), ..plain() };
    check(excluded, &|_| (), Some(Rejected::Benchmark));
    check(plain(), &|record| record.ground_truth = "A".into(), Some(Rejected::Wrong));
    check(plain(), &|record| record.trace.end = Said::Over(Over::Turns), Some(Rejected::NoAnswer));
    check(Filter { most_steps: 2, ..plain() }, &|_| (), Some(Rejected::TooManySteps));
    check(Filter { most_characters: 50, ..plain() }, &|_| (), Some(Rejected::TooLong));
    check(Filter { least_calls: 9, ..plain() }, &|_| (), Some(Rejected::TooFewCalls));
    let turn = |text: &'static str| move |record: &mut Record| record.trace.turns[0].done.text = text.into();
    check(plain(), &turn("<tool>{}</tool>"), Some(Rejected::Form));
    check(plain(), &turn("<think>a</think><think>b</think><tool>{}</tool>"), Some(Rejected::Form));
    check(
        plain(),
        &turn("<think>first this. now i ask vlm</think><tool>{}</tool>"),
        Some(Rejected::OtherTool),
    );
    check(plain(), &turn("<think>vlm later. now rag</think><tool>{}</tool>"), None);
    let fails = |record: &mut Record| {
        let called = record.trace.turns[1].done.called.as_mut().unwrap();
        called.outcome = crate::Outcome::Failed(crate::ToolError::failed("x"));
    };
    check(plain(), &fails, Some(Rejected::FailedCall));
    check(Filter { no_failed_calls: false, ..plain() }, &fails, None);
}

#[test]
fn questions_are_read_as_python_writes_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("questions");
    let row = |id: &str| {
        format!(
            "{{\"ID\": {id}, \"question\": \"Who?\", \"choice_a\": \"x\", \"choice_b\": \"y\", \"answer\": \"A\", \"score\": NaN, \"query_time\": {{\"date\": \"DAY1\", \"time\": \"11210217\"}}}}"
        )
    };
    let check = |text: String, expect: std::result::Result<usize, &str>| {
        fs_err::write(&path, &text).unwrap();
        match (read_questions(&path, Some("A1")), expect) {
            (Ok(read), Ok(count)) => assert_eq!(read.len(), count, "{text}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, _) => panic!("{text}: {found:?}"),
        }
    };
    check(format!("\u{feff}[{},\n{}]", row("1"), row("2")), Ok(2));
    check(format!("\u{feff}{}\n\n{}\n", row("1"), row("2")), Ok(2));
    check(row("1").replace(',', ",\n  ") + "\n" + &row("2"), Ok(2));
    check(format!("{}\n{}", row("1"), row("NaN")), Err("row 2: no ID: `ID` is NaN at line 2 column 8"));
    check(format!("{}\n[1]", row("1")), Err("row 2: expected an object, found a list at line 2 column 1"));
    check(format!("{{\"questions\": [{}]}}", row("1")), Err("jq -c '.\"questions\"[]' FILE"));
}

#[test]
fn ids_of_benchmarks_are_texts_whatever_they_were_written_as() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str| {
        let path = folder.path().join("ids");
        fs_err::write(&path, text).unwrap();
        assert_eq!(read_ids(&path).unwrap(), ["1".to_owned(), "x".to_owned()].into(), "{text}");
    };
    check("[1, \"x\"]");
    check("[{\"ID\": 1}, {\"ID\": \"x\"}]");
    check("1\n\nx\n");
}

#[test]
fn modes_show_a_teacher_so_much_of_its_past() {
    let text = |role: Role, text: &str| Message::new(role, vec![Part::Text(text.into())]);
    let call = |level: &str| crate::scripted_tools::call("rag", json!({"level": level}));
    let mut messages = vec![text(Role::System, "sys"), text(Role::User, "q")];
    for (level, found) in [("week", "one"), ("day", "two"), ("hour", "three")] {
        messages.push(text(Role::Assistant, &call(level)));
        messages.push(text(Role::User, &crate::information(found)));
    }
    let conversation = firsthand_base::Conversation { messages };
    let check = |mode: Observations, has: &[&str], lacks: &[&str]| {
        let shown = format!("{:?}", mode.shown(&conversation));
        has.iter()
            .for_each(|part| assert!(shown.contains(part), "{}: {part} is not in {shown}", mode.name()));
        lacks.iter().for_each(|part| assert!(!shown.contains(part), "{}: {part} is in {shown}", mode.name()));
    };
    check(Observations::All, &["sys", "one", "two", "three", "week"], &["Previous"]);
    check(Observations::Single, &["sys", "three", "week", "day"], &["one<", "two<", "Previous"]);
    let before =
        "Previous actions (step-2): {\\\"name\\\":\\\"rag\\\",\\\"arguments\\\":{\\\"level\\\":\\\"day\\\"}}";
    check(Observations::AllActions, &["sys", "three", "step-1", before], &["one<", "two<"]);
    check(Observations::Null, &["sys", "\"q\"", "three"], &["one<", "two<", "week", "Previous"]);
    let short = firsthand_base::Conversation { messages: conversation.messages[..2].to_vec() };
    assert!(Observations::ALL.iter().all(|mode| mode.shown(&short) == short));
}

use firsthand_base::{Message, Part, Role};

#[test]
fn finish_is_kept() {
    let bench = Bench::new();
    let (records, _) = bench.run(seekers(1), usize::MAX).unwrap();
    assert!(records[0].trace.turns.iter().all(|turn| turn.finish == Finish::Stop));
}

#[test]
fn questions_in_one_turn_cite_what_decides_or_only_answer() {
    let folder = tempfile::tempdir().unwrap();
    let memories = scripted_memory::memories(&folder.path().join("memory"));
    let asked = questions(ROWS, Some("A1_JAKE")).unwrap();
    let asked: Vec<&Asked> = asked.iter().collect();
    let super::super::PlainRows { plain: rows, lessons } =
        super::super::plain_rows(&asked, &memories, Prompt::Brief, (3, 400)).unwrap();
    assert_eq!(rows.len(), 9);
    let turns = |id: &str| {
        let row = lessons.iter().find(|row| row["id"] == id).unwrap();
        [0, 1].map(|turn| row["conversations"][turn]["value"].as_str().unwrap().to_owned())
    };
    let [shown, said] = turns("A1_JAKE-1-named");
    assert!(
        shown.starts_with("<information>bedroom</information>\n") && said.contains("so bedroom B"),
        "{shown}"
    );
    let [shown, said] = turns("A1_JAKE-1-fact");
    assert!(
        shown.contains("DAY2_10000000 : I put the red cup") && said.contains("at DAY2_10000000 : i put"),
        "{shown}"
    );
    let row = |id: &str| {
        let row = rows.iter().find(|row| row["id"] == id).unwrap();
        [0, 1].map(|turn| row["conversations"][turn]["value"].as_str().unwrap().to_owned())
    };
    let [shown, said] = row("A1_JAKE-1-flat");
    assert!(shown.contains("bedroom.") && !shown.contains("bathroom"), "{shown}");
    assert!(
        said.contains("at DAY2_10000000 : i put the red cup") && said.ends_with("<answer>B</answer>"),
        "{said}"
    );
    assert_eq!(
        row("A1_JAKE-1-blind")[1],
        "<think>kitchen A , bedroom B , garage C . so bedroom B .</think> <answer>B</answer>"
    );
    assert_eq!(row("A1_JAKE-3-flat")[1], "<think>red A , blue B . so red A .</think> <answer>A</answer>");
}
