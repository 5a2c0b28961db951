// What both pages share: words, amounts, the agent's events. Text only ever goes in as text.
"use strict";

const page = { texts: { fr: {}, en: {} }, language: localStorage.getItem("language") === "en" ? "en" : "fr" };
const $ = (id) => document.getElementById(id);

function word(id) {
  return page.texts[page.language][id] || id;
}

function words(object) {
  return object ? object["message_" + page.language] || "" : "";
}

function money(cents) {
  const text = Math.floor(cents / 100) + (page.language === "fr" ? "," : ".") + String(cents % 100).padStart(2, "0");
  return page.language === "fr" ? text + "\u00a0€" : "€" + text;
}

function show(id, visible) {
  $(id).hidden = !visible;
}

function setText(id, text) {
  const element = $(id);
  if (element.textContent !== text) element.textContent = text;
  element.hidden = text === "";
}

async function ask(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(path, options);
  const value = await answer.json();
  if (!answer.ok) throw value.error || {};
  return value;
}

const OPEN = ["waiting", "authorizing", "offer", "in_doubt"];

// Shows one sale by answers that may overtake each other: one that is over is never opened again by an older word, and
// one that is shown as open and is not under way any more is asked for.
function follow(shown, show) {
  const take = (next) => {
    const sale = shown();
    const isOlder = sale && sale.id === next.id && !OPEN.includes(sale.state) && OPEN.includes(next.state);
    if (!isOlder) show(next);
  };
  const again = async () => {
    const { id, state } = shown();
    const same = () => shown() && shown().id === id;
    try {
      const now = await ask("GET", "/api/sales/" + id);
      if (same() && now.state !== state) take(now);
    } catch (error) {
      // The terminal began anew, and nothing of it was written.
      if (same() && error.code === "error_not_found") show(null);
    }
  };
  return { take, again };
}

function translate() {
  document.documentElement.lang = page.language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = word(element.dataset.text);
}

// Loads the words, then follows the agent: `onSale` with each change of a sale, `onStatus` with the terminal's state.
async function start(onSale, onStatus, onGone) {
  page.texts = await ask("GET", "/api/texts");
  translate();
  let asking = false;
  let again = false;
  const refresh = async () => {
    if (asking) { again = true; return; }
    asking = true;
    do {
      again = false;
      try { onStatus(await ask("GET", "/api/status")); } catch { onGone(); }
    } while (again);
    asking = false;
  };
  const events = new EventSource("/api/events");
  events.addEventListener("sale", (event) => onSale(JSON.parse(event.data)));
  events.addEventListener("status", refresh);
  events.addEventListener("error", onGone);
  $("language").addEventListener("click", () => {
    page.language = page.language === "fr" ? "en" : "fr";
    localStorage.setItem("language", page.language);
    translate();
    refresh();
  });
  // Ages on the screen grow by themselves.
  setInterval(refresh, 15000);
}
