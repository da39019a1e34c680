//! How single things look: numbers, times, statuses, bars of counts, and what may be seen of a target.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use maud::{Markup, html};

/// The statuses of requests in the order in which they are shown, what is good first. Others follow.
const REQUEST_STATUSES: [&str; 9] =
    ["PENDING", "INITIATED", "CONNECTED", "COMPLETED", "FAILED", "CANCELED", "DUPLICATE", "SKIPPED", "INVALID"];
/// The verdicts of intake, whose sum is shown also where one is zero.
const VERDICTS: [&str; 4] = ["PENDING", "DUPLICATE", "SKIPPED", "INVALID"];

/// `10,000`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// `1 row`, `10,000 rows`.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// `940 bytes`, `8.8 MB`: powers of a thousand, as a file manager shows them.
pub(super) fn bytes(number: u64) -> String {
    if number < 1000 {
        return counted(number, "byte", "bytes");
    }
    let mut size = number as f64;
    let mut unit = "";
    for larger in ["kB", "MB", "GB", "TB", "PB"] {
        if size < 999.5 {
            break;
        }
        size /= 1000.0;
        unit = larger;
    }
    if size < 9.95 { format!("{size:.1} {unit}") } else { format!("{size:.0} {unit}") }
}

/// `112 ms`, `3.4 s`, `2 min 5 s`, `3 h 20 min`, `4 d 2 h`.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86400, seconds / 3600 % 24),
    }
}

/// The time between two moments that the database's clock told.
pub(super) fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    duration((to - from).to_std().unwrap_or_default())
}

/// A moment, for people in their time zone and for programs.
pub(super) fn time(at: DateTime<Utc>, zone: Tz) -> Markup {
    let local = at.with_timezone(&zone);
    html! {
        time datetime=(at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)) title=(local.format("%A, %-d %B %Y, %H:%M:%S %Z")) {
            span.day { (local.format("%Y-%m-%d")) } " " span.clock { (local.format("%H:%M:%S")) }
        }
    }
}

/// A name, of a file or a campaign, which may be broken where its parts end.
pub(super) fn name(name: &str) -> Markup {
    html! {
        @for part in name.split_inclusive(['_', '-', '/', '.']) { (part) wbr; }
    }
}

/// The word of a status of a batch, an upload or an expected file. The colour repeats what the word says.
pub(super) fn status(word: &str) -> Markup {
    let kind = match word {
        "ACTIVE" | "LOADED" | "ARRIVED" => "good",
        "CLAIMED" => "busy",
        "PAUSED" | "WAITING" | "LATE" => "waits",
        "FAILED" | "REJECTED" | "MISSING" => "bad",
        _ => "over",
    };
    html! { span class={ "status " (kind) } { (word) } }
}

/// The counts that are not zero, in the order in which they are shown.
fn in_order(counts: &BTreeMap<String, u64>) -> Vec<(&str, u64)> {
    let known = REQUEST_STATUSES.into_iter().map(|status| (status, counts.get(status).copied().unwrap_or(0)));
    let others = counts.iter().filter(|(status, _)| !REQUEST_STATUSES.contains(&status.as_str()));
    known.chain(others.map(|(status, count)| (status.as_str(), *count))).filter(|(_, count)| *count > 0).collect()
}

/// The class that gives a status of requests its colour.
fn colour(status: &str) -> &'static str {
    match status {
        "PENDING" => "pending",
        "INITIATED" | "CONNECTED" => "under-way",
        "COMPLETED" => "completed",
        "DUPLICATE" => "duplicate",
        "SKIPPED" => "skipped",
        "INVALID" => "invalid",
        _ => "other",
    }
}

/// The word of a status of a request, in its colour in the bar.
pub(super) fn request_status(word: &str) -> Markup {
    html! { span class={ "count " (colour(word)) } { (word) } }
}

/// A stacked bar of counts. It says nothing that the numbers beside it do not say.
pub(super) fn bar(counts: &BTreeMap<String, u64>) -> Markup {
    let parts = in_order(counts);
    let total = parts.iter().map(|(_, count)| count).sum::<u64>() as f64;
    // One row of a million must be seen too: the small are widened at the cost of all.
    let widths: Vec<f64> = parts.iter().map(|(_, count)| (*count as f64 / total * 1000.0).max(8.0)).collect();
    let scale = 1000.0 / widths.iter().sum::<f64>();
    let starts = widths.iter().scan(0.0, |end, width| {
        let start = *end;
        *end += width * scale;
        Some(start)
    });
    html! {
        svg.bar viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            @for (((status, _), width), start) in parts.iter().zip(&widths).zip(starts) {
                rect class=(colour(status)) x=(format!("{start:.1}")) y="0" width=(format!("{:.1}", width * scale)) height="10" {}
            }
        }
    }
}

/// `286 pending · 8 duplicate · 6 invalid`
pub(super) fn counts(counts: &BTreeMap<String, u64>) -> Markup {
    html! {
        span.counts {
            @for (at, (status, count)) in in_order(counts).into_iter().enumerate() {
                @if at > 0 { " " }
                span class={ "count " (colour(status)) } { b { (grouped(count)) } " " (status.to_lowercase()) }
            }
        }
    }
}

