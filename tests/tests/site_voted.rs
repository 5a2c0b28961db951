//! What is voted, the month's credit and what two logins decide, in a real Chromium: both languages, desk and phone, keyboard.
#![allow(clippy::integer_division, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::time::{SystemTime, UNIX_EPOCH};

use cabas_tests::browser::Browser;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::program::pictures;
use cabas_tests::site::{AXE, ENTER, PASSWORD, TAB, axe};
use serde_json::json;
use totp_rs::{Builder, Secret};

const SOURCE: &str = "Ville de Lyon";

#[expect(clippy::disallowed_methods, reason = "the hub under test goes by the machine's clock")]
fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn digits(secret: &str) -> String {
    let secret = Secret::try_from_base32(secret.trim()).unwrap();
    let totp = Builder::new().with_secret(secret).with_account_name("x").build().unwrap();
    totp.generate(seconds()).to_string()
}

/// So many months from the one that it is.
fn month(from_now: i64) -> String {
    let days = i64::try_from(seconds() / 86_400).unwrap();
    let date = jiff::civil::Date::constant(1970, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
    let date = date.checked_add(jiff::Span::new().months(from_now)).unwrap();
    format!("{:04}-{:02}", date.year(), date.month())
}

struct Desk {
    browser: Browser,
    url: String,
    axe: String,
    name: &'static str,
    width: u32,
}

impl Desk {
    async fn open(hub: &Hub, axe: &str, name: &'static str, width: u32, height: u32) -> Self {
        let is_phone = width < 500;
        let browser =
            if is_phone { Browser::open_phone(width, height).await } else { Browser::open(width, height).await };
        Self { browser: browser.unwrap(), url: hub.url(), axe: axe.to_owned(), name, width }
    }

    async fn goto(&self, path: &str) {
        self.browser.goto(&format!("{}{path}", self.url)).await.unwrap();
    }

    /// Takes a picture of the page as it stands, and lets axe-core and a ruler look at it.
    async fn look(&self, name: &str) {
        let file = pictures().unwrap().join(format!("site-{name}-{}.png", self.name));
        self.browser.screenshot(&file).await.unwrap();
        let script = "return [document.documentElement.scrollWidth, window.innerWidth]";
        let seen = self.browser.script(script).await.unwrap();
        assert!(seen[0].as_u64() <= seen[1].as_u64(), "{name}: wider than the window: {seen}");
        assert_eq!(seen[1].as_u64(), Some(u64::from(self.width)), "{name}: {seen}");
        self.browser.script(&self.axe).await.unwrap();
        let found = self.browser.script(AXE).await.unwrap();
        assert_eq!(found, json!([]), "{name} on {}", self.name);
    }

    /// Logs in for the first time.
    async fn first_login(&self, hub: &Hub, name: &str, role: &str) {
        let added = hub.ok(&["user", "add", "--name", name, "--role", role]).unwrap();
        let given = added["password"].as_str().unwrap();
        self.goto("/login?lang=fr").await;
        self.browser.keys("#name", name).await.unwrap();
        self.browser.keys("#password", &format!("{given}{ENTER}")).await.unwrap();
        self.browser.wait_for_text("Protéger votre compte").await.unwrap();
        let secret = self.browser.text("#secret").await.unwrap();
        self.browser.keys("#code", &format!("{}{ENTER}", digits(&secret))).await.unwrap();
        self.browser.wait_for_text("Vos codes de secours").await.unwrap();
        self.goto("/password").await;
        self.browser.keys("#old", given).await.unwrap();
        self.browser.keys("#new", PASSWORD).await.unwrap();
        self.browser.keys("#again", &format!("{PASSWORD}{ENTER}")).await.unwrap();
        self.browser.wait_for_text("Tableau de bord").await.unwrap();
    }

    async fn press(&self, keys: &str) {
        self.browser.keys(":focus", keys).await.unwrap();
    }

    async fn focus(&self, selector: &str) {
        self.browser.script(&format!("document.querySelector('{selector}').focus()")).await.unwrap();
    }
}

#[tokio::test]
async fn a_month_is_credited_and_two_logins_decide_by_keyboard_on_desk_and_phone() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(dir.path()).unwrap();
    hub.bare_terminal(&http_client().unwrap(), "biocoop-platanes").await.unwrap();
    let (last, now) = (month(-1), month(0));
    let rule = ["--first-cents", "15000", "--further-cents", "7500", "--child-cents", "4000", "--expire-months", "1"];
    hub.ok(&[&["rule", "set", "--from", &month(-2), "--by", "l’assemblée"][..], &rule[..]].concat()).unwrap();
    hub.ok(&["credit", "run", "--period", &month(-2), "--source", SOURCE, "--book"]).unwrap();
    let households = hub.ok(&["household", "list"]).unwrap();
    let code = households[0]["household"].as_str().unwrap().to_owned();
    hub.ok(&["household", "leave", households[1]["household"].as_str().unwrap()]).unwrap();
    let axe = axe().unwrap();
    let desk = Desk::open(&hub, &axe, "desk", 1280, 900).await;
    desk.first_login(&hub, "claire", "admin").await;
    let phone = Desk::open(&hub, &axe, "phone", 375, 700).await;
    phone.first_login(&hub, "denis", "treasurer").await;

    propose(&desk, &code).await;
    for desk in [&desk, &phone] {
        look_at_all(desk, &now, &month(1)).await;
    }
    approve_all(&hub, &phone).await;
    // The month is looked at and booked; what expired of the one before is gone.
    desk.goto(&format!("/credits?period={now}&source=Ville%20de%20Lyon&lang=fr")).await;
    desk.focus("form[method=post][action=\"/credits\"] button").await;
    desk.press(ENTER).await;
    desk.browser.wait_for_text("terminé").await.unwrap();
    desk.browser.wait_for_text("Crédité pour ce mois").await.unwrap();
    desk.look("voted-credit-work-fr").await;
    phone.goto(&format!("/expiries?period={last}&lang=fr")).await;
    phone.focus("form[method=post][action=\"/expiries\"] button").await;
    phone.press(ENTER).await;
    phone.browser.wait_for_text("Expiré à la fin de ce mois").await.unwrap();
    phone.look("voted-expiry-work-fr").await;
    phone.goto("/expiries?lang=fr").await;
    phone.look("voted-expiries-after-fr").await;
    desk.goto(&format!("/credits?period={now}&source=Ville%20de%20Lyon&lang=fr")).await;
    desk.browser.wait_for_text("Tout est enregistré pour ce mois").await.unwrap();
    desk.look("voted-credits-after-fr").await;
    let run = hub.ok(&["credit", "run", "--period", &now, "--source", SOURCE]).unwrap();
    assert_eq!((&run["households"], run["lines"].as_array().unwrap().len()), (&json!(0), 107));

    // A rule is noted by keyboard alone.
    desk.goto("/rules?lang=fr").await;
    desk.focus("#first").await;
    desk.browser.script("document.querySelector('#first').select()").await.unwrap();
    desk.press(&format!("160{ENTER}")).await;
    desk.browser.wait_for_text("Confirmer la nouvelle règle").await.unwrap();
    desk.focus("main form button").await;
    desk.press(ENTER).await;
    desk.browser.wait_for_text("Inscrite par claire").await.unwrap();
    desk.look("voted-rules-after-fr").await;
    hub.verify().unwrap();
    assert!(!hub.log().contains("naissance"), "{}", hub.log());
    desk.browser.close().await.unwrap();
    phone.browser.close().await.unwrap();
}

