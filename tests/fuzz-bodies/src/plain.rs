//! Texts that people are shown: short, printable, and nothing in them that came from outside.

use std::fmt::{Debug, Display};

/// The longest message of a condition, in characters.
const LONGEST: usize = 256;
/// As much of an input counts as a leak.
const LEAK: usize = 16;

/// The error may be shown to anyone, as a message and in debug form.
pub(crate) fn error(error: &(impl Display + Debug), input: &[u8]) {
    text(&error.to_string(), input, &[]);
    let debug = format!("{error:?}");
    assert!(!repeats(&debug, input), "it repeats its input: {debug}");
}

/// The text may be shown to anyone. What it may quote, such as a service's code, is not counted as a leak.
pub(crate) fn text(text: &str, input: &[u8], may_quote: &[&str]) {
    assert!(text.chars().count() <= LONGEST, "it is too long: {text}");
    assert!(text.chars().all(prints), "it does not print: {text:?}");
    let rest = may_quote.iter().fold(text.to_owned(), |rest, quoted| rest.replace(quoted, "\0"));
    assert!(!repeats(&rest, input), "it repeats its input: {text}");
}

/// Neither a control character nor one that changes the direction of what follows.
pub(crate) fn prints(c: char) -> bool {
    let steers =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !steers
}

fn repeats(text: &str, input: &[u8]) -> bool {
    let windows = || text.as_bytes().windows(LEAK);
    // Most windows of the input begin with no pair that a window of the text begins with.
    let pair = |window: &[u8]| usize::from(window[0]) << 8 | usize::from(window[1]);
    let mut begins = vec![false; 1 << 16];
    windows().for_each(|window| begins[pair(window)] = true);
    input.windows(LEAK).filter(|it| begins[pair(it)]).any(|it| windows().any(|window| window == it))
}

#[cfg(test)]
mod tests {
    use super::repeats;

    #[test]
    fn sixteen_bytes_are_a_leak_and_fifteen_are_not() {
        assert!(repeats("refused: 0123456789abcdef", b"..0123456789abcdef.."));
        assert!(!repeats("refused: 0123456789abcde", b"..0123456789abcdef.."));
        assert!(!repeats("", b"") && !repeats("short", b"short"));
    }
}
