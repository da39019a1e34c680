//! The walk through a folder: every file in it that can be an upload, one at a time, in one fixed order.
//!
//! The order (by the names' bytes, directory by directory) is what makes paging work: a walk can be taken up again
//! after any key, although files have come and gone meanwhile. What comes late behind that place is met by the next
//! walk. In memory are the names of the directories from the root down to where the walk is, never those of the whole
//! tree.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::failed;
use super::hints::Hints;
use crate::bucket::written::is_upload;
use crate::bucket::{Error, ErrorKind};

/// What is walked through.
pub(super) struct Ground {
    pub root: PathBuf,
    pub own_prefixes: Vec<String>,
    /// They watch every directory that a walk has come through.
    pub hints: Hints,
    /// Said once in a bucket's life and not on every walk: a name that is no text, a file or directory that is closed
    /// to us.
    warned_of_name: AtomicBool,
    warned_of_access: AtomicBool,
}

/// A walk under way.
pub(super) struct Walk {
    /// From the root down to the directory that we are in.
    open: Vec<Directory>,
}

struct Directory {
    path: PathBuf,
    /// What the keys in it start with: empty, or ending in `/`.
    prefix: String,
    /// What is still to come, in falling order: the next one is the last.
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    is_directory: bool,
}

impl Ground {
    pub fn new(root: PathBuf, own_prefixes: Vec<String>, hints: Hints) -> Self {
        let (warned_of_name, warned_of_access) = (AtomicBool::new(false), AtomicBool::new(false));
        Ground { root, own_prefixes, hints, warned_of_name, warned_of_access }
    }

    /// Reads one directory; `None` where it has gone since its name was read, or may not be entered.
    fn directory(&self, path: PathBuf, prefix: String) -> Result<Option<Directory>, Error> {
        let is_root = prefix.is_empty();
        // Before its names are read: what is dropped in between is both seen and told of.
        self.hints.watch(&path);
        match self.entries(&path, &prefix) {
            Ok(mut entries) => {
                entries.sort_unstable_by(|a, b| b.name.cmp(&a.name));
                Ok(Some(Directory { path, prefix, entries }))
            }
            Err(error) => {
                let failed = failed("cannot list", &path.to_string_lossy(), &error);
                if is_root || failed.kind != ErrorKind::Permanent {
                    return Err(failed.caused_by(error));
                }
                self.leave_out(&path, &error);
                Ok(None)
            }
        }
    }

    /// One closed directory or broken file must not keep all others from being loaded. It is met again on every walk,
    /// and taken once it is mended.
    fn leave_out(&self, path: &Path, error: &io::Error) {
        let gone = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
        if !gone && !self.warned_of_access.swap(true, Relaxed) {
            tracing::warn!(path = shown(path), %error, "cannot be looked at, and is left out; others may be too");
        }
    }

    fn entries(&self, path: &Path, prefix: &str) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            // Not followed here: a link to a directory counts as a file, and is left out as none when its turn comes.
            // Following it could lead in circles, or out of the bucket.
            let is_directory = match entry.file_type() {
                Ok(file_type) => file_type.is_dir(),
                Err(error) => {
                    self.leave_out(&entry.path(), &error);
                    continue;
                }
            };
            let Ok(name) = entry.file_name().into_string() else {
                if !self.warned_of_name.swap(true, Relaxed) {
                    tracing::warn!(directory = shown(path), "a file's name is not UTF-8; rename it to have it loaded");
                }
                continue;
            };
            // A directory is judged by a file that could lie in it, so that we do not walk through our own results.
            let key = if is_directory { format!("{prefix}{name}/_") } else { format!("{prefix}{name}") };
            if is_upload(&key, &self.own_prefixes) {
                entries.push(Entry { name, is_directory });
            }
        }
        Ok(entries)
    }
}

/// As text and not as it is displayed: the log escapes texts, and a name may hold a line break or steer a terminal.
fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

impl Walk {
    pub fn start(ground: &Ground) -> Result<Walk, Error> {
        Ok(Walk { open: ground.directory(ground.root.clone(), String::new())?.into_iter().collect() })
    }

    /// Takes a walk up again after `key`, which need not exist any more.
    pub fn start_after(ground: &Ground, key: &str) -> Result<Walk, Error> {
        let mut walk = Walk::start(ground)?;
        let mut parts = key.split('/').peekable();
        while let (Some(part), Some(directory)) = (parts.next(), walk.open.last_mut()) {
            while directory.entries.pop_if(|entry| entry.name.as_str() < part).is_some() {}
            let on_the_way_down = parts.peek().is_some();
            // What was a file on the last page and is a directory now, or the other way round, is new, and stays.
            let Some(entry) =
                directory.entries.pop_if(|entry| entry.name == part && entry.is_directory == on_the_way_down)
            else {
                break;
            };
            if on_the_way_down {
                walk.enter(ground, entry)?;
            }
        }
        Ok(walk)
    }

    /// The next file, with its key; `None` at the end.
    pub fn next(&mut self, ground: &Ground) -> Result<Option<(String, Metadata)>, Error> {
        while let Some(directory) = self.open.last_mut() {
            let Some(entry) = directory.entries.pop() else {
                self.open.pop();
                continue;
            };
            if entry.is_directory {
                self.enter(ground, entry)?;
                continue;
            }
            let path = directory.path.join(&entry.name);
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => {
                    return Ok(Some((format!("{}{}", directory.prefix, entry.name), metadata)));
                }
                Ok(_) => {} // a socket, a pipe, a link to a directory
                Err(error) => ground.leave_out(&path, &error),
            }
        }
        Ok(None)
    }

    /// Enters a directory that was just taken from the innermost one's entries.
    fn enter(&mut self, ground: &Ground, entry: Entry) -> Result<(), Error> {
        let Some(outer) = self.open.last() else { return Ok(()) };
        let inner = ground.directory(outer.path.join(&entry.name), format!("{}{}/", outer.prefix, entry.name))?;
        self.open.extend(inner);
        Ok(())
    }
}