/// Something of everything waits: proposed by keyboard.
async fn propose(desk: &Desk, code: &str) {
    desk.goto("/corrections?lang=fr").await;
    desk.focus("#household").await;
    desk.press(&format!("{code}{TAB}{TAB}")).await;
    desk.focus("#amount").await;
    desk.press(&format!("12,50{ENTER}")).await;
    desk.browser.wait_for_text("Choisissez : donner ou retirer").await.unwrap();
    assert_eq!(desk.browser.script("return document.activeElement.id").await.unwrap(), "faults");
    desk.look("corrections-wrong-fr").await;
    desk.focus("[value=more]").await;
    desk.press(" ").await;
    desk.focus("#reason").await;
    desk.press(&format!("une naissance en octobre{ENTER}")).await;
    desk.browser.wait_for_text("attend une").await.unwrap();
    desk.goto("/goodwill").await;
    desk.browser.script("document.querySelector('#switch').value = 'on'").await.unwrap();
    for (id, value) in [("household", "20"), ("total", "500,00"), ("days", "3")] {
        desk.browser.script(&format!("document.querySelector('#{id}').value = '{value}'")).await.unwrap();
    }
    desk.focus("main form button").await;
    desk.press(ENTER).await;
    desk.browser.wait_for_text("attend une").await.unwrap();
    desk.goto("/terminals/1/close").await;
    desk.look("closing-ask-fr").await;
    desk.focus("main form button").await;
    desk.press(ENTER).await;
    desk.browser.wait_for_text("Vous l’avez proposé").await.unwrap();
}

