//! What the agent's own document says of an answer, held against the answer.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::{Value, json};

/// `GET /api/openapi.json`, and what was seen of it.
pub(crate) struct Document {
    document: Value,
    seen: Mutex<BTreeSet<(String, String, u16, String)>>,
}

impl Document {
    pub(crate) fn new(mut document: Value) -> Self {
        close(&mut document["components"]["schemas"]);
        close(&mut document["paths"]);
        Self { document, seen: Mutex::default() }
    }

    /// Every operation: path, method and what stands there.
    pub(crate) fn operations(&self) -> Vec<(String, String, Value)> {
        let paths = self.document["paths"].as_object().unwrap();
        let methods = |(path, item): (&String, &Value)| -> Vec<_> {
            let operations = item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters");
            operations.map(|(method, operation)| (path.clone(), method.clone(), operation.clone())).collect()
        };
        paths.iter().flat_map(methods).collect()
    }

    /// What was seen: path, method, status, code of the error.
    pub(crate) fn seen(&self) -> BTreeSet<(String, String, u16, String)> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn response(&self, response: &Value) -> Value {
        match response["$ref"].as_str() {
            Some(name) => self.document.pointer(name.trim_start_matches('#')).unwrap().clone(),
            None => response.clone(),
        }
    }

    /// What is wrong with a value by a schema of the document.
    pub(crate) fn errors(&self, schema: &Value, value: &Value) -> Vec<String> {
        let root = json!({ "allOf": [schema], "components": self.document["components"] });
        let validator = jsonschema::validator_for(&root).unwrap();
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    fn template(&self, path: &str) -> Option<String> {
        let path = path.split('?').next().unwrap();
        let paths = self.document["paths"].as_object().unwrap();
        if paths.contains_key(path) {
            return Some(path.to_owned());
        }
        let parts: Vec<_> = path.split('/').collect();
        let fits = |template: &&String| {
            let named: Vec<_> = template.split('/').collect();
            let part = |(name, part): (&&str, &&str)| name == part || name.starts_with('{') && !part.is_empty();
            named.len() == parts.len() && named.iter().zip(&parts).all(part)
        };
        paths.keys().find(fits).cloned()
    }

    /// Holds an answer against what is written: its status is described, its kind and form fit, its code is listed.
    pub(crate) fn check(&self, method: &str, path: &str, status: u16, kind: &str, body: &[u8]) -> Value {
        let text = String::from_utf8_lossy(body);
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let method = method.to_lowercase();
        let template = self.template(path);
        let operation = template.as_ref().map(|template| &self.document["paths"][template][&method]);
        let Some(operation) = operation.filter(|operation| operation.is_object()) else {
            let code = value["error"]["code"].as_str().unwrap_or_default();
            let fits = matches!(
                (status, code),
                (404, "error_unknown_path")
                    | (405, "error_method")
                    | (421, "error_host")
                    | (403, "error_origin")
                    | (415, "error_content_type")
            );
            assert!(fits, "{method} {path} is not described, and answers {status}: {text}");
            assert_eq!(self.errors(&json!({ "$ref": "#/components/schemas/Error" }), &value), Vec::<String>::new());
            return value;
        };
        let response = &operation["responses"][status.to_string()];
        assert!(response.is_object(), "{method} {path}: {status} is not described: {text}");
        let response = self.response(response);
        let content = &response["content"][kind];
        assert!(content.is_object(), "{method} {path}: {status} is {kind:?}: {text:.200}");
        if kind == "application/json" {
            let wrong = self.errors(&content["schema"], &value);
            assert!(wrong.is_empty(), "{method} {path} {status}: {wrong:#?} in {value:#}");
        }
        let mut code = String::new();
        if let Some(codes) = response["x-codes"].as_array() {
            value["error"]["code"].as_str().unwrap().clone_into(&mut code);
            assert!(codes.iter().any(|listed| *listed == code), "{method} {path} {status}: {code} is not listed");
        }
        self.seen.lock().unwrap().insert((template.unwrap(), method, status, code));
        value
    }
}

/// Nothing may stand in an answer that is not described: clients are told to pass over it, this test is not.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let is_schema = object.get("properties").is_some_and(Value::is_object) && object.contains_key("type");
            if is_schema {
                object.entry("additionalProperties").or_insert(json!(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(values) => values.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
