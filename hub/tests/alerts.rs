//! Alerts through a mail server and a web server that are real, with time that is set.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a failed unwrap is the test's failure"
)]

use crate::common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64ct::{Base64, Encoding as _};
use cabas_hub::alerts::{deliver, look};
use cabas_hub::app::App;
use cabas_hub::clock::Clock;
use cabas_hub::config::{Config, MailTls};
use cabas_hub::store::Lane;
use cabas_protocol::Timestamp;
use common::sinks::Sink;
use common::site::{Person, Program};
use common::terminal::Terminal;
use common::{Fund, write};
use serde_json::Value;

const HOUR: u64 = 3600;

/// A hub that does not serve: its looks and deliveries are those of the test.
struct World {
    fund: Fund,
    seconds: Arc<AtomicU64>,
    config: Config,
    app: Arc<App>,
}

impl World {
    fn new(change: impl FnOnce(Config) -> Config) -> Self {
        Self::of(Fund::example(), change)
    }

    fn of(fund: Fund, change: impl FnOnce(Config) -> Config) -> Self {
        let config = change(Config { data_dir: fund.data_dir(), ..Config::default() });
        let seconds = Arc::new(AtomicU64::new(Clock::System.now().get()));
        let app = App::open(&config, Clock::Set(Arc::clone(&seconds))).unwrap();
        Self { fund, seconds, config, app }
    }

    /// The program ends and starts again.
    fn restart(self) -> Self {
        let Self { fund, seconds, config, app } = self;
        drop(app);
        let app = App::open(&config, Clock::Set(Arc::clone(&seconds))).unwrap();
        Self { fund, seconds, config, app }
    }

    /// Lets time pass, looks, delivers.
    async fn pass(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
        look(&self.app).await.unwrap();
        deliver(&self.app).await.unwrap();
    }

    /// The nightly script's copy and its drill.
    fn back_up(&self) {
        let at = i64::try_from(self.seconds.load(Ordering::Relaxed)).unwrap();
        let name = jiff::Timestamp::from_second(at).unwrap().strftime("%Y-%m-%dT%H%M%SZ").to_string();
        let folder = self.fund.data_dir().join("backups");
        std::fs::create_dir_all(&folder).unwrap();
        write(&folder.join(format!("{name}.db")), "");
        write(&folder.join(format!("{name}.drill.txt")), "");
    }
}

fn to_both(mail: &Sink, web: &Sink) -> impl FnOnce(Config) -> Config {
    let (server, hook) = (mail.address.to_string(), format!("http://{}/hook", web.address));
    move |config| Config {
        alert_mail_server: Some(server),
        alert_mail_tls: MailTls::None,
        alert_mail_from: Some("Cabas <cabas@fonds.example>".to_owned()),
        alert_mail_to: Some("ada@fonds.example, bo@fonds.example".to_owned()),
        alert_webhook: Some(hook),
        alert_site: Some("https://hub.example/".to_owned()),
        ..config
    }
}

/// Event and word of what was posted about a thing.
fn posted(web: &Sink, code: &str) -> Vec<(String, String)> {
    let bodies = web.kept.all().into_iter().map(|post| {
        let (_, body) = post.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<Value>(body).unwrap()
    });
    let alerts = bodies.flat_map(|body| body["alerts"].as_array().unwrap().clone());
    let of_code = alerts.filter(|alert| alert["code"] == code);
    let text = |alert: &Value, key: &str| alert[key].as_str().unwrap().to_owned();
    of_code.map(|alert| (text(&alert, "event"), text(&alert, "says"))).collect()
}

