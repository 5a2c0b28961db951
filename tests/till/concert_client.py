"""Runs an unmodified till that speaks Concert on a device file, and prints as JSON what it would tell the cashier.

    concert_client.py DEVICE telium EUROS [debit|credit|refund] [WAIT_S]
    concert_client.py DEVICE telium-probe
    concert_client.py DEVICE pypostelium EUROS [card|check]
    concert_client.py DEVICE odoo-driver EUROS

Nothing of the clients is changed or copied.
"""

import json
import sys


def telium(device, euros, kind="debit", wait_s="60"):
    from telium import Telium, TeliumAsk

    till = Telium(device)
    ask = TeliumAsk.new_payment(float(euros), payment_mode=kind, target_currency="EUR")
    told = {"asked": till.ask(ask)}
    answer = till.verify(ask, waiting_timeout=int(wait_s))
    till.close()
    if answer is None:
        return {**told, "answer": None}
    return {**told, "answer": answer.has_succeeded, "euros": answer.amount, "status": answer.transaction_result}


def telium_probe(device):
    from telium import Telium

    till = Telium(device)
    is_ok = till.is_ok()
    till.close()
    return {"ok": is_ok}


def pypostelium(device, euros, mode="card"):
    from pypostelium import Driver

    info = {"amount": float(euros), "currency_iso": "EUR", "currency_decimals": 2, "payment_mode": mode}
    return {"result": Driver({"telium_terminal_device_name": device}).transaction_start(json.dumps(info))}


def odoo_driver(device, euros):
    import odoo_driver  # noqa: F401  first: it finds its plug-ins
    from odoo_driver.app import app
    from odoo_driver.tools import tools_interface

    tools_interface.interface.drivers["payment"]._terminal_file = device
    info = json.dumps({"amount": float(euros), "currency_iso": "EUR"})
    body = {"jsonrpc": "2.0", "params": {"payment_info": info}}
    answer = app.test_client().post("/hw_proxy/payment_terminal_transaction_start", json=body)
    return {"code": answer.status_code, "result": (answer.get_json(silent=True) or {}).get("result")}


CLIENTS = {"telium": telium, "telium-probe": telium_probe, "pypostelium": pypostelium, "odoo-driver": odoo_driver}

try:
    said = CLIENTS[sys.argv[2]](sys.argv[1], *sys.argv[3:])
except Exception as error:  # what the point of sale would show as a failure
    said = {"error": type(error).__name__}
print("TOLD " + json.dumps(said))
