//! The files inside the executable, ready to send.
//!
//! The table is made once at the start: bodies are slices of the executable itself, headers are
//! parsed, compressed forms stand beside the plain one. A request costs a look-up and a copy of a
//! few reference counts. Paths are keys of the table, never of a file system: there is nothing to
//! traverse.

use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use std::borrow::Cow;
use std::collections::HashMap;

#[derive(rust_embed::RustEmbed)]
#[folder = "../assets/dist"]
struct Embedded;

/// Every file by its path, `pages/index.html`.
#[derive(Debug, Default)]
pub struct Assets {
    files: HashMap<String, Asset>,
}

/// One file in its forms.
#[derive(Debug)]
pub(super) struct Asset {
    pub content_type: HeaderValue,
    plain: Form,
    brotli: Option<Form>,
    gzip: Option<Form>,
}

/// A file as it goes over the wire.
#[derive(Debug)]
pub(super) struct Form {
    pub body: Bytes,
    pub length: HeaderValue,
    pub etag: HeaderValue,
    /// `Content-Encoding`, none for the plain form.
    pub encoding: Option<HeaderValue>,
}

impl Form {
    fn new(body: Bytes, hash: &[u8], encoding: Option<&'static str>) -> Form {
        let hash: String = hash.iter().take(12).map(|octet| format!("{octet:02x}")).collect();
        // A strong tag names the octets on the wire, so each form has its own (RFC 9110 8.8.3.3).
        let etag = match encoding {
            Some(encoding) => format!("\"{hash}-{encoding}\""),
            None => format!("\"{hash}\""),
        };
        Form {
            length: HeaderValue::from(body.len()),
            etag: HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("\"\"")),
            encoding: encoding.map(HeaderValue::from_static),
            body,
        }
    }
}

impl Assets {
    /// The files that were built into the executable.
    pub fn embedded() -> Assets {
        Assets::new(Embedded::iter().filter_map(|path| {
            let file = Embedded::get(&path)?;
            Some((path.into_owned(), file.data, file.metadata.sha256_hash()))
        }))
    }

    /// A table of files, each with its SHA-256; `X.br` and `X.gz` are forms of `X`.
    pub fn new(files: impl IntoIterator<Item = (String, Cow<'static, [u8]>, [u8; 32])>) -> Assets {
        let mut plain = Vec::new();
        let mut compressed = HashMap::new();
        for (path, body, hash) in files {
            let body = match body {
                Cow::Borrowed(octets) => Bytes::from_static(octets),
                Cow::Owned(octets) => Bytes::from(octets),
            };
            if path.ends_with(".br") || path.ends_with(".gz") {
                compressed.insert(path, body);
            } else {
                plain.push((path, body, hash));
            }
        }
        let files = plain.into_iter().map(|(path, body, hash)| {
            let form = |body, encoding| Form::new(body, &hash, encoding);
            let brotli = compressed.remove(&format!("{path}.br"));
            let gzip = compressed.remove(&format!("{path}.gz"));
            let asset = Asset {
                content_type: content_type(&path),
                plain: form(body, None),
                brotli: brotli.map(|body| form(body, Some("br"))),
                gzip: gzip.map(|body| form(body, Some("gzip"))),
            };
            (path, asset)
        });
        Assets { files: files.collect() }
    }

    pub(super) fn get(&self, path: &str) -> Option<&Asset> {
        self.files.get(path)
    }
}

impl Asset {
    /// The smallest form that the browser takes.
    pub fn negotiate(&self, request: &HeaderMap) -> &Form {
        let (brotli, gzip) = accepted_encodings(request);
        match (&self.brotli, &self.gzip) {
            (Some(form), _) if brotli => form,
            (_, Some(form)) if gzip => form,
            _ => &self.plain,
        }
    }

    /// Whether the answer differs with `Accept-Encoding`.
    pub fn varies(&self) -> bool {
        self.brotli.is_some() || self.gzip.is_some()
    }
}

/// Whether `br` and `gzip` are taken (RFC 9110 section 12.5.3); a weight of 0 refuses.
fn accepted_encodings(request: &HeaderMap) -> (bool, bool) {
    let (mut brotli, mut gzip) = (false, false);
    for value in request.get_all(header::ACCEPT_ENCODING) {
        for item in value.to_str().unwrap_or_default().split(',') {
            let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
            let weight = parameters.trim().strip_prefix("q=").unwrap_or("1");
            let taken = weight.trim().parse::<f32>().is_ok_and(|weight| weight > 0.0);
            match coding.trim() {
                c if c.eq_ignore_ascii_case("br") => brotli = taken,
                c if c.eq_ignore_ascii_case("gzip") => gzip = taken,
                _ => {}
            }
        }
    }
    (brotli, gzip)
}

/// Whether the browser has this very form already (RFC 9110 section 13.1.2, weak comparison).
pub(super) fn is_known(request: &HeaderMap, etag: &HeaderValue) -> bool {
    let Ok(etag) = etag.to_str() else { return false };
    request.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value.to_str().unwrap_or_default().split(',').any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
        })
    })
}

fn content_type(path: &str) -> HeaderValue {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    HeaderValue::from_static(match extension {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "swf" => "application/x-shockwave-flash",
        "ts" | "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn accepts(text: &str) -> (bool, bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(text).unwrap());
        accepted_encodings(&headers)
    }

    #[test]
    fn encodings_are_taken_as_the_browser_says() {
        assert_eq!(accepts("gzip, deflate, br, zstd"), (true, true));
        assert_eq!(accepts("gzip;q=1.0, br;q=0"), (false, true));
        assert_eq!(accepts("BR ; q=0.5"), (true, false));
        assert_eq!(accepts("identity"), (false, false));
        assert_eq!(accepts("gzip;q=nonsense"), (false, false));
        assert_eq!(accepted_encodings(&HeaderMap::new()), (false, false));
    }

    #[test]
    fn the_executable_holds_its_pages() {
        let assets = Assets::embedded();
        let page = assets.get("pages/index.html").unwrap();
        assert_eq!(page.content_type, "text/html; charset=utf-8");
        assert!(!page.plain.body.is_empty());
    }
}
