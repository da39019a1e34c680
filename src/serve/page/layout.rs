//! What all pages have in common: head, navigation, alarms, foot.

use axum::response::Html;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::alarms::Alarm;
use super::assets::{ICON, SCRIPT, STYLE};
use super::viewer::Viewer;
use super::{NoPage, Page, alarms, expected, show};
use crate::model::ExpectedNow;
use crate::store::{Backlog, Store};

/// Which page it is, for the navigation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Here {
    Batches,
    Batch,
    Uploads,
    Expected,
}

/// What stands around a page's content.
pub(super) struct Frame<'p> {
    page: &'p Page,
    viewer: &'p Viewer,
    pub(super) store: &'p Store,
    pub(super) bucket: &'p str,
    pub(super) backlog: Backlog,
    expected: Vec<ExpectedNow>,
    alarms: Vec<Alarm>,
}

impl<'p> Frame<'p> {
    /// Asks for what stands on every page.
    ///
    /// # Errors
    /// The store is not open yet, or does not answer.
    pub(super) async fn of(page: &'p Page, viewer: &'p Viewer) -> Result<Frame<'p>, NoPage> {
        let (store, bucket) = page.opened()?;
        let backlog = store.backlog(bucket).await?;
        let expected = store.expected_now(bucket).await?;
        let mut alarms = alarms::alarms(page, &backlog).await?;
        alarms.extend(expected::alarm(&expected));
        Ok(Frame { page, viewer, store, bucket, backlog, expected, alarms })
    }

    /// How soon a script should look again: often while something moves.
    fn fresh_seconds(&self) -> u32 {
        if self.backlog.claimed > 0 { 1 } else { 4 }
    }

    /// The whole page.
    pub(super) fn show(&self, here: Here, title: &str, content: &Markup) -> Html<String> {
        document(title, Some(self.fresh_seconds()), &self.body(here, content))
    }

    /// The same as the answer to a form, which cannot be asked for again.
    pub(super) fn show_still(&self, here: Here, title: &str, content: &Markup) -> Html<String> {
        document(title, None, &self.body(here, content))
    }

    fn body(&self, here: Here, content: &Markup) -> Markup {
        let wanting = self.expected.iter().filter(|now| expected::is_wanting(now)).count() as u64;
        let open = self.backlog.waiting + self.backlog.held + self.backlog.claimed;
        html! {
            a.skip href="#main" { "Skip to the content" }
            header.top {
                div.bar-of-top {
                    (brand())
                    nav aria-label="Pages" {
                        ul {
                            li { a href="/" aria-current=[current(here, Here::Batches)] { "Batches" } }
                            li {
                                a href="/uploads" aria-current=[current(here, Here::Uploads)] {
                                    "Uploads"
                                    @if open > 0 { " " span.badge { (show::grouped(open)) span.unseen { " open" } } }
                                }
                            }
                            @if !self.expected.is_empty() || here == Here::Expected {
                                li {
                                    a href="/expected" aria-current=[current(here, Here::Expected)] {
                                        "Expected"
                                        @if wanting > 0 {
                                            " " span.badge { (show::grouped(wanting)) span.unseen { " late, missing or failed" } }
                                        }
                                    }
                                }
                            }
                        }
                    }
                    div.who {
                        // The script shows and names it.
                        button #live .quiet type="button" hidden data-keep {}
                        @if self.viewer.is_logged_in {
                            form method="post" action="/logout" {
                                span.name { (self.viewer.name) @if !self.viewer.may_steer() { " (may look)" } }
                                button.quiet type="submit" { "Log out" }
                            }
                        }
                    }
                }
            }
            div #alarms { @for alarm in &self.alarms { (alarm.show()) } }
            main #main tabindex="-1" { (content) }
            footer.foot {
                p {
                    "batchdrop " (env!("CARGO_PKG_VERSION")) " · bucket " code { (self.bucket) } " · times in "
                    (self.page.installation.time_zone.name())
                }
            }
        }
    }
}

fn current(here: Here, link: Here) -> Option<&'static str> {
    match (here, link) {
        _ if here == link => Some("page"),
        (Here::Batch, Here::Batches) => Some("true"),
        _ => None,
    }
}

fn brand() -> Markup {
    html! {
        a.brand href="/" {
            img src=(ICON.path) alt="" width="28" height="28";
            span { "batchdrop" }
        }
    }
}

/// A page without navigation, such as the login.
pub(super) fn bare(title: &str, content: &Markup) -> Html<String> {
    document(title, None, &html! { header.top { div.bar-of-top { (brand()) } } (content) })
}

/// A page that says why there is no other; where that comes by itself, a script looks for it.
pub(super) fn plain(title: &str, text: &str, comes_by_itself: bool) -> Html<String> {
    let body = html! {
        header.top { div.bar-of-top { (brand()) } }
        main #main .narrow { h1 { (title) } p { (text) } p { a href="/" { "All batches" } } }
    };
    document(title, comes_by_itself.then_some(4), &body)
}

fn document(title: &str, fresh_seconds: Option<u32>, body: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" data-fresh-seconds=[fresh_seconds] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – batchdrop" }
                link rel="icon" type="image/svg+xml" href=(ICON.path);
                link rel="stylesheet" href=(STYLE.path);
                script src=(SCRIPT.path) defer {}
            }
            body { (PreEscaped(&body.0)) }
        }
    };
    Html(page.into_string())
}
