use super::*;
use crate::model::{Extensions, KeyField};

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("writable");
    let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let name = file.path().display().to_string();
    Config::load(Some(file.path()), variables).map_err(|error| error.to_string().replace(&name, "FILE"))
}

#[test]
fn nothing_configured_is_one_campaign_that_takes_every_csv() {
    let config = load("", &[]).expect("valid");
    assert_eq!(config, Config::default());
    assert_eq!(config.campaigns().expect("valid"), [Campaign::default()]);
}

#[test]
fn the_environment_overrides_the_file() {
    let text = "[store]\nurl = 'sqlite://a.db'\n[campaigns.late]\nid = 1\nfiles = 'L*'\n[campaigns.late_payments]\nid = 2\nfiles = 'LP*'";
    let variables = [
        ("BATCHDROP_STORE_URL", "postgres://h/d"),
        ("BATCHDROP_WORKER_UPLOADS_AT_ONCE", "7"),
        ("BATCHDROP_CAMPAIGNS_LATE_PAYMENTS_HOLD", "true"),
        ("BATCHDROP_CAMPAIGNS_LATE_EXPIRES_AFTER", "30d"),
        ("BATCHDROP_CAMPAIGNS_LATE_UNIQUE", "['reference_id', 'target']"),
        ("HOME", "/"),
    ];
    let config = load(text, &variables).expect("valid");
    assert_eq!((config.store.url.as_str(), config.worker.uploads_at_once), ("postgres://h/d", 7));
    let campaigns = config.campaigns().expect("valid");
    assert_eq!((campaigns[0].hold, campaigns[1].hold), (false, true));
    assert_eq!(campaigns[0].expires_after, Some(Duration::from_secs(30 * 86_400)));
    assert_eq!(campaigns[0].unique, [KeyField::ReferenceId, KeyField::Target]);
}

#[test]
fn due_times_are_in_the_zone_of_the_campaign_or_else_of_the_worker() {
    let text = "[worker]\ntime_zone = 'Europe/Berlin'\n[campaigns.a]\nid = 1\nfiles = 'a*'\ndue = 'weekdays 09:00'\n\
                due_except = ['2025-12-25']\n[campaigns.b]\nid = 2\nfiles = 'b*'\ndue_zone = 'Asia/Tokyo'\ndue_opens = '2h'";
    let variables = [("BATCHDROP_CAMPAIGNS_B_DUE", "['daily 09:00', 'sun 18:00']")];
    let campaigns = load(text, &variables).expect("valid").campaigns().expect("valid");
    let [a, b] = [0, 1].map(|at| campaigns[at].due.clone().expect("due times"));
    assert_eq!(a.to_string(), "mon,tue,wed,thu,fri 09:00, Europe/Berlin");
    assert_eq!(b.to_string(), "daily 09:00, sun 18:00, Asia/Tokyo");
    assert_eq!((a.grace, a.except.len(), a.opens), (chrono::TimeDelta::minutes(30), 1, None));
    assert_eq!(b.opens, Some(chrono::TimeDelta::hours(2)));
}

#[test]
fn a_text_message_reaches_no_extension() {
    let text = "[campaigns.a]\nid = 1\nfiles = 'a*'\n[campaigns.b]\nid = 2\nfiles = 'b*'\nchannel = 'sms'\n\
                [campaigns.c]\nid = 3\nfiles = 'c*'\nchannel = 'sms'\nextensions = 'keep'";
    let campaigns = load(text, &[]).expect("valid").campaigns().expect("valid");
    let extensions: Vec<_> = campaigns.iter().map(|campaign| campaign.extensions).collect();
    assert_eq!(extensions, [Extensions::Keep, Extensions::Refuse, Extensions::Keep]);
}

