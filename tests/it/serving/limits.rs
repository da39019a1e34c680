//! What one client may ask for: no more than its share, and nothing of what it left behind stays with it.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Answer, TOKEN, get, post, serving};
use crate::support::app::{In, TestApp, To, contacts};

const BATCHES: &str = "/api/v1/outbound/batches";
const OURS: &str = "Sec-Fetch-Site: same-origin\r\n";

/// The first refusal of what is asked again and again; on no machine does it take so long that none comes.
async fn refused(ask: impl AsyncFn() -> Answer) -> Answer {
    for _ in 0..1_000 {
        let answer = ask().await;
        if answer.status == 429 {
            return answer;
        }
    }
    panic!("never refused");
}

fn retry_after(answer: &Answer) -> u64 {
    let value = answer.head.lines().find_map(|line| line.strip_prefix("retry-after: "));
    value.unwrap_or_else(|| panic!("no Retry-After in\n{}", answer.head)).parse().expect("seconds")
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_ask_again() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.set("SERVE_REQUESTS_A_SECOND", "1");
    let (_running, address) = serving(&app).await;
    let refusal = refused(async || get(&address, BATCHES, "").await).await;
    assert_eq!(refusal.body, r#"{"detail":"too many requests; ask less often"}"#);
    assert_eq!(retry_after(&refusal), 1);
    for _ in 0..3 {
        assert_eq!(get(&address, "/healthz", "").await.status, 200, "probes are not counted");
    }
    app.wait_until("it is answered again", || async { get(&address, BATCHES, "").await.status == 200 }).await;
}

#[tokio::test]
async fn tokens_cannot_be_guessed_one_after_another() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.set("SERVE_READ_TOKEN", TOKEN);
    let (_running, address) = serving(&app).await;
    let log_in =
        async |token: &str| post(&address, "/login", OURS, &format!("name=ana%40example.com&token={token}")).await;
    assert_eq!(log_in("a-wrong-one").await.status, 401);
    let right = log_in(TOKEN).await;
    assert_eq!(right.status, 303);
    let refusal = refused(async || log_in("a-wrong-one").await).await;
    assert!((1..=6).contains(&retry_after(&refusal)), "{}", refusal.head);
    assert!(refusal.body.contains("Too many tries to log in from your address."), "{}", refusal.body);

    // Who is logged in is not kept out by it.
    let cookie = right.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    let cookie = format!("Cookie: {}\r\n", cookie.split(';').next().expect("a pair"));
    assert_eq!(get(&address, "/", &cookie).await.status, 200);
}

#[tokio::test]
async fn rejects_are_had_from_the_page_by_whoever_may_look() {
    let mut app = TestApp::new(In::Folder, To::Sqlite).await;
    app.set("SERVE_READ_TOKEN", TOKEN);
    app.drop_file("good.csv", contacts(100, 1)).await;
    let (_running, address) = serving(&app).await;
    app.wait_until("it is settled", || async { app.uploads_to_settle(1).await == 0 }).await;
    let id = app.batch_of("good.csv").await.batch_id;
    let path = format!("/batches/{id}/rejects.csv");
    assert_eq!(get(&address, &path, "").await.status, 303, "to the login");

    let login = post(&address, "/login", OURS, &format!("name=ana%40example.com&token={TOKEN}")).await;
    let cookie = login.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    let cookie = format!("Cookie: {}\r\n", cookie.split(';').next().expect("a pair"));
    let file = get(&address, &path, &cookie).await;
    assert!(
        file.head.contains(&format!("content-disposition: attachment; filename=\"{id}.rejects.csv\"")),
        "{}",
        file.head
    );
    let program =
        get(&address, &format!("{BATCHES}/{id}/rejects"), &format!("Authorization: Bearer {TOKEN}\r\n")).await;
    assert!(file.body == program.body && file.body.contains("DUPLICATE_REFERENCE"), "{}", file.body);
    assert_eq!(get(&address, "/batches/20010101.1/rejects.csv", &cookie).await.status, 404);
    assert!(get(&address, &format!("/batches/{id}"), &cookie).await.body.contains(&format!("href=\"{path}\"")));
}

/// More clients than there are places for downloads, and than there are connections to the database, go away in the
/// middle.
async fn what_a_client_that_went_away_had_is_given_back(to: To) {
    let mut app = TestApp::new(In::Folder, to).await;
    app.set("STORE_MAX_CONNECTIONS", "4");
    // Far more than fits into what lies between it and its client.
    app.drop_file("good.csv", contacts(60_000, 1)).await;
    let (running, address) = serving(&app).await;
    app.wait_until("it is settled", || async { app.uploads_to_settle(1).await == 0 }).await;
    let path = format!("{BATCHES}/{}/results", app.batch_of("good.csv").await.batch_id);
    for _ in 0..40 {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        app.wait_until("there is a place", || async {
            let mut stream = tokio::net::TcpStream::connect(&address).await.expect("it listens");
            stream.write_all(request.as_bytes()).await.expect("it reads");
            let mut begin = [0; 12];
            stream.read_exact(&mut begin).await.expect("it answers");
            &begin == b"HTTP/1.1 200"
        })
        .await;
    }
    // All at once: that of each is free again.
    app.wait_until("no download is left", || async {
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let (address, path) = (address.clone(), format!("{path}?reference_id=S1-59999"));
            all.spawn(async move { get(&address, &path, "").await });
        }
        all.join_all().await.iter().all(|answer| answer.status == 200 && answer.body.contains("S1-59999"))
    })
    .await;
    if to == To::Postgres {
        let open = "select count(*) from pg_stat_activity where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()";
        app.wait_until("nothing is open in the database", || async { app.number(open).await == 0 }).await;
    }
    let log = running.log();
    assert!(!log.contains("ERROR") && !log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn what_a_client_that_went_away_had_is_given_back_on_sqlite() {
    what_a_client_that_went_away_had_is_given_back(To::Sqlite).await;
}

#[tokio::test]
async fn what_a_client_that_went_away_had_is_given_back_on_postgres() {
    what_a_client_that_went_away_had_is_given_back(To::Postgres).await;
}
