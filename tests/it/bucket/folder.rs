//! What only a folder can do: half-written files, links, names that are no text, keys that lead elsewhere.

use std::collections::BTreeSet;
use std::ffi::{CString, OsStr};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use batchdrop::bucket::{Bucket, BucketConfig, ErrorKind};
use batchdrop::model::Object;
use futures_util::StreamExt;
use tempfile::TempDir;

use super::{Place, keys, list, only_object, read, set, told};

/// Long, for the tests' sake: a busy machine oversleeps.
const SETTLE: Duration = Duration::from_secs(1);

/// A folder, into which files are put as if they had lain there for a while.
pub struct FolderPlace(TempDir);

impl FolderPlace {
    pub fn new() -> Self {
        FolderPlace(tempfile::tempdir().unwrap())
    }

    fn path(&self, key: &str) -> PathBuf {
        self.0.path().join(key)
    }

    /// Writes a file as other programs do: its time is that of writing.
    fn write(&self, key: &str, content: &[u8]) {
        fs::create_dir_all(self.path(key).parent().unwrap()).unwrap();
        fs::write(self.path(key), content).unwrap();
    }

    fn set_modified(&self, key: &str, time: SystemTime) {
        File::options().append(true).open(self.path(key)).unwrap().set_modified(time).unwrap();
    }
}

#[async_trait::async_trait]
impl Place for FolderPlace {
    async fn put(&self, key: &str, content: &[u8]) {
        self.write(key, content);
        self.set_modified(key, SystemTime::now() - Duration::from_secs(10));
    }

    async fn delete(&self, key: &str) {
        fs::remove_file(self.path(key)).unwrap();
    }

    async fn get(&self, key: &str) -> Option<Vec<u8>> {
        fs::read(self.path(key)).ok()
    }

    async fn leftovers(&self) -> usize {
        let mut folders = vec![self.0.path().to_owned()];
        let mut count = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                count += usize::from(entry.file_name().as_bytes().starts_with(b"."));
                folders.extend(entry.file_type().unwrap().is_dir().then(|| entry.path()));
            }
        }
        count
    }

    fn config(&self) -> BucketConfig {
        let url = self.0.path().to_str().unwrap().to_owned();
        BucketConfig { url, settle_ms: SETTLE.as_millis() as u64, ..Default::default() }
    }
}

#[tokio::test]
async fn a_file_is_taken_only_when_it_has_held_still() {
    let place = FolderPlace::new();
    let bucket = place.open().await;
    for _ in 0..6 {
        place.write("a.csv", b"more and more");
        tokio::time::sleep(SETTLE / 3).await;
        let page = bucket.list(None).await.unwrap();
        assert_eq!((page.objects, page.unsettled.len()), (vec![], 1));
    }
    tokio::time::sleep(SETTLE).await;
    let page = bucket.list(None).await.unwrap();
    assert_eq!((page.objects.len(), page.unsettled.len()), (1, 0));
}

#[tokio::test]
async fn a_file_from_the_future_is_taken_once_it_was_seen_to_hold_still() {
    let place = FolderPlace::new();
    let bucket = place.open().await;
    let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
    place.write("a.csv", b"one");
    place.set_modified("a.csv", tomorrow);
    assert_eq!(bucket.list(None).await.unwrap().unsettled.len(), 1);
    tokio::time::sleep(SETTLE / 2).await;
    place.write("a.csv", b"three");
    place.set_modified("a.csv", tomorrow);
    assert_eq!(bucket.list(None).await.unwrap().unsettled.len(), 1);
    tokio::time::sleep(SETTLE / 2 + SETTLE / 4).await;
    assert_eq!(bucket.list(None).await.unwrap().unsettled.len(), 1, "the wait starts anew with every change");
    tokio::time::sleep(SETTLE / 2).await;
    for _ in 0..5 {
        assert_eq!(only_object(&bucket).await.size, 5, "and is not asked for twice");
    }
}

/// Each of these happens after the first chunk of a large file was read. What was read until then must not count.
#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_gone() {
    let large = vec![b'x'; 5_000_000];
    type Change = fn(&Path);
    let changes: [(&str, Change); 6] = [
        ("grows", |path| File::options().append(true).open(path).unwrap().write_all(b"y").unwrap()),
        ("is cut short", |path| File::options().write(true).open(path).unwrap().set_len(4_000_000).unwrap()),
        ("is emptied", |path| File::options().write(true).open(path).unwrap().set_len(0).unwrap()),
        ("is written over", |path| File::options().write(true).open(path).unwrap().write_all(b"y").unwrap()),
        ("is replaced", |path| {
            let other = path.with_extension("tmp");
            fs::write(&other, vec![b'y'; 5_000_000]).unwrap();
            fs::rename(other, path).unwrap();
        }),
        ("is deleted", |path| fs::remove_file(path).unwrap()),
    ];
    for (what, change) in changes {
        let place = FolderPlace::new();
        place.put("a.csv", &large).await;
        let bucket = place.open().await;
        let object = only_object(&bucket).await;
        let mut body = bucket.read(&object).await.unwrap();
        body.next().await.unwrap().unwrap();
        change(&place.path("a.csv"));
        let mut ended_with = None;
        while let Some(chunk) = body.next().await {
            ended_with = Some(chunk);
        }
        let error = ended_with.unwrap().expect_err(what);
        assert_eq!(error.kind, ErrorKind::Gone, "{what}: {}", told(&error));
    }
}