#[test]
fn each_section_can_be_set_by_environment() {
    let variables = [
        ("BATCHDROP_BUCKET_URL", "elsewhere"),
        ("BATCHDROP_STORE_URL", "sqlite://other.db"),
        ("BATCHDROP_WORKER_IDENTITY", "ana@example.com"),
        ("BATCHDROP_LIMITS_ROWS", "7"),
        ("BATCHDROP_RETENTION_REQUESTS", "90d"),
        ("BATCHDROP_SERVE_IDENTITY", "api@example.com"),
        ("BATCHDROP_LOG_LEVEL", "debug"),
    ];
    let config = load("", &variables).expect("valid");
    assert_eq!((config.bucket.url.as_str(), config.store.url.as_str()), ("elsewhere", "sqlite://other.db"));
    assert_eq!((config.worker.identity.as_str(), config.limits.rows), ("ana@example.com", 7));
    assert_eq!(config.retention.requests().expect("valid"), Some(Duration::from_secs(90 * 86_400)));
    assert_eq!((config.serve.identity.as_str(), config.log.level.as_deref()), ("api@example.com", Some("debug")));
}

#[test]
fn a_duration_is_shown_as_it_can_be_written() {
    for text in ["45s", "90m", "12h", "30d", "2w"] {
        assert_eq!(parse_duration(text).map(duration_text).as_deref(), Some(text));
    }
    assert_eq!(duration_text(Duration::from_secs(86_400)), "1d");
}

#[test]
fn lists_that_count_everywhere_come_behind_those_that_are_named() {
    let text = "[campaigns.a]\nid = 1\nfiles = 'a*'\nunique_within = '30d'\nsuppression = ['c']\n\
                [campaigns.b]\nid = 2\nfiles = 'b*'\nchannel = 'email'\n\
                [suppression.a]\neverywhere = true\n[suppression.b]\n[suppression.c]\neverywhere = true\nfiles = 'c.csv'\n";
    let config = load(text, &[("BATCHDROP_SUPPRESSION_C_MAX_AGE", "7d")]).expect("valid");
    let campaigns = config.campaigns().expect("valid");
    assert_eq!(campaigns[0].unique_within, Some(Duration::from_secs(30 * 86_400)));
    assert_eq!((&campaigns[0].suppression, &campaigns[1].suppression), (&vec!["c".to_owned(), "a".into()], &vec![]));
    let lists = config.suppression_lists().expect("valid");
    assert_eq!(lists[2].max_age, Some(Duration::from_secs(7 * 86_400)));
}

