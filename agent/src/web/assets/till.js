// The amounts: one line per category, typed on the keys of the page or of a keyboard. What is typed outlives a reload.

import { $, ask, make, money, newId, page, setText, show, why, word } from "/assets/page.js";
import { app, label } from "/assets/app.js";

const TYPED_MAX = 12;
// The agent answers at once: what takes longer is a network that is gone.
const ANSWER_MS = 8000;
// The same id until it is answered: pressed twice, or sent again after a break, it is one sale.
let pending = JSON.parse(sessionStorage.getItem("pending") || "null");
// What was typed, by category.
let typed = JSON.parse(sessionStorage.getItem("typed") || "{}");
let picked = sessionStorage.getItem("picked") || null;
let categories = [];
let busy = false;
// Whether the newest sale was sent and its answer never came.
let lost = false;
// Takes what the agent answers to a sale that was begun.
let onBegun = () => {};
let onBusy = () => {};

function store() {
  sessionStorage.setItem("typed", JSON.stringify(typed));
  sessionStorage.setItem("pending", JSON.stringify(pending));
  sessionStorage.setItem("picked", picked || "");
}

/// Cents of what a person types, or nothing; the agent reads it again by its own rules.
function cents(text) {
  const found = /^(\d{1,7})(?:[.,](\d{0,2}))?$/.exec(text.trim());
  return found ? Number(found[1]) * 100 + Number((found[2] || "").padEnd(2, "0")) : null;
}

const known = () => categories.filter((category) => (typed[category.id] || "").trim() !== "");

function showTotal() {
  const sums = known().map((category) => cents(typed[category.id]));
  const total = sums.includes(null) ? null : sums.reduce((sum, next) => sum + next, 0);
  setText("total", total === null ? "" : word("page-total") + " " + money(total));
  $("charge").textContent = word("page-charge") + (total ? " " + money(total) : "");
}

function showLines() {
  show("lines", categories.length > 1);
  $("lines").replaceChildren(...categories.map((category) => {
    const text = typed[category.id] || "";
    const sum = cents(text);
    const pick = make("button", { type: "button", className: "pick", id: "pick-" + category.id },
      make("span", { textContent: label(category) + " (" + category.share_percent + "\u00a0%)" }),
      make("b", { textContent: sum === null ? text : money(sum) }));
    pick.setAttribute("aria-pressed", String(category.id === picked));
    pick.addEventListener("click", () => choose(category.id));
    const remove = make("button", { type: "button", className: "remove", textContent: "✕", hidden: text === "" });
    remove.setAttribute("aria-label", word("page-remove") + " " + label(category));
    remove.addEventListener("click", () => { delete typed[category.id]; choose(category.id); });
    return make("li", {}, pick, remove);
  }));
}

function changed() {
  store();
  setText("error", "");
  showLines();
  showTotal();
}

function choose(id) {
  picked = id;
  $("amount").value = typed[id] || "";
  changed();
  $("amount").focus();
}

/// The next category, or the one before.
export function step(by) {
  const at = categories.findIndex((category) => category.id === picked);
  const next = categories[at + by];
  if (next) choose(next.id);
}

function takeAmount() {
  if (!picked) return;
  typed[picked] = $("amount").value;
  if (typed[picked] === "") delete typed[picked];
  changed();
}

/// A key of the page.
export function press(key) {
  const amount = $("amount");
  amount.value = key === "⌫" ? amount.value.slice(0, -1) : (amount.value + key).slice(0, TYPED_MAX);
  takeAmount();
}

export function clear() {
  typed = {};
  picked = categories.length > 0 ? categories[0].id : null;
  $("amount").value = "";
  changed();
}

/// The amounts of a sale again; one that failed keeps its id, so that it is never two.
export function refill(sale) {
  typed = {};
  const sums = {};
  for (const line of sale.lines) sums[line.category] = (sums[line.category] || 0) + line.cents;
  for (const [category, sum] of Object.entries(sums)) typed[category] = (sum / 100).toFixed(2).replace(".", page.language === "fr" ? "," : ".");
  if (sale.state === "failed") pending = { id: sale.id, body: asked() };
  choose(sale.lines[0].category);
}

/// A sale that the agent has: its id is used up, and what was typed for it is no longer needed.
export function used(id) {
  if (!pending || pending.id !== id) return;
  pending = null;
  clear();
}

const lines = () => {
  const named = known().map((category) => ({ category: category.id, amount: typed[category.id].trim() }));
  return named.length > 0 ? named : [{ amount: $("amount").value.trim() }];
};

// Where the terminal trains this page knows, and says so: what it asks for is only played.
const asked = () => JSON.stringify({ lines: lines(), ...(app.status?.training ? { training: true } : {}) });

export function failed(error) {
  setText("error", why(error));
}

/// Begins the sale.
export async function charge() {
  if (busy || app.sale || app.status?.locked) return;
  busy = true;
  setText("error", "");
  const body = asked();
  if (!pending || pending.body !== body) pending = { id: newId(), body };
  store();
  localStorage.setItem("open-sale", JSON.stringify({ id: pending.id, at: Date.now() }));
  try {
    const sale = await begin();
    // What was typed has become the sale; the same amount typed again is another one.
    pending = null;
    clear();
    onBegun(sale);
  } catch (error) {
    lost = !error.code;
    if (!lost) localStorage.removeItem("open-sale");
    if (error.code === "error_request_conflict") pending = null;
    failed(error);
    if (["error_busy", "error_training", "error_not_training"].includes(error.code)) app.refresh();
  }
  busy = false;
  if (lost) app.refresh();
}

/// Whether a sale is to be asked for, because the answer to it was lost; true once.
export function answerLost() {
  const was = lost && !busy;
  if (was) lost = false;
  return was;
}

/// It was asked for, and that answer was lost as well.
export function lostAgain() {
  lost = true;
}

/// Whether a sale was sent whose answer is still to come.
export const isPending = (id) => pending?.id === id;

async function begin() {
  const { id, body } = pending;
  const sale = () => ask("POST", "/api/sales", { ...JSON.parse(body), request_id: id }, AbortSignal.timeout(ANSWER_MS));
  try { return await sale(); } catch (error) {
    // A member who looks at the balance gives way.
    if (error.code !== "error_busy" || !app.status?.balance_asked) throw error;
    await onBusy();
    return sale();
  }
}

/// The categories as the terminal has them.
export function showCategories(next) {
  if (JSON.stringify([next, page.language]) === $("lines").dataset.shown) return;
  $("lines").dataset.shown = JSON.stringify([next, page.language]);
  categories = next;
  if (!categories.some((category) => category.id === picked)) picked = categories.length > 0 ? categories[0].id : null;
  if (picked && typed[picked]) $("amount").value = typed[picked]; else if (picked) takeAmount();
  showLines();
  showTotal();
}

export function startTill(begun, makeWay) {
  onBegun = begun;
  onBusy = makeWay;
  for (const key of ["7", "8", "9", "4", "5", "6", "1", "2", "3", "0", ",", "⌫"]) {
    const one = make("button", { type: "button", textContent: key });
    if (key === "⌫") one.dataset.label = "page-erase";
    if (key === ",") one.dataset.label = "page-comma";
    one.dataset.key = key;
    $("keys").append(one);
  }
  $("amount").addEventListener("input", takeAmount);
  $("charge").addEventListener("click", charge);
}
