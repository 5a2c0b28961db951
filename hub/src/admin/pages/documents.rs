//! Documents of shops: taken with the form of a step or from a program, given back as files that no browser shows or runs.

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cabas_protocol::Hash;
use cabas_protocol::objects::NAME_BYTES_MAX;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::fields::segment;
use super::super::sent::Upload;
use super::super::visit::{Done, Visit, Wrong};
use super::super::{html, visit::By};
use crate::core::audit::Deed;
use crate::documents::{self, DOCUMENT_BYTES_MAX};
use crate::store::{DOCUMENTS_MAX, JoiningDocument, Tx};

/// The longest ending of a file's name that is kept when the name is cut, with its dot.
const ENDING_BYTES_MAX: usize = 8;

/// A document that a program has sent before.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(super) struct Named {
    /// As `/api/documents` gave it.
    hash: String,
    /// What it is called.
    name: String,
}

/// A document as it was kept.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Kept {
    /// SHA-256 of it: a step names it by this.
    hash: String,
    /// What its first bytes say it is.
    media_type: String,
    /// Its length.
    bytes: u64,
}

/// A document with its contents.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Given {
    #[serde(flatten)]
    kept: Kept,
    /// The name that it came with.
    name: String,
    /// What stands in it.
    contents_base64: String,
}

/// Documents, or the text of why they are not taken.
pub(super) type Checked = Result<Vec<JoiningDocument>, &'static str>;

/// Looks at the files of a form and keeps them; those that no step names in the end harm nobody.
pub(super) async fn keep(visit: &Visit, upload: &Upload) -> Result<Checked, Wrong> {
    let files: Vec<_> = upload.files().map(|(name, bytes)| (name_of(name), bytes.clone())).collect();
    if files.len() > DOCUMENTS_MAX {
        return Ok(Err("document-many"));
    }
    let dir = visit.app.documents.clone();
    let kept = visit.app.workers.run(move || {
        let checked = files.into_iter().map(checked).collect::<Result<Vec<_>, _>>();
        let kept = checked.map(|checked| {
            let keep = checked
                .into_iter()
                .map(|(document, contents)| documents::keep(&dir, &document.hash, &contents).map(|()| document));
            keep.collect::<Result<Vec<_>, _>>()
        });
        Ok(kept)
    });
    match kept.await? {
        Ok(kept) => kept.map(Ok).map_err(|error| Wrong::Work(error.to_string())),
        Err(text) => Ok(Err(text)),
    }
}

fn checked((name, contents): (String, Bytes)) -> Result<(JoiningDocument, Bytes), &'static str> {
    if contents.is_empty() {
        return Err("document-empty");
    }
    if u64::try_from(contents.len()).unwrap_or(u64::MAX) > DOCUMENT_BYTES_MAX {
        return Err("document-large");
    }
    let media_type = documents::media_type(&contents).ok_or("document-kind")?;
    Ok((JoiningDocument::of(name, media_type.to_owned(), &contents), contents))
}

/// The documents that a program names, which it sent before.
pub(super) async fn named(visit: &Visit, named: Vec<Named>) -> Result<Checked, Wrong> {
    if named.len() > DOCUMENTS_MAX {
        return Ok(Err("document-many"));
    }
    let dir = visit.app.documents.clone();
    let found = visit.app.workers.run(move || {
        let documents = named.into_iter().map(|named| {
            let hash = Hash::from_hex(&named.hash)?;
            let contents = whole(&dir, &hash)?;
            let media_type = documents::media_type(&contents)?;
            Some(JoiningDocument::of(name_of(&named.name), media_type.to_owned(), &contents))
        });
        Ok(documents.collect::<Option<Vec<_>>>())
    });
    Ok(found.await?.ok_or("document-unknown"))
}

/// The contents of a document, where it lies there undamaged.
fn whole(dir: &std::path::Path, hash: &Hash) -> Option<Vec<u8>> {
    let contents = documents::read(&dir.join(hash.to_string())).ok()?;
    (cabas_protocol::sign::sha256(&[&contents]) == *hash).then_some(contents)
}

