//! A request in, an answer or a refusal out: the form that all calls of terminals share.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use cabas_protocol::head::{HeadContext, ObjectType};
use cabas_protocol::refusal::Refusal;
use cabas_protocol::sign::{ENVELOPE_BYTES_MAX, Payload, sha256};
use cabas_protocol::{Hash, RefusalCode, Signed};
use futures_util::StreamExt as _;
use tokio::sync::Semaphore;

use crate::app::{App, SMALL_BODY_BYTES_MAX};
use crate::error::Refused;
use crate::keys::HubSecrets;

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
    let body = match read_body(app, request, limit).await {
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
async fn read_body(app: &App, request: Request, limit: usize) -> Result<ReadBody, Refused> {
    let is_cose = request.headers().get(header::CONTENT_TYPE).is_some_and(is_media_type);
    let body = request.into_body();
    if usize::try_from(body.size_hint().lower()).map_or(true, |least| least > limit) {
        return Err(too_large(limit));
    }
    let read = tokio::time::timeout(BODY_TIMEOUT, collect(body, limit, &app.large_bodies)).await;
    let bytes = read.map_err(|_| Refused::new(RefusalCode::Malformed, "the body came too slowly"))??;
    Ok(ReadBody { bytes, is_cose })
}

fn too_large(limit: usize) -> Refused {
    Refused::new(RefusalCode::TooLarge, &format!("the body is over {limit} bytes"))
}

/// The body, part by part; a large one takes one of the places that there are for such.
async fn collect(body: Body, limit: usize, large_bodies: &Semaphore) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::new();
    let mut place = None;
    let mut parts = body.into_data_stream();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| Refused::new(RefusalCode::Malformed, "the body broke off"))?;
        let length = bytes.len().saturating_add(part.len());
        if length > limit {
            return Err(too_large(limit));
        }
        if length > SMALL_BODY_BYTES_MAX && place.is_none() {
            place = Some(large_bodies.try_acquire().map_err(|_| RefusalCode::Busy)?);
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

fn is_media_type(value: &HeaderValue) -> bool {
    let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(MEDIA_TYPE.as_bytes())
}

/// A signed refusal of the request with this hash.
pub(crate) fn refusal(app: &App, request: Hash, refused: &Refused) -> Response {
    app.metrics.refused(refused.code);
    tracing::info!(refusal.code = refused.code.number(), refusal.detail = refused.detail(), "refused a request");
    let (status, bytes) = signed_refusal((&app.secrets, app.context), request, refused);
    signed_response(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), bytes)
}

/// The same as status and bytes.
pub(super) fn signed_refusal(
    (secrets, context): (&HubSecrets, HeadContext),
    request: Hash,
    refused: &Refused,
) -> (u16, Vec<u8>) {
    let head = context.head(ObjectType::Refusal);
    let refusal = Refusal { head, request, code: refused.code, detail: refused.detail().to_owned() };
    match secrets.signers.of_anybody() {
        Ok(signer) => (refused.code.http_status(), signer.sign(&refusal).into_bytes()),
        // Nobody can sign: what is not signed was never said.
        Err(_) => (500, Vec::new()),
    }
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
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a failed unwrap is the test's failure")]
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
    async fn a_body_is_read_to_its_limit_and_a_large_one_needs_a_place() {
        let places = Semaphore::new(1);
        let read = async |body: Body, limit| collect(body, limit, &places).await.map_err(|refused| refused.code);
        assert_eq!(read(Body::from("1234"), 4).await.unwrap(), b"1234");
        assert_eq!(read(Body::from("12345"), 4).await.unwrap_err(), RefusalCode::TooLarge);
        let broken = futures_util::stream::once(async { Err::<axum::body::Bytes, _>(std::io::Error::other("x")) });
        assert_eq!(read(Body::from_stream(broken), 4).await.unwrap_err(), RefusalCode::Malformed);

        let large = || Body::from(vec![0; SMALL_BODY_BYTES_MAX + 1]);
        assert!(read(large(), usize::MAX).await.is_ok());
        let taken = places.acquire().await.unwrap();
        assert_eq!(read(large(), usize::MAX).await.unwrap_err(), RefusalCode::Busy);
        assert!(read(Body::from(vec![0; SMALL_BODY_BYTES_MAX]), usize::MAX).await.is_ok());
        drop(taken);
        assert!(read(large(), usize::MAX).await.is_ok());
    }
}
