// What the member sees, as a window of its own or on the cashier's screen turned round: the amount, then thanks. Why
// something did not go through, the balance and a payment in part are shown here only, and only when asked for.

import { age, ask, isOpen, make, money, page, why, word, words } from "/assets/page.js";
import { canSpeak, onVoices, speak } from "/assets/sound.js";

// After this nothing private is left on the screen, nor a sale that is over.
const NEUTRAL_MS = 30000;

/// Builds it in `root`. `onNeutral` is called when it has gone back to neutral by itself, or because the member is done.
export function memberView(root, onNeutral = () => {}) {
  let language = sessionStorage.getItem("member-language") || page.language;
  let sale = null;
  let status = null;
  // What is shown on request: {title, lines, svg, choose}.
  let secret = null;
  let asking = null;
  let timer = null;

  const say = (id) => word(id, language);
  const key = (name, press, className) => {
    const one = make("button", { type: "button", className });
    one.dataset.say = name;
    one.addEventListener("click", press);
    return one;
  };
  const shop = make("h1", { className: "shop" });
  const training = make("p", { className: "banner" });
  const amount = make("p", { className: "huge" });
  const mark = make("p", { className: "mark" });
  mark.setAttribute("aria-hidden", "true");
  const message = make("p", { className: "words", role: "status" });
  const detail = make("div", { className: "secret", role: "status" });
  const parts = {
    look: key("page-look", offer, "main look"),
    accept: key("page-offer-accept", () => choose("POST", "/accept-part"), "main accept"),
    decline: key("page-offer-decline", () => choose("DELETE", ""), "decline"),
    why: key("page-why", reason, "why"),
    slip: key("page-slip", () => slip(sale), "slip"),
    balance: key("page-my-balance", balance, "balance"),
    hide: key("page-hide", neutral, "hide"),
    speak: key("page-speak", () => speak([amount, message, detail].map((part) => part.textContent).filter(Boolean).join(". "), language), "speak"),
    language: key("page-language", () => {
      language = language === "fr" ? "en" : "fr";
      sessionStorage.setItem("member-language", language);
      draw();
    }, "language"),
  };
  const notice = make("p", { className: "notice" });
  root.replaceChildren(training, shop, make("div", { className: "middle" }, amount, mark, message, detail,
    make("div", { className: "choices" }, parts.look, parts.accept, parts.decline)), notice,
  make("div", { className: "choices foot" }, parts.why, parts.slip, parts.balance, parts.hide, parts.speak, parts.language));

  function later() {
    clearTimeout(timer);
    timer = setTimeout(neutral, NEUTRAL_MS);
  }

  function neutral() {
    clearTimeout(timer);
    if (asking) { asking.abort(); asking = null; }
    secret = null;
    if (!isOpen(sale)) sale = null;
    draw();
    onNeutral();
  }

  function reveal(next) {
    secret = next;
    draw();
    later();
  }

  async function side() {
    const id = sale.id;
    const told = await ask("GET", "/api/sales/" + id + "/member-side");
    return sale?.id === id ? told : null;
  }

  async function reason() {
    try {
      const told = await side();
      if (told) reveal({ lines: () => [words(told, language), ...(told.available_cents === undefined ? [] : [say("page-available") + " : " + money(told.available_cents, language)])] });
    } catch (error) { reveal({ lines: () => [why(error, language)] }); }
  }

  async function offer() {
    try {
      const told = await side();
      if (told && sale.state === "offer") {
        reveal({ choose: true, lines: () => [words(told, language), say("page-offer-part") + " : " + money(told.offer_cents, language), say("page-offer-rest") + " : " + money(told.rest_cents, language)] });
      }
    } catch (error) { reveal({ lines: () => [why(error, language)] }); }
  }

  async function choose(method, path) {
    try {
      const next = await ask(method, "/api/sales/" + sale.id + path);
      secret = null;
      take(next);
    } catch (error) { reveal({ lines: () => [why(error, language)] }); }
  }

  async function slip(of) {
    try {
      const told = of.slip || await ask("GET", "/api/today/" + of.seq + "/e-receipt");
      reveal({ svg: told.svg, lines: () => [say("page-slip-scan")] });
    } catch (error) { reveal({ lines: () => [why(error, language)] }); }
  }

  // Whether there is a receipt without paper, where this terminal makes any.
  async function findSlip(id, seq) {
    try {
      const told = await ask("GET", "/api/today/" + seq + "/e-receipt");
      if (sale?.id === id) { sale.slip = told; draw(); }
    } catch { /* There is none. */ }
  }

  async function balance() {
    if (asking || isOpen(sale)) return;
    const mine = new AbortController();
    asking = mine;
    sale = null;
    secret = null;
    draw();
    try {
      const told = await ask("POST", "/api/balance", {}, mine.signal);
      asking = null;
      reveal({ lines: () => [say("page-available") + " : " + money(told.available_cents, language), say("page-as-of") + " " + age(told.age_s, language)] });
    } catch (error) {
      if (asking === mine) asking = null;
      if (error.aborted) draw(); else reveal({ lines: () => [why(error, language)] });
    }
  }

  function take(next) {
    const isNew = !sale || sale.id !== next.id;
    if (isNew || sale.state !== next.state || Boolean(sale.reversed) !== Boolean(next.reversed)) secret = null;
    sale = isNew ? next : { slip: sale.slip, ...next };
    if (sale.state === "accepted" && sale.seq && !sale.training && !sale.slip) findSlip(sale.id, sale.seq);
    if (isOpen(sale)) { if (secret === null) clearTimeout(timer); } else later();
    draw();
  }

  // Money that a till asks back: the card that paid names its sale.
  function refund() {
    const question = status?.till?.question;
    return question?.kind === "card" && !isOpen(sale) ? question : null;
  }

  // A failure of ours never looks like the member's, and how a sale was stopped is nobody's business.
  function said() {
    if (asking) return say("page-approach");
    if (refund()) return words(refund(), language);
    if (!sale || sale.state === "cancelled") return say("page-welcome");
    if (sale.reversed) return words(sale, language);
    if (sale.state === "accepted") return say("page-thanks");
    if (sale.state === "failed") return say("page-ours");
    if (sale.state === "timed_out") return words(sale, language);
    if (sale.state === "offer") return say("page-choice");
    if (sale.state === "declined") return say("sale-declined");
    if (sale.notice) return words(sale.notice, language);
    return say({ waiting: "page-approach", in_doubt: "sale-in-doubt" }[sale.state] || "sale-authorizing");
  }

  // The till is not told how it ends.
  const isBlind = () => Boolean(status?.till?.blind.some((one) => one.state === "asked"));

  function draw() {
    root.lang = language;
    const open = isOpen(sale);
    const reversed = Boolean(sale?.reversed);
    const accepted = sale?.state === "accepted" && !reversed && !refund();
    root.dataset.state = asking || refund() ? "open" : open ? "open" : reversed ? "reversed" : accepted ? "accepted" : sale ? "stopped" : "idle";
    const set = (element, text) => { if (element.textContent !== text) element.textContent = text; element.hidden = text === ""; };
    set(training, status?.training || sale?.training ? say("page-training-banner") : "");
    set(shop, status?.terminal.shop_name || "");
    set(amount, refund() && !secret ? money(refund().cents, language) : sale && sale.cents !== null && (open || accepted || reversed) && !secret ? money(sale.cents, language) : "");
    set(mark, secret ? "" : refund() ? ")))" : accepted ? "✓" : reversed ? "←" : sale?.state === "in_doubt" ? "↻" : asking || sale?.state === "waiting" ? ")))" : "");
    set(message, secret ? "" : said());
    detail.hidden = !secret;
    const inside = secret ? secret.lines().map((line) => make("p", { textContent: line })) : [];
    if (secret?.svg) inside.unshift(make("img", { src: secret.svg, alt: say("page-slip") }));
    detail.replaceChildren(...inside);
    set(notice, open && sale.from_till && !secret ? say(isBlind() ? "page-till-blind-member" : "page-from-till") : sale || asking || secret ? "" : say("page-print-notice"));
    const choosing = Boolean(secret?.choose) && sale?.state === "offer";
    parts.look.hidden = sale?.state !== "offer" || choosing;
    parts.accept.hidden = parts.decline.hidden = !choosing;
    parts.why.hidden = sale?.state !== "declined" || Boolean(secret);
    parts.slip.hidden = !accepted || !sale.slip || Boolean(secret);
    parts.balance.hidden = open || Boolean(asking) || Boolean(secret) || Boolean(status?.locked);
    parts.hide.hidden = !secret && !asking;
    parts.speak.hidden = !canSpeak(language);
    for (const one of root.querySelectorAll("[data-say]")) one.textContent = say(one.dataset.say);
  }
  onVoices(draw);

  return {
    sale: () => sale,
    take,
    status: (next) => { status = next; draw(); },
    none: () => { sale = null; secret = null; draw(); },
    speaks: (next) => { language = next; draw(); },
    isPrivate: () => Boolean(secret || asking),
    neutral, balance, slip, draw,
  };
}
