//! Samples as a person reads them: the prompt's place, each reply with what it earned, as one text file a step.

use std::fmt::Write;
use std::path::Path;

use super::round::Group;
use crate::error::Result;

/// Most groups of a file.
const GROUPS: usize = 4;

/// Writes the first groups of a step to `folder/step-000000.txt`.
pub fn write(folder: &Path, step: u64, groups: &[Group]) -> Result<()> {
    let mut text = String::new();
    for group in groups.iter().take(GROUPS) {
        let row = group.prompt.asked.as_ref().map(|asked| &asked.row);
        if let Some(row) = row {
            let name = row.id.clone().unwrap_or_else(|| format!("{}:{}", row.file.display(), row.at));
            let question = row.conversation.parts().filter_map(|part| match part {
                firsthand_base::Part::Text(text) => Some(text.as_str()),
                _ => None,
            });
            _ = writeln!(text, "# {name}");
            // The last turn is the reference's.
            let turns: Vec<&str> = question.collect();
            _ = writeln!(text, "{}\n", turns[..turns.len().saturating_sub(1)].join("\n"));
            _ = writeln!(text, "right: {}\n", row.solution.as_deref().unwrap_or("unknown"));
        }
        for (i, (reply, earned)) in group.replies.iter().zip(&group.earned).enumerate() {
            let what = match (i >= group.learned, reply.is_shuffled) {
                (_, true) => "shuffled",
                (true, false) => "greedy",
                (false, false) => "sample",
            };
            let parts: Vec<String> =
                earned.parts.iter().map(|(name, value)| format!("{name} {value:.3}")).collect();
            let tokens = group.rollouts[i].len();
            _ = writeln!(
                text,
                "## {what} {}: reward {:.3} ({}), {tokens} tokens",
                i + 1,
                earned.reward,
                parts.join(", ")
            );
            match &group.rollouts[i].dialogue {
                Some(dialogue) => _ = writeln!(text, "{}\n", dialogue.transcript()),
                None => _ = writeln!(text, "{}\n", reply.text),
            }
        }
    }
    fs_err::create_dir_all(folder)?;
    let place = folder.join(format!("step-{step:06}.txt"));
    let draft = place.with_extension("part");
    fs_err::write(&draft, text)?;
    Ok(fs_err::rename(draft, place)?)
}
