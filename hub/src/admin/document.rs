//! The OpenAPI document, made from the routes and from the types that they take and give.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::site::{Access, Route, Takes};

/// What the document says of a route.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// What it is for, in one sentence.
    pub summary: &'static str,
    /// What it gives.
    gives: fn(&mut SchemaGenerator) -> Schema,
    /// What it takes: the body of a POST, the query of a GET.
    takes: Option<fn(&mut SchemaGenerator) -> Schema>,
}

impl Told {
    /// A route that gives a `G`.
    #[must_use]
    pub const fn of<G: JsonSchema>(summary: &'static str) -> Self {
        Self { summary, gives: SchemaGenerator::subschema_for::<G>, takes: None }
    }

    /// And takes a `T`.
    #[must_use]
    pub const fn taking<T: JsonSchema>(self) -> Self {
        Self { takes: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }
}

/// What a program is told where nothing was done.
#[derive(JsonSchema, serde::Serialize)]
pub struct Refused {
    /// The status in words.
    pub error: String,
    /// What is wrong and what to do, in English.
    pub reason: String,
    /// Which fields are to be corrected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<RefusedField>,
}

/// A field that is to be corrected.
#[derive(JsonSchema, serde::Serialize)]
pub struct RefusedField {
    /// Its name.
    pub field: String,
    /// What is wrong with it, in English.
    pub reason: String,
}

/// The document of these routes.
#[must_use]
pub fn document(routes: &[Route]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let (mut given, mut taken) = (settings.clone().for_serialize().into_generator(), settings.into_generator());
    let refused = given.subschema_for::<Refused>();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let (Some(told), Access::Token(roles)) = (&route.told, route.access) else { continue };
        let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
        let mut parameters = path_parameters(&route.path);
        let takes = told.takes.map(|takes| takes(&mut taken));
        let mut operation = json!({
            "summary": told.summary,
            "description": format!("Roles: {}.", names.join(", ")),
            "security": [{ "token": [] }],
            "responses": {
                "200": { "description": "What was asked for.", "content": { "application/json": { "schema": (told.gives)(&mut given) } } },
                "default": { "description": "Nothing was done.", "content": { "application/json": { "schema": refused } } },
            },
        });
        if let Value::Object(operation) = &mut operation {
            match (route.takes, takes) {
                (Takes::File, takes) => {
                    parameters.extend(
                        takes.as_ref().map(|takes| query_parameters(takes, taken.definitions())).unwrap_or_default(),
                    );
                    let file = json!({ "required": true, "content": { "application/octet-stream": {} } });
                    operation.insert("requestBody".to_owned(), file);
                }
                (Takes::Form | Takes::Question, Some(takes)) if route.method == axum::http::Method::POST => {
                    let body = json!({ "required": true, "content": { "application/json": { "schema": takes } } });
                    operation.insert("requestBody".to_owned(), body);
                }
                (Takes::Form | Takes::Question, Some(takes)) => {
                    parameters.extend(query_parameters(&takes, taken.definitions()))
                }
                (Takes::Form | Takes::Question, None) => {}
            }
            if route.method == axum::http::Method::POST {
                parameters.push(json!({
                    "name": "Idempotency-Key", "in": "header", "schema": { "type": "string" },
                    "description": "The same call under the same key is done once; asked again, it is answered alike.",
                }));
            }
            operation.insert("parameters".to_owned(), Value::Array(parameters));
        }
        let path = paths.entry(route.path.to_string()).or_insert_with(|| json!({}));
        if let Value::Object(path) = path {
            path.insert(route.method.as_str().to_lowercase(), operation);
        }
    }
    let mut schemas = taken.take_definitions(true);
    schemas.extend(given.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Cabas hub",
            "version": "1",
            "description": "What the pages show and do. Amounts are whole euro cents, times are seconds since 1970-01-01 UTC, days are \
                YYYY-MM-DD, months YYYY-MM. Tokens: cabas-hub token add. What two people must do is for people alone: no token does it.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

/// The parts of a path in braces.
fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name));
    names.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })).collect()
}

/// The fields of a type, each a part of the query.
fn query_parameters(schema: &Schema, known: &Map<String, Value>) -> Vec<Value> {
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next());
    let found = name.and_then(|name| known.get(name));
    let fields =
        found.or(Some(schema.as_value())).and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    let fields = fields.into_iter().flatten();
    fields.map(|(name, schema)| json!({ "name": name, "in": "query", "schema": schema })).collect()
}
