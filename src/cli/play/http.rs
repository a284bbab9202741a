//! HTTP/1.1 (RFC 9112) for one blocking connection: request heads in, responses out. GET and HEAD, no bodies in.
//!
//! `httparse` reads the syntax. A request with a body is refused and its connection closed, so that where a body ends is
//! never a question.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Longest head of a request, in bytes.
const MAX_HEAD: usize = 16 << 10;
/// Most header fields of a request.
const MAX_FIELDS: usize = 64;
/// How long a connection may be silent.
const IDLE: Duration = Duration::from_secs(60);

/// The methods that are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
}

/// The head of a request, as far as it matters.
#[derive(Debug)]
pub struct Request {
    pub method: Method,
    /// From the first slash up to a question mark, still percent-encoded.
    pub path: String,
    pub host: Option<String>,
    pub range: Option<String>,
    /// Whether there is an If-Range field.
    pub has_if_range: bool,
    pub keep_alive: bool,
}

/// The status codes in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok = 200,
    PartialContent = 206,
    BadRequest = 400,
    Forbidden = 403,
    NotFound = 404,
    MethodNotAllowed = 405,
    RangeNotSatisfiable = 416,
    HeadTooLarge = 431,
}

impl Status {
    /// The reason phrase (RFC 9110 15).
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::PartialContent => "Partial Content",
            Self::BadRequest => "Bad Request",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "Not Found",
            Self::MethodNotAllowed => "Method Not Allowed",
            Self::RangeNotSatisfiable => "Range Not Satisfiable",
            Self::HeadTooLarge => "Request Header Fields Too Large",
        }
    }
}

/// What a response carries.
pub enum Body {
    Bytes(Vec<u8>),
    Static(&'static [u8]),
    /// `length` bytes of the file from `start`.
    File {
        file: File,
        start: u64,
        length: u64,
    },
}

impl Body {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Static(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }
}

/// A response; Content-Length and Connection are added when it is sent.
pub struct Response {
    pub status: Status,
    pub fields: Vec<(&'static str, String)>,
    pub body: Body,
}

impl Response {
    /// 200 with `bytes`.
    pub fn bytes(mime: &'static str, bytes: Vec<u8>) -> Self {
        Self { status: Status::Ok, fields: vec![("Content-Type", mime.to_owned())], body: Body::Bytes(bytes) }
    }

    /// A line of text for a person.
    pub fn text(status: Status, text: &str) -> Self {
        let mut response = Self::bytes("text/plain; charset=utf-8", format!("{text}\n").into_bytes());
        response.status = status;
        if status == Status::MethodNotAllowed {
            response.header("Allow", "GET, HEAD");
        }
        response
    }

