// The day's totals, and the closings of day, month and year, each confirmed by itself.

import { $, ask, button, make, money, page, setText, show, why, word } from "/assets/page.js";
import { app, attempt, cashierName, confirmed, label, pairs, say, view, whenOpened, whenStatus } from "/assets/app.js";

const PERIODS = ["day", "month", "year"];

function sums(totals) {
  const rows = [[word("page-sold"), String(totals.sales)]];
  const add = (name, cents) => { if (cents !== undefined && cents !== null) rows.push([word(name), money(cents)]); };
  add("page-requested", totals.requested_cents);
  add("page-fund-part", totals.fund_cents);
  add("page-member-part", totals.member_cents);
  add("page-reversed-sum", totals.reversed_cents);
  add("page-refunds-sum", totals.refunds_cents);
  add("page-perpetual", totals.perpetual_cents);
  return rows;
}

function table(name, things, head) {
  if (!things || things.length === 0) return [];
  const cells = (tag, texts) => make("tr", {}, ...texts.map((text) => make(tag, { textContent: text })));
  return [make("table", {}, make("caption", { textContent: word(name) }),
    make("thead", {}, cells("th", [word(head), word("page-sold"), word("page-fund-part")])),
    make("tbody", {}, ...things.map((one) => cells("td", [one.number === undefined ? label(one) : cashierName(one), String(one.sales), money(one.fund_cents)]))))];
}

async function close(period) {
  const sure = await confirmed(word("page-close-" + period), word("page-close-" + period + "-means"), "page-close-" + period);
  if (!sure) return;
  await attempt(async () => {
    const done = await ask("POST", "/api/day-close", { period });
    say(word("page-closed-" + period) + " · " + word("page-number") + " " + done.number + (done.is_new ? "" : " · " + word("page-closed-before")));
    $("closed").replaceChildren(pairs(sums(done)));
  });
  app.refresh();
  await showDay();
}

function closing(one) {
  const text = [word("page-period-" + one.period) + " " + one.number, one.at, one.sales + " " + word("page-sales"), money(one.fund_cents), word("page-perpetual") + " " + money(one.perpetual_cents)].join(" · ");
  return make("li", {}, make("span", { textContent: text }), button("page-print-short", () => attempt(async () => {
    await ask("POST", "/api/closings/" + one.seq + "/receipt", { language: page.language });
    say(word("page-printed"));
  })));
}

let asking = false;
let again = false;

// One request at a time: whatever changes meanwhile is asked for once more.
async function showDay() {
  if (asking) { again = true; return; }
  asking = true;
  do {
    again = false;
    await askDay();
  } while (again);
  asking = false;
}

async function askDay() {
  if (app.status?.closing === undefined) return;
  try {
    const [day, { closings }] = await Promise.all([ask("GET", "/api/day"), ask("GET", "/api/closings?limit=50")]);
    $("sums").replaceChildren(pairs(sums(day)), ...table("page-by-category", day.by_category, "page-category"), ...table("page-by-cashier", day.cashiers, "page-cashier"));
    $("closings").replaceChildren(...(closings.length > 0 ? closings.map(closing) : [make("li", { textContent: word("page-no-closings") })]));
  } catch (error) { setText("sums", why(error)); }
}

export function startDay() {
  for (const period of PERIODS) $("close-" + period).addEventListener("click", () => close(period));
  $("day-print").addEventListener("click", () => attempt(async () => {
    await ask("POST", "/api/day/receipt", { language: page.language });
    say(word("page-printed"));
  }));
  whenOpened("day", showDay);
  whenStatus((status) => {
    const has = status.closing !== undefined;
    for (const id of ["day-print", "closings-title", "closings", "sums"]) show(id, has);
    if (view() === "day") showDay();
  });
}
