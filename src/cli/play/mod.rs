//! `fragmint play`: serves one packaged directory to this machine, with a page that plays it, until Ctrl-C.
//!
//! Listens on 127.0.0.1 only and answers only requests whose Host names this machine, so that a site in the browser
//! cannot reach the files by pointing a name of its own here. Nothing outside the directory is served ([`files`]).

mod files;
mod http;

use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fragmint::{Error, Result};

use super::args::PlayArgs;
use files::{Missing, Root};
use http::{Body, Connection, Method, Request, Response, Status};

/// The port a person gets used to; another one if it is taken and none was asked for.
const DEFAULT_PORT: u16 = 8080;
/// A browser opens six connections to a host; this leaves room for many tabs and stops a runaway client.
const MAX_CONNECTIONS: usize = 128;
/// hls.js is under 1 MiB.
const MAX_HLS_JS: u64 = 16 << 20;

/// hls.js on a public CDN, which serves npm packages byte for byte: exact version, and the SHA-384 of `dist/hls.min.js`
/// in the npm package of that version.
const HLS_JS_URL: &str = "https://cdn.jsdelivr.net/npm/hls.js@1.7.4/dist/hls.min.js";
const HLS_JS_INTEGRITY: &str = "sha384-p9vgU/7IYJWd3I4STrtqxqR/2cAQlhIX7D/HrTnIMEjjcUox165b7se7sxmm3zDg";

/// Paths of the page's own files. A package has no such directory.
const STYLE_PATH: &str = "/.fragmint/page.css";
const SCRIPT_PATH: &str = "/.fragmint/page.js";
const PLAYLISTS_PATH: &str = "/.fragmint/playlists.js";
const HLS_JS_PATH: &str = "/.fragmint/hls.js";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Serves until the process is ended. Returns only with an error.
pub fn run(args: &PlayArgs) -> Result<()> {
    let root = Root::open(&args.directory)?;
    let hls_js = args.hls_js.as_deref().map(read_hls_js).transpose()?;
    let site = Site::new(root, &args.directory, hls_js);
    let (listener, address) = listen(args.port)?;
    // The address stands alone on the first line of stdout, for scripts. A closed stdout is no reason to stop.
    let _ = writeln!(std::io::stdout(), "http://{address}/");
    let playing = format!("playing {}; Ctrl-C ends", args.directory.display());
    super::print_to_person(&super::one_line(&playing));
    serve(&listener, &Arc::new(site))
}

/// Reads the copy of hls.js that the page will load.
fn read_hls_js(path: &Path) -> Result<Vec<u8>> {
    let failed = |error| Error::io("read hls.js", error).in_file(path);
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > MAX_HLS_JS {
        let what = format!("{length} bytes are too many for hls.js");
        return Err(
            Error::conflict(what, "name hls.min.js, for example from npm's hls.js/dist").in_file(path)
        );
    }
    std::fs::read(path).map_err(failed)
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
    policy: String,
}

impl Site {
    fn new(root: Root, directory: &Path, hls_js: Option<Vec<u8>>) -> Self {
        let (source, integrity) = match hls_js {
            Some(_) => (HLS_JS_PATH, ""),
            None => (HLS_JS_URL, HLS_JS_INTEGRITY),
        };
        let page = include_str!("../player/page.html")
            .replace("{{hls_js}}", source)
            .replace("{{integrity}}", integrity)
            .replace("{{title}}", &escape_html(&directory.display().to_string()));
        let from_cdn = if hls_js.is_some() { "" } else { HLS_JS_URL };
        // hls.js plays from blob: URLs and runs a worker from one.
        let policy = format!(
            "default-src 'none'; script-src 'self' {from_cdn}; worker-src blob:; style-src 'self'; img-src data:; \
             media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        );
        Self { root, page, hls_js, policy }
    }

    fn answer(&self, request: &Request) -> Response {
        if !request.host.as_deref().is_some_and(is_this_machine) {
            return Response::text(Status::Forbidden, "This server answers to localhost only.");
        }
        let mut response = match request.path.as_str() {
            "/" => Response::bytes("text/html; charset=utf-8", self.page.clone().into_bytes()),
            STYLE_PATH => own("text/css; charset=utf-8", include_str!("../player/page.css")),
            SCRIPT_PATH => own(JAVASCRIPT, include_str!("../player/page.js")),
            PLAYLISTS_PATH => own(JAVASCRIPT, include_str!("../player/playlists.js")),
            HLS_JS_PATH => match &self.hls_js {
                Some(script) => Response::bytes(JAVASCRIPT, script.clone()),
                None => Response::text(Status::NotFound, "fragmint play was started without --hls-js."),
            },
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

fn own(mime: &'static str, text: &'static str) -> Response {
    Response { body: Body::Static(text.as_bytes()), ..Response::bytes(mime, Vec::new()) }
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
        for hls_js in [None, Some(Vec::new())] {
            let site = Site::new(Root::open(directory.path()).unwrap(), directory.path(), hls_js);
            assert!(!site.page.contains("{{"));
            assert!(!site.page.contains("<style") && !site.page.contains(" style="));
            assert!(!site.page.contains("<script>") && !site.page.contains(" onclick="));
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