/// What a mail says, its transfer encoding taken away.
fn read_mail(mail: &str) -> String {
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    let whole = body.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = whole.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, code, head.contains("quoted-printable")) {
            (b'=', Some(code), true) => {
                bytes.push(code);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    format!("{head}\n{}", String::from_utf8(bytes).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_does_not_come_is_told_when_it_begins_once_a_day_and_when_it_is_there_again() {
    let (mail, web) = (Sink::mail(), Sink::web());
    let world = World::new(to_both(&mail, &web));
    world.pass(0).await;
    assert_eq!(posted(&web, "backup"), []);
    world.pass(37 * HOUR).await;
    world.pass(300).await;
    let begun = ("begins".to_owned(), "backup_none".to_owned());
    assert_eq!(posted(&web, "backup"), std::slice::from_ref(&begun));
    // A restart tells nothing again, and neither do the looks of a day.
    let world = world.restart();
    for _ in 0..23 {
        world.pass(HOUR).await;
    }
    assert_eq!(posted(&web, "backup"), std::slice::from_ref(&begun));
    world.pass(HOUR).await;
    let lasts = ("lasts".to_owned(), "backup_none".to_owned());
    assert_eq!(posted(&web, "backup"), [begun.clone(), lasts.clone()]);
    world.back_up();
    world.pass(300).await;
    assert_eq!(posted(&web, "backup").len(), 2, "it may be gone again in a minute");
    world.pass(900).await;
    world.pass(900).await;
    let over = ("ends".to_owned(), "backup_none".to_owned());
    assert_eq!(posted(&web, "backup"), [begun, lasts, over]);

    let mails: Vec<String> = mail.kept.all().iter().map(|mail| read_mail(mail)).collect();
    assert_eq!(mails.len(), web.kept.all().len());
    let first = mails.iter().find(|mail| mail.contains("sauvegarde")).unwrap();
    for said in [
        "RCPT TO:<ada@fonds.example>",
        "RCPT TO:<bo@fonds.example>",
        "DÉBUT – Il n’y a aucune sauvegarde.",
        "Que faire : systemctl enable --now cabas-hub-backup.timer",
        "BEGINS – There is no backup.",
        "What to do: systemctl enable --now cabas-hub-backup.timer",
        "https://hub.example/",
    ] {
        assert!(first.replace('\u{a0}', " ").contains(said), "{said} is missing in\n{first}");
    }
    assert!(first.find("DÉBUT – ") < first.find("BEGINS – "), "French first");
    for file in ["households.csv", "shops.csv"] {
        let text = std::fs::read_to_string(common::example_dir().join(file)).unwrap();
        for code in text.lines().skip(1).filter_map(|line| line.split(',').next()).filter(|code| code.len() > 4) {
            assert!(mails.iter().all(|mail| !mail.contains(code)), "{code} stands in a mail");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_is_down_loses_nothing_and_holds_up_nobody() {
    let (mail, web) = (Sink::mail(), Sink::web());
    let world = World::new(to_both(&mail, &web));
    mail.takes.store(false, Ordering::Relaxed);
    world.pass(37 * HOUR).await;
    let made = web.kept.all().len();
    assert!(made > 0 && mail.kept.all().is_empty());
    // Put off, and put off longer each time; through a restart.
    let world = world.restart();
    for _ in 0..5 {
        world.pass(HOUR).await;
    }
    assert!(mail.kept.all().is_empty());
    let seen = world.app.store.call(Lane::Sync, |tx| tx.alerts_undelivered_since()).await.unwrap();
    assert!(seen.is_some(), "it waits");
    mail.takes.store(true, Ordering::Relaxed);
    world.pass(HOUR).await;
    world.pass(HOUR).await;
    assert_eq!(mail.kept.all().len(), made, "each message once");
    assert_eq!(web.kept.all().len(), made);
    let ids: std::collections::BTreeSet<String> = mail
        .kept
        .all()
        .iter()
        .map(|mail| mail.lines().find(|line| line.starts_with("Message-ID")).unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), made);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_a_year_ahead_puts_off_no_message_and_what_was_tried_least_goes_first() {
    let (mail, web) = (Sink::mail(), Sink::web());
    let world = World::new(to_both(&mail, &web));
    web.takes.store(false, Ordering::Relaxed);
    world.pass(365 * 24 * HOUR).await;
    let made = mail.kept.all().len();
    assert!(made > 0 && web.kept.all().is_empty());
    world.seconds.fetch_sub(365 * 24 * HOUR, Ordering::Relaxed);
    web.takes.store(true, Ordering::Relaxed);
    deliver(&world.app).await.unwrap();
    assert_eq!(web.kept.all().len(), made);

    let due = |at: u64| world.app.store.call(Lane::Sync, move |tx| tx.alerts_due(Timestamp::new(at)));
    web.takes.store(false, Ordering::Relaxed);
    world.pass(38 * HOUR).await;
    world.pass(25 * HOUR).await;
    world.pass(25 * HOUR).await;
    let now = world.seconds.load(Ordering::Relaxed);
    let tries: Vec<u32> = due(now + HOUR).await.unwrap().iter().map(|delivery| delivery.tries).collect();
    assert!(tries.len() > 1 && tries.is_sorted() && tries.first() < tries.last(), "{tries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_is_closed_keeps_the_mail_from_nobody_else() {
    let (mail, web) = (Sink::mail(), Sink::web());
    let both = to_both(&mail, &web);
    let to = Some("closed@fonds.example, ada@fonds.example, bo@fonds.example".to_owned());
    let world = World::new(|config| Config { alert_mail_to: to, ..both(config) });
    world.pass(37 * HOUR).await;
    world.pass(HOUR).await;
    let made = web.kept.all().len();
    let to = |address: &str| mail.kept.all().iter().filter(|mail| mail.contains(address)).count();
    assert!(made > 0);
    assert_eq!((to("RCPT TO:<ada@"), to("RCPT TO:<bo@"), to("RCPT TO:<closed@")), (made, made, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_and_cannot_be_noted_goes_once_and_keeps_nothing_back() {
    let (mail, web) = (Sink::mail(), Sink::web());
    let world = World::new(to_both(&mail, &web));
    world.pass(37 * HOUR).await;
    world.pass(25 * HOUR).await;
    assert!(web.kept.all().len() > 1);
    let ledger = rusqlite::Connection::open(world.config.database()).unwrap();
    ledger
        .execute_batch(
            "UPDATE alert_deliveries SET delivered_at = NULL;
             CREATE TRIGGER full BEFORE UPDATE ON alert_deliveries BEGIN SELECT RAISE(ABORT, 'full'); END",
        )
        .unwrap();
    let all = (2 * mail.kept.all().len(), 2 * web.kept.all().len());
    for _ in 0..3 {
        deliver(&world.app).await.unwrap_err();
        assert_eq!((mail.kept.all().len(), web.kept.all().len()), all);
    }
    ledger.execute_batch("DROP TRIGGER full").unwrap();
    deliver(&world.app).await.unwrap();
    assert_eq!((mail.kept.all().len(), web.kept.all().len()), all);
    let waits = world.app.store.call(Lane::Sync, |tx| tx.alerts_undelivered_since()).await.unwrap();
    assert_eq!(waits, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_falls_silent_is_told_by_its_number_alone() {
    let (mail, web) = (Sink::mail(), Sink::web());
    let fund = Fund::example();
    let code = fund.code("biocoop-bachut");
    let fund = tokio::task::spawn_blocking(move || {
        let mut hub = fund.serve();
        drop(Terminal::enrol(&hub, &code, 1));
        hub.stop();
        drop(hub);
        fund
    });
    let world = World::of(fund.await.unwrap(), to_both(&mail, &web));
    world.pass(95 * HOUR).await;
    assert_eq!(posted(&web, "silent"), []);
    world.pass(HOUR + 60).await;
    assert_eq!(posted(&web, "silent"), [("begins".to_owned(), "silent".to_owned())]);
    let posts = web.kept.all();
    let told = posts.iter().find(|post| post.contains("\"silent\"")).unwrap();
    assert!(told.contains("\"terminals\":[1]") && told.contains("https://hub.example/terminals"), "{told}");
    assert!(!told.contains("biocoop") && !told.contains("Biocoop"), "{told}");
}

#[test]
fn a_test_message_goes_by_tls_with_a_login_and_says_why_where_it_does_not() {
    let fund = Fund::empty();
    let (mail, certificate) = Sink::mail_tls();
    let folder = fund.dir.path();
    let (ca, password) = (folder.join("mail-ca.pem"), folder.join("password"));
    write(&ca, &certificate);
    write(&password, "geheim-0815\n");
    let settings = |ca: Option<&std::path::Path>| {
        let ca = ca.map_or(String::new(), |ca| format!("alert_mail_ca = '{}'\n", ca.display()));
        let text = format!(
            "data_dir = '{}'\nlisten = '127.0.0.1:0'\nalert_mail_server = 'localhost:{}'\nalert_mail_tls = 'tls'\n\
             alert_mail_from = 'cabas@fonds.example'\nalert_mail_to = 'ada@fonds.example'\nalert_mail_user = 'cabas'\n\
             alert_mail_password_file = '{}'\n{ca}",
            fund.data_dir().display(),
            mail.address.port(),
            password.display()
        );
        write(&folder.join("hub.toml"), &text);
    };
    settings(Some(&ca));
    let tried = fund.json(&["alert", "test"]);
    assert_eq!(tried["ways"][0], serde_json::json!({ "way": "mail", "delivered": true, "why_not": null }));
    let mails = mail.kept.all();
    let expected = Base64::encode_string(b"\0cabas\0geheim-0815");
    assert!(mails[0].contains(&format!("AUTH PLAIN {expected}")), "{}", mails[0]);
    assert!(read_mail(&mails[0]).contains("Ceci est un essai"));

    settings(None);
    let refused = fund.run(&["alert", "test"]);
    let said = [refused.stdout.as_slice(), &refused.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.contains("NOT delivered: the mail server"), "{said}");
    assert!(!said.contains("geheim"), "{said}");
    std::fs::remove_file(&password).unwrap();
    settings(Some(&ca));
    let refused = fund.run(&["alert", "test"]);
    assert!(String::from_utf8_lossy(&refused.stdout).contains("password"), "the file is named");
    assert_eq!(mail.kept.all().len(), 1);
}

#[test]
fn settings_that_reach_nobody_or_in_the_open_are_refused() {
    let of = |toml: &str| Config::of_text(toml).map(|_| ()).map_err(|error| error.to_string());
    let mail = "alert_mail_server = 'smtp.example'\nalert_mail_from = 'a@b.example'\nalert_mail_to = 'c@d.example'\n";
    assert_eq!(of(mail), Ok(()));
    for (toml, said) in [
        ("alert_mail_to = 'c@d.example'".to_owned(), "alert_mail_server"),
        ("alert_mail_server = 'smtp.example'".to_owned(), "alert_mail_from"),
        (format!("{mail}alert_mail_tls = 'none'"), "on this machine"),
        (format!("{mail}alert_mail_user = 'u'"), "belong together"),
        (mail.replace("'c@d.example'", "'nobody'"), "mail addresses"),
        (mail.replace("'smtp.example'", "'smtp.example:port'"), "host:port"),
        ("alert_webhook = 'http://elsewhere.example/x'".to_owned(), "https"),
        ("alert_webhook_token_file = '/t'".to_owned(), "alert_webhook"),
        ("alert_webhook = 'https://a.example'\nalert_webhook_file = '/f'".to_owned(), "one of"),
        ("alert_silent_hours = 0".to_owned(), "alert_silent_hours"),
        ("alert_site = 'hub.example'".to_owned(), "https://hub.example"),
    ] {
        let error = of(&toml).unwrap_err();
        assert!(error.contains(said), "{toml}: {error}");
    }
}

#[test]
fn the_dashboard_shows_what_is_told_and_to_whom_and_the_evaluator_sees_none_of_it() {
    let (mail, web) = (Sink::mail(), Sink::web());
    let fund = Fund::example();
    let mut hub = fund.serve_with(to_both(&mail, &web));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_, mut admin) = Person::add(&fund, &hub, "ada", "admin", None);
    let before = admin.get("/dashboard").text();
    assert!(before.contains("Rien d’") && before.contains("mail, webhook"), "{before}");
    let program = Program::add(&fund, &hub, "curves", "treasurer", None);
    // Its looks are those of the test from here on: the job's own come every five minutes of the clock, at the next minute.
    hub.pass(37 * HOUR);
    runtime.block_on(look(&hub.app)).unwrap();
    let (_, board) = program.get("/api/dashboard", "/api/dashboard");
    assert_eq!(
        (&board["watch"][0]["says"], &board["told_by"]),
        (&"backup_none".into(), &serde_json::json!(["mail", "webhook"]))
    );
    let (_, mut admin) = Person::add(&fund, &hub, "bo", "admin", None);
    let after = admin.get("/dashboard").text();
    assert!(
        after.contains("Il n’y a aucune sauvegarde") && after.contains("systemctl start cabas-hub-backup"),
        "{after}"
    );
    // A session ends when idle, so she logs in anew.
    let (_, mut evaluator) = Person::add(&fund, &hub, "eva", "evaluator", None);
    let seen = evaluator.get("/dashboard").text();
    assert!(seen.contains("exposure") && !seen.contains("sauvegarde"), "{seen}");
    hub.stop();
}
