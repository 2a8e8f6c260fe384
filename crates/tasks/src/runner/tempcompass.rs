//! How TempCompass reads replies, by the rules of its published evaluation without a judge: yes-or-no questions by how the
//! reply begins, options by their letter at its beginning or their words, captions to match by their name or their words.
//! The published run asks a judge (GPT-3.5) about replies that no rule reads; here the reader of letters has the last
//! word, and what it does not read is counted as unread. The captioning task has no rule and is left out.

/// `yes` or `no`, whichever the reply begins with, the case of letters aside.
pub(super) fn yes_no(reply: &str) -> Option<&'static str> {
    let reply = plain(reply).to_lowercase();
    ["yes", "no"].into_iter().find(|word| reply.starts_with(word))
}

/// The option that a rule reads from a reply. Options are lines as the file has them: `B. fast`, `Option 2: A fast car.`.
pub(super) fn option(reply: &str, options: &[String]) -> Option<usize> {
    let reply = plain(reply);
    let named = options.iter().map(|option| option.split_once(": ").filter(|(name, _)| is_name(name)));
    match named.collect::<Option<Vec<_>>>() {
        Some(captions) if !captions.is_empty() => caption(&reply, options, &captions),
        _ => lettered(&reply, options),
    }
}

fn plain(reply: &str) -> String {
    reply.replace("</s>", "").trim().to_owned()
}

fn is_name(name: &str) -> bool {
    ["Sentence ", "Option ", "Caption "].iter().any(|kind| name.starts_with(kind))
}

fn lettered(reply: &str, options: &[String]) -> Option<usize> {
    if let Some(whole) = options.iter().position(|option| option == reply) {
        return Some(whole);
    }
    let mut chars = reply.chars();
    let letter = chars.next().filter(|c| ('A'..='D').contains(c))?;
    let ends = matches!(chars.next(), None | Some('.' | ')'));
    ends.then(|| options.iter().position(|option| option.starts_with(letter)))?
}

/// Of several rules that hold, the last one counts, as it does there: the name of a caption before its words.
fn caption(reply: &str, options: &[String], captions: &[(&str, &str)]) -> Option<usize> {
    let without_stops = reply.replace('.', "");
    let named = |name: &str| name == reply || name == without_stops;
    let short = |name: &str| {
        ["Sentence ", "Option ", "Caption "].iter().fold(name.to_owned(), |n, kind| n.replace(kind, ""))
    };
    let last = |holds: &dyn Fn(usize) -> bool| (0..captions.len()).rfind(|&at| holds(at));
    last(&|at| named(&short(captions[at].0)))
        .or_else(|| last(&|at| named(captions[at].0)))
        .or_else(|| last(&|at| captions[at].1 == reply || reply.split(") ").nth(1) == Some(captions[at].1)))
        .or_else(|| last(&|at| options[at] == reply))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_by_the_published_rules() {
        let yes = |reply: &str, expect: Option<&str>| assert_eq!(yes_no(reply), expect, "{reply:?}");
        yes("Yes, the man is running.", Some("yes"));
        yes("yes it is", Some("yes"));
        yes(" No.</s>", Some("no"));
        yes("NO, he is not", Some("no"));
        yes("Not at all", Some("no"));
        yes("The answer is yes.", None);
        yes("It is fast", None);
        yes("", None);
        let check = |options: &[&str], reply: &str, expect: Option<usize>| {
            let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
            assert_eq!(option(reply, &options), expect, "{reply:?}");
        };
        let speeds = ["A. slow", "B. fast"];
        check(&speeds, "B", Some(1));
        check(&speeds, "B. fast", Some(1));
        check(&speeds, "A. it moves slowly, unlike B", Some(0));
        check(&speeds, "B) fast", Some(1));
        check(&speeds, "b", None);
        check(&speeds, "fast", None);
        check(&speeds, "C.", None);
        let captions = ["Option 1: A slow car.", "Option 2: A fast car."];
        check(&captions, "Option 2: A fast car.", Some(1));
        check(&captions, "A slow car.", Some(0));
        check(&captions, "2) A fast car.", Some(1));
        check(&captions, "Option 1.", Some(0));
        check(&captions, "2", Some(1));
        check(&captions, "The second one", None);
        check(&["Caption A: x", "Caption B: y"], "B.", Some(1));
    }
}
