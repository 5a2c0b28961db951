// What all pages share: words, amounts, the agent's events. Text only ever goes in as text.

const asked = new URLSearchParams(location.search).get("lang");
const chosen = ["fr", "en"].includes(asked) ? asked : localStorage.getItem("language");

export const page = { texts: { fr: {}, en: {} }, language: chosen === "en" ? "en" : "fr" };
export const $ = (id) => document.getElementById(id);

export function word(id, language = page.language) {
  return page.texts[language][id] || id;
}

/// What a message of the agent says.
export function words(object, language = page.language) {
  return object ? object["message_" + language] || "" : "";
}

export function money(cents, language = page.language) {
  const [between, point] = language === "fr" ? ["\u00a0", ","] : [",", "."];
  const euros = String(Math.floor(cents / 100)).replace(/\B(?=(\d{3})+$)/g, between);
  const text = euros + point + String(cents % 100).padStart(2, "0");
  return language === "fr" ? text + "\u00a0€" : "€" + text;
}

export function age(seconds, language = page.language) {
  const say = (number, unit) => Math.floor(number) + "\u00a0" + word(unit, language);
  if (seconds === null || seconds === undefined) return word("page-never", language);
  if (seconds < 120) return say(seconds, "page-seconds");
  if (seconds < 7200) return say(seconds / 60, "page-minutes");
  if (seconds < 172800) return say(seconds / 3600, "page-hours");
  return say(seconds / 86400, "page-days");
}

export function show(id, visible) {
  $(id).hidden = !visible;
}

export function setText(id, text) {
  put(typeof id === "string" ? $(id) : id, text);
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = text === "";
}

/// An element with its properties and what is in it: texts, or elements.
export function make(tag, properties, ...inside) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside);
  return element;
}

/// A button with a word of the page.
export function button(name, press, className = "") {
  const element = make("button", { type: "button", className, textContent: word(name) });
  element.addEventListener("click", press);
  return element;
}

export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/// Asks the agent. What it refuses is thrown as `{code, message_fr, message_en}`; `{}` where it is not there.
export async function ask(method, path, body = method === "POST" ? {} : undefined, signal = undefined) {
  const options = { method, headers: {}, signal };
  if (body !== undefined) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer, value;
  try {
    answer = await fetch(path, options);
    value = await answer.json();
  } catch (error) { throw { aborted: error.name === "AbortError" }; }
  // Only a telephone that is not let in is told so.
  if (answer.status === 401) location.replace("/pair");
  if (!answer.ok) throw value.error || {};
  return value;
}

/// Why something could not be done, in words.
export function why(error, language = page.language) {
  return words(error, language) || word("page-agent-gone", language);
}

export const OPEN = ["waiting", "authorizing", "offer", "in_doubt"];

export const isOpen = (sale) => Boolean(sale) && OPEN.includes(sale.state);

// Shows one sale by answers that may overtake each other: one that is over is never opened again by an older word, and
// one that is shown as open and is not under way any more is asked for.
export function follow(shown, showSale) {
  const take = (next) => {
    const sale = shown();
    const isOlder = sale && sale.id === next.id && !isOpen(sale) && isOpen(next);
    if (!isOlder) showSale(next);
  };
  // What another page began is shown here too; what becomes of a sale that is over and put away is for the list.
  const heard = (next) => {
    if (shown()?.id === next.id || isOpen(next)) take(next);
  };
  const again = async () => {
    const { id, state } = shown();
    const same = () => shown() && shown().id === id;
    try {
      const now = await ask("GET", "/api/sales/" + id);
      if (same() && now.state !== state) take(now);
    } catch (error) {
      // The terminal began anew, and nothing of it was written.
      if (same() && error.code === "error_not_found") showSale(null);
    }
  };
  return { take, heard, again };
}

export function translate() {
  document.documentElement.lang = page.language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = word(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", word(element.dataset.label));
}

// From an event's arrival to the screen that shows it; the last one can be read as `painted`.
function painted(arrived) {
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      performance.clearMeasures("painted");
      performance.measure("painted", { start: arrived });
      channel.port1.close();
    };
    channel.port2.postMessage(0);
  });
}

/// Loads the words, then follows the agent: `onSale` with each change of a sale, `onStatus` with the terminal's state.
/// Gives what asks for the state at once.
export async function start(onSale, onStatus, onGone) {
  for (let isFirst = true; ; isFirst = false) {
    try { page.texts = await ask("GET", "/api/texts"); break; } catch {
      if (isFirst) document.body.dataset.gone = "yes";
      await new Promise((go) => setTimeout(go, 2000));
    }
  }
  delete document.body.dataset.gone;
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
  let events = null;
  const listen = () => {
    events = new EventSource("/api/events");
    events.addEventListener("sale", (event) => {
      painted(event.timeStamp);
      onSale(JSON.parse(event.data));
    });
    events.addEventListener("status", refresh);
    events.addEventListener("error", onGone);
  };
  listen();
  // Ages on the screen grow by themselves; a stream that was closed for good is opened again.
  setInterval(() => {
    if (events.readyState === EventSource.CLOSED) listen();
    refresh();
  }, 15000);
  return refresh;
}

export function otherLanguage(refresh) {
  page.language = page.language === "fr" ? "en" : "fr";
  localStorage.setItem("language", page.language);
  translate();
  refresh();
}
