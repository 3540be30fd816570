//! A machine that was suspended, for one program: its monotonic clock has stood still meanwhile, and the time since the
//! boot went on.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SOURCE: &str = include_str!("suspend.c");

/// The suspension of programs that were started with [`Suspension::environment`].
#[derive(Debug)]
pub struct Suspension {
    library: PathBuf,
    suspended_for: PathBuf,
    file: File,
}

impl Suspension {
    /// Prepares it in this folder. Panics without a C compiler, or on a machine of another kind than x86-64 and ARM64.
    #[must_use]
    pub fn prepare(folder: &Path) -> Self {
        let (source, library) = (folder.join("suspend.c"), folder.join("suspend.so"));
        std::fs::write(&source, SOURCE).expect("a file");
        let mut compiler = Command::new("cc");
        compiler
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(&library)
            .arg(&source);
        assert!(compiler.status().expect("a C compiler").success());
        let suspended_for = folder.join("suspended-for");
        let file = File::create_new(&suspended_for).expect("a file");
        let suspension = Self {
            library,
            suspended_for,
            file,
        };
        suspension.set(Duration::ZERO);
        suspension
    }

    /// The variables of a program that it concerns.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 2] {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("SUSPENDED_FOR", self.suspended_for.display().to_string()),
        ]
    }

    /// The monotonic clock shows less by so much from now on. Set it while the program stands still.
    pub fn set(&self, suspended_for: Duration) {
        let nanoseconds = i64::try_from(suspended_for.as_nanos()).expect("less than centuries");
        self.file
            .write_all_at(&nanoseconds.to_ne_bytes(), 0)
            .expect("a file that can be written");
    }
}
