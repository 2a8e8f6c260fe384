//! `/openapi.json`: the routes as OpenAPI 3.1 describes them. Bodies follow OpenAI's own description; what is added or
//! refused is in docs/serve.md.

use axum::Json;
use serde_json::{Map, Value, json};

use super::ROUTES;

/// All routes.
pub(crate) async fn page() -> Json<Value> {
    Json(document())
}

fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let mut methods = Map::new();
        for (method, summary) in route.methods {
            let mut operation = json!({
                "summary": summary,
                "responses": {
                    "200": {"description": "done"},
                    "4XX": {"description": "refused", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
                },
            });
            let mut parameters: Vec<Value> = route
                .path
                .split(['{', '}'])
                .skip(1)
                .step_by(2)
                .map(|name| json!({"name": name.trim_start_matches('*'), "in": "path", "required": true, "schema": {"type": "string"}}))
                .collect();
            if is_timed(route.path) {
                let about = "seconds since the session's start";
                parameters.push(json!({"name": "at", "in": "query", "required": true, "description": about, "schema": {"type": "number", "minimum": 0}}));
            }
            if !parameters.is_empty() {
                operation["parameters"] = parameters.into();
            }
            if *method == "post" {
                operation["requestBody"] = json!({"required": true, "content": content(route.path)});
            }
            methods.insert((*method).to_owned(), operation);
        }
        paths.insert(route.path.replace("{*", "{"), Value::Object(methods));
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Firsthand", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": {"type": "object", "properties": {"error": {"type": "object", "properties": {
                "message": {"type": "string"}, "type": {"type": "string"},
                "param": {"type": ["string", "null"]}, "code": {"type": ["string", "null"]},
            }}}}},
        },
        "security": [{"key": []}],
    })
}

/// Whether a route takes what was seen at a time.
fn is_timed(path: &str) -> bool {
    path.ends_with("/frames") || path.ends_with("/segments")
}

/// The body of a POST.
fn content(path: &str) -> Value {
    let bytes = json!({"schema": {"type": "string", "format": "binary"}});
    let object = json!({"schema": {"type": "object"}});
    match path {
        "/v1/files" => json!({"multipart/form-data": object}),
        _ if path.ends_with("/frames") => json!({"image/jpeg": bytes, "image/png": bytes}),
        _ if path.ends_with("/segments") => json!({"video/mp4": bytes}),
        _ => json!({"application/json": object}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_once() {
        let paths = document()["paths"].as_object().expect("paths").clone();
        assert_eq!(paths.len(), ROUTES.len());
        let file = &paths["/v1/files/{id}"];
        assert_eq!(file["delete"]["parameters"][0]["name"], "id");
        let frame = &paths["/v1/live/{id}/frames"]["post"];
        assert_eq!(
            (&frame["parameters"][1]["name"], frame["requestBody"]["content"]["image/png"].is_object()),
            (&json!("at"), true)
        );
        assert!(paths["/v1/models/{model}"]["get"]["parameters"][0]["name"] == "model");
    }
}
