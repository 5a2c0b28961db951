//! What is sent: a form of a page, the same as JSON from a program, or a file.

use std::collections::BTreeMap;

use axum::Form;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Multipart, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use cabas_protocol::Hash;
use cabas_protocol::sign::sha256;
use serde::de::DeserializeOwned;

use super::visit::Wrong;

/// What a form, or a program as JSON, sends.
#[derive(Clone, Copy, Debug)]
pub struct Sent<T>(pub T);

impl<T: DeserializeOwned, S: Sync + Send> FromRequest<S> for Sent<T> {
    type Rejection = Wrong;

    async fn from_request(request: Request, state: &S) -> Result<Self, Wrong> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("application/json") {
            let body = Bytes::from_request(request, state).await.map_err(|error| Wrong::Unread(error.to_string()))?;
            return serde_json::from_slice(&body).map(Self).map_err(|error| Wrong::Unread(error.to_string()));
        }
        let form = Form::from_request(request, state).await;
        form.map(|Form(sent)| Self(sent)).map_err(|error| Wrong::Unread(error.to_string()))
    }
}

/// A file with the fields of its form. A program sends the file as the body and the fields as the query.
#[derive(Clone, Debug, Default)]
pub struct Upload {
    /// The fields beside it.
    pub fields: BTreeMap<String, String>,
    /// What the file is called; empty where nobody says.
    pub name: String,
    /// The file.
    pub bytes: Bytes,
    /// Further files of the same form, with their names.
    pub more: Vec<(String, Bytes)>,
}

impl Upload {
    /// A field; empty where it was not sent.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// Every file that was chosen: a form without one sends an empty name and nothing else.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        let first = (self.name.as_str(), &self.bytes);
        let all = std::iter::once(first).chain(self.more.iter().map(|(name, bytes)| (name.as_str(), bytes)));
        all.filter(|(name, bytes)| !name.is_empty() || !bytes.is_empty())
    }

    /// A hash of all that was sent, but for what only this form carries.
    #[must_use]
    pub fn digest(&self) -> Hash {
        let fields = self.fields.iter().filter(|(name, _)| !matches!(name.as_str(), "csrf" | "once"));
        let fields = fields.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let files = std::iter::once((self.name.as_bytes(), self.bytes.as_ref()));
        let more = self.more.iter().map(|(name, bytes)| (name.as_bytes(), bytes.as_ref()));
        fields.chain(files).chain(more).fold(Hash::new([0; 32]), |before, (name, value)| {
            sha256(&[before.as_bytes(), sha256(&[name]).as_bytes(), sha256(&[value]).as_bytes()])
        })
    }

    /// Reads a form with the field `file`.
    pub(super) async fn of_form(request: Request) -> Result<Self, String> {
        let mut form = Multipart::from_request(request, &()).await.map_err(|error| error.body_text())?;
        let mut upload = Self::default();
        while let Some(field) = form.next_field().await.map_err(|error| error.body_text())? {
            let name = field.name().unwrap_or_default().to_owned();
            if name == "file" {
                let name = field.file_name().unwrap_or_default().to_owned();
                let bytes = field.bytes().await.map_err(|error| error.body_text())?;
                if upload.name.is_empty() && upload.bytes.is_empty() {
                    (upload.name, upload.bytes) = (name, bytes);
                } else {
                    upload.more.push((name, bytes));
                }
            } else {
                let text = field.text().await.map_err(|error| error.body_text())?;
                upload.fields.insert(name, text);
            }
        }
        Ok(upload)
    }

    /// What a program sends.
    pub(super) fn of_program(query: &str, bytes: Bytes) -> Result<Self, String> {
        let fields: BTreeMap<String, String> =
            axum::extract::Query::try_from_uri(&format!("/?{query}").parse().map_err(|_| "the query".to_owned())?)
                .map(|axum::extract::Query(fields)| fields)
                .map_err(|error| error.body_text())?;
        let name = fields.get("name").cloned().unwrap_or_default();
        Ok(Self { fields, name, bytes, more: Vec::new() })
    }
}

impl<S: Sync> FromRequestParts<S> for Upload {
    type Rejection = Wrong;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Wrong> {
        parts.extensions.remove::<Self>().ok_or_else(|| Wrong::Unread("there is no file".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_or_field_is_another_thing_that_was_sent_and_another_form_is_not() {
        let upload = |fields: &[(&str, &str)], name: &str, bytes: &'static [u8]| {
            let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Upload { fields, name: name.to_owned(), bytes: Bytes::from_static(bytes), more: Vec::new() }
        };
        let sent = upload(&[("kind", "cards"), ("csrf", "a")], "a.csv", b"1");
        assert_eq!(sent.digest(), upload(&[("kind", "cards"), ("csrf", "b"), ("once", "c")], "a.csv", b"1").digest());
        let more = Upload { more: vec![("b.csv".to_owned(), Bytes::from_static(b"2"))], ..sent.clone() };
        for other in [
            upload(&[("kind", "shops")], "a.csv", b"1"),
            upload(&[("kind", "cards")], "b.csv", b"1"),
            upload(&[("kind", "cards")], "a.csv", b"2"),
            more,
        ] {
            assert_ne!(other.digest(), sent.digest());
        }
    }
}
