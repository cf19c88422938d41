//! French typography on finished pages: the blanks before `:`, `;`, `?`, `!`, `»` and after `«` do not break
//! (Lexique des règles typographiques en usage à l'Imprimerie nationale).
//!
//! Promises: only text between tags changes, never a tag, an attribute, or what stands in a field, a script or a
//! literal: what somebody typed comes back as it was typed.

/// What is not prose.
const LITERAL: [&str; 6] = ["textarea", "code", "pre", "script", "style", "option"];

/// The page with its blanks held.
pub fn held(html: &str) -> String {
    let mut out = String::with_capacity(html.len() + 256);
    let mut rest = html;
    let mut literal: Option<&str> = None;
    while let Some(open) = rest.find('<') {
        let (text, from_tag) = rest.split_at(open);
        push(&mut out, text, literal.is_some());
        let end = from_tag.find('>').map_or(from_tag.len(), |at| at + 1);
        let (tag, after) = from_tag.split_at(end);
        literal = match literal {
            Some(name) if closes(tag, name) => None,
            Some(name) => Some(name),
            None => LITERAL.into_iter().find(|name| opens(tag, name)),
        };
        out.push_str(tag);
        rest = after;
    }
    push(&mut out, rest, literal.is_some());
    out
}

fn opens(tag: &str, name: &str) -> bool {
    let after = tag.strip_prefix('<').and_then(|tag| tag.strip_prefix(name));
    after.is_some_and(|after| after.starts_with(['>', ' ', '\n']))
}

fn closes(tag: &str, name: &str) -> bool {
    tag.strip_prefix("</").and_then(|tag| tag.strip_suffix('>')) == Some(name)
}

fn push(out: &mut String, text: &str, literal: bool) {
    if literal {
        out.push_str(text);
        return;
    }
    let mut signs = text.chars().peekable();
    let mut after_opening = false;
    while let Some(sign) = signs.next() {
        let before_sign = signs
            .peek()
            .is_some_and(|next| matches!(next, ':' | ';' | '?' | '!' | '»'));
        let blank = sign == ' ' && (before_sign || after_opening);
        out.push(if blank { '\u{a0}' } else { sign });
        after_opening = sign == '«';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_before_high_signs_and_within_guillemets_do_not_break() {
        assert_eq!(
            held("<p>Masquer : « tout » ? Oui ; non !</p>"),
            "<p>Masquer\u{a0}: «\u{a0}tout\u{a0}»\u{a0}? Oui\u{a0}; non\u{a0}!</p>"
        );
    }

    #[test]
    fn what_was_typed_comes_back_as_it_was_typed() {
        for page in [
            "<input value=\"un : deux\"><textarea name=\"faits\" rows=4>un : <b> deux !</textarea>",
            "<code>a : b</code><pre>c ; d</pre><option>e : f</option>",
            "<a title=\"g : h\" href=\"/i?j : k\"></a>",
            "un < deux",
        ] {
            assert_eq!(held(page), page);
        }
        assert_eq!(held("<codex>a : b</codex>"), "<codex>a\u{a0}: b</codex>");
    }
}
