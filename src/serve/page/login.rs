//! Logging in with a token, under a name by which what one does is recorded.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use chrono::Utc;
use maud::{Markup, html};
use serde::Deserialize;

use super::{Page, layout, session};
use crate::serve::origin;
use crate::serve::problem::Problem;

#[derive(Deserialize)]
pub(super) struct Wanted {
    next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    #[serde(default)]
    name: String,
    #[serde(default)]
    token: String,
    next: Option<String>,
}

pub(super) async fn form(State(page): State<Arc<Page>>, Query(wanted): Query<Wanted>) -> Response {
    let next = within(wanted.next);
    if page.access.is_open() {
        return Redirect::to(&next).into_response();
    }
    show(&next, "", None).into_response()
}

pub(super) async fn login(
    State(page): State<Arc<Page>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(shown): Form<Credentials>,
) -> Response {
    let next = within(shown.next);
    let name = shown.name.trim();
    if !email_address::EmailAddress::is_valid(name) {
        let wrong = Wrong {
            field: "name",
            text: "This is no e-mail address. It is recorded as who did what, and nothing is sent to it.",
        };
        return (StatusCode::UNPROCESSABLE_ENTITY, show(&next, name, Some(&wrong))).into_response();
    }
    let token = shown.token.trim();
    // Before the token is looked at, so that nobody can go on guessing.
    if let Err(seconds) = page.logins.check(client.ip()) {
        let text = format!("Too many tries to log in from your address. The next one may come in {seconds} s.");
        let problem = Problem::too_many(&text, seconds);
        let wrong = Wrong { field: "token", text: &text };
        return problem.with_body(show(&next, name, Some(&wrong)));
    }
    let Some((token, may)) = page.access.known(token.as_bytes()) else {
        let wrong = Wrong { field: "token", text: "This is not a token of this worker. Ask whoever runs it." };
        return (StatusCode::UNAUTHORIZED, show(&next, name, Some(&wrong))).into_response();
    };
    let cookie = session::cookie(token, name, may, Utc::now().timestamp(), origin::is_https(&headers));
    ([(header::SET_COOKIE, cookie)], Redirect::to(&next)).into_response()
}

pub(super) async fn logout(headers: HeaderMap) -> Response {
    ([(header::SET_COOKIE, session::no_cookie(origin::is_https(&headers)))], Redirect::to("/login")).into_response()
}

/// Where to go after the login: a path of this site, and nowhere else.
fn within(next: Option<String>) -> String {
    let is_path = |next: &String| {
        next.starts_with('/') && !next.starts_with("//") && !next.contains(|c: char| c == '\\' || c.is_control())
    };
    next.filter(is_path).unwrap_or_else(|| "/".to_owned())
}

/// What is wrong with one of the fields.
struct Wrong<'a> {
    field: &'static str,
    text: &'a str,
}

fn show(next: &str, name: &str, wrong: Option<&Wrong<'_>>) -> Html<String> {
    let wrong_in = |field: &str| wrong.filter(|wrong| wrong.field == field);
    layout::bare(
        "Log in",
        &html! {
            main #main .narrow {
                h1 { "Log in" }
                form.card.stack method="post" action="/login" {
                    input type="hidden" name="next" value=(next);
                    (field("name", "Your e-mail address", html! {
                        input #name type="email" name="name" autocomplete="email" required maxlength="254" value=(name)
                            aria-describedby="name-hint" aria-invalid=[wrong_in("name").map(|_| "true")] autofocus[wrong_in("token").is_none()];
                    }, "Recorded as who held, resumed or canceled a batch.", wrong_in("name")))
                    (field("token", "Token", html! {
                        input #token type="password" name="token" autocomplete="current-password" required
                            aria-describedby="token-hint" aria-invalid=[wrong_in("token").map(|_| "true")] autofocus[wrong_in("token").is_some()];
                    }, "The write token lets you steer, the read token only look.", wrong_in("token")))
                    button.primary type="submit" { "Log in" }
                }
            }
        },
    )
}

fn field(name: &str, label: &str, input: Markup, hint: &str, wrong: Option<&Wrong<'_>>) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            (input)
            p.hint id={ (name) "-hint" } {
                @match wrong {
                    Some(wrong) => strong.wrong { (wrong.text) },
                    None => (hint),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn after_the_login_one_stays_on_this_site() {
        let goes = |next: &str| within(Some(next.to_owned()));
        assert_eq!(goes("/batches/20250401.2?x=1"), "/batches/20250401.2?x=1");
        for elsewhere in
            ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nSet-Cookie: b", "", "evil"]
        {
            assert_eq!(goes(elsewhere), "/", "{elsewhere}");
        }
        assert_eq!(within(None), "/");
    }
}
