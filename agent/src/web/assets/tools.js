// What a till does beside selling: balance, tests, cashiers and lock, training, sound, telephones, whom to call.

import { $, ask, button, make, page, setText, show, why, word, words } from "/assets/page.js";
import { app, attempt, cashierName, confirmed, open, say, showBanner, view, whenOpened, whenStatus } from "/assets/app.js";
import { isMute, mute, play } from "/assets/sound.js";
import { showSale } from "/assets/sale.js";
import { everything } from "/assets/state.js";
import { balance } from "/assets/turned.js";

const CODE_MAX = 8;

/// A key while a code is typed.
export function pressCode(key) {
  const code = $("code-typed");
  code.value = key === "⌫" ? code.value.slice(0, -1) : (code.value + key.replace(",", "")).slice(0, CODE_MAX);
}

export const typesCode = () => !$("code").hidden;

/// The code of a cashier opens the till, or makes it another one's.
export async function sendCode() {
  const code = $("code-typed").value;
  // Nothing typed is no try.
  if (code === "") return;
  $("code-typed").value = "";
  setText("code-error", "");
  try {
    await ask("POST", "/api/cashier", { code });
    closeCode();
    app.refresh();
  } catch (error) {
    setText("code-error", why(error) + (error.wait_s ? " (" + error.wait_s + "\u00a0s)" : ""));
  }
}

export function closeCode() {
  delete $("code").dataset.wanted;
  $("code-typed").value = "";
  if (app.status) app.status.locked = false;
  showSale(app.sale);
}

function wantCode() {
  $("code").dataset.wanted = "yes";
  open("till");
  showSale(app.sale);
  $("code-typed").focus();
}

function showLock(status) {
  show("code-back", !status.locked);
  $("code-title").textContent = word(status.locked ? "page-locked" : "page-cashier-change");
  show("tool-cashier", Boolean(status.cashiers_set));
  show("tool-lock", Boolean(status.cashiers_set));
  setText("cashier", status.cashier ? cashierName(status.cashier) : "");
}

function showTraining(status) {
  const on = Boolean(status.training);
  showBanner();
  show("tool-training", status.training !== undefined);
  $("tool-training").textContent = word(on ? "page-training-off" : "page-training-on");
}

async function training() {
  const on = !app.status.training;
  if (on && !await confirmed(word("page-training-on"), word("page-training-means"), "page-training-on")) return;
  await attempt(() => ask("POST", "/api/training", { on }));
  showSale(null);
  open("till");
  app.refresh();
}

async function testReader() {
  $("tool-reader").disabled = true;
  say(word("page-test-reader-card"));
  await attempt(async () => say(words(await ask("POST", "/api/reader/test", {}))));
  $("tool-reader").disabled = false;
}

async function showPhones() {
  let known;
  try { known = await ask("GET", "/api/phones"); } catch { show("phones", false); return; }
  show("phones", Boolean(known.on));
  $("phones-list").replaceChildren(...(known.phones || []).map((phone) => make("li", {}, make("span", { textContent: phone.name }),
    button("page-phone-remove", () => attempt(async () => { await ask("DELETE", "/api/phones/" + phone.id); await showPhones(); })))));
}

async function pair() {
  await attempt(async () => {
    const told = await ask("POST", "/api/phones/code", {});
    $("phones-code").replaceChildren(make("img", { src: told.svg, alt: told.url }), make("b", { className: "big", textContent: told.code }), make("p", { textContent: told.url }),
      make("p", { className: "notice", textContent: word("page-phone-fingerprint") + " " + told.fingerprint }));
  });
}

function showSound() {
  $("tool-sound").textContent = word(isMute() ? "page-sound-on" : "page-sound-off");
  $("tool-sound").setAttribute("aria-pressed", String(isMute()));
}

export function startTools() {
  const on = (id, press) => $(id).addEventListener("click", press);
  on("tool-balance", async () => { if (await balance()) say(word("page-balance-at-display")); });
  on("tool-printer", () => attempt(async () => { await ask("POST", "/api/printer/test", {}); say(word("page-printed")); }));
  on("tool-reader", testReader);
  on("tool-cashier", wantCode);
  on("tool-lock", () => attempt(async () => { await ask("DELETE", "/api/cashier"); open("till"); app.refresh(); }));
  on("tool-training", training);
  on("tool-sound", () => { mute(!isMute()); showSound(); play("accepted"); });
  on("tool-display", () => window.open("/customer", "cabas-member"));
  on("phone-pair", pair);
  on("code-send", sendCode);
  on("code-back", closeCode);
  whenOpened("tools", () => { if (app.status?.phones) showPhones(); });
  whenStatus((status) => {
    showLock(status);
    showTraining(status);
    showSound();
    if (!status.phones) show("phones", false);
    for (const id of ["tool-printer", "tool-reader"]) show(id, status.cashiers_set !== undefined);
    setText("helpline", status.terminal.helpline ? word("page-helpline") + " " + status.terminal.helpline : "");
    if (view() === "tools") $("everything").replaceChildren(everything(status));
  });
}
