//! Prompt files: text with `{{name}}` placeholders. The file's last newline belongs to the file, not the prompt.

use crate::{Error, Result};

/// Fills every placeholder. A name without a value, or a value without a name, is an error: either means that the
/// file and the code have drifted apart. Values are inserted as they are and not scanned again.
pub fn fill(file: &str, values: &[(&str, &str)]) -> Result<String> {
    let text = file.strip_suffix('\n').unwrap_or(file);
    let mut out = String::with_capacity(text.len());
    let mut used = vec![false; values.len()];
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) =
            after.split_once("}}").ok_or_else(|| Error::Template("a placeholder does not end".to_owned()))?;
        let at = values.iter().position(|(known, _)| *known == name);
        let at = at.ok_or_else(|| Error::Template(format!("no value for {name}")))?;
        used[at] = true;
        out.push_str(before);
        out.push_str(values[at].1);
        rest = after;
    }
    out.push_str(rest);
    match used.iter().position(|used| !used) {
        Some(at) => Err(Error::Template(format!("no place for {}", values[at].0))),
        None => Ok(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_each_name_once_and_refuses_drift() {
        let check = |file, values: &[(&str, &str)], expect: std::result::Result<&str, &str>| {
            let expect = expect.map(str::to_owned).map_err(|text| Error::Template(text.to_owned()));
            assert_eq!(fill(file, values), expect, "{file:?}");
        };
        check("a {{b}} {c}\n", &[("b", "{{c}}")], Ok("a {{c}} {c}"));
        check("a \n\n", &[], Ok("a \n"));
        check("{{b}}", &[], Err("no value for b"));
        check("x", &[("b", "1")], Err("no place for b"));
        check("{{b", &[("b", "1")], Err("a placeholder does not end"));
    }
}
