//! A counter of a test: hub, shop with its plain cards, and Chromium windows on the agent's pages.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::example::Cards;
use crate::hub::{Hub, http_client};
use crate::program::pictures;
use crate::shop::Shop;
use crate::site::{AXE, axe};
use crate::virtual_card::VirtualCard;

/// The shop of the example fund that the tests sell in.
const SHOP: &str = "biocoop-platanes";
/// A card that no fund knows.
pub const FOREIGN: [u8; 4] = [4, 9, 9, 9];
/// The windows that every state is shown in: a small touch screen, a shop's PC, a telephone.
const SIZES: [(&str, u32, u32); 3] = [("small", 800, 480), ("pc", 1366, 768), ("phone", 375, 667)];

/// Hub and shop.
pub struct Counter {
    /// The hub, with this month's money.
    pub hub: Hub,
    /// The shop, its agent running.
    pub shop: Shop,
    cards: Cards,
    _dir: tempfile::TempDir,
}

impl Counter {
    /// Opens it, its agent with settings of its own.
    ///
    /// # Errors
    /// Where any part does not start.
    pub async fn open(environment: Vec<(String, String)>) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let hub = Hub::with_example_fund(&dir.path().join("hub"))?;
        hub.credit("2026-11")?;
        let shop = Shop::enrolled_with(&dir.path().join("shop"), &http_client()?, &hub, SHOP, environment).await?;
        Ok(Self { hub, shop, cards: Cards::read()?, _dir: dir })
    }

    /// Holds a member's card to the reader.
    ///
    /// # Errors
    /// Where the reader does not take it.
    pub fn tap(&self, number: usize) -> anyhow::Result<VirtualCard> {
        self.shop.tap(self.cards.uid(number))
    }

    /// Takes a card away, and waits until the terminal knows.
    ///
    /// # Errors
    /// Where it never does.
    pub async fn take_away(&self, card: VirtualCard) -> anyhow::Result<()> {
        card.remove();
        self.shop.wait("the card to be gone", |status| (status["reader"]["card_present"] != true).then_some(())).await
    }

    /// A window on the cashier's page.
    ///
    /// # Errors
    /// Where it does not open.
    pub async fn page(&self, width: u32, height: u32) -> anyhow::Result<Browser> {
        let page =
            if width < 500 { Browser::open_phone(width, height).await? } else { Browser::open(width, height).await? };
        exactly(&page, width, height).await?;
        page.goto(&self.shop.url()).await?;
        page.wait_for_text("Encaisser").await?;
        Ok(page)
    }

    /// How many sales the journal has, by the list of the day.
    ///
    /// # Errors
    /// Where the agent does not answer.
    pub async fn sales(&self) -> anyhow::Result<usize> {
        let today = self.shop.get("/api/today").await?;
        let entries = today["entries"].as_array().context("no list")?;
        Ok(entries.iter().filter(|entry| entry["kind"] == "sale").count())
    }

    /// Waits until no sale is under way.
    ///
    /// # Errors
    /// Where one never ends.
    pub async fn quiet(&self) -> anyhow::Result<()> {
        self.shop.wait("no sale under way", |status| status["sale"].is_null().then_some(())).await
    }
}

/// One page in three windows, which follow the same terminal.
pub struct Screens {
    windows: Vec<(String, Browser)>,
    axe: String,
    folder: PathBuf,
}

