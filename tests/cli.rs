//! The built command from outside: exit codes, where its words go, and what `fragmint play` serves and refuses.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

fn fragmint<S: AsRef<OsStr>>(words: &[S]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fragmint")).args(words).stdin(Stdio::null()).output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

// ------------------------------------------------------------------------------------------- words and exit codes

#[test]
fn help_and_version_succeed_on_stdout() {
    let helps: [&[&str]; 5] = [
        &["package", "--help"],
        &["play", "--help"],
        &["verify", "--help"],
        &["completions", "--help"],
        &["man", "--help"],
    ];
    for words in [&["--help"][..], &["--version"]].into_iter().chain(helps) {
        let output = fragmint(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert!(output.stderr.is_empty() && !output.stdout.is_empty(), "{words:?}");
    }
    let version = text(&fragmint(&["--version"]).stdout);
    assert_eq!(version, format!("fragmint {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_has_examples_and_fits_the_terminal() {
    for words in [
        &["--help"][..],
        &["package", "--help"],
        &["play", "--help"],
        &["verify", "--help"],
        &["man", "--help"],
    ] {
        let help = text(&fragmint(words).stdout);
        assert!(help.contains("Examples:"), "{words:?}");
        for line in help.lines() {
            assert!(line.chars().count() <= 100 && line.trim_end() == line, "{words:?}: {line}");
        }
    }
}

#[test]
fn usage_errors_exit_with_2_and_write_nothing_to_stdout() {
    let cases: [&[&str]; 18] = [
        &["nonsense"],
        &["pack", "a.h264"],
        &["--nonsense"],
        &["package", "a.h264"],
        &["package", "a.h264,langg=en", "-o", "out"],
        &["package", "a.h264", "-o", "out", "--segment-duration", "0"],
        &["package", "a.h264", "-o", "out", "--fps", "29.97"],
        &["package", "a.h264", "-o", "out", "--io", "mappd"],
        &["package", "a.h264", "-o", "out", "--outptu"],
        &["package", "a.h264", "-o", "out", "--no-hls", "--no-dash"],
        &["package", "a.aac,lang=x\ny", "-o", "out"],
        &["play", "out", "--port", "http"],
        &["verify"],
        &["verify", "out", "--rules"],
        &["verify", "out", "--threads", "many"],
        &["completions"],
        &["completions", "tcsh"],
        &["man", "package", "play"],
    ];
    for words in cases {
        let output = fragmint(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stdout.is_empty(), "{words:?}");
        let stderr = text(&output.stderr);
        let line = stderr.strip_suffix('\n').unwrap();
        assert!(line.starts_with("error: ") && !line.contains(['\n', '\u{1b}']), "{stderr}");
        let is_command = ["package", "play", "verify", "completions", "man"].contains(&words[0]);
        let command = if is_command { words[0] } else { "" };
        let help = format!("; see 'fragmint {command} --help'").replace("  ", " ");
        assert!(line.ends_with(&help), "{line}");
        assert!(!line.contains(":;") && !line.contains("  "), "{line}");
    }
    let output = fragmint(&["package", "a.h264"]);
    let expected = "error: the following required arguments were not provided: --output <DIR>; \
                    see 'fragmint package --help'\n";
    assert_eq!(text(&output.stderr), expected);
}

#[test]
fn without_words_the_help_is_on_stderr() {
    let output = fragmint::<&str>(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty() && text(&output.stderr).contains("Examples:"));
}

/// A command that packages the ladder's smallest stream into a directory that lasts as long as the first value.
fn packaging() -> (tempfile::TempDir, Command) {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fragmint"));
    let input = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ladder/234p.h264");
    command.arg("package").arg(input).arg("-o").arg(directory.path().join("out")).stdin(Stdio::null());
    (directory, command)
}

#[test]
fn a_reader_that_goes_away_does_not_make_a_complete_package_a_failure() {
    for option in [None, Some("--json"), Some("--dry-run")] {
        let (directory, mut command) = packaging();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command.args(option).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{option:?}");
        assert!(!text(&output.stderr).contains("error"), "{}", text(&output.stderr));
        assert_eq!(directory.path().join("out/fragmint.json").exists(), option != Some("--dry-run"));
    }
}

#[test]
fn output_that_cannot_be_written_is_no_panic() {
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let (_directory, mut command) = packaging();
    let output = command.stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot print the report"), "{}", text(&output.stderr));
    let run = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fragmint"));
        command.args(words).stdin(Stdio::null()).stderr(full()).output().unwrap().status.code()
    };
    assert_eq!(run(&["package", "no-such-file.h264", "-o", "no-such-directory"]), Some(1));
    assert_eq!(run(&["play", "no-such-directory"]), Some(1));
    assert_eq!(run(&["verify", "no-such-directory"]), Some(1));
    assert_eq!(run(&["package"]), Some(2));
    assert_eq!(run(&[]), Some(2));
}

#[test]
fn a_failure_is_one_plain_line_on_stderr_and_exit_code_1() {
    let directory = tempfile::tempdir().unwrap();
    for (name, reason) in
        [("missing", "cannot open the directory"), ("", "no master.m3u8 and no manifest.mpd")]
    {
        let output = fragmint(&[OsStr::new("play"), directory.path().join(name).as_os_str()]);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr.starts_with("error: ") && stderr.contains(reason), "{stderr}");
        assert_eq!(stderr.matches('\n').count(), 1, "{stderr}");
        assert!(!stderr.contains('\u{1b}'), "no colour where stderr is no terminal");
    }
}

// ------------------------------------------------------------------------------------- completions, manual pages

/// Runs a program of this machine over `text`; `None`, and a loud word, where it is not installed.
fn checked_by(program: &str, arguments: &[&str], text: &[u8]) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("NOT CHECKED: {program} is not installed here");
        return None;
    };
    child.stdin.take().unwrap().write_all(text).unwrap();
    Some(child.wait_with_output().unwrap())
}

