//! `batchdrop probe`: the health check of an image without a shell.

use crate::serving::address_of;
use crate::support::app::{In, TestApp, To};
use crate::support::program::{Ran, finished, run};

#[tokio::test]
async fn a_worker_is_probed() {
    let app = TestApp::new(In::Folder, To::Sqlite).await;
    let running = app.start(&["run", "--listen", "127.0.0.1:0"]);
    let address = address_of(&app, &running).await;
    let probe = |arguments: &[&str]| finished(app.output(arguments));
    let lives = probe(&["probe", "--listen", &address]);
    assert_eq!((lives.code, lives.out.as_str()), (0, "ok\n"), "{}", lives.err);
    let ready = async || probe(&["probe", "--ready", "--listen", &address]).code == 0;
    app.wait_until("it is ready", &ready).await;

    // What listens everywhere is asked on the loopback address, as in a container whose worker serves others too.
    let everywhere = address.replace("127.0.0.1", "0.0.0.0");
    let mut command = app.command(&["probe"]);
    command.env("BATCHDROP_SERVE_LISTEN", &everywhere).env("BATCHDROP_SERVE_READ_TOKEN", "a-token-of-16-bytes");
    let lives = finished(command.env("HTTP_PROXY", "http://127.0.0.1:1").output().expect("the program starts"));
    assert_eq!((lives.code, lives.out.as_str()), (0, "ok\n"), "{}", lives.err);
}

#[tokio::test]
async fn a_worker_without_its_store_lives_and_is_not_ready() {
    let app = TestApp::new(In::Folder, To::Sqlite).await;
    let running = app.start(&["run", "--store", "postgres://nobody@127.0.0.1:1/none", "--listen", "127.0.0.1:0"]);
    let address = address_of(&app, &running).await;
    assert_eq!(finished(app.output(&["probe", "--listen", &address])).code, 0);
    let ready = finished(app.output(&["probe", "--ready", "--listen", &address]));
    assert_eq!(ready.code, 1);
    assert!(ready.err.contains("the bucket and the store are not both open yet"), "{}", ready.err);
}

#[test]
fn what_does_not_serve_is_told_as_that() {
    let folder = tempfile::tempdir().expect("a directory");
    let probe = |arguments: &[&str]| -> Ran { run(folder.path(), &[&["probe"], arguments].concat()) };
    let nothing = probe(&["--listen", "127.0.0.1:1"]);
    assert_eq!(nothing.code, 1);
    assert!(nothing.err.contains("127.0.0.1:1 does not answer: "), "{}", nothing.err);
    let unset = probe(&[]);
    assert_eq!(unset.code, 2);
    assert!(unset.err.contains("name an address by --listen"), "{}", unset.err);
}
