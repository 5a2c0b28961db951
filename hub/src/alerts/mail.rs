//! Alerts by mail.

use std::path::PathBuf;

use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::response::Category;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::{DELIVERY_TIMEOUT, Letter, Undelivered, is_here, secret};
use crate::config::{Config, MailTls};

/// Addresses that an alert goes to.
pub const MAIL_TO_MAX: usize = 20;

/// How alerts go by mail.
#[derive(Clone, Debug)]
pub struct Mail {
    host: String,
    port: u16,
    tls: MailTls,
    from: Mailbox,
    to: Vec<Mailbox>,
    login: Option<(String, PathBuf)>,
    ca: Option<PathBuf>,
}

impl Mail {
    /// What the configuration says; none where it names no mail server.
    ///
    /// # Errors
    /// What cannot be, and what to do.
    pub fn of(config: &Config) -> Result<Option<Self>, &'static str> {
        let Some(server) = config.alert_mail_server.as_deref() else {
            return if config.alert_mail_to.is_some() {
                Err("alert_mail_to without alert_mail_server reaches nobody; set the mail server")
            } else {
                Ok(None)
            };
        };
        let tls = config.alert_mail_tls;
        let usual = match tls {
            MailTls::Starttls => 587,
            MailTls::Tls => 465,
            MailTls::None => 25,
        };
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) => {
                (host, port.parse().map_err(|_| "alert_mail_server is a host or host:port, such as smtp.example:587")?)
            }
            None => (server, usual),
        };
        if tls == MailTls::None && !is_here(host) {
            return Err("alert_mail_tls = none is for a mail server on this machine; set starttls or tls");
        }
        let mailbox = |text: &str| {
            text.trim().parse::<Mailbox>().map_err(|_| "alert_mail_from and alert_mail_to are mail addresses")
        };
        let from = config.alert_mail_from.as_deref().ok_or("alert_mail_server needs alert_mail_from")?;
        let to = config.alert_mail_to.as_deref().ok_or("alert_mail_server needs alert_mail_to")?;
        let to = to.split(',').map(mailbox).collect::<Result<Vec<_>, _>>()?;
        if to.len() > MAIL_TO_MAX {
            return Err("alert_mail_to names more than 20 addresses; use a mailing list");
        }
        let login = match (&config.alert_mail_user, &config.alert_mail_password_file) {
            (Some(user), Some(file)) => Some((user.clone(), file.clone())),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err("alert_mail_user and alert_mail_password_file belong together; set both or neither");
            }
        };
        let ca = config.alert_mail_ca.clone();
        Ok(Some(Self { host: host.to_owned(), port, tls, from: mailbox(from)?, to, login, ca }))
    }

    /// Hands it to the mail server.
    ///
    /// # Errors
    /// [`Undelivered`].
    pub async fn send(&self, letter: &Letter) -> Result<(), Undelivered> {
        let transport = self.transport()?;
        let mut mail = Message::builder()
            .from(self.from.clone())
            .subject(&letter.subject)
            .message_id(Some(format!("<{}@{}>", letter.id, self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        let mail = mail.body(letter.text.clone()).map_err(Undelivered::Form)?;
        let (envelope, bytes) = (mail.envelope(), mail.formatted());
        let sending = tokio::time::timeout(DELIVERY_TIMEOUT, transport.send_raw(envelope, &bytes));
        match sending.await.map_err(|_| Undelivered::TimedOut)? {
            Ok(_) => Ok(()),
            // One closed mailbox keeps the mail from nobody else.
            Err(refused) if is_of_mailbox(&refused) && self.to.len() > 1 => {
                self.send_each(&transport, &mail, refused).await
            }
            Err(error) => Err(Undelivered::Mail(error)),
        }
    }

    /// Hands it to the mail server once for each address. It is delivered where one took it: a second try would tell that one
    /// twice.
    async fn send_each(
        &self,
        transport: &AsyncSmtpTransport<Tokio1Executor>,
        mail: &Message,
        refused: lettre::transport::smtp::Error,
    ) -> Result<(), Undelivered> {
        let (bytes, mut last, mut is_taken) = (mail.formatted(), Undelivered::Mail(refused), false);
        for (number, to) in (1_usize..).zip(&self.to) {
            let Ok(envelope) = Envelope::new(Some(self.from.email.clone()), vec![to.email.clone()]) else { continue };
            let sending = transport.send_raw(&envelope, &bytes);
            let sent = match tokio::time::timeout(DELIVERY_TIMEOUT, sending).await {
                Ok(sent) => sent.map_err(Undelivered::Mail),
                Err(_) => Err(Undelivered::TimedOut),
            };
            let Err(error) = sent else {
                is_taken = true;
                continue;
            };
            tracing::warn!(mail.to = number, %error, "an address of alert_mail_to was not told");
            let is_answered = matches!(&error, Undelivered::Mail(error) if is_of_mailbox(error));
            last = error;
            if !is_answered {
                break;
            }
        }
        if is_taken { Ok(()) } else { Err(last) }
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, Undelivered> {
        let parameters = || {
            let mut builder = TlsParameters::builder(self.host.clone());
            if let Some(ca) = &self.ca {
                let pem = secret(ca)?;
                let trusted = Certificate::from_pem(pem.as_bytes()).map_err(|_| Undelivered::Certificate)?;
                builder = builder.add_root_certificate(trusted);
            }
            builder.build().map_err(Undelivered::Mail)
        };
        let tls = match self.tls {
            MailTls::Starttls => Tls::Required(parameters()?),
            MailTls::Tls => Tls::Wrapper(parameters()?),
            MailTls::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(self.host.clone())
            .port(self.port)
            .tls(tls)
            .timeout(Some(DELIVERY_TIMEOUT));
        if let Some((user, file)) = &self.login {
            builder = builder.credentials(Credentials::new(user.clone(), secret(file)?.to_string()));
        }
        Ok(builder.build())
    }
}

/// True where the server refused a mailbox or the mail, and not the login, which is not tried over and over.
fn is_of_mailbox(error: &lettre::transport::smtp::Error) -> bool {
    error.status().is_some_and(|code| code.category == Category::MailSystem)
}
