//! How a character is framed on a serial line.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Data bits, parity and stop bits, as they are usually written: `8N1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Framing {
    pub data: DataBits,
    pub parity: Parity,
    pub stop: StopBits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataBits {
    Five,
    Six,
    Seven,
    Eight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parity {
    None,
    Even,
    Odd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopBits {
    One,
    /// With five data bits the usual hardware makes it one and a half.
    Two,
}

impl Default for Framing {
    fn default() -> Self {
        Framing { data: DataBits::Eight, parity: Parity::None, stop: StopBits::One }
    }
}

impl FromStr for Framing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || match text.as_bytes() {
            [data, parity, stop] => Some(Framing {
                data: match data {
                    b'5' => DataBits::Five,
                    b'6' => DataBits::Six,
                    b'7' => DataBits::Seven,
                    b'8' => DataBits::Eight,
                    _ => return None,
                },
                parity: match parity {
                    b'N' => Parity::None,
                    b'E' => Parity::Even,
                    b'O' => Parity::Odd,
                    _ => return None,
                },
                stop: match stop {
                    b'1' => StopBits::One,
                    b'2' => StopBits::Two,
                    _ => return None,
                },
            }),
            _ => None,
        };
        form().ok_or_else(|| format!("{text}: no framing, such as 8N1: 5 to 8 data bits, N, E or O, 1 or 2 stop bits"))
    }
}

impl TryFrom<String> for Framing {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = match self.data {
            DataBits::Five => '5',
            DataBits::Six => '6',
            DataBits::Seven => '7',
            DataBits::Eight => '8',
        };
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        let stop = match self.stop {
            StopBits::One => '1',
            StopBits::Two => '2',
        };
        write!(f, "{data}{parity}{stop}")
    }
}

impl From<Framing> for String {
    fn from(framing: Framing) -> Self {
        framing.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_as_it_is_written() {
        for data in "5678".chars() {
            for parity in "NEO".chars() {
                for stop in "12".chars() {
                    let text = format!("\"{data}{parity}{stop}\"");
                    let framing: Framing = serde_json::from_str(&text).unwrap();
                    assert_eq!(serde_json::to_string(&framing).unwrap(), text);
                }
            }
        }
        assert_eq!(Framing::default().to_string(), "8N1");
    }

    #[test]
    fn what_is_none_is_named() {
        for text in ["", "8N", "9N1", "8M1", "8N3", "8n1", "8N1 ", "8N1.5"] {
            assert!(text.parse::<Framing>().unwrap_err().contains("no framing, such as 8N1"), "{text}");
        }
    }
}