#[test]
fn completions_of_every_shell_are_there_and_bash_parses_its_own() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = fragmint(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(output.stderr.is_empty() && output.stdout.len() > 500, "{shell}");
        let parser: Option<(&str, &[&str])> = match shell {
            "bash" => Some(("bash", &["-n"])),
            "zsh" => Some(("zsh", &["-n"])),
            "fish" => Some(("fish", &["--no-execute"])),
            _ => None,
        };
        if let Some(parsed) = parser.and_then(|(program, words)| checked_by(program, words, &output.stdout)) {
            assert!(parsed.status.success() && parsed.stderr.is_empty(), "{shell}: {}", text(&parsed.stderr));
        }
    }
}

#[test]
fn bash_completes_options_and_files_by_what_is_printed() {
    let script = text(&fragmint(&["completions", "bash"]).stdout);
    let ask = "COMP_WORDS=(fragmint package --seg); COMP_CWORD=2; _fragmint fragmint --seg package; \
               printf '%s\\n' \"${COMPREPLY[@]}\"";
    let said = checked_by("bash", &[], format!("{script}\n{ask}\n").as_bytes()).expect("bash is here");
    assert_eq!(text(&said.stdout), "--segment-duration\n", "{}", text(&said.stderr));
}

#[test]
fn manual_pages_are_read_without_a_warning() {
    for words in [
        &["man"][..],
        &["man", "package"],
        &["man", "play"],
        &["man", "verify"],
        &["man", "completions"],
        &["man", "man"],
    ] {
        let output = fragmint(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert!(output.stderr.is_empty() && output.stdout.starts_with(b".TH "), "{words:?}");
        let read = checked_by("groff", &["-man", "-ww", "-Tutf8"], &output.stdout)
            .expect("groff is here: scripts/setup-tests.sh installs it");
        assert!(read.status.success() && read.stderr.is_empty(), "{words:?}: {}", text(&read.stderr));
        assert!(text(&read.stdout).contains("fragmint"), "{words:?}");
    }
    let unknown = fragmint(&["man", "pack"]);
    assert_eq!(unknown.status.code(), Some(2));
    let expected =
        "error: fragmint has no command 'pack'; the commands are package, play, verify, completions, man\n";
    assert_eq!(text(&unknown.stderr), expected);
}

#[test]
fn printing_into_a_closed_pipe_is_no_panic_and_into_a_full_disk_an_error() {
    for words in [&["completions", "bash"][..], &["man"], &["verify", "--rules"]] {
        let run = |stdout: Stdio| {
            Command::new(env!("CARGO_BIN_EXE_fragmint")).args(words).stdout(stdout).output().unwrap()
        };
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let closed = run(writer.into());
        assert_eq!((closed.status.code(), text(&closed.stderr)), (Some(0), String::new()), "{words:?}");
        let full = run(std::fs::File::options().write(true).open("/dev/full").unwrap().into());
        assert_eq!(full.status.code(), Some(1), "{words:?}");
        assert!(text(&full.stderr).contains("cannot print the "), "{}", text(&full.stderr));
    }
}

// ------------------------------------------------------------------------------------------------- fragmint play

/// A running server over a directory with a few files, ended when dropped.
struct Server {
    child: Child,
    address: String,
    /// Holds `package`, which is served, and `secret`, which must not be.
    directory: tempfile::TempDir,
}

impl Server {
    fn start(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let package = directory.path().join("package");
        std::fs::create_dir_all(package.join("video/a b")).unwrap();
        std::fs::create_dir_all(package.join("audio")).unwrap();
        std::fs::write(directory.path().join("secret"), "secret").unwrap();
        std::fs::write(package.join("master.m3u8"), "#EXTM3U\n").unwrap();
        std::fs::write(package.join("video/a b/seg.m4s"), b"0123456789").unwrap();
        std::fs::write(package.join("audio/seg.m4s"), b"sound").unwrap();
        std::fs::write(package.join("empty.mp4"), b"").unwrap();
        Self::over(directory, &package, options)
    }

    /// Serves `package`, which lies in `directory`.
    fn over(directory: tempfile::TempDir, package: &Path, options: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fragmint"))
            .arg("play")
            .arg(package)
            .args(["--port", "0"])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
        Self { child, address, directory }
    }

    fn package(&self) -> std::path::PathBuf {
        self.directory.path().join("package")
    }

    /// Sends `bytes` as they are and reads until the server closes.
    fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        Answer::read(&answer)
    }

    fn request(&self, method: &str, target: &str, fields: &str) -> Answer {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{fields}\r\n",
            self.address
        );
        self.raw(head.as_bytes())
    }

    fn get(&self, target: &str) -> Answer {
        self.request("GET", target, "")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a complete head");
        let head = text(&bytes[..end]);
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

#[test]
fn files_are_served_with_their_media_types_and_never_stored() {
    let server = Server::start(&[]);
    for (target, mime, body) in [
        ("/master.m3u8", "application/vnd.apple.mpegurl", "#EXTM3U\n"),
        ("/master.m3u8?x=1", "application/vnd.apple.mpegurl", "#EXTM3U\n"),
        ("/video/a%20b/seg.m4s", "video/mp4", "0123456789"),
        ("/audio/seg.m4s", "audio/mp4", "sound"),
        ("/empty.mp4", "video/mp4", ""),
    ] {
        let answer = server.get(target);
        assert_eq!((answer.status, text(&answer.body).as_str()), (200, body), "{target}");
        assert_eq!(answer.field("Content-Type"), Some(mime), "{target}");
        assert_eq!(answer.field("Cache-Control"), Some("no-store"), "{target}");
        assert_eq!(answer.field("Content-Length"), Some(body.len().to_string().as_str()), "{target}");
    }
}

#[test]
fn nothing_outside_the_directory_is_served() {
    let server = Server::start(&[]);
    std::os::unix::fs::symlink("../secret", server.package().join("link")).unwrap();
    std::os::unix::fs::symlink("..", server.package().join("up")).unwrap();
    std::os::unix::fs::symlink("master.m3u8", server.package().join("inner")).unwrap();
    for target in [
        "/../secret",
        "/video/../../secret",
        "/%2e%2e/secret",
        "/%2E%2E%2Fsecret",
        "/..%2fsecret",
        "/video/%2e%2e/%2e%2e/secret",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/./master.m3u8",
        "/video/",
        "/video",
        "/link",
        "/up/secret",
        "/master.m3u8%00",
        "/%252e%252e/secret",
        "/%",
        "/secret",
    ] {
        let answer = server.get(target);
        assert!([400, 403, 404].contains(&answer.status), "{target}: {}", answer.head);
        assert!(!text(&answer.body).starts_with("secret"), "{target}");
    }
    assert_eq!(server.get("/link").status, 403);
    assert_eq!(server.get("/inner").status, 200, "a link inside the directory is fine");
}

#[test]
fn a_pipe_in_the_directory_does_not_block() {
    let server = Server::start(&[]);
    let pipe = server.package().join("pipe.m4s");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(server.get("/pipe.m4s").status, 404);
}

#[test]
fn names_of_other_hosts_are_refused() {
    let server = Server::start(&[]);
    let with_host = |host: &str| {
        server
            .raw(format!("GET /master.m3u8 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())
    };
    for host in ["evil.example", "localhost.evil.example:80", "192.168.1.1", "0.0.0.0"] {
        assert_eq!(with_host(host).status, 403, "{host}");
    }
    for host in ["localhost", "localhost:9", "127.0.0.1", "[::1]:9"] {
        assert_eq!(with_host(host).status, 200, "{host}");
    }
    assert_eq!(server.raw(b"GET /master.m3u8 HTTP/1.1\r\n\r\n").status, 400);
    assert_eq!(server.raw(b"GET /master.m3u8 HTTP/1.0\r\n\r\n").status, 403);
    assert_eq!(server.raw(b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 400);
}

#[test]
fn ranges_give_the_bytes_they_name() {
    let server = Server::start(&[]);
    let range = |range: &str| server.request("GET", "/video/a%20b/seg.m4s", &format!("Range: {range}\r\n"));
    for (field, body, content_range) in [
        ("bytes=0-3", "0123", "bytes 0-3/10"),
        ("bytes=4-", "456789", "bytes 4-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
    ] {
        let answer = range(field);
        assert_eq!((answer.status, text(&answer.body).as_str()), (206, body), "{field}");
        assert_eq!(answer.field("Content-Range"), Some(content_range), "{field}");
    }
    let beyond = range("bytes=10-");
    assert_eq!((beyond.status, beyond.field("Content-Range")), (416, Some("bytes */10")));
    assert_eq!(range("bytes=0-1,4-5").body, b"0123456789", "several ranges: the whole file");
    let conditional =
        server.request("GET", "/video/a%20b/seg.m4s", "Range: bytes=0-3\r\nIf-Range: \"x\"\r\n");
    assert_eq!((conditional.status, conditional.body.len()), (200, 10));
}

#[test]
fn head_tells_the_length_and_sends_no_body() {
    let server = Server::start(&[]);
    let answer = server.request("HEAD", "/video/a%20b/seg.m4s", "Range: bytes=0-3\r\n");
    assert_eq!((answer.status, answer.field("Content-Length")), (200, Some("10")));
    assert!(answer.body.is_empty());
}

#[test]
fn other_methods_and_bodies_are_refused() {
    let server = Server::start(&[]);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = server.request(method, "/master.m3u8", "");
        assert_eq!((answer.status, answer.field("Allow")), (405, Some("GET, HEAD")), "{method}");
    }
    let body = b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nGET ";
    assert_eq!(server.raw(body).status, 400);
    let endless = [b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ".as_slice(), &[b'x'; 20_000]].concat();
    assert_eq!(server.raw(&endless).status, 431);
}

#[test]
fn a_connection_carries_many_requests_and_many_connections_run_at_once() {
    let server = Server::start(&[]);
    let head = "GET /video/a%20b/seg.m4s HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let last = head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    // Silent connections in front of it do not hold the others up.
    let silent: Vec<TcpStream> = (0..32).map(|_| TcpStream::connect(&server.address).unwrap()).collect();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(&server.address).unwrap();
                stream.write_all(format!("{head}{head}{last}").as_bytes()).unwrap();
                let mut answers = String::new();
                stream.read_to_string(&mut answers).unwrap();
                assert_eq!(answers.matches("\r\n\r\n0123456789").count(), 3, "{answers}");
            });
        }
    });
    drop(silent);
}

