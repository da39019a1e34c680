//! The worker dies at each step of an upload's life: nothing is lost, nothing is doubled.

use super::{outcome, undisturbed_few};
use crate::support::app::{In, TestApp, To};

/// It dies there whenever it comes there for the first time; the next worker ends what it began.
async fn dies_at(step: &str) {
    for to in [To::Sqlite, To::Postgres] {
        let mut app = TestApp::new(In::Folder, to).await;
        super::drop_few(&app).await;
        app.set("WORKER_LEASE_SECONDS", "1");
        app.set("TEST_FAIL_POINT", &format!("{step}=abort"));
        let mut worker = app.start(&["run"]);
        assert_eq!(worker.wait(), None, "it died: {}", worker.log());
        app.set("TEST_FAIL_POINT", "never=abort");
        let worker = app.start(&["run"]);
        app.wait_until("everybody is answered", async || {
            let uploads = app.uploads().await;
            uploads.len() == super::FEW && uploads.iter().all(|upload| upload.answered_at.is_some())
        })
        .await;
        drop(worker);
        assert_eq!(outcome(&app).await, undisturbed_few().await, "{step}, {to:?}");
    }
}

macro_rules! steps {
    ($($step:ident)*) => { $(
        #[tokio::test]
        async fn $step() { dies_at(stringify!($step)).await }
    )* };
}

steps! { claimed opened read rows publish published rejects answered }