/// Every page as it stands, in both languages.
async fn look_at_all(desk: &Desk, now: &str, next: &str) {
    for lang in ["fr", "en"] {
        for (name, path) in [
            ("credits", "/credits"),
            ("credits-plan", &*format!("/credits?period={now}&source=Ville%20de%20Lyon")),
            ("credits-wrong", "/credits?period=x&source="),
            ("rules", "/rules"),
            ("rule-check", &*format!("/rules/new?from={next}&first=160&further=80&child=45,50&expire=")),
            ("rule-wrong", "/rules/new?from=x&first=y&further=80&child=45,50&expire="),
            ("expiries", "/expiries"),
            ("expiries-carried", "/expiries?period=2024-01"),
            ("corrections", "/corrections"),
            ("repayments", "/repayments?card=1"),
            ("goodwill", "/goodwill"),
            ("closings", "/closings"),
            ("approvals", "/approvals"),
            ("waiting", "/dashboard"),
        ] {
            desk.goto(&format!("{path}{}lang={lang}", if path.contains('?') { '&' } else { '?' })).await;
            desk.look(&format!("voted-{name}-{lang}")).await;
        }
    }
}

/// The second person.
async fn approve_all(hub: &Hub, phone: &Desk) {
    for _ in 0..3 {
        phone.goto("/approvals?lang=fr").await;
        phone.focus("form[action$=approve] button").await;
        phone.press(ENTER).await;
        phone.browser.wait_for_text("À valider").await.unwrap();
    }
    phone.browser.wait_for_text("Rien n’attend").await.unwrap();
    phone.look("voted-approvals-none-fr").await;
    assert_eq!(hub.ok(&["correction", "list"]).unwrap()[0]["ended_by"], "denis");
    assert_eq!(hub.ok(&["goodwill", "show"]).unwrap()["on"], true);
    assert_eq!(hub.ok(&["terminal", "closings"]).unwrap()["closings"][0]["state"], "closed");
}

