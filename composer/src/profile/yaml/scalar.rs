//! What a plain scalar means: YAML 1.2's core schema (section 10.3.2).

use serde_json::{Number, Value};

/// The value of a scalar without quotes; an error says why there is none.
pub fn plain(text: &str) -> Result<Value, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Err("`.nan` is not a number that can be used"),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Err("an infinite number cannot be used");
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(text, digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(text, digits, 16);
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return integer(text);
    }
    if is_float(unsigned) {
        return float(text);
    }
    Ok(Value::String(text.to_owned()))
}

fn integer(text: &str) -> Result<Value, &'static str> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let signed = digits.parse::<i64>().map(Value::from);
    signed.or_else(|_| digits.parse::<u64>().map(Value::from)).map_err(|_| "the number is too large")
}

/// A whole number is an integer however it is written, as JSON Schema sees it.
fn float(text: &str) -> Result<Value, &'static str> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or("the number is too large")?;
    #[allow(clippy::cast_possible_truncation)]
    if number.fract() == 0.0 && number.abs() < 9.0e15 {
        return Ok(Value::from(number as i64));
    }
    Number::from_f64(number).map(Value::Number).ok_or("the number is too large")
}

fn radix(text: &str, digits: &str, base: u32) -> Result<Value, &'static str> {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return Ok(Value::String(text.to_owned()));
    }
    u64::from_str_radix(digits, base).map(Value::from).map_err(|_| "the number is too large")
}

/// `\. digits | digits (\. digits*)?` with an optional exponent.
fn is_float(text: &str) -> bool {
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['-', '+']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    !(whole.is_empty() && fraction.is_empty()) && digits(whole) && digits(fraction) && exponent_fits
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn core_schema() {
        for (text, value) in [
            ("~", json!(null)),
            ("no", json!("no")),
            ("True", json!(true)),
            ("0644", json!(644)),
            ("0o17", json!(15)),
            ("0xff", json!(255)),
            ("-3", json!(-3)),
            ("+3", json!(3)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.5e3", json!(1500)),
            (".5", json!(0.5)),
            ("1.", json!(1)),
            ("1.2.3", json!("1.2.3")),
            ("e5", json!("e5")),
            ("-", json!("-")),
            (".", json!(".")),
            ("0x", json!("0x")),
            ("1:30", json!("1:30")),
        ] {
            assert_eq!(plain(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn no_value_at_all() {
        for text in [".nan", "-.inf", "1e999", "99999999999999999999"] {
            assert!(plain(text).is_err(), "{text}");
        }
    }
}