#[test]
fn what_is_wrong_is_said_where_it_stands() {
    insta::assert_snapshot!(load("[store]\nurll = 'x'\n", &[]).expect_err("unknown key"), @r"
    FILE: TOML parse error at line 2, column 1
      |
    2 | urll = 'x'
      | ^^^^
    unknown field `urll`, expected one of `url`, `max_connections`, `connect_seconds`, `silent_seconds`
    ");
    for (text, variables, expected) in [
        (
            "",
            &[("BATCHDROP_STOER_URL", "x")][..],
            "BATCHDROP_STOER_URL names no configuration key; keys are written like BATCHDROP_STORE_URL",
        ),
        (
            "",
            &[("BATCHDROP_CAMPAIGNS_X_ID", "1")],
            "BATCHDROP_CAMPAIGNS_X_ID names no configuration key; keys are written like BATCHDROP_STORE_URL",
        ),
        (
            "",
            &[("BATCHDROP_WORKER_IDENTITY", "bob")],
            "worker.identity must be an e-mail address; batches carry it as last_updated_by",
        ),
        (
            "[bucket]\nafter = 'move'\nprocessed_prefix = '/'",
            &[],
            "bucket.processed_prefix must name a folder where bucket.after is \"move\"",
        ),
        ("", &[("BATCHDROP_LIMITS_ROWS", "0")], "limits.rows must be at least 1"),
        ("[bucket]\nstall_seconds = 0", &[], "bucket.stall_seconds must be at least 1"),
        ("[campaigns.a]\nid = 0\nfiles = 'x'", &[], "campaigns.a.id must be 1 or more"),
        (
            "[campaigns.a]\nid = 1\nfiles = 'x'\nexpires_after = '3 moons'",
            &[],
            "campaigns.a.expires_after must be a number and one of s, m, h, d, w, such as \"30d\"",
        ),
        (
            "[campaigns.a]\nid = 1\nfiles = 'x'\nunique_within = '30'",
            &[],
            "campaigns.a.unique_within must be a number and one of s, m, h, d, w, such as \"30d\"",
        ),
        (
            "[campaigns.a]\nid = 1\nfiles = 'x'\nsuppression = ['stop']",
            &[],
            "campaigns.a.suppression names \"stop\", and there is no section [suppression.stop]",
        ),
        (
            "[campaigns.a]\nid = 1\nfiles = 'x'\nsuppression = ['stop']\n[suppression.stop]\nchannel = 'email'",
            &[],
            "campaigns.a.suppression names \"stop\", whose targets are of another channel",
        ),
        (
            "[store]\nurl = 'postgres://h/d'\n[campaigns.a]\nid = 1\nfiles = 'x'\nunique_within = '1d'",
            &[("BATCHDROP_WORKER_UPLOADS_AT_ONCE", "8")],
            "store.max_connections must be more than worker.uploads_at_once: campaigns with unique_within or suppression \
             look things up while they load",
        ),
        (
            "[suppression.stop]\nmax_age = '7d'",
            &[],
            "suppression.stop.max_age needs files: nobody tells when others filled the table",
        ),
        (
            "[webhooks.ops]\nurl = 'https://example.com'\ncampaigns = ['a']",
            &[],
            "webhooks.ops.campaigns names \"a\", and there is no such campaign",
        ),
        (
            "[webhooks.ops]\nurl = 'https://example.com'",
            &[("BATCHDROP_WEBHOOKS_OPS_EVENTS", "[]")],
            "webhooks.ops.events must name one event at least; leave it out for all of them",
        ),
        (
            "[campaigns.a]\nid = 1\nfiles = 'x'\ndue = 'every day at nine'",
            &[],
            "campaigns.a.due cannot be \"every day at nine\"; write \"daily 09:00\", \"weekdays 09:00\", \"mon,thu 06:30\", \
             \"monthly 1 08:00\" or \"monthly last 08:00\"",
        ),
        (
            "[campaigns.a]\nid = 1\nfiles = 'x'\ndue = ['daily 09:00', 'daily 25:00']",
            &[],
            "campaigns.a.due cannot be \"daily 25:00\": the time of day is written from 00:00 to 23:59",
        ),
        (
            "[campaigns.a]\nid = 1\nfiles = 'x'\ndue = []",
            &[],
            "campaigns.a.due must name one time at least; write \"daily 09:00\", \"weekdays 09:00\", \"mon,thu 06:30\", \
             \"monthly 1 08:00\" or \"monthly last 08:00\"",
        ),
        (
            "[campaigns.a]\nid = 1\nfiles = 'x'\ndue = 'daily 09:00'",
            &[("BATCHDROP_CAMPAIGNS_A_DUE_ZONE", "Berlin")],
            "campaigns.a.due_zone cannot be \"Berlin\"; write an IANA name such as \"Europe/Berlin\"",
        ),
        (
            "[campaigns.a]\nid = 1\nfiles = 'x'\ndue = 'daily 09:00'\ndue_grace = 'short'",
            &[],
            "campaigns.a.due_grace must be a number and one of s, m, h, d, w, such as \"30m\"",
        ),
        (
            "[campaigns.a]\nid = 1\nfiles = 'x'\ndue = ['daily 09:00', 'mon 11:00']\ndue_grace = '2h'",
            &[],
            "campaigns.a.due_grace must be shorter than the time between two due times, such as 2024-01-01 09:00 and 11:00 \
             on 2024-01-01",
        ),
        (
            "[campaigns.a]\nid = 1\nfiles = 'x'\ndue = 'daily 09:00'\ndue_except = ['25.12.2025']",
            &[],
            "campaigns.a.due_except cannot have \"25.12.2025\"; write days such as \"2025-12-25\"",
        ),
        (
            "[campaigns.a]\nid = 1\nfiles = 'x'\ndue_grace = '2h'",
            &[],
            "campaigns.a.due_grace needs due: write \"daily 09:00\", \"weekdays 09:00\", \"mon,thu 06:30\", \"monthly 1 08:00\" \
             or \"monthly last 08:00\"",
        ),
        (
            "[campaigns.a]\nid = 1\nfiles = 'x'\nunique = []",
            &[],
            "campaigns.a.unique must name reference_id, target, or each once",
        ),
    ] {
        assert_eq!(load(text, variables).expect_err(expected), expected);
    }
}