#[test]
fn the_page_may_load_only_from_here_and_the_one_cdn_file() {
    let server = Server::start(&[]);
    let page = server.get("/");
    let policy = page.field("Content-Security-Policy").unwrap();
    assert_eq!((page.status, page.field("Content-Type")), (200, Some("text/html; charset=utf-8")));
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let body = text(&page.body);
    assert!(body.contains("data-hls-integrity=\"sha384-") && body.contains("/hls.js@"), "{body}");
    assert!(body.contains("data-hls=\"/master.m3u8\" data-dash=\"\" data-first=\"hls\""), "{body}");
    // There is no DASH here, so nothing of it is loaded.
    assert!(policy.contains("/hls.js@") && !policy.contains("dashjs"), "{policy}");
    assert!(body.contains("/.fragmint/page.css") && body.contains("/.fragmint/page.js"));
    for own in
        ["page.css", "page.js", "words.js", "playlists.js", "mpd.js", "engines.js", "timeline.js", "rates.js"]
    {
        assert_eq!(server.get(&format!("/.fragmint/{own}")).status, 200, "{own}");
    }
    assert_eq!(server.get("/.fragmint/dash.js").status, 404);
    assert_eq!(server.get("/.fragmint/other").status, 404);
    assert_eq!(server.get("/.fragmint/hls.js").status, 404);
}

