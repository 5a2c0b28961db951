//! What becomes of a sale after its card: reversed, left for later, said aloud; and the older pages of a day's list.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use cabas_tests::browser::Browser;
use cabas_tests::counter::{Counter, Screens, wait_script};
use serde_json::{Value, json};

const ENTER: &str = "\u{e007}";
/// Holds back what the page asks of one method and path until `let_go` is called.
const HOLD: &str = "
    const through = window.fetch;
    window.held = 0;
    const gate = new Promise((go) => { window.let_go = go; });
    window.fetch = async (path, options) => {
      if (options?.method === arguments_method && path.endsWith(arguments_path)) { window.held += 1; await gate; }
      return through(path, options);
    };";
/// Voices and tones that only write down what they were to say.
const EARS: &str = "
    window.said = []; window.tones = [];
    const voices = [{ localService: false, lang: 'fr-FR' }, { localService: true, lang: 'fr-CA' }, { localService: true, lang: 'en-GB' }];
    Object.defineProperty(window, 'speechSynthesis', { value: {
      getVoices: () => voices, cancel() {}, addEventListener() {}, speak: (one) => window.said.push([one.text, one.lang, one.voice.localService]) } });
    window.SpeechSynthesisUtterance = function (text) { this.text = text; };
    window.AudioContext = class {
      state = 'running'; currentTime = 0;
      createOscillator() { return { frequency: { set value(hertz) { window.tones.push(hertz); } }, connect: (next) => next, start() {}, stop() {} }; }
      createGain() { return { gain: { setValueAtTime() {}, exponentialRampToValueAtTime() {} }, connect() {} }; }
    };";

fn hold(method: &str, path: &str) -> String {
    HOLD.replace("arguments_method", &format!("'{method}'")).replace("arguments_path", &format!("'{path}'"))
}

async fn reversals(counter: &Counter) -> usize {
    let today = counter.shop.get("/api/today").await.unwrap();
    today["entries"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "reversal").count()
}

async fn sell(counter: &Counter, page: &Browser, amount: &str) {
    page.keys("body", &format!("{amount}{ENTER}")).await.unwrap();
    page.wait_for_text("Présentez la carte").await.unwrap();
    let card = counter.tap(1).unwrap();
    page.wait_for_text("Accepté").await.unwrap();
    counter.take_away(card).await.unwrap();
}