    /// Adds a header field. `value` comes from this program, never from a request.
    pub fn header(&mut self, name: &'static str, value: impl Into<String>) {
        self.fields.push((name, value.into()));
    }
}

/// A client's connection.
pub struct Connection {
    stream: TcpStream,
    /// Bytes received and not yet used.
    received: Vec<u8>,
}

impl Connection {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(IDLE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// The next request; `None` when the client has closed the connection. The inner `Err` is the answer to a request
    /// that cannot be read; the connection must be closed after it.
    pub fn receive(&mut self) -> io::Result<Option<Result<Request, Status>>> {
        loop {
            match parse(&self.received) {
                Ok(Some((request, length))) => {
                    self.received.drain(..length);
                    return Ok(Some(Ok(request)));
                }
                Ok(None) if self.received.len() >= MAX_HEAD => return Ok(Some(Err(Status::HeadTooLarge))),
                Ok(None) => {}
                Err(refusal) => return Ok(Some(Err(refusal))),
            }
            let mut buffer = [0; 4096];
            let read = self.stream.read(&mut buffer)?;
            if read == 0 {
                return Ok(None);
            }
            self.received.extend_from_slice(&buffer[..read]);
        }
    }

    /// Sends `response`, without its body if `method` is HEAD.
    pub fn send(&mut self, response: Response, method: Method, keep_open: bool) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", response.status as u16, response.status.reason());
        for (name, value) in &response.fields {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str(&format!("Content-Length: {}\r\n", response.body.len()));
        head.push_str(if keep_open { "\r\n" } else { "Connection: close\r\n\r\n" });
        self.stream.write_all(head.as_bytes())?;
        if method == Method::Head {
            return Ok(());
        }
        match response.body {
            Body::Bytes(bytes) => self.stream.write_all(&bytes),
            Body::Static(bytes) => self.stream.write_all(bytes),
            Body::File { mut file, start, length } => {
                file.seek(SeekFrom::Start(start))?;
                // On Linux the kernel moves the bytes (sendfile).
                let sent = io::copy(&mut file.take(length), &mut self.stream)?;
                // The file shrank: only closing tells the client that bytes are missing.
                if sent == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
            }
        }
    }

    /// Ends the connection so that what was sent arrives: closing while unread bytes wait would reset it
    /// (RFC 9112 9.6).
    pub fn close(mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)?;
        self.stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let mut rest = [0; 4096];
        for _ in 0..64 {
            if self.stream.read(&mut rest)? == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// The request at the start of `bytes` and its length; `None` while it is incomplete.
fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, Status> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Request::new(&mut fields);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Status::HeadTooLarge),
        Err(_) => return Err(Status::BadRequest),
    };
    let method = match head.method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        _ => return Err(Status::MethodNotAllowed),
    };
    // Only the origin form: an absolute one would name the host a second time.
    let target = head.path.filter(|target| target.starts_with('/')).ok_or(Status::BadRequest)?;
    let path = target.split_once('?').map_or(target, |(path, _)| path).to_owned();
    let is_http_1_1 = head.version == Some(1);
    let mut request =
        Request { method, path, host: None, range: None, has_if_range: false, keep_alive: is_http_1_1 };
    for field in head.headers.iter() {
        let value = std::str::from_utf8(field.value).map(str::trim).map_err(|_| Status::BadRequest);
        match field.name.to_ascii_lowercase().as_str() {
            // RFC 9112 3.2: more than one Host is an error.
            "host" => match request.host.replace(value?.to_owned()) {
                None => {}
                Some(_) => return Err(Status::BadRequest),
            },
            "range" => request.range = Some(value?.to_owned()),
            "if-range" => request.has_if_range = true,
            "connection" if value?.split(',').any(|option| option.trim().eq_ignore_ascii_case("close")) => {
                request.keep_alive = false;
            }
            "transfer-encoding" => return Err(Status::BadRequest),
            "content-length" if value? != "0" => return Err(Status::BadRequest),
            _ => {}
        }
    }
    // RFC 9112 3.2: HTTP/1.1 without Host is an error.
    if is_http_1_1 && request.host.is_none() {
        return Err(Status::BadRequest);
    }
    Ok(Some((request, length)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(text: &str) -> Result<Request, Status> {
        let (request, length) = parse(text.as_bytes())?.expect("complete");
        assert_eq!(length, text.len());
        Ok(request)
    }

    fn refusal(text: &str) -> Status {
        request(text).expect_err(text)
    }

    #[test]
    fn a_head_gives_its_path_host_and_range() {
        let text = "GET /a%20b?x=/../y HTTP/1.1\r\nHOST: localhost:1\r\nRange: bytes=0-1\r\n\r\n";
        let request = request(text).unwrap();
        assert_eq!((request.method, request.path.as_str()), (Method::Get, "/a%20b"));
        assert_eq!(request.host.as_deref(), Some("localhost:1"));
        assert_eq!(request.range.as_deref(), Some("bytes=0-1"));
        assert!(request.keep_alive && !request.has_if_range);
        assert_eq!(parse(&text.as_bytes()[..text.len() - 1]).unwrap().map(|_| ()), None);
    }

    #[test]
    fn a_connection_ends_when_the_client_says_so_or_is_old() {
        assert!(!request("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n").unwrap().keep_alive);
        assert!(!request("GET / HTTP/1.0\r\n\r\n").unwrap().keep_alive);
    }

    #[test]
    fn ambiguous_requests_are_refused() {
        assert_eq!(refusal("GET / HTTP/1.1\r\n\r\n"), Status::BadRequest);
        assert_eq!(refusal("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), Status::BadRequest);
        assert_eq!(refusal("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), Status::BadRequest);
        assert_eq!(refusal("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"), Status::BadRequest);
        assert_eq!(
            refusal("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Status::BadRequest
        );
        assert_eq!(refusal("POST / HTTP/1.1\r\nHost: a\r\n\r\n"), Status::MethodNotAllowed);
        assert_eq!(refusal("\0\r\n\r\n"), Status::BadRequest);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MAX_FIELDS + 1));
        assert_eq!(refusal(&many), Status::HeadTooLarge);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_request_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