/// `10,000 = 9,412 pending + 310 duplicate + 180 skipped + 98 invalid`
pub(super) fn sum(rows_read: u64, counts: &BTreeMap<String, u64>) -> Markup {
    let known = REQUEST_STATUSES.into_iter().map(|status| (status, counts.get(status).copied().unwrap_or(0)));
    let others = counts.iter().filter(|(status, _)| !REQUEST_STATUSES.contains(&status.as_str()));
    let all = known.chain(others.map(|(status, count)| (status.as_str(), *count)));
    let shown = all.filter(|(status, count)| *count > 0 || VERDICTS.contains(status));
    html! {
        p.sum {
            span.term { b { (grouped(rows_read)) } " " (if rows_read == 1 { "row" } else { "rows" }) }
            @for (at, (status, count)) in shown.enumerate() {
                " " span.operator { (if at == 0 { "=" } else { "+" }) } " "
                span class={ "term count " (colour(status)) (if count == 0 { " none" } else { "" }) } {
                    b { (grouped(count)) } " " (status.to_lowercase())
                }
            }
        }
    }
}

/// What may be seen of a target: the last four digits of a number, the domain of an address.
pub(super) fn target(target: &str) -> Markup {
    let hidden = "••••";
    match seen_of(target) {
        Seen::Blank => html! { span.muted { "blank" } },
        Seen::Nothing => html! { span.target { (hidden) } },
        Seen::Digits(digits) => html! {
            span.target { span aria-hidden="true" { (hidden) " " } span.unseen { "ending in " } (digits) }
        },
        Seen::Domain(domain) => html! {
            span.target { span aria-hidden="true" { "•••" } span.unseen { "somebody at " } "@" (domain) }
        },
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Seen<'a> {
    Blank,
    Nothing,
    Digits(String),
    Domain(&'a str),
}

/// A target that is INVALID may be anything that a cell can hold, so that nothing is shown but what is surely of that
/// form, and of digits never more than half.
fn seen_of(target: &str) -> Seen<'_> {
    let target = target.trim();
    if target.is_empty() {
        return Seen::Blank;
    }
    if let Some((_, domain)) = target.rsplit_once('@') {
        let is_domain = domain.len() <= 253
            && domain.chars().all(|c| c.is_alphanumeric() || c == '.' || c == '-')
            && domain.rsplit_once('.').is_some_and(|(_, last)| last.chars().all(|c| c.is_alphabetic() || c == '-'));
        return if is_domain { Seen::Domain(domain) } else { Seen::Nothing };
    }
    let digits: Vec<char> = target.chars().filter(char::is_ascii_digit).collect();
    let shown = 4.min(digits.len() / 2);
    if shown == 0 { Seen::Nothing } else { Seen::Digits(digits[digits.len() - shown..].iter().collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_times_and_sizes_have_units() {
        assert_eq!([0, 7, 999, 1000, 1234567].map(grouped), ["0", "7", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0, 1, 999, 1000, 9_949, 88_300_000, 999_600, 3_000_000_000].map(bytes),
            ["0 bytes", "1 byte", "999 bytes", "1.0 kB", "9.9 kB", "88 MB", "1.0 MB", "3.0 GB"]
        );
        let shown = [112, 3_449, 12_000, 125_000, 12_000_000, 352_800_000].map(Duration::from_millis).map(duration);
        assert_eq!(shown, ["112 ms", "3.4 s", "12 s", "2 min 5 s", "3 h 20 min", "4 d 2 h"]);
    }

    #[test]
    fn of_a_target_no_more_is_seen_than_four_digits_or_a_domain() {
        let digits = |text: &str| Seen::Digits(text.to_owned());
        assert_eq!(seen_of("+15125550142"), digits("0142"));
        assert_eq!(seen_of("(512) 555-0142"), digits("0142"));
        assert_eq!(seen_of("12"), digits("2"));
        assert_eq!(seen_of("1"), Seen::Nothing);
        assert_eq!(seen_of("Ana Lovelace"), Seen::Nothing);
        assert_eq!(seen_of(" "), Seen::Blank);
        assert_eq!(seen_of("ana@example.com"), Seen::Domain("example.com"));
        assert_eq!(seen_of("ana@xn--bcher-kva.example"), Seen::Domain("xn--bcher-kva.example"));
        assert_eq!(seen_of("ana@5125550142"), Seen::Nothing);
        assert_eq!(seen_of("ana@example.com, call 5125550142"), Seen::Nothing);
    }

    #[test]
    fn the_sum_has_every_verdict_and_others_only_where_there_are_some() {
        let counts =
            BTreeMap::from([("PENDING".to_owned(), 9_412), ("DUPLICATE".to_owned(), 588), ("ODD".to_owned(), 2)]);
        let text = sum(10_002, &counts).into_string();
        let plain: String = text.split('<').filter_map(|piece| piece.split_once('>')).map(|(_, text)| text).collect();
        assert_eq!(plain, "10,002 rows = 9,412 pending + 588 duplicate + 0 skipped + 0 invalid + 2 odd");
    }

    #[test]
    fn a_bar_is_as_wide_as_it_may_be_and_shows_the_smallest_part() {
        let counts = BTreeMap::from([("PENDING".to_owned(), 999_999), ("INVALID".to_owned(), 1)]);
        let svg = bar(&counts).into_string();
        assert!(svg.contains(r#"class="pending" x="0.0" y="0" width="992.1""#), "{svg}");
        assert!(svg.contains(r#"class="invalid" x="992.1" y="0" width="7.9""#), "{svg}");
    }
}
