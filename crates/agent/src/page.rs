//! A trace as one page of HTML that stands alone: no script, no address to load from. Everything a trace holds is text of
//! strangers, so everything is escaped.

use firsthand_tasks::fill;
use firsthand_tasks::format::Step;

use crate::tool::{Evidence, Outcome};
use crate::trace::{Trace, TracedTurn};
use crate::{Result, Said, Verdict};

/// A picture for a piece of evidence, as a `data:` location; what has none is shown without.
pub type Thumbnail<'a> = dyn Fn(&Evidence) -> Vec<String> + 'a;

/// The page.
pub fn page(trace: &Trace, thumbnail: &Thumbnail<'_>) -> Result<String> {
    let mut body = head(trace);
    body.push_str("<h2>Answer</h2>\n");
    body.push_str(&answer(trace));
    let (decisive, searched) = (trace.decisive(), trace.searched());
    if !searched.is_empty() {
        let title = if decisive.is_empty() { "What was searched" } else { "Evidence" };
        body.push_str(&format!("<h2>{title}</h2>\n<div class=\"card\"><table>\n"));
        for evidence in searched {
            body.push_str(&proof(evidence, thumbnail));
        }
        body.push_str("</table></div>\n");
    }
    body.push_str("<h2>How it was found</h2>\n");
    for (index, turn) in trace.turns.iter().enumerate() {
        body.push_str(&step(index + 1, turn));
    }
    body.push_str(&made_by(trace));
    let title = format!("{} - firsthand", escape(&trace.question.text));
    Ok(fill(include_str!("../prompts/page.html"), &[("title", &title), ("body", &body)])?)
}

fn head(trace: &Trace) -> String {
    let question = &trace.question;
    let options: String =
        question.options.iter().map(|option| format!("<li>{}</li>", escape(option))).collect();
    let options = match options.is_empty() {
        true => String::new(),
        false => format!("<ol class=\"options\" type=\"A\">{options}</ol>\n"),
    };
    format!(
        "<h1>{}</h1>\n<div class=\"meta\">asked at {} about {}</div>\n{options}",
        escape(&question.text),
        question.clock,
        escape(&question.wearer)
    )
}

fn answer(trace: &Trace) -> String {
    let mut out = match (&trace.verdict, &trace.end) {
        (Some(verdict @ Verdict::NotInMemory), _) => {
            format!("<div class=\"card answer none\">{}</div>\n", escape(&trace.question.told(verdict)))
        }
        (Some(verdict), _) => {
            format!("<div class=\"card answer\">{}</div>\n", escape(&trace.question.told(verdict)))
        }
        (None, Said::Over(over)) => {
            format!("<div class=\"card answer none\">no answer: {}</div>\n", escape(&over.to_string()))
        }
        _ => String::new(),
    };
    if let Some(summary) = &trace.summary {
        let told = escape(&trace.question.told(&summary.verdict));
        out.push_str(&format!("<div class=\"card\">with the summary model: {told}</div>\n"));
    }
    let spent = trace.spent;
    out.push_str(&format!(
        "<div class=\"meta\">{} turns, {} tokens, {:.2} s</div>\n",
        spent.turns, spent.tokens, spent.seconds
    ));
    out
}

fn proof(evidence: &Evidence, thumbnail: &Thumbnail<'_>) -> String {
    // Only pictures that stand in the page itself; the page's own policy refuses others too.
    let pictures: String = thumbnail(evidence)
        .iter()
        .filter(|location| location.starts_with("data:image/"))
        .map(|location| format!("<img alt=\"\" src=\"{}\">", escape(location)))
        .collect();
    let files: Vec<String> = evidence
        .seen
        .iter()
        .map(|seen| format!("{} {:.2}-{:.2} s", escape(&seen.file), seen.start_s, seen.end_s))
        .collect();
    let files = match files.is_empty() {
        true => String::new(),
        false => format!("<div class=\"meta\">{}</div>", files.join("<br>")),
    };
    format!(
        "<tr><td class=\"when\">{}<br>{}</td><td>{}{files}{pictures}</td></tr>\n",
        evidence.start,
        evidence.end,
        escape(&evidence.text)
    )
}

fn step(number: usize, turn: &TracedTurn) -> String {
    let done = &turn.done;
    let thought = Step::parse(&done.text).thinking.unwrap_or_default();
    let seconds = done.cost.seconds + done.called.as_ref().map_or(0.0, |called| called.seconds);
    let mut out = format!(
        "<div class=\"card\"><span class=\"cost\">{number} &middot; {} tokens &middot; {seconds:.2} s</span>\n",
        done.cost.tokens
    );
    if !thought.is_empty() {
        out.push_str(&format!("<div class=\"think\">{}</div>\n", escape(&thought)));
    }
    if let Some(called) = &done.called {
        let arguments: Vec<String> =
            called.call.arguments.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let call = format!("{}({})", called.call.name, arguments.join(", "));
        out.push_str(&format!("<pre class=\"call\">{}</pre>\n", escape(&call)));
    }
    let failed = matches!(done.called.as_ref().map(|called| &called.outcome), Some(Outcome::Failed(_)));
    match &done.said {
        Said::Observation(text) => {
            let class = if failed || done.called.is_none() { "error" } else { "" };
            out.push_str(&format!("<pre class=\"{class}\">{}</pre>\n", escape(&readable(text))));
        }
        Said::Answer(answer) => out.push_str(&format!("<pre>answer: {}</pre>\n", escape(answer))),
        Said::Over(over) => {
            out.push_str(&format!("<pre class=\"error\">{}</pre>\n", escape(&over.to_string())))
        }
    }
    out.push_str("</div>\n");
    out
}

/// JSON over several lines, everything else as it is.
fn readable(text: &str) -> String {
    let line = |line: &str| match serde_json::from_str::<serde_json::Value>(line) {
        Ok(value) if value.is_object() => serde_json::to_string_pretty(&value).unwrap_or_default(),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn made_by(trace: &Trace) -> String {
    let manifests = serde_json::to_string_pretty(&trace.manifests).unwrap_or_default();
    format!(
        "<h2>What made it</h2>\n<div class=\"card\"><details><summary>prompt, tools, models</summary><pre>{}</pre><pre>{}</pre></details></div>\n",
        escape(&trace.system),
        escape(&manifests)
    )
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
