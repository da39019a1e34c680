//! Writing into a folder: a file appears whole, under its name, or not at all; a file that is moved or deleted is the
//! version that is meant, as far as a file system lets anyone be sure.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;

use super::{failed, on_blocking_thread, version};
use crate::bucket::{Error, Pieces};
use crate::model::Object;

/// Writes a file under a name that is never listed, has it on disk, and gives it its own name.
pub(super) async fn write(path: PathBuf, key: &str, pieces: Pieces<'_>) -> Result<(), Error> {
    let aside = path.with_file_name(format!(".{}.part", uuid::Uuid::new_v4()));
    let written = write_aside(&aside, path, key, pieces).await;
    if written.is_err() {
        let _ = tokio::fs::remove_file(&aside).await; // it may never have come to be
    }
    written
}

async fn write_aside(aside: &Path, path: PathBuf, key: &str, pieces: Pieces<'_>) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(|error| trouble(key, error))?;
    }
    let file = tokio::fs::File::create_new(aside).await.map_err(|error| trouble(key, error))?;
    write_pieces(file, key, pieces).await?;
    let (from, key) = (aside.to_owned(), key.to_owned());
    on_blocking_thread(move || rename(&from, &path).map_err(|error| trouble(&key, error))).await
}

async fn write_pieces(mut file: tokio::fs::File, key: &str, mut pieces: Pieces<'_>) -> Result<(), Error> {
    while let Some(piece) = pieces.next().await {
        let piece =
            piece.map_err(|error| Error::transient("what is to be written could not be had:", key).caused_by(error))?;
        file.write_all(&piece).await.map_err(|error| trouble(key, error))?;
    }
    file.sync_all().await.map_err(|error| trouble(key, error))
}

/// The new name is on disk too before anyone is told of it.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    for folder in to.ancestors().skip(1).take(2) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn trouble(key: &str, error: io::Error) -> Error {
    failed("cannot write", key, &error).caused_by(error)
}

/// Moves a file that is still this version. Between the look and the rename another may take its name, and is then
/// moved: a file system has no way to exclude that.
pub(super) fn move_file(from: &Path, to: &Path, object: &Object) -> Result<(), Error> {
    let failed = |error: io::Error| failed("cannot move", &object.key, &error).caused_by(error);
    if is_version(from, object).map_err(failed)? != Some(true) {
        // An earlier attempt may have moved it, and not have lived to tell.
        return if is_version(to, object).map_err(failed)? == Some(true) { Ok(()) } else { Err(gone(object)) };
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    rename(from, to).map_err(failed)
}

/// Deletes a file that is still this version. The same race remains.
pub(super) fn delete_file(path: &Path, object: &Object) -> Result<(), Error> {
    let failed = |error: io::Error| failed("cannot delete", &object.key, &error).caused_by(error);
    match is_version(path, object).map_err(failed)? {
        None => Ok(()),
        Some(false) => Err(gone(object)),
        Some(true) => match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        },
    }
}

/// Whether the file that has this name is that version; `None` where none has it. A rename keeps what versions are told by.
fn is_version(path: &Path, object: &Object) -> io::Result<Option<bool>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.is_file() && version(&metadata) == object.version)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

fn gone(object: &Object) -> Error {
    Error::gone("replaced or deleted since it was read:", &object.key)
}