#[tokio::test]
async fn a_page_can_be_taken_up_after_a_key_that_is_gone() {
    let place = FolderPlace::new();
    for key in ["a.csv", "b/1.csv", "b/2.csv", "b.csv", "c/1/1.csv", "d.csv"] {
        place.put(key, b"x").await;
    }
    let bucket = place.open().await;
    let all: Vec<String> = list(&bucket).await.into_iter().map(|object| object.key).collect();
    for (place_in_order, after) in all.iter().enumerate() {
        let page = bucket.list(Some(after)).await.unwrap();
        let rest: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
        assert_eq!(rest, all[place_in_order + 1..], "after {after}");
    }
    for after in ["b/1/was a folder.csv", "b/15.csv", "b/1.csv"] {
        let page = bucket.list(Some(after)).await.unwrap();
        assert!(page.objects.iter().any(|object| object.key == "b/2.csv"), "after {after}");
    }
}

#[tokio::test]
async fn links_to_files_are_taken_and_links_to_folders_are_not_followed() {
    let (place, elsewhere) = (FolderPlace::new(), FolderPlace::new());
    place.put("deep/a.csv", b"a").await;
    elsewhere.put("b.csv", b"b").await;
    symlink(elsewhere.path("b.csv"), place.path("link.csv")).unwrap();
    symlink(place.0.path(), place.path("deep/circle")).unwrap();
    symlink(elsewhere.0.path(), place.path("elsewhere.csv")).unwrap();
    symlink("nowhere", place.path("broken.csv")).unwrap();
    symlink("itself.csv", place.path("itself.csv")).unwrap();
    let bucket = place.open().await;
    assert_eq!(keys(&bucket).await, set(["deep/a.csv", "link.csv"]));
    for object in list(&bucket).await {
        read(&bucket, &object).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_no_file_or_has_no_name_in_text_is_left_alone() {
    let place = FolderPlace::new();
    place.put("a.csv", b"a").await;
    fs::write(place.0.path().join(OsStr::from_bytes(b"caf\xe9.csv")), b"x").unwrap();
    let pipe = CString::new(place.path("pipe.csv").to_str().unwrap()).unwrap();
    // SAFETY: `pipe` is a string that ends in NUL and outlives the call.
    assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
    let bucket = place.open().await;
    let object = only_object(&bucket).await;

    // Nor does a reader wait at a pipe that has taken a file's place.
    fs::rename(place.path("pipe.csv"), place.path("a.csv")).unwrap();
    assert_eq!(read(&bucket, &object).await.unwrap_err().kind, ErrorKind::Gone);
}

#[tokio::test]
async fn no_key_leads_out_of_the_folder() {
    let outer = FolderPlace::new();
    outer.put("secret.csv", b"secret").await;
    outer.put("in/a.csv", b"a").await;
    let config = BucketConfig { url: format!("{}/in", outer.config().url), ..outer.config() };
    let bucket = Bucket::open(&config).await.unwrap();
    let listed = list(&outer.open().await).await;
    let secret = listed.iter().find(|object| object.key == "secret.csv").unwrap();
    let absolute = outer.path("secret.csv").to_str().unwrap().to_owned();
    for key in ["../secret.csv", "in/../../secret.csv", "..", ".", "", "/", "a.csv/", "./a.csv", "a\0.csv", &absolute] {
        let object = Object { key: key.to_owned(), ..secret.clone() };
        let error = read(&bucket, &object).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Permanent, "{key:?}: {}", told(&error));
        assert_eq!(error.what, "not the key of a file in this folder:", "{key:?}");
    }
}

#[tokio::test]
async fn a_folder_is_known_by_one_name() {
    let place = FolderPlace::new();
    fs::create_dir(place.path("in")).unwrap();
    symlink("in", place.path("link")).unwrap();
    let canonical = fs::canonicalize(place.path("in")).unwrap();
    let root = place.config().url;
    for url in
        [format!("{root}/in"), format!("{root}/in/"), format!("{root}/./in/../link"), format!("file://{root}/in")]
    {
        let bucket = Bucket::open(&BucketConfig { url, ..place.config() }).await.unwrap();
        assert_eq!(bucket.name(), canonical.to_str().unwrap());
    }
}

#[tokio::test]
async fn a_missing_folder_is_permanent_and_says_what_to_do() {
    let place = FolderPlace::new();
    place.put("a.csv", b"a").await;
    let root = place.config().url;
    for (name, what) in [
        ("nowhere", "no such folder; create it, or name another:"),
        ("a.csv", "a file and not a folder; name another:"),
    ] {
        let url = format!("{root}/{name}");
        let error = Bucket::open(&BucketConfig { url: url.clone(), ..place.config() }).await.unwrap_err();
        assert_eq!((error.kind, error.to_string()), (ErrorKind::Permanent, format!("{what} {url}")));
    }
}

#[tokio::test]
async fn a_folder_that_goes_away_is_an_error_and_not_an_empty_bucket() {
    let place = FolderPlace::new();
    let bucket = place.open().await;
    fs::remove_dir(place.0.path()).unwrap();
    assert_eq!(bucket.list(None).await.unwrap_err().kind, ErrorKind::Permanent);
}

/// `/dev/shm` is a file system of its own on Linux; where it is not, nothing can be shown here.
#[tokio::test]
async fn a_file_is_moved_onto_another_file_system() {
    let place = FolderPlace::new();
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else { return eprintln!("skipped: no /dev/shm") };
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    if device(other.path()) == device(place.0.path()) {
        return eprintln!("skipped: /dev/shm is no file system of its own");
    }
    symlink(other.path(), place.path("processed")).unwrap();
    place.put("a.csv", b"one").await;
    let bucket = place.open().await;
    let object = only_object(&bucket).await;
    fs::hard_link(place.path("a.csv"), place.path(".kept")).unwrap();
    for attempt in
        ["the first", "one that does not know of it", "one of a worker killed before the original was deleted"]
    {
        if attempt.starts_with("one of") {
            fs::rename(place.path(".kept"), place.path("a.csv")).unwrap();
        }
        bucket
            .move_to(&object, "processed/1/a.csv")
            .await
            .unwrap_or_else(|error| panic!("{attempt}: {}", told(&error)));
        assert_eq!(place.get("processed/1/a.csv").await.as_deref(), Some(&b"one"[..]), "{attempt}");
        assert_eq!(place.get("a.csv").await, None, "{attempt}");
        assert_eq!(fs::read_dir(other.path().join("1")).unwrap().count(), 1, "{attempt} leaves nothing else");
    }
    place.put("a.csv", b"another").await;
    bucket.move_to(&object, "processed/1/a.csv").await.unwrap();
    assert_eq!(place.get("processed/1/a.csv").await.as_deref(), Some(&b"one"[..]));
    assert_eq!(place.get("a.csv").await.as_deref(), Some(&b"another"[..]), "what came later is left alone");
}

/// What the folder tells of next, by key; nothing where it tells of nothing for twice the time that a file must hold
/// still.
#[cfg(target_os = "linux")]
async fn told_of(bucket: &Bucket) -> Vec<String> {
    let Ok(notices) = tokio::time::timeout(SETTLE * 2, bucket.notices()).await else { return Vec::new() };
    let objects = notices.unwrap().into_iter().flat_map(|notice| notice.objects.unwrap());
    objects.map(|object| object.key).collect()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_its_writer_closed_is_told_of_before_the_listing_takes_it() {
    let place = FolderPlace::new();
    place.put("in/old.csv", b"a").await;
    let bucket = Bucket::open(&BucketConfig { settle_ms: 3_000, ..place.config() }).await.unwrap();
    assert_eq!(keys(&bucket).await, set(["in/old.csv"]));

    place.write("in/new.csv", b"b");
    assert_eq!(told_of(&bucket).await, ["in/new.csv"]);
    assert_eq!(bucket.list(None).await.unwrap().unsettled.len(), 1, "the listing alone would still wait");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_is_told_of_once_its_writer_is_done_and_ours_never() {
    let place = FolderPlace::new();
    let bucket = place.open().await;
    assert!(keys(&bucket).await.is_empty());

    let mut writer = File::create(place.path("slow.csv")).unwrap();
    writer.write_all(b"half").unwrap();
    assert!(told_of(&bucket).await.is_empty(), "it is open still");
    writer.write_all(b" and half").unwrap();
    drop(writer);
    let mut told = BTreeSet::from_iter(told_of(&bucket).await);
    assert_eq!(told, set(["slow.csv"]));

    place.write("renamed.csv.part", b"a");
    place.write("results/20250401.1/a.receipt.json", b"{}");
    fs::rename(place.path("renamed.csv.part"), place.path("renamed.csv")).unwrap();
    told.extend(told_of(&bucket).await);
    told.extend(told_of(&bucket).await);
    assert_eq!(told, set(["renamed.csv", "slow.csv"]));
}
