// How the terminal is, always in sight: each thing with a shape and a word, worst first; and what to do about it.

import { $, age, make, money, setText, show, word, words } from "/assets/page.js";

const SHAPE = { stop: "■", warn: "▲", info: "○", ok: "●" };
const ORDER = ["stop", "warn", "info", "ok"];
const OLD_S = 86400;
const PRINTER_WRONG = ["paper_out", "cover_open", "unreachable", "hanging", "off_line", "last_job_unsure"];

function things(status) {
  const { hub, balances, hot_list: list, unsynced, reader, printer, journal, disk, clock, doubts } = status;
  const old = (seconds) => (seconds === null || seconds === undefined || seconds > OLD_S ? "warn" : "ok");
  const reached = hub.reachable === null ? "info" : hub.reachable ? "ok" : "warn";
  const found = [
    [reached, word(hub.reachable === null ? "page-connecting" : hub.reachable ? "page-online" : "page-offline"), words(hub)],
    [old(hub.last_seen_s), word("page-hub-seen") + " " + age(hub.last_seen_s)],
    [old(balances.age_s), word("page-balances-age") + " " + age(balances.age_s)],
    [old(list.age_s), word("page-list-age") + " " + age(list.age_s)],
    [unsynced.count > 0 && reached === "warn" ? "warn" : "ok", word("page-unsynced") + " " + unsynced.count + " · " + money(unsynced.cents)],
    [reader.state === "ready" ? "ok" : "stop", words(reader)],
    [PRINTER_WRONG.includes(printer.state) ? "warn" : "ok", words(printer)],
    [disk ? { ok: "ok", low: "warn" }[disk.state] || "stop" : "ok", disk ? words(disk) : ""],
    [clock.well === false ? "warn" : "ok", words(clock)],
    [journal.state === "ok" ? "ok" : "stop", words(journal)],
    [doubts.length > 0 ? "warn" : "ok", doubts.length > 0 ? word("page-doubts") + " " + doubts.length : ""],
  ];
  const shown = found.filter(([, text]) => text !== "");
  return shown.sort((one, other) => ORDER.indexOf(one[0]) - ORDER.indexOf(other[0]));
}

// One list of what is wrong; where the terminal makes none, what it says of itself.
function advice(status) {
  if (status.advice) return status.advice;
  const alarms = status.alarms.map((alarm) => ({ level: "warn", message_fr: alarm.text, message_en: alarm.text, todo_fr: word("page-alarm", "fr"), todo_en: word("page-alarm", "en") }));
  const standing = status.message_fr ? [{ level: "stop", message_fr: status.message_fr, message_en: status.message_en }] : [];
  return [...standing, ...alarms];
}

const todo = (one) => one["todo_" + document.documentElement.lang] || "";

function line(one) {
  const text = make("span", {}, make("b", { textContent: SHAPE[one.level] + " " + words(one) }), todo(one) ? " → " + todo(one) : "");
  return text;
}

export function showGone() {
  setText("gone", word("page-agent-gone"));
}

export function showState(status) {
  setText("gone", "");
  $("chips").replaceChildren(...things(status).map(([level, text, whole]) => {
    const mark = make("span", { textContent: SHAPE[level] + " " });
    mark.setAttribute("aria-hidden", "true");
    const spoken = make("span", { className: "spoken", textContent: level === "ok" ? "" : word("page-level-" + level) + " " });
    return make("li", { className: level, title: whole || text }, mark, spoken, text);
  }));
  const list = advice(status);
  show("advice", list.length > 0);
  if (list.length > 0) {
    $("advice").className = list[0].level;
    $("advice-first").replaceChildren(line(list[0]), ...(list.length > 1 ? [make("span", { className: "more", textContent: "+" + (list.length - 1) })] : []));
    $("advice-more").replaceChildren(...list.slice(1).map((one) => make("li", { className: one.level }, line(one))));
  }
}

/// Everything that is known of the terminal, for who is on the telephone.
export function everything(status) {
  const rows = things(status).map(([level, text, whole]) => SHAPE[level] + " " + (whole || text));
  for (const doubt of status.doubts) rows.push([word("page-doubts"), word("page-number"), doubt.stan, "·", money(doubt.cents)].join(" "));
  rows.push(word("page-card-keys") + " " + word(status.sealed_by === "credential" ? "page-keys-credential" : "page-keys-file"));
  rows.push("Cabas " + status.program + " · " + word("page-terminal") + " " + status.terminal.id + "/" + status.terminal.epoch);
  return make("ul", { className: "everything" }, ...rows.map((text) => make("li", { textContent: text })));
}
