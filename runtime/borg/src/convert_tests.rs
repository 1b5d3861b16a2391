use std::sync::Arc;

use serde_json::json;

use super::*;

fn tool(schema: Value) -> Tool {
    let Value::Object(schema) = schema else { panic!("{schema} is no schema") };
    Tool::new("work", "", Arc::new(schema))
}

fn convert(schema: Value, pairs: &[&str]) -> Result<Value, String> {
    let pairs: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
    arguments(&tool(schema), &pairs).map(Value::Object)
}

/// One parameter `x` of this schema.
fn one(schema: Value, text: &str) -> Result<Value, String> {
    convert(json!({"properties": {"x": schema}}), &[&format!("x={text}")]).map(|value| value["x"].clone())
}

#[test]
fn a_value_becomes_what_the_schema_says() {
    let cases = [
        (json!({"type": "string"}), "5", json!("5")),
        (json!({"type": "string"}), "a=b", json!("a=b")),
        (json!({"type": "string"}), "", json!("")),
        (json!({"type": "integer"}), "-5", json!(-5)),
        (json!({"type": "integer"}), "+5", json!(5)),
        (json!({"type": "integer"}), "18446744073709551615", json!(u64::MAX)),
        (json!({"type": "number"}), "5", json!(5)),
        (json!({"type": "number"}), ".5", json!(0.5)),
        (json!({"type": "boolean"}), "true", json!(true)),
        (json!({"type": "array", "items": {"type": "string"}}), r#"["a", "b"]"#, json!(["a", "b"])),
        (json!({"type": "object"}), r#"{"a": 1}"#, json!({"a": 1})),
        (json!({"type": ["integer", "null"]}), "null", Value::Null),
        (json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), "null", json!("null")),
        (json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}), "7", json!(7)),
        (json!({"enum": ["1", "2"]}), "1", json!("1")),
        (json!({"enum": [1, 2]}), "1", json!(1)),
        (json!({}), "5", json!(5)),
        (json!({}), "five", json!("five")),
    ];
    for (schema, text, expected) in cases {
        assert_eq!(one(schema.clone(), text), Ok(expected), "{schema} {text}");
    }
}

#[test]
fn a_definition_is_followed() {
    let schema = json!({
        "properties": {"x": {"$ref": "#/$defs/Point"}, "y": {"$ref": "#/$defs/Loop"}},
        "$defs": {"Point": {"type": "object"}, "Loop": {"$ref": "#/$defs/Loop"}},
    });
    assert_eq!(convert(schema.clone(), &[r#"x={"a":1}"#]), Ok(json!({"x": {"a": 1}})));
    assert!(convert(schema.clone(), &["x=1"]).is_err());
    assert_eq!(convert(schema, &["y=1"]), Ok(json!({"y": 1})));
}

#[test]
fn a_value_of_another_type_is_named() {
    let fault = |schema: Value, text: &str| one(schema, text).unwrap_err();
    assert_eq!(fault(json!({"type": "integer"}), "five"), "--arg x=five: \"five\" is not of the type integer");
    assert_eq!(fault(json!({"type": "integer"}), "1.5"), "--arg x=1.5: \"1.5\" is not of the type integer");
    assert_eq!(
        fault(json!({"type": ["boolean", "null"]}), "yes"),
        "--arg x=yes: \"yes\" is not of the type boolean or null"
    );
    assert!(fault(json!({"type": "array"}), "a,b").ends_with("is not of the type array"));
}

#[test]
fn wrong_arguments_are_named_with_the_right_ones() {
    let schema = || {
        json!({
            "properties": {"path": {"type": "string"}, "head": {"type": "integer"}},
            "required": ["path"],
        })
    };
    let fault = |pairs: &[&str]| convert(schema(), pairs).unwrap_err();
    let all = "its parameters: path, head?";
    assert_eq!(fault(&["paht=x"]), format!("--arg paht=x: work has no paht (did you mean path?); {all}"));
    assert_eq!(fault(&["zzz=x"]), format!("--arg zzz=x: work has no zzz; {all}"));
    assert_eq!(fault(&["path"]), format!("--arg path: write it as NAME=VALUE; {all}"));
    assert_eq!(fault(&["head=1"]), format!("work needs path: add --arg path=…; {all}"));
    assert_eq!(fault(&["path=a", "path=b"]), "--arg path=b: path is given twice");
    let none = convert(json!({"properties": {}}), &["x=1"]).unwrap_err();
    assert_eq!(none, "--arg x=1: work has no x; it takes no arguments");
}

#[test]
fn a_tool_without_a_closed_schema_takes_what_it_gets() {
    assert_eq!(convert(json!({"type": "object"}), &["x=1"]), Ok(json!({"x": 1})));
    let open = json!({"properties": {"a": {}}, "additionalProperties": true});
    assert_eq!(convert(open, &["x=y"]), Ok(json!({"x": "y"})));
}