#[tokio::test]
async fn a_sale_is_reversed_only_after_a_question_and_then_no_screen_shows_the_sign_of_accepted() {
    let counter = Counter::open(Vec::new()).await.unwrap();
    let screens = Screens::open(&counter.shop.url()).await.unwrap();
    let display = Screens::open(&format!("{}/customer", counter.shop.url())).await.unwrap();
    let page = screens.small().unwrap();
    page.wait_for_text("Encaisser").await.unwrap();
    sell(&counter, page, "5").await;
    page.click("#reverse").await.unwrap();
    page.wait_for_text("5,00").await.unwrap();
    page.click("#ask-buttons button:not(.main)").await.unwrap();
    assert_eq!(reversals(&counter).await, 0, "asked, and not meant");
    page.click("#reverse").await.unwrap();
    page.click("#ask-buttons .main").await.unwrap();
    screens.look("reversed", "Cette vente est annulée").await.unwrap();
    display.look("reversed-member", "Cette vente est annulée").await.unwrap();
    assert_eq!(reversals(&counter).await, 1);
    for (size, window) in screens.windows() {
        let shown =
            "return [document.getElementById('sale').dataset.state, document.getElementById('sale-mark').textContent]";
        assert_eq!(window.script(shown).await.unwrap(), json!(["reversed", "←"]), "{size}");
        let text = window.text("#sale").await.unwrap();
        assert!(!text.contains("Accepté"), "{size}: {text}");
    }
    for (size, window) in display.windows() {
        let shown = "return [document.getElementById('member-side').dataset.state, document.querySelector('.mark').textContent]";
        assert_eq!(window.script(shown).await.unwrap(), json!(["reversed", "←"]), "{size}");
        assert!(!window.text("body").await.unwrap().contains("Merci"), "{size}");
    }

    // The answer comes late, over the next customer's sale: that one stays on the screen.
    screens.back_to_amount().await.unwrap();
    sell(&counter, page, "6").await;
    page.script(&hold("POST", "/reversal")).await.unwrap();
    page.click("#reverse").await.unwrap();
    page.click("#ask-buttons .main").await.unwrap();
    wait_script(page, "return window.held", &json!(1)).await.unwrap();
    page.click("#next").await.unwrap();
    page.keys("body", &format!("3{ENTER}")).await.unwrap();
    page.wait_for_text("Présentez la carte").await.unwrap();
    page.script("window.let_go()").await.unwrap();
    for _ in 0..200 {
        if reversals(&counter).await == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(reversals(&counter).await, 2);
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let text = page.text("#sale").await.unwrap();
    assert!(text.contains("3,00") && text.contains("Présentez la carte"), "{text}");
    assert_eq!(page.script("return document.getElementById('said').hidden").await.unwrap(), json!(true));
    screens.close().await.unwrap();
    display.close().await.unwrap();
}

async fn trains(counter: &Counter) {
    let (status, _) = counter.shop.post("/api/training", &json!({ "on": true })).await.unwrap();
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_card_that_comes_while_a_doubt_is_left_for_later_is_shown_as_accepted() {
    let counter = Counter::open(Vec::new()).await.unwrap();
    trains(&counter).await;
    let page = counter.page(800, 480).await.unwrap();
    page.wait_for_text("FORMATION").await.unwrap();
    page.keys("body", &format!("5{ENTER}")).await.unwrap();
    page.click("#play button:nth-of-type(5)").await.unwrap();
    page.wait_for_text("Présentez à nouveau").await.unwrap();
    let id = counter.shop.get("/api/status").await.unwrap()["sale"]["id"].as_str().unwrap().to_owned();
    page.script(&hold("DELETE", &id)).await.unwrap();
    // A click right after a change is no choice.
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    page.click("#next").await.unwrap();
    wait_script(&page, "return window.held", &json!(1)).await.unwrap();
    let played = counter.shop.post(&format!("/api/sales/{id}/play"), &json!({ "outcome": "accepted" })).await.unwrap();
    assert_eq!(played.1["state"], "accepted");
    page.script("window.let_go()").await.unwrap();
    page.wait_for_text("Accepté").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(page.text("#sale").await.unwrap().contains("Accepté"), "and it stays");
    page.close().await.unwrap();
}

#[tokio::test]
async fn each_end_has_its_own_sound_and_what_is_said_aloud_is_said_in_the_language_of_the_page() {
    let counter = Counter::open(Vec::new()).await.unwrap();
    trains(&counter).await;
    let page = counter.page(800, 480).await.unwrap();
    let display = counter.page(1366, 768).await.unwrap();
    for (window, url) in [(&page, counter.shop.url()), (&display, format!("{}/customer", counter.shop.url()))] {
        window.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": EARS })).await.unwrap();
        window.goto(&url).await.unwrap();
        window.wait_for_text("FORMATION").await.unwrap();
    }
    let heard = "const tones = window.tones; window.tones = []; return tones";
    for (nth, tones, said) in [
        (1, json!([660, 990]), "Accepté"),
        (2, json!([660, 660, 880]), "carte non prouvée"),
        (3, json!([330]), "Paiement non abouti"),
        (5, json!([520, 390, 520, 390]), "Présentez à nouveau"),
    ] {
        page.keys("body", &format!("12,5{ENTER}")).await.unwrap();
        page.wait_for_text("que fait la carte").await.unwrap();
        page.script(heard).await.unwrap();
        page.click(&format!("#play button:nth-of-type({nth})")).await.unwrap();
        page.wait_for_text(said).await.unwrap();
        wait_script(&page, "return window.tones", &tones).await.unwrap();
        if nth == 1 {
            aloud(&page, &display).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        page.click("#next").await.unwrap();
        page.wait_for_text("Montant").await.unwrap();
    }
    // Who wants no sound gets none.
    page.script("localStorage.setItem('mute', 'yes')").await.unwrap();
    page.keys("body", &format!("1{ENTER}")).await.unwrap();
    page.script(heard).await.unwrap();
    page.click("#play button:nth-of-type(1)").await.unwrap();
    page.wait_for_text("Accepté").await.unwrap();
    assert_eq!(page.script("return window.tones").await.unwrap(), json!([]));
    page.close().await.unwrap();
    display.close().await.unwrap();
}

/// What both screens say when they are asked, in both languages, by a voice of this machine only.
async fn aloud(page: &Browser, display: &Browser) {
    let said = "return window.said";
    assert_eq!(page.script(said).await.unwrap(), json!([]), "nothing unasked");
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    page.click("#say").await.unwrap();
    page.click("#language").await.unwrap();
    page.wait_for_text("Accepted").await.unwrap();
    page.click("#say").await.unwrap();
    assert_eq!(page.script(said).await.unwrap(), json!([["12,50\u{a0}€", "fr-CA", true], ["€12.50", "en-GB", true]]));
    page.click("#language").await.unwrap();
    page.wait_for_text("Accepté").await.unwrap();
    display.wait_for_text("Merci").await.unwrap();
    display.click(".speak").await.unwrap();
    display.click(".language").await.unwrap();
    display.wait_for_text("Thank you").await.unwrap();
    display.click(".speak").await.unwrap();
    assert_eq!(
        display.script(said).await.unwrap(),
        json!([["12,50\u{a0}€. Merci", "fr-CA", true], ["€12.50. Thank you", "en-GB", true]])
    );
}

#[tokio::test]
async fn the_older_part_of_a_long_day_is_one_touch_away() {
    let counter = Counter::open(Vec::new()).await.unwrap();
    let page = counter.page(800, 480).await.unwrap();
    sell(&counter, &page, "1").await;
    let today = counter.shop.get("/api/today").await.unwrap();
    let (seq, day) = (today["entries"][0]["seq"].as_u64().unwrap(), "2026-11-28");
    // The terminal says that its list is longer than what it told.
    page.script(&format!(
        "window.asked = []; const through = window.fetch;
        window.fetch = async (path, options) => {{
          if (!path.startsWith('/api/history')) return through(path, options);
          window.asked.push(path);
          const answer = await (await through('/api/today')).json();
          return new Response(JSON.stringify({{ ...answer, day: '{day}', truncated: !path.includes('before') }}));
        }};"
    ))
    .await
    .unwrap();
    page.click("[data-open=today]").await.unwrap();
    page.wait_for_text("1,00").await.unwrap();
    let fill = format!(
        "const date = document.getElementById('date'); date.value = '{day}'; date.dispatchEvent(new Event('change'))"
    );
    page.script(&fill).await.unwrap();
    page.click("#today-older").await.unwrap();
    let expected: Value = json!([format!("/api/history?day={day}"), format!("/api/history?day={day}&before={seq}")]);
    let asked = "return window.asked.filter((path, at, all) => path !== all[at - 1])";
    wait_script(&page, asked, &expected).await.unwrap();
    wait_script(&page, "return document.getElementById('today-older').hidden", &json!(true)).await.unwrap();
    page.close().await.unwrap();
}

#[tokio::test]
async fn however_often_the_terminal_changes_the_days_sums_are_asked_for_one_at_a_time() {
    let counter = Counter::open(Vec::new()).await.unwrap();
    let page = counter.page(800, 480).await.unwrap();
    page.script(&hold("GET", "/api/day")).await.unwrap();
    page.click("[data-open=day]").await.unwrap();
    wait_script(&page, "return window.held", &json!(1)).await.unwrap();
    for on in [true, false, true, false] {
        assert_eq!(counter.shop.post("/api/training", &json!({ "on": on })).await.unwrap().0, 200);
        let banner = format!("return document.getElementById('training').hidden === {}", !on);
        wait_script(&page, &banner, &json!(true)).await.unwrap();
    }
    assert_eq!(page.script("return window.held").await.unwrap(), json!(1), "four changes, and one request under way");
    page.script("window.let_go()").await.unwrap();
    wait_script(&page, "return window.held", &json!(2)).await.unwrap();
    page.close().await.unwrap();
}
