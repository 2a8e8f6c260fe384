//! What samples earn: the recipe's rewards over the samples of one prompt. A reward that cannot judge a sample is
//! counted and named; that sample's group is left out of the step, since nobody knows what it is worth.

use std::collections::BTreeMap;

use firsthand_base::Render;
use firsthand_tasks::reward::{self, Reward, Row as Judged, Scored};
use serde_json::Value;

use super::recipe::{RewardRecipe, RlRecipe};
use super::rollout::Rollout;
use crate::data::Row;
use crate::error::{Result, TrainError};

/// The rewards of a recipe.
pub struct Judge {
    rewards: Vec<(RewardRecipe, Box<dyn Reward>)>,
}

/// One completion as the judge reads it.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Without the token that ends it.
    pub text: String,
    /// With that token; `None` where it has no end.
    pub tokens: Option<usize>,
    /// Made over shuffled frames.
    pub is_shuffled: bool,
}

impl Reply {
    /// What a rollout says; of a dialogue with tools, what the model said in it.
    pub fn new(render: &impl Render, rollout: &Rollout, is_shuffled: bool) -> Reply {
        let ids: Vec<u32> = rollout.sampled().collect();
        let text = match &rollout.dialogue {
            Some(dialogue) => dialogue.said(),
            None => render.text(&ids[..ids.len() - usize::from(rollout.is_finished)]),
        };
        Reply { text, tokens: rollout.is_finished.then_some(ids.len()), is_shuffled }
    }
}

/// What a reply earned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Earned {
    /// The weighted sum.
    pub reward: f64,
    /// By `reward/part`, before weights.
    pub parts: BTreeMap<String, f64>,
    /// The largest accuracy or overlap that a reward found.
    pub accuracy: f64,
}

impl Earned {
    /// Whether it is right rather than wrong.
    pub fn is_right(&self) -> bool {
        self.accuracy > 0.5
    }
}

/// Parts that say how right a reply is.
const RIGHTNESS: [&str; 3] = ["accuracy", "iou", "tiou"];

impl Judge {
    /// Of the rewards of a recipe.
    pub fn new(recipe: &RlRecipe) -> Result<Judge> {
        let named = |entry: &RewardRecipe| {
            let reward = reward::named(&entry.name, entry.mode, &entry.settings)
                .map_err(|error| TrainError::Setup(format!("rl.reward: {error}")))?;
            Ok((entry.clone(), reward))
        };
        Ok(Judge { rewards: recipe.rewards.iter().map(named).collect::<Result<_>>()? })
    }

    /// What each reply to one row earned; an error says which reward could not judge, and why.
    pub fn group(&self, row: &Row, replies: &[Reply]) -> Result<Vec<Earned>, String> {
        let rows: Vec<Judged> = replies.iter().map(|reply| judged(row, reply)).collect();
        let rows: Vec<&Judged> = rows.iter().collect();
        let mut earned = vec![Earned::default(); replies.len()];
        let mut is_judged = false;
        for (entry, reward) in &self.rewards {
            let applies = |kinds: &Vec<_>| row.kind.is_some_and(|kind| kinds.contains(&kind));
            if !entry.kinds.as_ref().is_none_or(applies) {
                continue;
            }
            is_judged = true;
            let judge = |row: &&Judged| reward.score(row).map_err(|error| error.to_string());
            let mut scored = rows.iter().map(judge).collect::<Result<Vec<Scored>, String>>()?;
            reward.group(&rows, &mut scored);
            for (earned, scored) in earned.iter_mut().zip(scored) {
                if !scored.reward.is_finite() {
                    return Err(format!("{}: a reward of {}", entry.name, scored.reward));
                }
                earned.reward += entry.weight * scored.reward;
                if !earned.reward.is_finite() {
                    return Err(format!("{}: a weighted sum of {}", entry.name, earned.reward));
                }
                for (part, value) in scored.parts {
                    if RIGHTNESS.contains(&part) {
                        earned.accuracy = earned.accuracy.max(value);
                    }
                    earned.parts.insert(format!("{}/{part}", entry.name), value);
                }
            }
        }
        match is_judged {
            true => Ok(earned),
            false => {
                let kind = row.kind.map_or("unknown", |kind| kind.name());
                Err(format!("no reward judges rows of kind {kind}; add one, or leave such rows out"))
            }
        }
    }
}

fn judged(row: &Row, reply: &Reply) -> Judged {
    let text = |key: &str| row.facts.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut more = row.facts.clone();
    more.insert("shuffled".into(), reply.is_shuffled.into());
    if let Some(tokens) = reply.tokens {
        more.insert("tokens".into(), tokens.into());
    }
    Judged {
        completion: reply.text.clone(),
        solution: row.solution.clone().unwrap_or_default(),
        problem: text("problem"),
        problem_type: text("problem_type"),
        group: None,
        more,
    }
}

