//! `fragmint play`: serves one packaged directory to this machine, with a page that plays it, until Ctrl-C.
//!
//! Listens on 127.0.0.1 only and answers only requests whose Host names this machine, so that a site in the browser
//! cannot reach the files by pointing a name of its own here. Nothing outside the directory is served ([`files`]).

mod files;
mod http;

use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fragmint::{Error, Result};

use super::args::PlayArgs;
use files::{Missing, Package, Root};
use http::{Body, Connection, Method, Request, Response, Status};

/// The port a person gets used to; another one if it is taken and none was asked for.
const DEFAULT_PORT: u16 = 8080;
/// A browser opens six connections to a host; this leaves room for many tabs and stops a runaway client.
const MAX_CONNECTIONS: usize = 128;
/// Both players are under 1 MiB.
const MAX_PLAYER: u64 = 16 << 20;

/// A player in JavaScript: where it comes from, by the network or from a file of the user's.
struct Player {
    name: &'static str,
    /// Option that names a copy.
    option: &'static str,
    /// Where the page finds that copy.
    path: &'static str,
    /// On a public CDN, which serves npm packages byte for byte: exact version.
    url: &'static str,
    /// SHA-384 of the file in the npm package of that version.
    integrity: &'static str,
    /// The file in the npm package.
    file: &'static str,
}

const HLS_JS: Player = Player {
    name: "hls.js",
    option: "--hls-js",
    path: "/.fragmint/hls.js",
    url: "https://cdn.jsdelivr.net/npm/hls.js@1.7.4/dist/hls.min.js",
    integrity: "sha384-p9vgU/7IYJWd3I4STrtqxqR/2cAQlhIX7D/HrTnIMEjjcUox165b7se7sxmm3zDg",
    file: "hls.min.js, for example from npm's hls.js/dist",
};

const DASH_JS: Player = Player {
    name: "dash.js",
    option: "--dash-js",
    path: "/.fragmint/dash.js",
    url: "https://cdn.jsdelivr.net/npm/dashjs@5.2.1/dist/modern/umd/dash.mediaplayer.min.js",
    integrity: "sha384-Jcki1Hfil8KEdDKI6Q8umDXlik6GBZ+oiY3Bj3JLH12m3vJWaV6NApw5Z2oLpVTG",
    file: "dash.mediaplayer.min.js, for example from npm's dashjs/dist/modern/umd",
};

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The page's own files. A package has no such directory.
const OWN: [(&str, &str, &str); 8] = [
    ("/.fragmint/page.css", CSS, include_str!("../player/page.css")),
    ("/.fragmint/page.js", JAVASCRIPT, include_str!("../player/page.js")),
    ("/.fragmint/words.js", JAVASCRIPT, include_str!("../player/words.js")),
    ("/.fragmint/playlists.js", JAVASCRIPT, include_str!("../player/playlists.js")),
    ("/.fragmint/mpd.js", JAVASCRIPT, include_str!("../player/mpd.js")),
    ("/.fragmint/engines.js", JAVASCRIPT, include_str!("../player/engines.js")),
    ("/.fragmint/timeline.js", JAVASCRIPT, include_str!("../player/timeline.js")),
    ("/.fragmint/rates.js", JAVASCRIPT, include_str!("../player/rates.js")),
];

/// Serves until the process is ended. Returns only with an error.
pub fn run(args: &PlayArgs) -> Result<()> {
    let package = Package::open(&args.package)?;
    let hls_js = args.hls_js.as_deref().map(|path| HLS_JS.read(path)).transpose()?;
    let dash_js = args.dash_js.as_deref().map(|path| DASH_JS.read(path)).transpose()?;
    let site = Site::new(package, &args.package, hls_js, dash_js);
    let (listener, address) = listen(args.port)?;
    // The address stands alone on the first line of stdout, for scripts. A closed stdout is no reason to stop.
    let _ = writeln!(std::io::stdout(), "http://{address}/");
    let playing = format!("playing {}; Ctrl-C ends", args.package.display());
    super::print_to_person(&super::one_line(&playing));
    serve(&listener, &Arc::new(site))
}

