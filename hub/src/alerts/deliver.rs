//! One try to deliver one message one way.

use std::path::PathBuf;

use super::{DELIVERY_TIMEOUT, Letter, Ways};
use crate::store::Way;

/// Why a message was not delivered, or why nobody knows whether it was.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// The way is not set up.
    #[error("this way is not set up")]
    NoWay,
    /// A secret's file.
    #[error("{file}: {source}; it holds one line and is readable by the hub's user", file = file.display())]
    Secret {
        /// Which one.
        file: PathBuf,
        /// Why it cannot be read.
        #[source]
        source: std::io::Error,
    },
    /// The trusted certificate.
    #[error("alert_mail_ca is no certificate in PEM")]
    Certificate,
    /// The message could not be written.
    #[error("the message cannot be put into the form of a mail")]
    Form(#[source] lettre::error::Error),
    /// The mail server; what it says may hold addresses, so that only its number is shown.
    #[error("the mail server {}", mail_says(.0))]
    Mail(#[source] lettre::transport::smtp::Error),
    /// The address, of which nothing is shown: it may be a secret.
    #[error("the webhook's address is none: https://… in one line")]
    Address,
    /// The program was not reached.
    #[error("the webhook was not reached or broke off")]
    Unreached(#[source] reqwest::Error),
    /// It said no.
    #[error("the webhook answered {0}")]
    Answered(u16),
    /// It took too long.
    #[error("no answer in time")]
    TimedOut,
}

fn mail_says(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("refused with {code}"),
        None if error.is_timeout() => "did not answer in time".to_owned(),
        None if error.is_tls() => "has no TLS that can be trusted".to_owned(),
        None => "was not reached or broke off".to_owned(),
    }
}

impl Undelivered {
    /// The whole chain of reasons, for who tries it at the server.
    #[must_use]
    pub fn whole(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}

/// Delivers a message one way, or says why not.
///
/// # Errors
/// [`Undelivered`].
pub async fn send(ways: &Ways, way: Way, letter: &Letter) -> Result<(), Undelivered> {
    match (way, &ways.mail, &ways.webhook) {
        // It bounds itself, try by try: broken off as a whole it would go twice to who took it.
        (Way::Mail, Some(mail), _) => mail.send(letter).await,
        (Way::Webhook, _, Some(webhook)) => {
            tokio::time::timeout(DELIVERY_TIMEOUT, webhook.send(letter)).await.unwrap_or(Err(Undelivered::TimedOut))
        }
        (Way::Mail | Way::Webhook, _, _) => Err(Undelivered::NoWay),
    }
}
