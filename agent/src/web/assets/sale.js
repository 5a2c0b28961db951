// One sale on the cashier's side: neutral for bystanders, and never why.

import { $, ask, button, follow, isOpen, money, setText, show, why, word, words } from "/assets/page.js";
import { app, confirmed, open, say, showBanner } from "/assets/app.js";
import { canSpeak, play, speak } from "/assets/sound.js";
import { page } from "/assets/page.js";
import { clear, isPending, lostAgain, refill, used } from "/assets/till.js";
import { turn } from "/assets/turned.js";

// A second click where another button was before it changed is no choice.
const SETTLED_MS = 300;
const RECEIPT_MS = 30000;
// How long after a break the page still tells how a sale ended.
const REMEMBERED_MS = 600000;
const SHAPES = { waiting: ")))", authorizing: "…", offer: "?", in_doubt: "↻", accepted: "✓", unproven: "✓", declined: "—", reversed: "←", cancelled: "✕", timed_out: "–", failed: "!" };
const PLAYED = ["accepted", "not_proven", "declined", "offer", "in_doubt"];

let changedAt = 0;
let receiptUntil = 0;
let receiptTimer = null;
let wasLocked = false;
let sounded = { key: "", at: 0 };

/// The class of a state: what it looks and sounds like.
const look = (sale) => (sale.state !== "accepted" ? sale.state : sale.reversed ? "reversed" : sale.proven ? "accepted" : "unproven");

function sound(sale, before) {
  const kind = look(sale);
  if (before && before.id === sale.id && look(before) === kind) {
    if (sale.notice && sale.notice.code !== before.notice?.code) play("again");
    return;
  }
  // What an answer and the event of the same change both show sounds once.
  const key = `${sale.id} ${kind}`;
  if (sounded.key === key && performance.now() - sounded.at < 1500) return;
  sounded = { key, at: performance.now() };
  if (kind === "in_doubt") play("doubt");
  else if (kind === "accepted" || kind === "unproven") play(kind);
  else if (["declined", "failed", "timed_out", "reversed"].includes(kind)) play("stopped");
}

export function showSale(next) {
  const before = app.sale;
  // Who unlocks the till begins anew: what was sold before is in the list.
  const locked = Boolean(app.status?.locked);
  if (wasLocked && !locked && !isOpen(next)) next = null;
  wasLocked = locked;
  app.sale = next;
  showBanner();
  const pane = locked && !isOpen(next) ? "code" : next ? "sale" : $("code").dataset.wanted ? "code" : "till";
  for (const name of ["till", "sale", "code"]) show(name, name === pane);
  if (next === null) {
    clearTimeout(receiptTimer);
    if (before) localStorage.removeItem("open-sale");
    if (before && pane === "till") $("amount").focus();
    return;
  }
  const isNew = !before || before.id !== next.id;
  if (isNew || look(before) !== look(next)) changedAt = performance.now();
  if (isNew && isOpen(next)) { open("till"); $("sale").focus(); }
  if (!isNew || isOpen(next)) sound(next, before);
  if (isOpen(next)) localStorage.setItem("open-sale", JSON.stringify({ id: next.id, at: Date.now() }));
  used(next.id);
  if (next.state === "accepted" && (isNew || before.state !== "accepted")) offerReceipt(next);
  draw(next);
}

function draw(sale) {
  const [kind, opened] = [look(sale), isOpen(sale)];
  const accepted = sale.state === "accepted" && !sale.reversed;
  $("sale").dataset.state = kind;
  $("sale").dataset.open = opened ? "yes" : "no";
  setText("sale-amount", sale.cents === null ? "" : money(sale.cents));
  setText("sale-mark", SHAPES[kind]);
  setText("sale-message", words(sale));
  setText("sale-class", sale.reversed ? word("undo-done-reversal") : accepted && !sale.proven ? word("page-not-proven-do") : words(sale.class));
  const helpline = app.status?.terminal.helpline;
  const call = helpline && (sale.class?.code === "call_fund" || sale.state === "failed" || sale.state === "in_doubt");
  setText("sale-call", call ? word("page-helpline") + " " + helpline : "");
  setText("sale-notice", opened ? words(sale.notice) : "");
  setText("sale-till", sale.from_till ? word("page-from-till") : "");
  setText("sale-parts", sale.member_cents > 0
    ? word("page-fund-part") + " " + money(sale.fund_cents) + " · " + word("page-member-part") + " " + money(sale.member_cents) : "");
  show("cancel", ["waiting", "offer"].includes(sale.state));
  show("next", !opened || sale.state === "in_doubt");
  // In doubt the same card is what is wanted, not this button.
  $("next").className = sale.state === "in_doubt" ? "" : "main";
  $("next").textContent = word(sale.state === "in_doubt" ? "page-later" : "page-new-sale");
  show("retry", !sale.from_till && ["declined", "cancelled", "timed_out", "failed"].includes(sale.state));
  // Who shows the member's side shows it to the member: the screen turns.
  show("turn", opened || sale.state === "declined");
  show("say", canSpeak(page.language) && sale.cents !== null);
  show("reverse", accepted && !sale.refunded_cents && !sale.training);
  show("print", accepted && performance.now() < receiptUntil);
  show("slip", accepted && Boolean(sale.slip) && performance.now() < receiptUntil);
  const plays = sale.training && ["waiting", "in_doubt"].includes(sale.state);
  show("play", Boolean(plays));
  if (plays && $("play").children.length < 2) {
    for (const outcome of PLAYED) {
      const one = button("page-play-" + outcome.replace("_", "-"), () => playOutcome(outcome));
      one.dataset.text = "page-play-" + outcome.replace("_", "-");
      $("play").append(one);
    }
  }
}

