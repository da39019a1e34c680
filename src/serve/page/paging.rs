//! Lists in pages, whose address holds what is looked for, so that it can be kept and sent to others.

use maud::{Markup, html};

use super::show;

/// Items on a page.
pub(super) const PAGE: u32 = 50;

/// The filter of a list, as its form sends it: what is left blank does not count.
pub(super) struct Paging<'a> {
    /// Where the list is.
    pub(super) path: &'static str,
    /// The fields that choose.
    pub(super) fields: Vec<(&'static str, &'a str)>,
    /// The page, as the address says it.
    pub(super) page: &'a str,
}

impl Paging<'_> {
    /// Whether nothing is chosen.
    pub(super) fn is_blank(&self) -> bool {
        self.fields.iter().all(|(_, value)| value.is_empty())
    }

    /// From 1.
    fn number(&self) -> u64 {
        self.page.parse().unwrap_or(1).clamp(1, 1_000_000)
    }

    /// How many items come before the page.
    pub(super) fn offset(&self) -> u64 {
        (self.number() - 1) * u64::from(PAGE)
    }

    /// The address of another page of the same.
    fn address_of(&self, page: u64) -> String {
        let page = page.to_string();
        let fields =
            self.fields.iter().copied().chain([("page", page.as_str())]).filter(|(_, value)| !value.is_empty());
        let encode = |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
        let pairs: Vec<_> = fields.map(|(name, value)| format!("{name}={}", encode(value))).collect();
        format!("{}?{}", self.path, pairs.join("&"))
    }

    /// The form that chooses, `called` so for those who do not see it; its button, and the way back to `all`.
    pub(super) fn form(&self, called: &str, button: &str, all: &str, fields: &Markup) -> Markup {
        html! {
            form #filters .filters role="search" aria-label=(called) method="get" action=(self.path) data-keep {
                (fields)
                div.buttons {
                    button type="submit" { (button) }
                    @if !self.is_blank() { a href=(self.path) { (all) } }
                }
            }
        }
    }

    /// The links to the pages before and behind, where there are some.
    pub(super) fn links(&self, total: u64) -> Markup {
        let (page, last) = (self.number(), total.div_ceil(u64::from(PAGE)));
        html! {
            @if last > 1 {
                nav.pages aria-label="Pages of the list" {
                    @if page > 1 { a href=(self.address_of(page - 1)) rel="prev" { "Newer" } } @else { span {} }
                    span.muted { "page " (show::grouped(page)) " of " (show::grouped(last)) }
                    @if page < last { a href=(self.address_of(page + 1)) rel="next" { "Older" } } @else { span {} }
                }
            }
        }
    }
}

/// The campaigns to choose from: those that are configured, and the chosen one, which may be of before.
pub(super) fn campaigns<'a>(configured: &'a [String], chosen: &'a str) -> Vec<&'a str> {
    let mut campaigns: Vec<&str> = configured.iter().map(String::as_str).collect();
    if !chosen.is_empty() && !campaigns.contains(&chosen) {
        campaigns.push(chosen);
    }
    campaigns
}

/// A part of a file's name.
pub(super) fn part_of_name(said: &str) -> Markup {
    html! {
        div.field.wide { label for="name" { "File name" } input #name type="search" name="name" value=(said) autocomplete="off"; }
    }
}

/// A choice of one word, or of all.
pub(super) fn choice(name: &str, label: &str, all: &str, words: &[&str], chosen: &str) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                option value="" { (all) }
                @for word in words { option value=(word) selected[*word == chosen] { (word) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paging(page: &str) -> Paging<'_> {
        Paging { path: "/", fields: vec![("name", "late & co"), ("campaign", ""), ("status", "FAILED")], page }
    }

    #[test]
    fn another_page_is_of_the_same_filter() {
        assert_eq!(paging("3").address_of(4), "/?name=late%20%26%20co&status=FAILED&page=4");
        assert_eq!(paging("3").offset(), 100);
        for page in ["", "0", "-1", "x"] {
            assert_eq!(paging(page).offset(), 0, "{page}");
        }
        assert!(!paging("").is_blank());
    }
}