#[cfg(test)]
mod tests {
    use firsthand_base::Conversation;
    use firsthand_tasks::Kind;
    use serde_json::json;

    use super::*;
    use crate::data::{Answers, At};

    fn judge(rewards: &str) -> Judge {
        Judge::new(&toml::from_str::<RlRecipe>(rewards).unwrap()).unwrap()
    }

    fn row(kind: Kind, problem_type: &str, solution: &str) -> Row {
        let facts = json!({"problem_type": problem_type, "problem": "which?"});
        Row {
            conversation: Conversation::default(),
            answers: Answers::All,
            unlearned: Vec::new(),
            tools: None,
            source: "rows".into(),
            file: "rows.jsonl".into(),
            at: At { line: 1, row: 1 },
            id: None,
            kind: Some(kind),
            options: Vec::new(),
            solution: Some(solution.into()),
            facts: facts.as_object().unwrap().clone(),
        }
    }

    fn reply(text: &str, is_shuffled: bool) -> Reply {
        Reply { text: text.into(), tokens: Some(400), is_shuffled }
    }

    const RIGHT: &str = "<think>so</think><answer>A</answer>";
    const WRONG: &str = "<think>so</think><answer>B</answer>";

    #[test]
    fn rewards_add_up_by_their_weights_and_kinds() {
        let judge = judge(
            "[[reward]]\nname = \"video-r1\"\nweight = 2.0\nkinds = [\"multiple-choice\"]\nsettings = { length = 0.0 }\n\
             [[reward]]\nname = \"egothinker-iou\"\nkinds = [\"box\"]\n[[reward]]\nname = \"egothinker-format\"",
        );
        let letters = row(Kind::MultipleChoice, "multiple choice", "<answer>A</answer>");
        let earned = judge.group(&letters, &[reply(RIGHT, false), reply(WRONG, false)]).unwrap();
        assert_eq!((earned[0].reward, earned[1].reward), (2.0 * 2.0 + 1.0, 2.0 + 1.0));
        assert_eq!((earned[0].accuracy, earned[1].accuracy), (1.0, 0.0));
        assert_eq!(earned[0].parts["video-r1/accuracy"], 1.0);
        let boxes = row(Kind::Box, "visor", "[0, 0, 10, 10]");
        let half = reply("<think>so</think><answer>[0, 0, 10, 5]</answer>", false);
        let earned = judge.group(&boxes, &[half]).unwrap();
        assert_eq!((earned[0].reward, earned[0].accuracy), (1.5, 0.5));
    }

    #[test]
    fn the_published_bonus_compares_with_shuffled_frames() {
        let judge = judge("[[reward]]\nname = \"video-r1\"\nsettings = { length = 0.0 }");
        let row = row(Kind::MultipleChoice, "multiple choice", "<answer>A</answer>");
        let temporal = |shuffled: &str| {
            let replies = [reply(RIGHT, false), reply(WRONG, false), reply(shuffled, true)];
            judge.group(&row, &replies).unwrap()[0].parts["video-r1/temporal"]
        };
        // Half are right in order: as good as none right out of order, worse than all.
        assert_eq!((temporal(WRONG), temporal(RIGHT)), (0.3, 0.0));
    }

    #[test]
    fn what_cannot_be_judged_is_an_error_that_names_the_reward() {
        let check = |rewards: &str, row: Row, expected: &str| {
            let error = judge(rewards).group(&row, &[reply(RIGHT, false), reply(RIGHT, false)]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        let strict = "[[reward]]\nname = \"video-r1\"\nmode = \"strict\"";
        check(strict, row(Kind::MultipleChoice, "multiple choice", ""), "video-r1: no gold answer");
        // Never a number that is none: what nobody can count is left out.
        let endless = "[[reward]]\nname = \"video-r1\"\nsettings = { format = 1e308, length = 1e308 }";
        let letters = || row(Kind::MultipleChoice, "multiple choice", "<answer>A</answer>");
        check(endless, letters(), "video-r1: a reward of inf");
        let twice = "[[reward]]\nname = \"video-r1\"\nweight = 1e308\n".repeat(2);
        check(&twice, letters(), "video-r1: a weighted sum of inf");
        check(
            "[[reward]]\nname = \"egothinker-iou\"\nkinds = [\"box\"]",
            row(Kind::Interval, "egoexo", "(1,2)"),
            "no reward judges rows of kind interval",
        );
    }
}
