//! JSON Schema, as much of it as the OpenAPI document uses. A keyword that is not known here fails: nothing passes because it was not looked at.

use serde_json::Value;

/// Keywords that say nothing of what is allowed. Formats are not looked at.
const ANNOTATIONS: [&str; 8] =
    ["description", "title", "format", "example", "examples", "default", "deprecated", "propertyNames"];

/// What is wrong with `value` by `schema`, whose references lead into `document`.
pub(crate) fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(document, schema, value, "", &mut faults);
    faults
}

fn check(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let Some(keywords) = schema.as_object() else { return };
    let fits = |schema: &Value| {
        let mut inner = Vec::new();
        check(document, schema, value, at, &mut inner);
        inner
    };
    for (keyword, said) in keywords {
        match keyword.as_str() {
            "$ref" => {
                let pointer =
                    said.as_str().and_then(|said| said.strip_prefix('#')).expect("a reference into the document");
                let target = document.pointer(pointer).unwrap_or_else(|| panic!("{pointer} leads nowhere"));
                faults.extend(fits(target));
            }
            "type" => {
                let types: Vec<&str> = said
                    .as_str()
                    .into_iter()
                    .chain(said.as_array().into_iter().flatten().filter_map(Value::as_str))
                    .collect();
                if !types.iter().any(|name| is(value, name)) {
                    faults.push(format!("{at}: is no {}", types.join(" or ")));
                }
            }
            "enum" if !said.as_array().expect("a list").contains(value) => {
                faults.push(format!("{at}: {value} is none of {said}"));
            }
            "const" if said != value => faults.push(format!("{at}: is not {said}")),
            "oneOf" => {
                let ways: Vec<Vec<String>> = said.as_array().expect("a list").iter().map(fits).collect();
                let fitting = ways.iter().filter(|way| way.is_empty()).count();
                if fitting != 1 {
                    faults.push(format!("{at}: fits {fitting} ways instead of one: {ways:?}"));
                }
            }
            "anyOf" => {
                let ways: Vec<Vec<String>> = said.as_array().expect("a list").iter().map(fits).collect();
                if !ways.iter().any(Vec::is_empty) {
                    faults.push(format!("{at}: fits no way: {ways:?}"));
                }
            }
            "allOf" => {
                let all: Vec<String> = said.as_array().expect("a list").iter().flat_map(fits).collect();
                faults.extend(all);
            }
            _ => {}
        }
    }
    check_rest(document, keywords, value, at, faults);
}

/// What is about parts of the value.
fn check_rest(
    document: &Value,
    keywords: &serde_json::Map<String, Value>,
    value: &Value,
    at: &str,
    faults: &mut Vec<String>,
) {
    for (keyword, said) in keywords {
        match (keyword.as_str(), value) {
            ("required", Value::Object(fields)) => {
                let missing = said.as_array().expect("a list").iter().filter_map(Value::as_str);
                for name in missing.filter(|name| !fields.contains_key(*name)) {
                    faults.push(format!("{at}: {name} is missing"));
                }
            }
            ("properties", Value::Object(fields)) => {
                for (name, schema) in said.as_object().expect("an object") {
                    if let Some(field) = fields.get(name) {
                        check(document, schema, field, &format!("{at}/{name}"), faults);
                    }
                }
            }
            ("additionalProperties", Value::Object(fields)) => {
                let known = keywords.get("properties").and_then(Value::as_object);
                for (name, field) in
                    fields.iter().filter(|(name, _)| !known.is_some_and(|known| known.contains_key(*name)))
                {
                    if *said == Value::Bool(false) {
                        faults.push(format!("{at}: {name} is not known"));
                    }
                    check(document, said, field, &format!("{at}/{name}"), faults);
                }
            }
            ("items", Value::Array(items)) => {
                for (number, item) in items.iter().enumerate() {
                    check(document, said, item, &format!("{at}/{number}"), faults);
                }
            }
            ("prefixItems", Value::Array(items)) => {
                for (number, (item, schema)) in items.iter().zip(said.as_array().expect("a list")).enumerate() {
                    check(document, schema, item, &format!("{at}/{number}"), faults);
                }
            }
            ("minimum", Value::Number(number)) if number.as_f64() < said.as_f64() => {
                faults.push(format!("{at}: is below {said}"));
            }
            ("maximum", Value::Number(number)) if number.as_f64() > said.as_f64() => {
                faults.push(format!("{at}: is above {said}"));
            }
            ("minLength" | "maxLength", Value::String(text)) => {
                let (length, bound) = (text.chars().count() as u64, said.as_u64().expect("a number"));
                if (keyword == "minLength" && length < bound) || (keyword == "maxLength" && length > bound) {
                    faults.push(format!("{at}: has {length} characters, {keyword} {bound}"));
                }
            }
            (
                "required"
                | "properties"
                | "additionalProperties"
                | "items"
                | "prefixItems"
                | "minimum"
                | "maximum"
                | "minLength"
                | "maxLength"
                | "$ref"
                | "type"
                | "enum"
                | "const"
                | "oneOf"
                | "anyOf"
                | "allOf",
                _,
            ) => {}
            (other, _) => assert!(ANNOTATIONS.contains(&other), "{at}: the keyword {other} is not known to this test"),
        }
    }
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        other => panic!("{other} is no type"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_fit_is_told_and_what_fits_is_not() {
        let document = json!({"s": {"type": "object", "required": ["a"], "properties": {
            "a": {"type": ["string", "null"]}, "b": {"type": "array", "items": {"$ref": "#/n"}},
            "c": {"oneOf": [{"type": "null"}, {"$ref": "#/n"}]}}, "additionalProperties": {"type": "boolean"}},
            "n": {"type": "integer", "minimum": 1, "enum": [1, 2]}});
        let found = |value: Value| faults(&document, &json!({"allOf": [{"$ref": "#/s"}]}), &value);
        assert_eq!(found(json!({"a": null, "b": [1, 2], "c": null, "d": true})), Vec::<String>::new());
        for (value, fault) in [
            (json!([]), ": is no object"),
            (json!({}), ": a is missing"),
            (json!({"a": 1}), "/a: is no string or null"),
            (json!({"a": "", "b": [1, 1.5]}), "/b/1: is no integer"),
            (json!({"a": "", "b": [0]}), "/b/0: is below 1"),
            (json!({"a": "", "b": [7]}), "/b/0: 7 is none of [1,2]"),
            (json!({"a": "", "d": 1}), "/d: is no boolean"),
        ] {
            let found = found(value.clone());
            assert!(found.contains(&fault.to_owned()), "{value}: {found:?}");
        }
        assert!(found(json!({"a": "", "c": "x"}))[0].starts_with("/c: fits 0 ways"));
    }
}
