// What the parts of the cashier's page share: the sale that is shown, the terminal's state, which panel is open.

import { $, make, button, page, setText, show, why, word } from "/assets/page.js";

export const app = { sale: null, status: null, refresh: () => {} };
const VIEWS = ["till", "today", "day", "tools"];
const onView = {};
const onStatus = [];

/// Calls `tell` when the panel is opened.
export function whenOpened(view, tell) {
  onView[view] = tell;
}

/// Calls `tell` with each state of the terminal.
export function whenStatus(tell) {
  onStatus.push(tell);
}

export function tellStatus(status) {
  app.status = status;
  for (const tell of onStatus) tell(status);
}

/// Whether something on the screen is only played.
export function showBanner() {
  const on = Boolean(app.status?.training || app.sale?.training);
  document.body.dataset.training = on ? "yes" : "no";
  show("training", on);
  if (app.status) document.title = (on ? word("page-training-short") + " – " : "") + word("page-title");
}

export const view = () => document.body.dataset.view;

export function open(name) {
  document.body.dataset.view = name;
  for (const other of VIEWS) {
    show("view-" + other, other === name);
    const tab = document.querySelector(`[data-open="${other}"]`);
    if (other === name) tab.setAttribute("aria-current", "page"); else tab.removeAttribute("aria-current");
  }
  sessionStorage.setItem("view", name);
  if (onView[name]) onView[name]();
}

/// Tells how something went, below the panels' titles; a problem is read at once.
export function say(text) {
  setText("said", text);
}

/// Does it, and says why not.
export async function attempt(work) {
  try { return await work(); } catch (error) { say(why(error)); return null; }
}

/// Asks before something is done: true where it is confirmed.
export function confirmed(title, text, yes) {
  return new Promise((answer) => {
    const go = (value) => () => { answer(value); closeDialog(); };
    openDialog(title, [make("p", { textContent: text })], [button(yes, go(true), "main"), button("page-back", go(false))], () => answer(false));
  });
}

let onClosed = null;

/// A window over the page. Escape and its last button close it.
export function openDialog(title, inside, buttons, closed = null) {
  onClosed = closed;
  $("ask-title").textContent = title;
  $("ask-body").replaceChildren(...inside);
  $("ask-buttons").replaceChildren(...buttons);
  if (!$("ask").open) $("ask").showModal();
}

export function closeDialog() {
  if ($("ask").open) $("ask").close();
}

export function startDialog() {
  $("ask").addEventListener("close", () => { if (onClosed) onClosed(); onClosed = null; });
}

/// A list of names and values.
export function pairs(rows) {
  return make("dl", {}, ...rows.map(([name, text]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: text }))));
}

export const label = (thing) => thing["label_" + page.language] || thing.category || "";

/// The name of a cashier as the shop gave it.
export const cashierName = (cashier) => cashier.label || (cashier.number ? word("page-cashier") + " " + cashier.number : word("page-no-cashier"));
