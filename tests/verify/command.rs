//! The command, and its report as JSON.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::tools::{self, Said};

/// Runs `fragmint verify` with these words.
pub fn verify<S: AsRef<OsStr>>(words: &[S]) -> Said {
    tools::run(Command::new(env!("CARGO_BIN_EXE_fragmint")).arg("verify").args(words))
}

/// What the command says of a directory or manifest with `--json`.
pub struct Verdict {
    pub code: Option<i32>,
    pub report: Value,
}

impl Verdict {
    /// # Panics
    /// If there is no report, or anything on standard error.
    pub fn of(package: &Path) -> Self {
        let said = verify(&[package.as_os_str(), OsStr::new("--json")]);
        assert_eq!(said.stderr, "", "{}", package.display());
        let report = serde_json::from_str(&said.stdout)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", package.display(), said.stdout));
        Self { code: said.code, report }
    }

    /// The findings.
    pub fn findings(&self) -> &[Value] {
        self.report["findings"].as_array().expect("a list of findings")
    }

    /// Each finding as a line to read.
    pub fn lines(&self) -> Vec<String> {
        let text = |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
        let line = |finding| {
            let [severity, rule, file, message] =
                ["severity", "rule", "file", "message"].map(|field| text(finding, field));
            format!("{severity} {rule}: {file} @ {}: {message}", finding["offset"])
        };
        self.findings().iter().map(line).collect()
    }

    /// The rules that are broken.
    pub fn rules(&self) -> BTreeSet<&str> {
        self.findings().iter().filter_map(|finding| finding["rule"].as_str()).collect()
    }

    /// The sum of a number of all tracks.
    pub fn sum(&self, field: &str) -> u64 {
        let tracks = self.report["tracks"].as_array().expect("a list of tracks");
        tracks.iter().map(|track| track[field].as_u64().expect("a number")).sum()
    }
}
