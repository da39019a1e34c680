//! A small file system of a test's own. It takes root, as `tests/run` does: without, a test that needs it fails.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// A file system in memory that can be full. Unmounted when dropped.
pub struct SmallDisk {
    place: tempfile::TempDir,
}

impl SmallDisk {
    /// With room for so many MiB.
    pub fn new(mebibytes: u32) -> SmallDisk {
        let disk = SmallDisk { place: tempfile::tempdir().expect("a temporary directory") };
        mount(&["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"], disk.path());
        disk
    }

    /// Gives it another size.
    pub fn resize(&self, mebibytes: u32) {
        mount(&["-o", &format!("remount,size={mebibytes}m")], self.path());
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut filler = std::fs::File::create(self.path().join("filler")).expect("room for a name");
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    pub fn path(&self) -> &Path {
        self.place.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

fn mount(arguments: &[&str], place: &Path) {
    let output = Command::new("mount").args(arguments).arg(place).output().expect("mount is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "this test has to mount a file system, which takes root: {said}");
}
