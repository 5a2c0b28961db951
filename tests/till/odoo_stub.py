"""Runs the payment of an unmodified Odoo addon for Caisse-AP over IP, without Odoo.

    odoo_stub.py FOLDER PORT EUROS [card|check|ancv] [TIMEOUT_MS]

FOLDER holds the unpacked wheel. What the addon would give to the point of sale is printed as JSON. Nothing of the addon is
changed or copied: only the names that it imports from Odoo are made up here.
"""

import importlib.util
import json
import sys
import types
from pathlib import Path


class Currency:
    name = "EUR"
    decimal_places = 2

    def compare_amounts(self, one, other):
        return (one > other) - (one < other)


class Currencies:
    def browse(self, _id):
        return Currency()


class Environment(dict):
    def _(self, text, *args, **names):
        return text % (args or names) if args or names else text


def translate(text, *args, **names):
    return text % (args or names) if args or names else text


class Model:
    """A recordset of one."""

    env = Environment({"res.currency": Currencies()})
    _context = {}

    def browse(self, _id):
        return self

    def ensure_one(self):
        return self

    def sudo(self):
        return self

    def __iter__(self):
        return iter([self])


def plain(*_args, **_names):
    """A field, or a decorator with arguments: neither matters here."""
    return lambda method: method


def install():
    odoo = types.ModuleType("odoo")
    odoo._ = translate
    odoo.api = types.SimpleNamespace(model=lambda method: method, constrains=plain, depends=plain, onchange=plain)
    odoo.fields = types.SimpleNamespace(Selection=plain, Char=plain, Integer=plain, Boolean=plain)
    odoo.models = types.SimpleNamespace(Model=Model)
    exceptions = types.ModuleType("odoo.exceptions")
    exceptions.ValidationError = exceptions.UserError = ValueError
    odoo.exceptions = exceptions
    sys.modules.update({"odoo": odoo, "odoo.exceptions": exceptions})


def main():
    folder, port, euros = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    mode = sys.argv[4] if len(sys.argv) > 4 else "card"
    timeout_ms = int(sys.argv[5]) if len(sys.argv) > 5 else 180_000
    install()
    (source,) = folder.glob("**/l10n_fr_pos_caisse_ap_ip/models/pos_payment_method.py")
    spec = importlib.util.spec_from_file_location("pos_payment_method", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    method = module.PosPaymentMethod()
    method.display_name = "Alimentation"
    for prefix in ("fr_caisse_ap_ip_", "caisse_ap_ip_"):
        for name, value in (("address", "127.0.0.1"), ("port", port), ("mode", mode)):
            setattr(method, prefix + name, value)
    data = {"amount": euros, "currency_id": 1, "payment_method_id": 1, "payment_mode": mode, "timeout": timeout_ms}
    sent = getattr(method, "fr_caisse_ap_ip_send_payment", None) or method.caisse_ap_ip_send_payment
    print(json.dumps(sent(data)))


main()
