//! Answers that are none: one shape for all of them, that of the published client library, which is `{"detail": …}`.
//!
//! A text is for a person, and holds nothing that a client or a file said.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::model::{Batch, Steered};
use crate::store;
use crate::telemetry;

/// Why there is no other answer.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: Detail,
    header: Option<(header::HeaderName, HeaderValue)>,
}

#[derive(Debug, serde::Serialize)]
#[serde(untagged)]
enum Detail {
    Text(String),
    Invalid(Vec<ValidationError>),
}

/// An answer that says what is wrong.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct ErrorDetail {
    /// What is wrong, and what to do.
    pub(super) detail: String,
}

/// An answer to a request that cannot be understood.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct HTTPValidationError {
    /// What is wrong with it.
    pub(super) detail: Vec<ValidationError>,
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub(super) struct ValidationError {
    /// Where: `query` or `body`, and the name of the parameter or field.
    pub(super) loc: Vec<String>,
    /// What is wrong, and what to do.
    pub(super) msg: String,
    /// Always `value_error`.
    pub(super) r#type: String,
}

impl ValidationError {
    pub(super) fn new(part: &str, name: &str, message: impl Into<String>) -> Self {
        let loc = [part, name].into_iter().filter(|word| !word.is_empty()).map(str::to_owned).collect();
        ValidationError { loc, msg: message.into(), r#type: "value_error".to_owned() }
    }
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: Detail::Text(detail.into()), header: None }
    }

    /// No token, or a wrong one.
    pub(super) fn unauthorized() -> Problem {
        let challenge = (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        let text = "show the token: Authorization: Bearer TOKEN, or Syllable-API-Key: TOKEN";
        Problem { header: Some(challenge), ..Problem::new(StatusCode::UNAUTHORIZED, text) }
    }

    pub(super) fn forbidden(why: &str) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, why)
    }

    pub(super) fn no_such_batch() -> Problem {
        Problem::not_found("there is no such batch")
    }

    pub(super) fn not_found(what: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, what)
    }

    /// Too many requests; the next may come after so many seconds.
    pub(super) fn too_many(why: &str, seconds: u64) -> Problem {
        let after = (header::RETRY_AFTER, HeaderValue::from(seconds));
        Problem { header: Some(after), ..Problem::new(StatusCode::TOO_MANY_REQUESTS, why) }
    }

    pub(super) fn unavailable(why: &str) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, why)
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, for a person.
    pub(super) fn text(&self) -> String {
        match &self.detail {
            Detail::Text(text) => text.clone(),
            Detail::Invalid(errors) => errors.iter().map(|error| error.msg.as_str()).collect::<Vec<_>>().join("; "),
        }
    }
}

/// The batch as it is after what somebody wished, or why it was not done. `field` is where they told more of their
/// wish.
pub(super) fn steered(steered: Steered, field: &str) -> Result<Batch, Problem> {
    match steered {
        Steered::Done(batch) | Steered::Unchanged(batch) => Ok(batch),
        Steered::Unknown => Err(Problem::no_such_batch()),
        Steered::Refused { why, .. } => Err(Problem::new(StatusCode::CONFLICT, why)),
        Steered::Invalid { why } => Err(ValidationError::new("body", field, why).into()),
    }
}

impl From<ValidationError> for Problem {
    fn from(error: ValidationError) -> Problem {
        let detail = Detail::Invalid(vec![error]);
        Problem { status: StatusCode::UNPROCESSABLE_ENTITY, detail, header: None }
    }
}

/// Trouble of ours: what it is stands in the log, and not in the answer.
impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Problem {
        tracing::error!(error = telemetry::chain(&error), "a request over HTTP was not answered");
        match error.kind {
            store::ErrorKind::Transient => {
                Problem::unavailable("the store does not answer; try again, the log tells why")
            }
            store::ErrorKind::Unknown => Problem::unavailable(
                "the store went away; whether the change was made is not known: look, and try again",
            ),
            store::ErrorKind::Fenced | store::ErrorKind::Permanent => {
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "trouble of ours; the log tells which")
            }
        }
    }
}

impl Problem {
    /// The answer, told in another shape.
    pub(super) fn with_body(&self, body: impl IntoResponse) -> Response {
        let mut response = (self.status, body).into_response();
        if let Some((name, value)) = &self.header {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        #[derive(serde::Serialize)]
        struct Body<'a> {
            detail: &'a Detail,
        }
        self.with_body(Json(Body { detail: &self.detail }))
    }
}
