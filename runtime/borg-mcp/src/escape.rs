//! Text as it stands in JSON.

/// How many bytes a byte takes in a JSON string.
const SIZES: [u8; 256] = sizes();

const fn sizes() -> [u8; 256] {
    let mut sizes = [1; 256];
    let mut byte = 0;
    while byte < 32 {
        sizes[byte] = 6;
        byte += 1;
    }
    let short = b"\"\\\n\r\t\x08\x0c";
    let mut at = 0;
    while at < short.len() {
        sizes[short[at] as usize] = 2;
        at += 1;
    }
    sizes
}

fn size(byte: u8) -> usize {
    usize::from(SIZES.get(usize::from(byte)).copied().unwrap_or(1))
}

/// How many bytes `text` takes in a JSON string, without its quotes.
pub fn json_size(text: &str) -> usize {
    let sizes = text.as_bytes().chunks(255).map(|block| {
        let control = count(block, |byte| byte < 32);
        let named = count(block, |byte| matches!(byte, b'\n' | b'\r' | b'\t' | 8 | 12));
        let quotes = count(block, |byte| byte == b'"') + count(block, |byte| byte == b'\\');
        block.len() + quotes + named + (control - named) * 5
    });
    sizes.sum()
}

/// How many bytes of at most 255 are such; a sum that small is one that the compiler makes of many bytes at once.
fn count(block: &[u8], is: impl Fn(u8) -> bool) -> usize {
    usize::from(block.iter().fold(0_u8, |sum, byte| sum.wrapping_add(u8::from(is(*byte)))))
}

/// `text` as it stands between the quotes of a JSON string, as `serde_json` writes it. It is done from the end, in the
/// text's own memory: a large text is never there twice.
pub fn json(text: String) -> Vec<u8> {
    let more = json_size(&text) - text.len();
    let mut bytes = text.into_bytes();
    let mut from = bytes.len();
    let mut to = from + more;
    bytes.reserve_exact(more);
    bytes.resize(to, 0);
    // Once they meet, what is left has nothing to escape.
    while from < to {
        let rest = bytes.get(..from).unwrap_or_default();
        let plain = rest.iter().rev().take_while(|byte| size(**byte) == 1).count();
        bytes.copy_within(from - plain..from, to - plain);
        from -= plain;
        to -= plain;
        let Some(byte) = from.checked_sub(1).and_then(|last| bytes.get(last).copied()) else { break };
        let escape = escape(byte);
        let escape = escape.get(..size(byte)).unwrap_or_default();
        from -= 1;
        to -= escape.len();
        if let Some(place) = bytes.get_mut(to..to + escape.len()) {
            place.copy_from_slice(escape);
        }
    }
    bytes
}

/// The escape of a byte that needs one: its first two characters, or all six.
fn escape(byte: u8) -> [u8; 6] {
    let named = match byte {
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        8 => b'b',
        12 => b'f',
        b'"' | b'\\' => byte,
        _ => b'u',
    };
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
    [b'\\', named, b'0', b'0', digit(byte >> 4), digit(byte & 15)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_as_serde_has_it(text: &str) {
        let expected = serde_json::to_string(text).unwrap();
        assert_eq!(json_size(text) + 2, expected.len(), "{text:?}");
        assert_eq!(format!("\"{}\"", String::from_utf8(json(text.to_owned())).unwrap()), expected);
    }

    #[test]
    fn every_byte_is_written_as_serde_json_does() {
        let all: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        for text in ["", "plain", "\n", "\u{1}", "a\n\"\\\u{1}\u{8}\t", "Straße\u{7f}", &all, &"\"\u{1f}".repeat(1000)]
        {
            is_as_serde_has_it(text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is(text in "(?s).{0,600}", lines in prop::collection::vec("[a-z\"\\\\\t]{0,40}", 0..40)) {
            is_as_serde_has_it(&text);
            is_as_serde_has_it(&lines.join("\n"));
        }
    }
}