/// A file's name without a folder and cut to what is kept, with its ending.
fn name_of(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|c| !c.is_control()).collect();
    let plain = plain.trim();
    if plain.is_empty() {
        return "document".to_owned();
    }
    let dot = plain.rfind('.').filter(|dot| plain.len().saturating_sub(*dot) <= ENDING_BYTES_MAX);
    let (stem, ending) = plain.split_at(dot.unwrap_or(plain.len()));
    let room = NAME_BYTES_MAX.saturating_sub(ending.len());
    let mut kept = String::new();
    for character in stem.chars() {
        if kept.len().saturating_add(character.len_utf8()) > room {
            break;
        }
        kept.push(character);
    }
    kept + ending
}

/// Keeps a document that a program sends.
pub(super) async fn take(visit: Visit, upload: Upload) -> Result<Response, Wrong> {
    let document = match keep(&visit, &upload).await? {
        Ok(documents) => documents.into_iter().next().ok_or("document-empty"),
        Err(text) => Err(text),
    };
    let document = match document {
        Ok(document) => document,
        Err(text) => {
            let reason = visit.app.site.words.get(super::super::words::Lang::English, text);
            return Ok(html::api_refusal(StatusCode::UNPROCESSABLE_ENTITY, &reason));
        }
    };
    let kept = visit.deed(Deed::DocumentKept, move |_: &mut Tx<'_>, _: &By| {
        let subject = format!("document {}", document.hash);
        Ok(Done { given: kept(&document), subject, detail: document.media_type.clone() })
    });
    html::json(&kept.await?)
}

fn kept(document: &JoiningDocument) -> Kept {
    let JoiningDocument { hash, media_type, bytes, .. } = document;
    Kept { hash: hash.to_string(), media_type: media_type.clone(), bytes: *bytes }
}

/// Gives a document that a step names: a browser keeps it as a file.
pub(super) async fn give(visit: Visit, Path(hash): Path<String>) -> Result<Response, Wrong> {
    let hash = Hash::from_hex(&hash).ok_or(Wrong::NotFound)?;
    let document = visit.store(move |tx| tx.joining_document(hash)).await?.ok_or(Wrong::NotFound)?;
    let dir = visit.app.documents.clone();
    let contents = visit.app.workers.run(move || Ok(whole(&dir, &hash))).await?.ok_or(Wrong::NotFound)?;
    let JoiningDocument { name, .. } = &document;
    if visit.is_program() {
        let contents_base64 = STANDARD.encode(&contents);
        return html::json(&Given { kept: kept(&document), name: name.clone(), contents_base64 });
    }
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_ ".contains(c) { c } else { '_' }).collect();
    let as_file = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", segment(name));
    let as_file = HeaderValue::from_str(&as_file).map_err(|error| Wrong::Work(error.to_string()))?;
    // What it is, its bytes say again: what is written in the database is only shown.
    let media_type = match documents::media_type(&contents) {
        Some("text/plain") => "text/plain; charset=utf-8",
        Some(media_type) => media_type,
        None => "application/octet-stream",
    };
    let fields = [(header::CONTENT_TYPE, HeaderValue::from_static(media_type)), (header::CONTENT_DISPOSITION, as_file)];
    Ok((StatusCode::OK, fields, contents).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_is_cut_and_keeps_its_ending() {
        let long = format!("{}.pdf", "é".repeat(60));
        for (name, kept) in [
            ("visite.pdf", "visite.pdf".to_owned()),
            ("C:\\dossier\\visite.pdf", "visite.pdf".to_owned()),
            ("../../etc/passwd", "passwd".to_owned()),
            ("a\r\nb\0.txt", "ab.txt".to_owned()),
            ("  ", "document".to_owned()),
            ("", "document".to_owned()),
            (long.as_str(), format!("{}.pdf", "é".repeat(30))),
        ] {
            assert_eq!(name_of(name), kept, "{name}");
            assert!(kept.len() <= NAME_BYTES_MAX);
        }
    }
}
