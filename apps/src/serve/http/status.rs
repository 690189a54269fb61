//! The status codes that a server of files has use for (RFC 9110 §15).

/// A status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All of the file.
    Ok,
    /// One or more ranges of it.
    PartialContent,
    /// A folder was named without the slash at its end.
    MovedPermanently,
    /// What the client has is what there is.
    NotModified,
    /// The request is none.
    BadRequest,
    /// There is something, but it is not shown.
    Forbidden,
    /// There is nothing.
    NotFound,
    /// Files can be fetched; nothing else can be done with them.
    MethodNotAllowed,
    /// The request has taken too long to arrive.
    RequestTimeout,
    /// The client's condition does not hold.
    PreconditionFailed,
    /// The request has a body that nobody wants.
    ContentTooLarge,
    /// The target is longer than a head may be.
    UriTooLong,
    /// No range asked for lies in the file.
    RangeNotSatisfiable,
    /// The head is longer than a head may be.
    FieldsTooLarge,
    /// The file could not be read.
    InternalServerError,
    /// A method, or a transfer coding, that nobody here has heard of.
    NotImplemented,
    /// There are too many connections.
    ServiceUnavailable,
    /// No HTTP/1.
    VersionNotSupported,
}

impl Status {
    /// Its number.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::PartialContent => 206,
            Self::MovedPermanently => 301,
            Self::NotModified => 304,
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::PreconditionFailed => 412,
            Self::ContentTooLarge => 413,
            Self::UriTooLong => 414,
            Self::RangeNotSatisfiable => 416,
            Self::FieldsTooLarge => 431,
            Self::InternalServerError => 500,
            Self::NotImplemented => 501,
            Self::ServiceUnavailable => 503,
            Self::VersionNotSupported => 505,
        }
    }

    /// Number and phrase, as the status line has them.
    #[must_use]
    pub const fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::PartialContent => "206 Partial Content",
            Self::MovedPermanently => "301 Moved Permanently",
            Self::NotModified => "304 Not Modified",
            Self::BadRequest => "400 Bad Request",
            Self::Forbidden => "403 Forbidden",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::RequestTimeout => "408 Request Timeout",
            Self::PreconditionFailed => "412 Precondition Failed",
            Self::ContentTooLarge => "413 Content Too Large",
            Self::UriTooLong => "414 URI Too Long",
            Self::RangeNotSatisfiable => "416 Range Not Satisfiable",
            Self::FieldsTooLarge => "431 Request Header Fields Too Large",
            Self::InternalServerError => "500 Internal Server Error",
            Self::NotImplemented => "501 Not Implemented",
            Self::ServiceUnavailable => "503 Service Unavailable",
            Self::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}
