//! Tests that need a process of their own: limits, mounts, memory that is counted.

use std::process::Command;

/// Runs one test of this program in a child, `script` before it in a shell; `module` is the caller's `module_path!()`. Limits
/// and mounts end with the child. Returns `true` in the child.
pub(super) fn in_child(module: &str, test: &str, script: &str) -> bool {
    const CHILD: &str = "FRAGMINT_TEST_CHILD";
    let (_, module) = module.split_once("::").unwrap();
    let test = format!("{module}::{test}");
    if std::env::var(CHILD).is_ok_and(|child| child == test) {
        return true;
    }
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
        .arg(format!("set -e; {script}; exec \"$0\" --exact {test} --nocapture"))
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, &test)
        .output()
        .expect("this test needs unshare(1)");
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"),
        "in the child (which needs user and mount namespaces): {}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    false
}
