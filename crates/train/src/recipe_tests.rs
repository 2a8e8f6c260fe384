//! Recipes that are right become values, recipes that are wrong become one line that says what to do.

use super::*;

const GOOD: &str = r#"
output = "runs/first"
[model]
start = "some/checkpoint"
[[source]]
name = "a"
format = "video-r1"
path = "a.json"
[train]
steps = 10
learning_rate = 1e-5
"#;

#[test]
fn what_is_left_out_has_a_default() {
    let recipe = Recipe::parse(GOOD).unwrap();
    let [phase] = recipe.phases.as_slice() else { panic!("{recipe:?}") };
    assert_eq!((phase.name.as_str(), phase.kind, phase.step_items()), ("train", PhaseKind::Sft, 1));
    assert_eq!(phase.learning_rate, Rates { vision: 1e-5, merger: 1e-5, language: 1e-5, named: false });
    assert_eq!(phase.schedule_of(10).factor(0), 1.0);
    assert_eq!(recipe.save, SaveRecipe { every: 500, keep: 2, dtype: DtypeRecipe::Auto });
    assert_eq!(recipe.sources_of(phase).len(), 1);
}

#[test]
fn phases_have_their_own_rates_and_sources() {
    let text = GOOD.replace("[train]", "[[source]]\nname = \"b\"\nformat = \"messages\"\npath = \"b.jsonl\"\n[[phase]]\nsources = [\"b\"]\nwarm_up_ratio = 0.03")
        + "[[phase]]\nname = \"joint\"\nepochs = 1\nbatch = 4\naccumulate = 2\nlearning_rate = { language = 2e-4, vision = 4e-5 }\nschedule = \"linear\"\n";
    let recipe = Recipe::parse(&text).unwrap();
    let names: Vec<&str> = recipe.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, ["phase 1", "joint"]);
    assert_eq!(recipe.sources_of(&recipe.phases[0])[0].name, "b");
    assert_eq!(recipe.sources_of(&recipe.phases[1]).len(), 2);
    assert_eq!(
        recipe.phases[1].learning_rate,
        Rates { vision: 4e-5, merger: 0.0, language: 2e-4, named: true }
    );
    assert_eq!(recipe.phases[1].step_items(), 8);
    assert_eq!(recipe.phases[0].schedule_of(100).warm_up, 3);
}

#[test]
fn wrong_recipes_say_what_and_where() {
    let check = |from: &str, to: &str, parts: &[&str]| {
        assert!(GOOD.contains(from), "{from:?} is not in the good recipe");
        let error = Recipe::parse(&GOOD.replacen(from, to, 1)).expect_err(to);
        for part in parts {
            assert!(error.contains(part), "{part:?} is missing in {error:?}");
        }
        assert_eq!(error.lines().count(), 1, "{error}");
    };
    check("steps = 10", "stesp = 10", &["line 10", "unknown key stesp", "did you mean steps?"]);
    check("steps = 10", "steps = 10\nlearnig_rate = 1", &["line 11", "did you mean learning_rate?"]);
    check("[model]", "[modl]", &["unknown key modl", "did you mean model?"]);
    check("[model]", "zebra = 1\n[model]", &["unknown key zebra", "known: output, seed"]);
    check("\"video-r1\"", "\"vidoe-r1\"", &["unknown value \"vidoe-r1\"", "did you mean video-r1?"]);
    check("1e-5", "{ langauge = 1e-5 }", &["unknown key langauge", "did you mean language?"]);
    check("1e-5", "\"fast\"", &["line 11", "a number, or a table"]);
    check("1e-5", "-1e-5", &["phase \"train\"", "learning_rate.vision: -0.00001"]);
    check("1e-5", "nan", &["learning_rate.vision: NaN"]);
    check("1e-5", "0", &["nothing is left to train"]);
    check("1e-5", "{ language = 0, vision = 0.0 }", &["nothing is left to train"]);
    check("steps = 10", "", &["give steps or epochs"]);
    check("steps = 10", "steps = 10\nepochs = 2.0", &["keep one"]);
    check("steps = 10", "steps = 0", &["steps: 0"]);
    check("steps = 10", "epochs = 0.0", &["epochs: 0"]);
    check("steps = 10", "steps = 10\nbatch = 0", &["batch: 0"]);
    check("steps = 10", "steps = 10\nbatch = -1", &["line 11"]);
    check("steps = 10", "steps = 10\nclip = 0", &["clip: 0"]);
    check("steps = 10", "steps = 10\nwarm_up_ratio = 3", &["warm_up_ratio: 3", "share"]);
    check("steps = 10", "steps = 10\nwarm_up_ratio = 0.1\nwarm_up_steps = 3", &["keep one"]);
    check("steps = 10", "steps = 10\nbetas = [0.9, 1.0]", &["betas"]);
    check("steps = 10", "steps = 10\nsources = [\"c\"]", &["no source has the name \"c\""]);
    check("steps = 10", "steps = 10\ncache_features = true", &["cache_features", "learning_rate to 0"]);
    check("steps = 10", "steps = 10\nkind = \"vision-words\"", &["pairs"]);
    check("start = \"some/checkpoint\"", "", &["give start"]);
    check("[train]", "[[phase]]\nname = \"x\"\nsteps = 1\nlearning_rate = 1\n[train]", &["both given"]);
    check("[train]\nsteps = 10\nlearning_rate = 1e-5", "", &["nothing is trained"]);
    check("[train]", "[save]\nkeep = 0\n[train]", &["count from 1"]);
    check("[train]", "[adapter]\nrank = 0\n[train]", &["[adapter]", "rank 0"]);
    check(
        "[[source]]",
        "[[source]]\nname = \"a\"\nformat = \"st-r1\"\npath = \"b\"\n[[source]]",
        &["two sources"],
    );
    check("output = \"runs/first\"", "output = \"\"", &["output is empty"]);
    check("[train]", "[train", &["line 9"]);
}

#[test]
fn settings_name_what_shapes_the_result() {
    let settings = Recipe::parse(GOOD).unwrap().settings();
    assert_eq!(settings["phase[train].steps"], "10");
    assert_eq!(settings["phase[train].learning_rate.vision"], "0.00001");
    assert_eq!(settings["source[a].path"], "\"a.json\"");
    let moved = GOOD.replace("runs/first", "elsewhere") + "[save]\nkeep = 5\n[log]\nevery = 9\n";
    assert_eq!(Recipe::parse(&moved).unwrap().settings(), settings);
    let slower = GOOD.replace("1e-5", "9e-6");
    assert_ne!(Recipe::parse(&slower).unwrap().settings(), settings);
}