impl Player {
    /// Reads the copy that the page will load.
    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let failed = |error| Error::io(format!("read {}", self.name), error).in_file(path);
        let length = std::fs::metadata(path).map_err(failed)?.len();
        if length > MAX_PLAYER {
            let what = format!("{length} bytes are too many for {}", self.name);
            return Err(Error::conflict(what, format!("name {}", self.file)).in_file(path));
        }
        std::fs::read(path).map_err(failed)
    }

    /// Where the page loads it from, and the hash that it must have there; a copy may be any version.
    fn source(&self, copy: &Option<Vec<u8>>) -> (&'static str, &'static str) {
        if copy.is_some() { (self.path, "") } else { (self.url, self.integrity) }
    }
}

/// The listener and the address it got.
fn listen(port: Option<u16>) -> Result<(TcpListener, SocketAddr)> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let bound = match port {
        Some(port) => bind(port),
        None => bind(DEFAULT_PORT).or_else(|_| bind(0)),
    };
    let listener = bound.map_err(|error| {
        let port = port.unwrap_or(0);
        match error.kind() {
            ErrorKind::AddrInUse => Error::conflict(
                format!("port {port} is taken"),
                "choose another with --port, or leave it out for a free one",
            ),
            _ => Error::io(format!("listen on port {port} of this machine"), error),
        }
    })?;
    let address = listener.local_addr().map_err(|error| Error::io("tell the port", error))?;
    Ok((listener, address))
}

/// A thread for each connection.
fn serve(listener: &TcpListener, site: &Arc<Site>) -> Result<()> {
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            // Out of file descriptors, or a client that left: both pass.
            Err(_) => {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
        };
        let seat = Seat::take(&open);
        let site = Arc::clone(site);
        let thread = std::thread::Builder::new().name("connection".to_owned());
        // Without a seat or a thread the stream is dropped, which closes it; the browser tries again.
        if let Some(seat) = seat {
            let _ = thread.spawn(move || {
                let _seat = seat;
                // A client that goes away in the middle is the usual end of a connection.
                let _ = converse(stream, &site);
            });
        }
    }
}

