// The cashier's page: an amount, a card, done.

import { $, isOpen, otherLanguage, page, setText, start } from "/assets/page.js";
import { app, open, startDialog, tellStatus, view, whenOpened } from "/assets/app.js";
import { everything, showGone, showState } from "/assets/state.js";
import { begins, cancel, comeBack, sales, showSale, startSale, statusOfSale } from "/assets/sale.js";
import { answerLost, charge, press, showCategories, startTill, step } from "/assets/till.js";
import { closeCode, pressCode, sendCode, startTools, typesCode } from "/assets/tools.js";
import { startDay } from "/assets/day.js";
import { startTills } from "/assets/tills.js";
import { startToday } from "/assets/today.js";
import { makeWay, startTurned, tellMember } from "/assets/turned.js";

let isFirst = true;

function nameHelp() {
  $("help").href = "/help?lang=" + page.language;
}

function heard(sale) {
  sales.heard(sale);
  tellMember(app.sale);
}

function begun(sale) {
  sales.take(sale);
  tellMember(app.sale);
}

async function showStatus(status) {
  tellStatus(status);
  setText("shop", status.terminal.shop_name || "Cabas");
  showState(status);
  showCategories(status.categories);
  statusOfSale(status);
  tellMember(app.sale);
  const wasFirst = isFirst;
  isFirst = false;
  if (wasFirst || answerLost()) await comeBack(status);
  if (wasFirst && !app.sale && view() === "till") $("amount").focus();
}

function key(name) {
  if (typesCode()) pressCode(name);
  else if (begins()) press(name);
}

function enter() {
  if (typesCode()) sendCode();
  else if (!app.sale) charge();
  else if (!isOpen(app.sale)) $("next").click();
}

function escape() {
  if (view() !== "till") open("till");
  else if (typesCode() && !app.status?.locked) closeCode();
  else if (isOpen(app.sale) && app.sale.state !== "in_doubt") cancel();
  else if (app.sale) $("next").click();
}

// A key that is held down is pressed once.
document.addEventListener("keydown", (event) => {
  if (event.repeat && ["Enter", " "].includes(event.key)) { event.preventDefault(); event.stopPropagation(); }
}, true);

document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) {
    if (!(event.repeat && event.key === "Backspace")) return;
  }
  const on = document.activeElement;
  const types = on.tagName === "INPUT";
  if (event.key === "Escape") { escape(); return; }
  if (view() !== "till" || (types && !["amount", "code-typed"].includes(on.id))) return;
  const presses = on.closest("button, a, summary");
  if (event.key === "Enter" && !presses) { event.preventDefault(); enter(); return; }
  if (["ArrowDown", "ArrowUp"].includes(event.key) && !app.sale && on.id === "amount") { event.preventDefault(); step(event.key === "ArrowDown" ? 1 : -1); return; }
  if (types) return;
  if (/^[0-9.,]$/.test(event.key)) { event.preventDefault(); key(event.key); }
  else if (event.key === "Backspace" && !app.sale) { event.preventDefault(); key("⌫"); }
});

startDialog();
startTurned();
startTill(begun, makeWay);
startSale();
startToday();
startTills();
startDay();
startTools();
$("keys").addEventListener("click", (event) => {
  const name = event.target.closest("button")?.dataset.key;
  if (name) key(name);
});
for (const tab of document.querySelectorAll("[data-open]")) tab.addEventListener("click", () => { setText("said", ""); open(tab.dataset.open); if (app.status) $("everything").replaceChildren(everything(app.status)); });
whenOpened("till", () => setText("said", ""));
// The back button of a browser goes back to the till, not away from it.
history.replaceState({ till: true }, "");
history.pushState({ till: true }, "");
window.addEventListener("popstate", () => { history.pushState({ till: true }, ""); open("till"); });
nameHelp();
showSale(null);
open(sessionStorage.getItem("view") || "till");
app.refresh = await start(heard, showStatus, showGone);
$("language").addEventListener("click", () => { otherLanguage(app.refresh); nameHelp(); });