async function playOutcome(outcome) {
  try { sales.take(await ask("POST", "/api/sales/" + app.sale.id + "/play", { outcome })); } catch (error) { setText("sale-notice", why(error)); }
}

/// A receipt on request for half a minute; later from the list.
function offerReceipt(sale) {
  receiptUntil = performance.now() + RECEIPT_MS;
  $("print").disabled = false;
  $("print").textContent = word("page-print");
  clearTimeout(receiptTimer);
  receiptTimer = setTimeout(() => { if (app.sale) draw(app.sale); }, RECEIPT_MS + 50);
  findSlip(sale);
}

// Whether there is a receipt without paper, where this terminal makes any.
async function findSlip(sale) {
  if (!sale.seq || sale.training) return;
  try {
    const slip = await ask("GET", "/api/today/" + sale.seq + "/e-receipt");
    if (app.sale?.id === sale.id) { app.sale.slip = slip; draw(app.sale); }
  } catch { /* There is none. */ }
}

export const sales = follow(() => app.sale, showSale);

/// The terminal's state: a sale under way is shown again after a reload, and one that is over is asked for.
export function statusOfSale(status) {
  if (status.sale) sales.heard(status.sale);
  else if (isOpen(app.sale)) sales.again();
  else showSale(app.sale);
}

/// After a reload, a power cut or an answer that was lost: how the sale ended that was under way.
export async function comeBack(status) {
  const kept = JSON.parse(localStorage.getItem("open-sale") || "null");
  if (!kept || status.sale) return;
  const forget = () => localStorage.removeItem("open-sale");
  if (Date.now() - kept.at > REMEMBERED_MS && !isPending(kept.id)) { forget(); return; }
  try {
    const sale = await ask("GET", "/api/sales/" + kept.id);
    forget();
    if (!app.sale) showSale(sale);
  } catch (error) {
    if (!error.code) { lostAgain(); return; }
    forget();
    if (error.code === "error_not_found") setText("error", word("page-broken-off"));
  }
}

/// Goes on to the next sale.
export async function next() {
  const { id, state } = app.sale;
  if (state === "in_doubt") {
    try { await ask("DELETE", "/api/sales/" + id); } catch { /* It is left for later: the list and the state tell. */ }
    // The card may have come meanwhile: how it ended is shown.
    if (app.sale?.id === id && app.sale.state === "in_doubt") await sales.again();
    if (app.sale?.id !== id || app.sale.state !== "in_doubt") return;
  }
  showSale(null);
}

/// The key that begins the next sale: what was typed before is of the last one.
export function begins() {
  if (isOpen(app.sale)) return false;
  if (app.sale) { showSale(null); clear(); }
  return true;
}

/// Takes it back before the card.
export async function cancel() {
  try { sales.take(await ask("DELETE", "/api/sales/" + app.sale.id)); } catch (error) { setText("sale-notice", why(error)); app.refresh(); }
}

async function print() {
  const id = app.sale.id;
  const stays = () => app.sale?.id === id;
  $("print").disabled = true;
  try {
    await ask("POST", "/api/sales/" + id + "/receipt", { language: page.language });
    if (stays()) $("print").textContent = word("page-printed");
  } catch (error) { if (stays()) { $("print").disabled = false; setText("sale-notice", why(error)); } }
}

async function reverse() {
  const { id, stan, cents } = app.sale;
  // A sale that was begun meanwhile stays on the screen: the list tells of this one.
  const stays = () => app.sale?.id === id;
  if (!await confirmed(word("page-reverse"), word("page-number") + " " + stan + " · " + money(cents), "page-reverse")) return;
  try {
    const done = await ask("POST", "/api/sales/" + id + "/reversal", { request_id: "reversal-" + id });
    const now = await ask("GET", "/api/sales/" + id);
    if (stays()) { showSale(now); say(words(done)); }
  } catch (error) { if (stays()) setText("sale-notice", why(error)); }
}

export function startSale() {
  const on = (id, press) => $(id).addEventListener("click", () => {
    if (app.sale && performance.now() - changedAt > SETTLED_MS) press();
  });
  on("cancel", cancel);
  on("next", next);
  on("retry", () => { const sale = app.sale; showSale(null); refill(sale); });
  on("print", print);
  on("reverse", reverse);
  on("turn", () => turn());
  on("slip", () => turn({ slip: app.sale }));
  on("say", () => speak((app.sale.reversed ? words(app.sale) + ". " : "") + money(app.sale.cents), page.language));
}
