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

/// As many bytes as are looked at together, as one number.
type Word = [u8; 8];

const ONES: u64 = u64::from_ne_bytes([1; 8]);

/// The highest bit of each byte that is zero. Exact: what is added to a byte carries nothing into the next.
const fn zeros(word: u64) -> u64 {
    const LOW: u64 = ONES * 0x7f;
    !(((word & LOW) + LOW) | word | LOW)
}

/// The highest bit of each byte that has an escape. Numbers rather than loops over bytes: the services are compiled for
/// size, and then no compiler makes one step of eight.
const fn escaped(word: Word) -> u64 {
    let word = u64::from_le_bytes(word);
    zeros(word & (ONES * 0xe0)) | zeros(word ^ (ONES * b'"' as u64)) | zeros(word ^ (ONES * b'\\' as u64))
}

/// How many bytes `text` takes in a JSON string, without its quotes.
pub fn json_size(text: &str) -> usize {
    let more = |byte: u8| size(byte) - 1;
    let (words, rest) = text.as_bytes().as_chunks();
    let mut sum = text.len() + rest.iter().map(|byte| more(*byte)).sum::<usize>();
    for word in words {
        let mut marks = escaped(*word);
        while marks != 0 {
            let place = (marks.trailing_zeros() / 8) as usize;
            sum += word.get(place).map_or(0, |byte| more(*byte));
            marks &= marks - 1;
        }
    }
    sum
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
        let left = bytes.get(..from).unwrap_or_default();
        match (left.as_chunks().0.last().copied(), left.last().copied()) {
            (Some(word), _) if from.is_multiple_of(word.len()) && (to - from >= CLEARANCE || escaped(word) == 0) => {
                from -= word.len();
                to = put_word(&mut bytes, to, word);
            }
            (_, Some(byte)) => {
                from -= 1;
                to = put_byte(&mut bytes, to, byte);
            }
            (_, None) => break,
        }
    }
    bytes
}

/// How far the end of what is written must be from the end of what is left, so that a word with escapes can be written in
/// whole words: it grows by 40 bytes at most, and the last of them begins 8 before its end.
const CLEARANCE: usize = 48;

/// Writes `part` so that it ends at `end`; answers with where it starts.
fn put(bytes: &mut [u8], end: usize, part: &[u8]) -> usize {
    let start = end - part.len();
    if let Some(place) = bytes.get_mut(start..end) {
        place.copy_from_slice(part);
    }
    start
}

/// The same with what stands for a byte.
fn put_byte(bytes: &mut [u8], end: usize, byte: u8) -> usize {
    match size(byte) {
        1 => put(bytes, end, &[byte]),
        2 => put(bytes, end, &[b'\\', name(byte)]),
        _ => put(bytes, end, &numbered(byte)),
    }
}

/// The same with what stands for a word. Every step writes eight bytes, of which those count that end the word so far; the
/// others are written over by the next.
fn put_word(bytes: &mut [u8], mut end: usize, word: Word) -> usize {
    let number = u64::from_le_bytes(word);
    let (mut marks, mut left) = (escaped(word), word.len());
    while left > 0 {
        put(bytes, end, &(number << (8 * (word.len() - left))).to_le_bytes());
        let place = (63_u32.checked_sub(marks.leading_zeros())).map(|bit| (bit / 8) as usize);
        let Some((place, byte)) = place.and_then(|place| Some((place, *word.get(place)?))) else { return end - left };
        end = put_byte(bytes, end - (left - place - 1), byte);
        left = place;
        marks ^= 0x80 << (8 * place);
    }
    end
}

/// The letter that stands for a byte with an escape of two characters.
fn name(byte: u8) -> u8 {
    match byte {
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        8 => b'b',
        12 => b'f',
        _ => byte,
    }
}

/// The escape of any other control character.
fn numbered(byte: u8) -> [u8; 6] {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
    [b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]
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
        for text in [
            "",
            "plain",
            "\n",
            "\u{1}",
            "a\n\"\\\u{1}\u{8}\t",
            "Straße\u{7f}",
            &all,
            &"\"\u{1f}".repeat(1000),
            &format!("\"{}\n\\", "plain ".repeat(99)),
        ] {
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