#[tokio::test]
async fn a_month_is_credited_by_several_funders_beyond_a_budget_by_keyboard_on_desk_and_phone() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(dir.path()).unwrap();
    let (now, year) = (month(0), month(0)[..4].to_owned());
    hub.ok(&["source", "set", "--name", SOURCE, "--year", &year, "--budget-cents", "2500000", "--by", "Ada"]).unwrap();
    let paid = ["--household", "F001", "--cents", "30000", "--on", "2024-03-05", "--by", "Ada"];
    hub.ok(&[&["contribution", "add"][..], &paid[..]].concat()).unwrap();
    let axe = axe().unwrap();
    let desk = Desk::open(&hub, &axe, "desk", 1280, 900).await;
    desk.first_login(&hub, "claire", "admin").await;
    let phone = Desk::open(&hub, &axe, "phone", 375, 700).await;
    phone.first_login(&hub, "denis", "treasurer").await;
    let two = format!("/credits?period={now}&source=Contributions&source2=Ville%20de%20Lyon");
    let wrong_way = format!("/credits?period={now}&source=Ville%20de%20Lyon&source2=Contributions");
    for desk in [&desk, &phone] {
        for lang in ["fr", "en"] {
            desk.goto(&format!("{two}&lang={lang}")).await;
            desk.look(&format!("credits-several-{lang}")).await;
            desk.goto(&format!("{wrong_way}&lang={lang}")).await;
            desk.look(&format!("credits-wrong-way-{lang}")).await;
            desk.goto(&format!("{two}&source5=Lion&lang={lang}")).await;
            desk.look(&format!("credits-no-budget-{lang}")).await;
        }
    }
    // A second funder by keyboard: the list opens, the field is filled in.
    desk.goto(&format!("/credits?period={now}&source=Contributions&lang=fr")).await;
    desk.focus("main details summary").await;
    desk.press(ENTER).await;
    desk.press(TAB).await;
    assert_eq!(desk.browser.script("return document.activeElement.id").await.unwrap(), "source2");
    desk.press(&format!("{SOURCE}{ENTER}")).await;
    desk.browser.wait_for_text("Contributions puis Ville de Lyon").await.unwrap();
    for (desk, typed) in [(&desk, ""), (&phone, "12,345")] {
        desk.goto(&format!("{two}&lang=fr")).await;
        desk.focus("#over").await;
        desk.press(&format!("{typed}{ENTER}")).await;
        desk.browser.wait_for_text("À corriger").await.unwrap();
        assert_eq!(desk.browser.script("return document.activeElement.id").await.unwrap(), "faults");
        desk.look("credits-over-wrong-fr").await;
    }
    let run = ["credit", "run", "--period", &now, "--source", "Contributions", "--source", SOURCE];
    let told = hub.ok(&run).unwrap();
    let over = told["over_cents"].as_u64().unwrap();
    phone.focus("#over").await;
    phone.browser.script("document.querySelector('#over').select()").await.unwrap();
    phone.press(&format!("{},{:02}{ENTER}", over / 100, over % 100)).await;
    phone.browser.wait_for_text("Crédité pour ce mois").await.unwrap();
    phone.look("credits-several-work-fr").await;
    for (desk, lang) in [(&desk, "fr"), (&phone, "en")] {
        desk.goto(&format!("/credits?period={now}&source=Ville%20de%20Lyon&lang={lang}")).await;
        desk.look(&format!("credits-elsewhere-{lang}")).await;
        desk.goto(&format!("{two}&lang={lang}")).await;
        desk.look(&format!("credits-several-after-{lang}")).await;
    }
    assert_eq!(hub.ok(&run).unwrap()["booked_before_cents"], told["cents"]);
    hub.verify().unwrap();
    desk.browser.close().await.unwrap();
    phone.browser.close().await.unwrap();
}

#[tokio::test]
async fn a_month_is_credited_once_however_often_the_power_goes() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::with_example_fund(dir.path()).unwrap();
    let token = hub.ok(&["token", "add", "--name", "office", "--role", "treasurer"]).unwrap();
    let token = token["token"].as_str().unwrap().to_owned();
    let run = |hub: &Hub, period: &str| hub.ok(&["credit", "run", "--period", period, "--source", SOURCE]).unwrap();
    // Some of these fall between two steps, some before the first, some after the last: the end is the same.
    for (number, delay_ms) in [0, 10, 20, 40, 80].into_iter().enumerate() {
        let period = month(i64::try_from(number).unwrap());
        let cents = run(&hub, &period)["cents"].clone();
        let ask = |url: String| {
            let body = json!({ "period": period, "source": SOURCE, "cents": cents }).to_string();
            // A new connection: the one before may have ended with the hub.
            let asked = http_client().unwrap().post(format!("{url}/api/credits")).bearer_auth(&token);
            asked.header("content-type", "application/json").header("idempotency-key", &period).body(body).send()
        };
        let asked = ask(hub.url()).await.unwrap();
        assert_eq!(asked.status(), 200, "{}", asked.text().await.unwrap());
        tokio::time::sleep(std::time::Duration::from_millis(delay_ms)).await;
        hub.kill_9().unwrap();
        let booked = run(&hub, &period)["booked_before_cents"].clone();
        hub.verify().unwrap();
        hub.start().unwrap();
        let again = ask(hub.url()).await.unwrap();
        let again: serde_json::Value = serde_json::from_str(&again.text().await.unwrap()).unwrap();
        let mut after = run(&hub, &period);
        for _ in 0..400 {
            if after["households"] == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
            after = run(&hub, &period);
        }
        assert_eq!(after["booked_before_cents"], cents, "{booked} had been booked when the power went");
        assert_eq!(again["work"], json!(number + 1), "asked again under the same key, it is the same work: {again}");
    }
    let credited = hub.ok(&["status"]).unwrap()["totals"]["credited_cents"].as_u64().unwrap();
    let all: u64 = (0..5).map(|from| run(&hub, &month(from))["booked_before_cents"].as_u64().unwrap()).sum();
    assert_eq!(credited, all);
    hub.verify().unwrap();
}
