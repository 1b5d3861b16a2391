//! Text of others, made fit for a terminal.

/// Whether a terminal would obey the character rather than show it: controls, line separators, and what hides text or
/// turns its direction (Unicode TR 36, 3.1).
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// One line: a path, say.
pub fn line(text: &str) -> String {
    text.chars().map(|c| if is_unseen(c) { '?' } else { c }).collect()
}

/// Text that may have several lines, indented with tabs.
pub fn lines(text: String) -> String {
    let harmless = |c: char| !is_unseen(c) || matches!(c, '\n' | '\t');
    if text.chars().all(harmless) { text } else { text.chars().map(|c| if harmless(c) { c } else { '?' }).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_not_obeyed() {
        assert_eq!(line("e\u{1b}[31mvil\n"), "e?[31mvil?");
        assert_eq!(lines("a\n\tb\r\u{202e}".into()), "a\n\tb??");
    }
}
