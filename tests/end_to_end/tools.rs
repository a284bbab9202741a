//! Programs that others wrote, run by the tests. One that is missing fails the test and says how to get it.

use std::path::Path;
use std::process::{Command, Stdio};

/// What a program said: exit code, standard output, standard error.
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `command` to its end with nothing on its standard input.
///
/// # Panics
/// If the program is not there.
pub fn run(command: &mut Command) -> Said {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| {
        let program = command.get_program().display();
        panic!(
            "cannot start {program}: {error}; run scripts/setup-tests.sh, which installs what the tests need"
        )
    });
    Said {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs a script of `tests/players` with Node.js and reads the one line of JSON it prints.
///
/// # Panics
/// If Node.js or its packages are missing, or the script fails by itself (exit code 2).
pub fn node(script: &str, arguments: &[&str]) -> serde_json::Value {
    let players = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/players");
    assert!(
        ["hls.js", "dashjs", "shaka-player", "mpd-parser"]
            .iter()
            .all(|name| players.join("node_modules").join(name).is_dir()),
        "{} has not all of its node_modules; run scripts/setup-tests.sh, which installs what the tests need",
        players.display()
    );
    let said = run(Command::new("node").arg(players.join(script)).args(arguments));
    assert!(
        matches!(said.code, Some(0 | 1)),
        "{script} itself failed; scripts/setup-tests.sh installs what it needs\n{}{}",
        said.stdout,
        said.stderr
    );
    let value: serde_json::Value = serde_json::from_str(&said.stdout).expect("the script prints JSON");
    let problems = value["problems"].as_array().expect("a list of problems");
    assert_eq!(
        said.code == Some(0),
        problems.is_empty(),
        "{script}: exit code and problems disagree: {value}"
    );
    value
}

/// The `problems` of a script's answer.
pub fn problems(answer: &serde_json::Value) -> Vec<String> {
    let problems = answer["problems"].as_array().expect("a list of problems");
    problems.iter().map(|text| text.as_str().unwrap_or("?").to_owned()).collect()
}