impl Screens {
    /// Opens a page of the agent in windows of all sizes.
    ///
    /// # Errors
    /// Where Chromium does not start, or `deploy/test` has not installed axe-core.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        let mut windows = Vec::new();
        for (name, width, height) in SIZES {
            let window = if width < 500 {
                Browser::open_phone(width, height).await?
            } else {
                Browser::open(width, height).await?
            };
            exactly(&window, width, height).await?;
            window.goto(url).await?;
            windows.push((name.to_owned(), window));
        }
        Ok(Self { windows, axe: axe()?, folder: pictures()? })
    }

    /// The windows, by name of their size.
    #[must_use]
    pub fn windows(&self) -> &[(String, Browser)] {
        &self.windows
    }

    /// Puts every window back to the amount. A window may still wait for the word that its sale is over: then the key is
    /// pressed again.
    ///
    /// # Errors
    /// Where one never gets there.
    pub async fn back_to_amount(&self) -> anyhow::Result<()> {
        const ESCAPE: &str = "\u{e00c}";
        for (size, window) in &self.windows {
            let mut text = String::new();
            for _ in 0..100 {
                window.keys("body", ESCAPE).await?;
                text = window.text("body").await?;
                if text.contains("Montant") {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            ensure!(text.contains("Montant"), "{size} says {text}");
        }
        Ok(())
    }

    /// The small touch screen.
    ///
    /// # Errors
    /// Where there is none.
    pub fn small(&self) -> anyhow::Result<&Browser> {
        Ok(&self.windows.first().context("no window")?.1)
    }

    /// Runs a script in every window.
    ///
    /// # Errors
    /// Where it throws.
    pub async fn script(&self, script: &str) -> anyhow::Result<()> {
        for (_, window) in &self.windows {
            window.script(script).await?;
        }
        Ok(())
    }

    /// Clicks in every window.
    ///
    /// # Errors
    /// Where nothing of the name appears.
    pub async fn click(&self, css: &str) -> anyhow::Result<()> {
        for (_, window) in &self.windows {
            window.click(css).await?;
        }
        Ok(())
    }

    /// Waits in every window for a text, then looks at it: axe-core, no scroll to the side, targets large enough for a
    /// cold finger; and leaves a picture.
    ///
    /// # Errors
    /// Where anything is wrong; the error says in which window.
    pub async fn look(&self, state: &str, text: &str) -> anyhow::Result<()> {
        for (name, window) in &self.windows {
            window.wait_for_text(text).await.with_context(|| format!("{state} {name}"))?;
            picture(window, &self.folder, &format!("{state}-{name}")).await?;
            check(window, &self.axe).await.with_context(|| format!("{state} {name}"))?;
        }
        Ok(())
    }

    /// Closes them.
    ///
    /// # Errors
    /// Where a driver is gone.
    pub async fn close(self) -> anyhow::Result<()> {
        for (_, window) in self.windows {
            window.close().await?;
        }
        Ok(())
    }
}

/// The size of what is seen, without the frame that Chromium puts around a window.
async fn exactly(window: &Browser, width: u32, height: u32) -> anyhow::Result<()> {
    let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
    window.devtools("Emulation.setDeviceMetricsOverride", &screen).await?;
    Ok(())
}

async fn picture(window: &Browser, folder: &Path, name: &str) -> anyhow::Result<()> {
    window.screenshot(&folder.join(format!("counter-{name}.png"))).await
}

/// Targets below 48 CSS pixels that a finger is to meet, and by how much the page scrolls: to the side never, and down not
/// while selling, unless on a telephone. While selling a row must be left: an advice may come, and other fonts are larger.
const MEASURE: &str = "const shown = [...document.querySelectorAll('button, a.button, summary, input')]
        .filter((one) => one.checkVisibility() && !one.disabled && (!document.querySelector('dialog[open]') || one.closest('dialog')));
    const small = shown.map((one) => [one, one.getBoundingClientRect()])
        .filter(([, box]) => box.width < 47.5 || box.height < 47.5)
        .map(([one, box]) => (one.id || one.textContent) + ' ' + box.width + 'x' + box.height);
    const whole = !document.querySelector('dialog[open]') && (document.body.dataset.view || 'till') === 'till' && !document.querySelector('.help') && innerWidth > 500;
    const frames = [...document.querySelectorAll('html, body, .cashier, .member')];
    frames.forEach((one) => { one.style.minHeight = one.style.height = 'auto'; });
    const left = innerHeight - document.body.getBoundingClientRect().height;
    frames.forEach((one) => { one.style.minHeight = one.style.height = ''; });
    const row = document.querySelector('#advice[hidden]') ? 50 : document.querySelector('.customer') ? 25 : 0;
    return { small, tall: whole ? Math.max(0, row - left) : 0, wide: document.documentElement.scrollWidth - document.documentElement.clientWidth };";

async fn check(window: &Browser, axe: &str) -> anyhow::Result<()> {
    window.script(axe).await?;
    let found = window.script(AXE).await?;
    ensure!(found == json!([]), "axe-core: {found:#}");
    let measured = window.script(MEASURE).await?;
    ensure!(measured == json!({ "small": [], "tall": 0, "wide": 0 }), "measured: {measured}");
    Ok(())
}

/// Waits until a script gives what is expected.
///
/// # Errors
/// Where it never does; the error holds what it gave last.
pub async fn wait_script(window: &Browser, script: &str, expected: &Value) -> anyhow::Result<()> {
    let mut last = Value::Null;
    for _ in 0..200 {
        last = window.script(script).await?;
        if last == *expected {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("{script} gives {last}, not {expected}")
}
