//! A request that is not answered, as OpenAI's clients understand it: a status and
//! `{"error": {"message", "type", "param", "code"}}`. Text from inside the program is logged here and goes no further.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::log;

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The field at fault.
    pub(crate) param: Option<String>,
    /// Seconds after which a further try makes sense.
    pub(crate) retry_after_s: Option<u32>,
}

pub(crate) type Answered<T> = Result<T, Refusal>;

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Refusal { status, code, message: message.into(), param: None, retry_after_s: None }
    }

    /// A field that is wrong.
    pub(crate) fn field(param: impl Into<String>, message: impl Into<String>) -> Self {
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, "invalid_value", message);
        Refusal { param: Some(param.into()), ..refusal }
    }

    /// A field that this server does not have and whose meaning it must not drop.
    pub(crate) fn unknown(param: &str) -> Self {
        let message = format!(
            "unknown field: {param}; remove it, because an answer without its effect would be another one"
        );
        Refusal { code: "unknown_parameter", ..Refusal::field(param, message) }
    }

    /// A request that is wrong as a whole.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// A medium that cannot be used.
    pub(crate) fn medium(message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::BAD_REQUEST, "invalid_media", message)
    }

    /// The same with the place of the medium at fault, its `param`, in front of the message.
    pub(crate) fn naming_its_place(self) -> Self {
        let place = self.param.as_ref().map_or(String::new(), |place| format!("{place}: "));
        Refusal { message: place + &self.message, ..self }
    }

    /// Something that is not there.
    pub(crate) fn absent(what: &str) -> Self {
        Refusal::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {what}"))
    }

    /// More than is allowed at once.
    pub(crate) fn busy(message: &str) -> Self {
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message);
        Refusal { retry_after_s: Some(1), ..refusal }
    }

    /// A server that does not answer now.
    pub(crate) fn unavailable(message: &str) -> Self {
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message);
        Refusal { retry_after_s: Some(2), ..refusal }
    }

    /// A fault of this program: what happened is logged under a number, which is all that is told.
    pub(crate) fn internal(what: &str) -> Self {
        let number = log::fault(what);
        let message = format!("the server failed; its log says why under {number}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", message)
    }

    /// The error as its JSON.
    pub(crate) fn body(&self) -> serde_json::Value {
        let kind = match self.status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::FORBIDDEN => "permission_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        json!({"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}})
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(self.body())).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
