// Runs the payment of an unmodified Odoo addon in JavaScript (pos_payment_terminal 14 and 18), without Odoo.
//
//   node odoo_js.mjs FILE PORT EUROS KEY ORDER
//
// FILE is the addon's own file; only the names that it imports from Odoo are made up here. What the point of sale would
// conclude is printed as JSON; then the state is asked for once more, as the point of sale does every five seconds.

import { readFileSync } from "node:fs";

const [file, port, euros, key, order] = process.argv.slice(2);
const source = readFileSync(file, "utf8");
const dialogs = [];
const statuses = [];

// As the point of sale: JSON-RPC by POST from a page of one origin.
async function rpc(verb, params) {
  const answer = await fetch(`http://127.0.0.1:${port}/hw_proxy/${verb}`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: "https://odoo.example" },
    body: JSON.stringify({ jsonrpc: "2.0", method: "call", params, id: 1 }),
  });
  const body = await answer.json();
  if (!answer.ok || body.error) throw new Error(JSON.stringify(body));
  return body.result;
}

const line = { amount: Number(euros), cid: key, payment_method_id: {}, set_payment_status: (status) => statuses.push(status) };
const message = (verb, params) => rpc(verb, params);
const pos = {
  currency: { name: "EUR", decimals: 2 },
  get_order: () => ({ name: order, selected_paymentline: line, get_selected_paymentline: () => line }),
  getPendingPaymentLine: () => line,
  hardwareProxy: { message },
  proxy: { message, connection: { rpc: (path, params) => rpc(path.replace("/hw_proxy/", ""), params) } },
};
const method = { oca_payment_terminal_mode: "card" };
let Terminal;

if (file.endsWith(".esm.js")) {
  class PaymentInterface { async send_payment_request() {} send_payment_cancel() {} }
  const names = { AlertDialog: class {}, PaymentInterface, _t: (text) => text, register_payment_method: (_name, made) => { Terminal = made; } };
  const body = source.replace(/^import .*$/gm, "").replace("export class", "class");
  new Function(...Object.keys(names), body)(...Object.values(names));
} else {
  const PaymentInterface = { extend: (own) => class { constructor() { Object.assign(this, own, { _super() {} }); } } };
  const names = { "web.core": { _t: (text) => text }, "point_of_sale.PaymentInterface": PaymentInterface,
    "point_of_sale.Gui": { Gui: { showPopup: (_kind, shown) => dialogs.push(shown.body) } } };
  globalThis.odoo = { define: (_name, make) => { Terminal = make((name) => names[name]); } };
  new Function(source)();
}

const terminal = new Terminal();
Object.assign(terminal, { pos, payment_method_id: method, payment_method: method,
  env: { services: { dialog: { add: (_kind, shown) => dialogs.push(shown.body) } } } });
let paid = null;
let isForced = false;
try { paid = await terminal.send_payment_request(key); } catch { isForced = true; }
await rpc("status_json", {});
await rpc("handshake", {});
console.log(JSON.stringify({ paid, forced: isForced, statuses, dialogs, status: line.terminal_transaction_status ?? null, transaction: line.transaction_id ?? null }));
process.exit(0);
