//! Lengths of time, as they are written in a configuration and shown to people.

use std::time::Duration;

/// `30d`, `12h`, `90m`, `45s`, `2w`; at most ten years.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let number: u64 = text[..text.len() - unit.len_utf8()].trim().parse().ok()?;
    let total = number.checked_mul(seconds)?;
    (total > 0 && total <= 3660 * 86_400).then(|| Duration::from_secs(total))
}

/// The same the other way round, in the largest unit that gives a whole number.
pub fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60)];
    match units.iter().find(|(_, length)| seconds.is_multiple_of(*length)) {
        Some((unit, length)) => format!("{}{unit}", seconds / length),
        None => format!("{seconds}s"),
    }
}