/// One of [`MAX_CONNECTIONS`] places, given back when dropped.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(open: &Arc<AtomicUsize>) -> Option<Self> {
        let taken = open.fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| {
            (count < MAX_CONNECTIONS).then_some(count + 1)
        });
        taken.ok().map(|_| Self(Arc::clone(open)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Answers the requests of one connection.
fn converse(stream: TcpStream, site: &Site) -> std::io::Result<()> {
    let mut connection = Connection::new(stream)?;
    while let Some(request) = connection.receive()? {
        let (response, method, keep_open) = match &request {
            Ok(request) => (site.answer(request), request.method, request.keep_alive),
            Err(refusal) => (Response::text(*refusal, refusal.reason()), Method::Get, false),
        };
        connection.send(response, method, keep_open)?;
        if !keep_open {
            break;
        }
    }
    connection.close()
}

/// Everything that can be asked for.
struct Site {
    root: Root,
    page: String,
    hls_js: Option<Vec<u8>>,
    dash_js: Option<Vec<u8>>,
    policy: String,
}

impl Site {
    fn new(package: Package, named: &Path, hls_js: Option<Vec<u8>>, dash_js: Option<Vec<u8>>) -> Self {
        // Only what may be needed may be loaded: a package without a manifest of a kind needs no player of it.
        let source = |player: &Player, copy: &Option<Vec<u8>>, manifest: &Option<OsString>| {
            manifest.as_ref().map_or(("", ""), |_| player.source(copy))
        };
        let (hls_source, hls_hash) = source(&HLS_JS, &hls_js, &package.hls);
        let (dash_source, dash_hash) = source(&DASH_JS, &dash_js, &package.dash);
        let manifest = |name: &Option<OsString>| name.as_deref().map_or(String::new(), files::percent_encode);
        let page = include_str!("../player/page.html")
            .replace("{{hls}}", &manifest(&package.hls))
            .replace("{{dash}}", &manifest(&package.dash))
            .replace("{{first}}", if package.dash_first { "dash" } else { "hls" })
            .replace("{{hls_js}}", hls_source)
            .replace("{{hls_integrity}}", hls_hash)
            .replace("{{dash_js}}", dash_source)
            .replace("{{dash_integrity}}", dash_hash)
            .replace("{{title}}", &escape_html(&named.display().to_string()));
        let elsewhere = [hls_source, dash_source].into_iter().filter(|source| source.starts_with("https:"));
        let scripts = ["'self'"].into_iter().chain(elsewhere).collect::<Vec<_>>().join(" ");
        // The players feed media from blob: URLs, and hls.js runs a worker from one.
        let policy = format!(
            "default-src 'none'; script-src {scripts}; worker-src blob:; style-src 'self'; img-src data:; \
             media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        );
        Self { root: package.root, page, hls_js, dash_js, policy }
    }

    fn answer(&self, request: &Request) -> Response {
        if !request.host.as_deref().is_some_and(is_this_machine) {
            return Response::text(Status::Forbidden, "This server answers to localhost only.");
        }
        let mut response = match request.path.as_str() {
            "/" => Response::bytes("text/html; charset=utf-8", self.page.clone().into_bytes()),
            path if path == HLS_JS.path => copy_of(&HLS_JS, &self.hls_js),
            path if path == DASH_JS.path => copy_of(&DASH_JS, &self.dash_js),
            path if path.starts_with("/.fragmint/") => own(path),
            path => match self.root.find(path) {
                Ok(found) => found.respond(request),
                Err(Missing::Malformed) => Response::text(Status::BadRequest, "The path is malformed."),
                Err(Missing::NotFound) => Response::text(Status::NotFound, "There is no such file."),
                Err(Missing::Outside) => {
                    Response::text(Status::Forbidden, "The link leads out of the directory.")
                }
            },
        };
        // What is served may be packaged anew at any time, and is for this page only.
        response.header("Cache-Control", "no-store");
        response.header("X-Content-Type-Options", "nosniff");
        response.header("Cross-Origin-Resource-Policy", "same-origin");
        response.header("Referrer-Policy", "no-referrer");
        response.header("Content-Security-Policy", self.policy.clone());
        response
    }
}

/// One of the page's own files.
fn own(path: &str) -> Response {
    match OWN.iter().find(|(own, ..)| *own == path) {
        Some((_, mime, text)) => {
            Response { body: Body::Static(text.as_bytes()), ..Response::bytes(mime, Vec::new()) }
        }
        None => Response::text(Status::NotFound, "There is no such file."),
    }
}

/// The copy of a player that the user named.
fn copy_of(player: &Player, copy: &Option<Vec<u8>>) -> Response {
    match copy {
        Some(script) => Response::bytes(JAVASCRIPT, script.clone()),
        None => {
            let what = format!("fragmint play was started without {}.", player.option);
            Response::text(Status::NotFound, &what)
        }
    }
}

/// Whether a Host header names this machine, with any port (a forwarded one differs from ours). A name of someone else's
/// that resolves to 127.0.0.1 does not.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        Some((_, port)) if !port.ends_with(']') => return false,
        _ => host,
    };
    name.eq_ignore_ascii_case("localhost") || name == "127.0.0.1" || name == "[::1]"
}

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in ["localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8080"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost:",
            "localhost:80x",
            "127.0.0.2",
            "[::1",
            "::1",
            "user@localhost",
            "localhost:80:80",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn a_directory_name_cannot_write_into_the_page() {
        assert_eq!(escape_html("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }

    #[test]
    fn the_page_has_no_placeholder_left_and_nothing_inline() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("master.m3u8"), "#EXTM3U\n").unwrap();
        for copy in [None, Some(Vec::new())] {
            let package = Package::open(directory.path()).unwrap();
            let site = Site::new(package, directory.path(), copy.clone(), copy);
            assert!(!site.page.contains("{{"));
            assert!(!site.page.contains("<style") && !site.page.contains(" style="));
            assert!(!site.page.contains("<script>") && !site.page.contains(" onclick="));
        }
    }

    #[test]
    fn the_page_asks_for_no_file_of_its_own_that_is_not_served() {
        for (name, _, text) in OWN.iter().chain(&[("page.html", "", include_str!("../player/page.html"))]) {
            let imports = text.split("from \"./").skip(1).filter_map(|rest| rest.split('"').next());
            let named = text.split("\"/.fragmint/").skip(1).filter_map(|rest| rest.split('"').next());
            for file in imports.chain(named) {
                assert!(OWN.iter().any(|(own, ..)| *own == format!("/.fragmint/{file}")), "{name}: {file}");
            }
        }
    }

    #[test]
    fn seats_run_out_and_come_back() {
        let open = Arc::new(AtomicUsize::new(0));
        let seats: Vec<Seat> = std::iter::from_fn(|| Seat::take(&open)).collect();
        assert_eq!(seats.len(), MAX_CONNECTIONS);
        drop(seats);
        assert!(Seat::take(&open).is_some());
    }
}