#[test]
fn a_copy_of_hls_js_replaces_the_network() {
    let copy = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(copy.path(), "window.Hls = 1;").unwrap();
    let server = Server::start(&["--hls-js", copy.path().to_str().unwrap()]);
    let page = server.get("/");
    assert!(!text(&page.body).contains("https:"), "nothing is loaded from elsewhere");
    assert!(!page.field("Content-Security-Policy").unwrap().contains("https:"));
    let script = server.get("/.fragmint/hls.js");
    assert_eq!((script.status, text(&script.body).as_str()), (200, "window.Hls = 1;"));
}

#[test]
fn a_copy_of_dash_js_replaces_the_network_for_a_manifest_that_is_named() {
    let copy = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(copy.path(), "window.dashjs = 1;").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let manifest = directory.path().join("manifest.mpd");
    std::fs::write(&manifest, "<MPD/>").unwrap();
    let server = Server::over(directory, &manifest, &["--dash-js", copy.path().to_str().unwrap()]);
    let page = server.get("/");
    let body = text(&page.body);
    assert!(body.contains("data-hls=\"\" data-dash=\"/manifest.mpd\" data-first=\"dash\""), "{body}");
    assert!(!page.field("Content-Security-Policy").unwrap().contains("https:"));
    assert_eq!(text(&server.get("/.fragmint/dash.js").body), "window.dashjs = 1;");
    assert_eq!(server.get("/manifest.mpd").field("Content-Type"), Some("application/dash+xml"));
}

#[test]
fn a_taken_port_and_a_missing_hls_js_are_errors() {
    let server = Server::start(&[]);
    let port = server.address.rsplit(':').next().unwrap();
    let play = |options: &[&str]| {
        let package = server.package();
        let words: Vec<&OsStr> = [OsStr::new("play"), package.as_os_str()]
            .into_iter()
            .chain(options.iter().map(OsStr::new))
            .collect();
        fragmint(&words)
    };
    let taken = play(&["--port", port]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(text(&taken.stderr).contains("--port"), "{}", text(&taken.stderr));
    let missing = play(&["--hls-js", "no-such-file.js"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("no-such-file.js"), "{}", text(&missing.stderr));
}

#[test]
fn a_path_that_is_not_utf_8_works() {
    use std::os::unix::ffi::OsStrExt;
    let directory = tempfile::tempdir().unwrap();
    let odd = directory.path().join(Path::new(OsStr::from_bytes(b"\xff\xfe")));
    std::fs::create_dir(&odd).unwrap();
    let output = fragmint(&[OsStr::new("play"), odd.as_os_str()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no master.m3u8 and no manifest.mpd"), "{}", text(&output.stderr));
}
