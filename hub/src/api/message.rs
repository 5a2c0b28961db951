//! A request in, an answer or a refusal out: the form that all calls of terminals share.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use cabas_protocol::head::ObjectType;
use cabas_protocol::refusal::Refusal;
use cabas_protocol::sign::{ENVELOPE_BYTES_MAX, Payload, sha256};
use cabas_protocol::{Hash, RefusalCode, Signed};
use futures_util::StreamExt as _;

use crate::app::App;
use crate::error::Refused;

/// What requests and answers are (RFC 9052 §11.1).
pub const MEDIA_TYPE: &str = "application/cose";
/// How long a client may take to send a body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(20);
/// What a refusal names where the request's body was not read to its end.
pub const NOT_READ: Hash = Hash::new([0; 32]);

/// Takes a request, lets `work` answer it, and makes a signed response of either outcome.
pub(super) async fn answer<T, U, W>(
    app: &Arc<App>,
    request: Request,
    work: impl FnOnce(Arc<App>, Signed<T>) -> W,
) -> Response
where
    T: Payload,
    U: Payload,
    W: Future<Output = Result<Signed<U>, Refused>>,
{
    let limit = T::MAX_BYTES.saturating_add(ENVELOPE_BYTES_MAX);
    let body = match read_body(request, limit).await {
        Ok(body) => body,
        Err(refused) => return close(refusal(app, NOT_READ, &refused)),
    };
    let hash = sha256(&[&body.bytes]);
    if !body.is_cose {
        let detail = "the content type is not application/cose";
        return refusal(app, hash, &Refused::new(RefusalCode::Malformed, detail));
    }
    let signed = match Signed::from_bytes(body.bytes) {
        Ok(signed) => signed,
        Err(error) => return refusal(app, hash, &error.into()),
    };
    match work(Arc::clone(app), signed).await {
        Ok(answer) => signed_response(StatusCode::OK, answer.into_bytes()),
        Err(refused) => refusal(app, hash, &refused),
    }
}

struct ReadBody {
    bytes: Vec<u8>,
    is_cose: bool,
}

/// Reads a body up to its limit; one that says it is longer is not read at all.
async fn read_body(request: Request, limit: usize) -> Result<ReadBody, Refused> {
    let is_cose = request.headers().get(header::CONTENT_TYPE).is_some_and(is_media_type);
    let body = request.into_body();
    let too_large = || Refused::new(RefusalCode::TooLarge, &format!("the body is over {limit} bytes"));
    if usize::try_from(body.size_hint().lower()).map_or(true, |least| least > limit) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, collect(body, limit)).await {
        Ok(Ok(Some(bytes))) => Ok(ReadBody { bytes, is_cose }),
        Ok(Ok(None)) => Err(too_large()),
        Ok(Err(_)) => Err(Refused::new(RefusalCode::Malformed, "the body broke off")),
        Err(_) => Err(Refused::new(RefusalCode::Malformed, "the body came too slowly")),
    }
}

/// The body, or nothing where it is longer than `limit`.
async fn collect(body: Body, limit: usize) -> Result<Option<Vec<u8>>, axum::Error> {
    let mut bytes = Vec::with_capacity(usize::try_from(body.size_hint().lower()).unwrap_or(0).min(limit));
    let mut parts = body.into_data_stream();
    while let Some(part) = parts.next().await {
        let part = part?;
        if bytes.len().saturating_add(part.len()) > limit {
            return Ok(None);
        }
        bytes.extend_from_slice(&part);
    }
    Ok(Some(bytes))
}

fn is_media_type(value: &HeaderValue) -> bool {
    let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(MEDIA_TYPE.as_bytes())
}

/// A signed refusal of the request with this hash.
pub(crate) fn refusal(app: &App, request: Hash, refused: &Refused) -> Response {
    app.metrics.refused(refused.code);
    tracing::info!(refusal.code = refused.code.number(), refusal.detail = refused.detail(), "refused a request");
    let head = app.context.head(ObjectType::Refusal);
    let refusal = Refusal { head, request, code: refused.code, detail: refused.detail().to_owned() };
    let status = StatusCode::from_u16(refused.code.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
    signed_response(status, app.secrets.signer.sign(&refusal).into_bytes())
}

/// The connection has bytes under way that nobody will read: it is of no more use.
fn close(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn signed_response(status: StatusCode, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn the_media_type_is_compared_as_http_says() {
        for (value, expected) in [
            ("application/cose", true),
            ("Application/COSE", true),
            ("application/cose; cose-type=\"cose-sign1\"", true),
            ("application/cose-key", false),
            ("text/html", false),
            ("", false),
        ] {
            assert_eq!(is_media_type(&HeaderValue::from_str(value).unwrap()), expected, "{value}");
        }
    }

    #[tokio::test]
    async fn a_body_over_its_limit_is_told_from_one_that_breaks_off() {
        assert_eq!(collect(Body::from("1234"), 4).await.unwrap().unwrap(), b"1234");
        assert!(collect(Body::from("12345"), 4).await.unwrap().is_none());
        let broken = futures_util::stream::once(async { Err::<axum::body::Bytes, _>(std::io::Error::other("x")) });
        assert!(collect(Body::from_stream(broken), 4).await.is_err());
    }
}
