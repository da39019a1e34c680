//! Writing into a folder: a file appears whole, under its name, or not at all; a file that is moved or deleted is the
//! version that is meant, as far as a file system lets anyone be sure.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::{failed, on_blocking_thread, version};
use crate::bucket::{Error, ErrorKind, Pieces};
use crate::model::Object;

/// Writes a file under a name that is never listed, has it on disk, and gives it its own name.
pub(super) async fn write(path: PathBuf, key: &str, pieces: Pieces<'_>) -> Result<(), Error> {
    let aside = aside(&path);
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
    on_blocking_thread(move || give_name(&from, &path).map_err(|error| trouble(&key, error))).await
}

async fn write_pieces(mut file: tokio::fs::File, key: &str, mut pieces: Pieces<'_>) -> Result<(), Error> {
    while let Some(piece) = pieces.next().await {
        let piece =
            piece.map_err(|error| Error::transient("what is to be written could not be had:", key).caused_by(error))?;
        file.write_all(&piece).await.map_err(|error| trouble(key, error))?;
    }
    file.sync_all().await.map_err(|error| trouble(key, error))
}

/// A name that is never listed, and no other writer's, not even of the same file.
fn aside(path: &Path) -> PathBuf {
    path.with_file_name(format!("{}{}.part", mark(path), uuid::Uuid::new_v4()))
}

/// What the names of all that is written aside for one file begin with. The file's own name may be too long to be a
/// part of it.
fn mark(path: &Path) -> String {
    let hash = Sha256::digest(path.file_name().unwrap_or_default().as_encoded_bytes());
    hash[..8].iter().fold(".".to_owned(), |mark, byte| format!("{mark}{byte:02x}")) + "-"
}

/// Gives what was written aside its own name, and removes what others wrote aside for it: they were killed. One that
/// still lives was thought dead, and has lost its claim; it finds its own gone, and the ledger tells it why.
fn give_name(aside: &Path, path: &Path) -> io::Result<()> {
    rename(aside, path)?;
    let mark = mark(path);
    for entry in path.parent().and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(&mark) && name.ends_with(".part")) {
            let _ = fs::remove_file(entry.path()); // it is in nobody's way
        }
    }
    Ok(())
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
        return if is_moved(to, object).map_err(failed)? { Ok(()) } else { Err(gone(object)) };
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    match rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => move_across(from, to, object),
        renamed => renamed.map_err(failed),
    }
}

/// The same onto another file system, where nothing can be renamed: the copy is on disk, under its name, before the
/// original goes. Killed in between, both are there, and the next attempt puts a new copy in the place of this one.
fn move_across(from: &Path, to: &Path, object: &Object) -> Result<(), Error> {
    let failed = |error: io::Error| failed("cannot move", &object.key, &error).caused_by(error);
    let aside = aside(to);
    let copied = match copy(from, &aside) {
        Ok(copied) if copied == object.version => give_name(&aside, to).map_err(failed),
        Ok(_) => Err(gone(object)),
        Err(error) => Err(failed(error)),
    };
    if copied.is_err() {
        let _ = fs::remove_file(&aside); // it may never have come to be
    }
    copied?;
    match delete_file(from, object) {
        // Another has its name by now: the one that was meant is moved.
        Err(error) if error.kind == ErrorKind::Gone => Ok(()),
        deleted => deleted,
    }
}

/// Returns the version that was copied. The copy keeps its time, by which a later attempt knows it.
fn copy(from: &Path, to: &Path) -> io::Result<String> {
    let (mut original, mut copy) = (File::open(from)?, File::create_new(to)?);
    io::copy(&mut original, &mut copy)?;
    let metadata = original.metadata()?;
    copy.set_permissions(metadata.permissions())?;
    copy.set_modified(metadata.modified()?)?;
    copy.sync_all()?;
    Ok(version(&metadata))
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

/// Whether the file that has this name is that version; `None` where none has it. A rename keeps what versions are told
/// by.
fn is_version(path: &Path, object: &Object) -> io::Result<Option<bool>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.is_file() && version(&metadata) == object.version)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether what was moved there is that version: on another file system it has another inode, which a version ends in.
fn is_moved(to: &Path, object: &Object) -> io::Result<bool> {
    let without_inode = |version: &str| version.rsplit_once('-').map(|(rest, _)| rest.to_owned());
    match fs::metadata(to) {
        Ok(metadata) => Ok(metadata.is_file() && without_inode(&version(&metadata)) == without_inode(&object.version)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}

fn gone(object: &Object) -> Error {
    Error::gone("replaced or deleted since it was read:", &object.key)
}
