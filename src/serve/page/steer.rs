//! What an operator can do to a batch, as forms that need no script.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::batch;
use super::layout::{Frame, Here};
use super::viewer::Viewer;
use super::{NoPage, Page, sentence};
use crate::model::{Action, Batch, BatchStatus, Steering};
use crate::serve::problem::{self, Problem};

/// What the forms send.
#[derive(Deserialize)]
pub(super) struct Wish {
    #[serde(default)]
    reason: String,
}

pub(super) async fn steer(
    State(page): State<Arc<Page>>,
    viewer: Viewer,
    Path((batch_id, word)): Path<(String, String)>,
    Form(wish): Form<Wish>,
) -> Result<Response, NoPage> {
    viewer.steers()?;
    let action = match word.as_str() {
        "hold" => Action::Hold,
        "resume" => Action::Resume,
        "cancel" => Action::Cancel,
        _ => return Err(Problem::not_found("a batch can be held, resumed or canceled").into()),
    };
    let frame = Frame::of(&page, &viewer).await?;
    let steering = Steering { action, by: viewer.name.clone(), reason: Some(wish.reason) };
    let problem = match problem::steered(frame.store.steer(&batch_id, &steering).await?, "reason") {
        Ok(_) => return Ok(Redirect::to(&format!("/batches/{batch_id}")).into_response()),
        Err(problem) if problem.status() == StatusCode::NOT_FOUND => return Err(problem.into()),
        Err(problem) => problem,
    };
    // Told where it was wished.
    let content = batch::content(&page, &viewer, &frame, &batch_id, Some(&sentence(&problem.text()))).await?;
    Ok(problem.with_body(frame.show_still(Here::Batch, &batch_id, &content)))
}

/// The forms that make sense for where the batch stands; none for what is over.
pub(super) fn forms(batch: &Batch) -> Markup {
    let (word, name, hint) = match batch.status {
        BatchStatus::Active => ("hold", "Hold", "Nobody is contacted until it is resumed."),
        BatchStatus::Paused => ("resume", "Resume", "Its pending rows may be contacted again."),
        _ => return html! {},
    };
    html! {
        section aria-labelledby="steer" {
            h2 #steer { "Steer" }
            div.card.stack id={ "steer-" (word) } data-keep {
                form.stack method="post" action={ "/batches/" (batch.batch_id) "/" (word) } {
                    div.field {
                        label for="reason" { "Reason, if there is one" }
                        input #reason name="reason" maxlength="1000" autocomplete="off" aria-describedby="reason-hint";
                        p.hint #reason-hint { (hint) }
                    }
                    button.primary type="submit" { (name) }
                }
                details {
                    summary { "Cancel for good…" }
                    form.stack method="post" action={ "/batches/" (batch.batch_id) "/cancel" } {
                        div.field {
                            label for="why" { "Reason" }
                            input #why name="reason" maxlength="1000" autocomplete="off" required aria-describedby="why-hint";
                            p.hint #why-hint { "Nobody is contacted any more, and it cannot be undone. The same file may then be dropped again." }
                        }
                        button.danger type="submit" { "Cancel batch" }
                    }
                }
            }
        }
    }
}
