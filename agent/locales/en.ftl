# What cashiers and members see. On the cashier's and bystanders' side: neutral. The reason is on the member's side only.

# States of a sale
sale-waiting = Present the card
sale-authorizing = One moment…
sale-accepted = Accepted
sale-accepted-not-proven = Accepted, card not proven
sale-declined = Payment not completed
sale-cancelled = Sale cancelled
sale-timed-out = No card was presented in time
sale-failed = The sale could not be written down

# What the cashier can do
class-another-means = Offer another means of payment
class-try-again = Try again in a moment
class-call-fund = Call the food fund

# Remarks while it waits
notice-present-again = Take the card away, then present it again
notice-several-cards = Several cards: present only one
notice-card-unreadable = The card cannot be read: present it again, held flat
notice-card-with-contacts = Present a contactless card
notice-reader-in-use = Another program uses the reader
notice-reader-missing = No reader: connect it

# Reasons, for the member
decline-not-enrolled = This terminal is not enrolled with the food fund yet.
decline-terminal-revoked = The food fund has taken this terminal out of service. Call it to enrol the terminal again.
decline-epoch-closed = The enrolment of this terminal is closed. Call the food fund: it has to be enrolled again.
decline-quarantined = This terminal is suspended. Leave it on and connected, and call the food fund: it checks the terminal and enrols it again.
decline-paused = The food fund has paused payments here. Offer another means of payment.
decline-no-policy = This terminal has not received its settings yet. Try again in a moment.
decline-unknown-card = This card is not known here. A new card is known after the next connection.
decline-blocked = This card is blocked. Call the food fund.
decline-tier-too-low = This card did not prove that it is yours. Call the food fund.
decline-random-uid = This is no card of the fund (a telephone or a bank card?).
decline-non-unique-uid = This is no card of the fund.
decline-no-balance = No balance is available at this shop without a connection.
decline-balance-expired = The terminal has been without a connection for too long. Try again when it has one.
decline-list-too-old = The terminal has been without a connection for too long for this card. Try again when it has one.
decline-above-sale-limit = The amount is over the limit of one purchase.
decline-above-plain-sale-limit = The amount is over the limit of one purchase with this kind of card.
decline-above-plain-day-limit = The amount is over the limit of a day with this kind of card.
decline-insufficient-funds = The balance available at this shop is too small.

# Amounts
amount-empty = Give an amount.
amount-foreign-digits = Write the amount with the digits 0 to 9.
amount-not-a-number = This is no amount. Write it like 12.50.
amount-negative = An amount cannot be negative.
amount-too-many-decimals = An amount has at most two decimals.
amount-zero = The amount is zero.
amount-over-limit = The amount is over the limit of { $max } for one sale.

# Sales
sale-empty = The sale has no line.
sale-too-many-lines = The sale has more than 16 lines.
sale-unknown-category = This shop has no such category.
sale-nothing-covered = The fund covers nothing of this sale.
sale-too-large = The amount is too large.

# Errors
error-busy = A sale is under way at this terminal. Finish or cancel it first.
error-request-conflict = This id was used for another amount. Use a new one.
error-not-found = This sale is not known here.
error-too-late = A card was presented, or the sale is over: it cannot be cancelled any more.
error-no-card = No card was presented in time.
error-not-accepted = There are receipts of accepted sales only.
error-printer-off = No printer is set up.
error-printer-busy = The printer has too much to do already. Try again in a moment.
error-receipt = The receipt could not be made.
error-journal = The journal takes no writing: sales are stopped.
error-overloaded = The terminal has too much to do. Try again in a moment.
error-host = This is not the terminal's address.
error-origin = Another web page asked for this: it is refused.
error-content-type = The request must be JSON (content-type: application/json).
error-body-too-large = The request is too long.
error-bad-json = The request is not of the form that is described for this address.
error-unknown-path = There is nothing at this address.
error-method = This address is not used in this way.
error-not-enrolled = This terminal is not enrolled yet: cabas-agent enrol --hub URL --code CODE

# Journal
journal-ok = Journal: in order
journal-disk-full = The disk is full: sales are stopped. Free some space.
journal-read-only = The journal cannot be written: sales are stopped. Check the disk and its permissions.
journal-io-error = The disk fails: sales are stopped. Replace it; nothing that was sent is lost.
journal-corrupt = The journal is damaged: sales are stopped. Call the food fund.
journal-other = The journal does not answer: sales are stopped. Restart the terminal.

# Network
network-unknown = Connecting…
network-online = On line
network-offline = Off line: sales go on
network-not-the-hub = Off line: something that is not the fund answers (a Wi-Fi portal?)
network-refused = The fund refused this terminal's connection

# Reader
reader-no-service = The reader's service (pcscd) does not answer
reader-none = No reader: connect it
reader-ready = Reader ready
reader-lost = The reader was disconnected

# Printer
printer-off = No printer
printer-unknown = Printer: state unknown
printer-ready = Printer ready
printer-ready-mute = Printer reachable
printer-paper-out = Printer: out of paper
printer-cover-open = Printer: cover open
printer-offline = Printer off line
printer-unreachable = Printer not reachable
printer-hanging = The printer takes nothing any more
printer-unsure = Look at the paper: did the last receipt come out? If not, print it again.
printer-test-title = Test page
printer-test-ok = The printer is set up well if this line is right: é è à ç œ € ’

# Receipts
receipt-title-sale = PAYMENT RECEIPT
receipt-title-reversal = REVERSAL
receipt-title-refund = REFUND REQUEST
receipt-not-an-invoice = payment receipt – neither an invoice nor a till receipt
receipt-terminal = Terminal
receipt-number = No.
receipt-till = Till ref.
receipt-total = Total
receipt-fund-part = Paid by the fund
receipt-member-part = Paid by the member
receipt-duplicate = DUPLICATE
receipt-training = TRAINING – NO VALUE
receipt-not-proven = accepted, card not proven
receipt-helpline = Help:

# The cashier's page and the member's display
page-title = Cabas – till
page-charge = Charge
page-cancel = Cancel the sale
page-new-sale = New sale
page-print = Print the receipt
page-printed = Receipt sent to the printer
page-amount = Amount
page-category = Category
page-fund-part = Paid by the fund
page-member-part = Paid by the member, by other means
page-number = No.
page-state = State of the terminal
page-hub-seen = Contact:
page-balances-age = Balances:
page-list-age = Hot list:
page-unsynced = To send:
page-sales = sales
page-never = never
page-hide = Hide
page-available = Available here
page-agent-gone = The terminal's program does not answer
page-alarm = To be reported to the food fund
page-language = Français
page-erase = Erase
page-seconds = s
page-minutes = min
page-hours = h
page-days = d
page-approach = Hold the card here
page-thanks = Thank you
page-welcome = Welcome
page-why = Why?
page-print-notice = Receipts are printed on request only (French environmental code, art. D541-370).

# Reversals, refunds, payments in part
sale-offer = The member chooses on their screen
notice-same-card = Present the same card
decline-offer = What is available here is not enough for all of it. Do you want to pay the rest another way?
error-no-offer = There is nothing to accept for this sale.
error-paused = The food fund has paused payments. Offer another means of payment.
undo-unknown-sale = This sale was not made on this terminal. Refund it where it was made, or call the food fund.
undo-request-taken = This id was used for another operation. Use a new one.
undo-terminal = This terminal may not write any more. Call the food fund.
undo-reversed = This sale was reversed already.
undo-refunded = A refund of this sale was asked for already.
undo-too-late = This sale is too long ago to be reversed. Ask for a refund.
undo-card-counts = This card itself has counted the sale and cannot go back. Ask for a refund.
undo-lines = A refund has 1 to 16 lines.
undo-unknown-category = The sale has nothing in this category.
undo-too-much = At most { $max } can still be refunded in this category.
undo-nothing-paid = The fund paid nothing of that: there is nothing to give back to it.
undo-too-large = The amount is too large.
undo-done-reversal = Sale reversed. The amount is available again.
refund-offline = Refund request written down. It will be credited when the network is back.
refund-received = Refund request sent. The fund decides.
refund-credited = Refund credited.
refund-refused = The fund refused the refund. Call it: it says why.
receipt-note-reverses = Reverses payment No. { $stan }.
receipt-note-available-again = The amount is available again.
receipt-note-refunds = For payment No. { $stan }.
receipt-note-refund-online = The fund decides; its part is credited once it agrees.
receipt-note-refund-offline = The fund’s part will be credited when the network is back and the fund agrees.
receipt-note-credited = The fund’s part has been credited.
receipt-note-refused = The fund refused this request. Please ask the fund.
page-reverse = Reverse this sale
page-refund = Refund
page-refund-all = Refund all that is left
page-today = Today
page-today-empty = Nothing today
page-kind-sale = Sale
page-kind-reversal = Reversal
page-kind-refund = Refund
page-is-reversed = reversed
page-is-refunded = refunded
page-kept = receipts wait for the printer
page-kept-print = Print them
page-kept-discard = Throw them away
page-offer-part = The fund pays
page-offer-rest = You pay another way
page-offer-accept = Agreed
page-offer-decline = No, thank you

# Cards that count for themselves
sale-in-doubt = Present the same card again
notice-doubt-call = This card's last payment cannot be cleared up here: call the food fund
notice-paid-before = The payment before this one had gone through. Present the card again only for this one
notice-card-again = Nothing was paid: present the card again
error-in-doubt = The card may have paid. Present the same card again, or call the food fund.
page-doubts = To clear up:
page-card-keys = Card keys
page-keys-credential = sealed by the machine
page-keys-file = sealed by file

# The cashier's page: panels, the member's screen
page-online = On line
page-offline = Off line
page-connecting = Connecting…
page-terminal = terminal
page-level-stop = Stopped:
page-level-warn = Attention:
page-level-info = To know:
page-panels = Panels
page-tab-till = Till
page-tab-today = Sales
page-tab-day = Day
page-tab-tools = Tools
page-help = Help
page-helpline = To call:
page-sale = Sale
page-keys = Keys
page-comma = decimal point
page-total = Total
page-remove = Remove
page-back = Back
page-retry = Same amount again
page-later = Leave it for later
page-turn = Turn to the member
page-turned = The member's screen
page-turn-back = Give the screen back to the till
page-speak = Say it aloud
page-not-proven-do = Hand over the goods: the payment counts
page-broken-off = The sale under way was broken off and nothing was paid. Begin again.
page-look = See
page-choice = There is a choice for you here
page-ours = Our terminal failed. It is not your card.
page-my-balance = My balance
page-as-of = seen by the fund
page-slip = Receipt without paper
page-slip-scan = Photograph this code: it is your receipt.
page-balance = Balance (the member sees it)
page-balance-at-display = The member sees the balance on their screen.
page-display = Open the member's screen
page-test-printer = Test the printer
page-test-reader = Test the reader
page-test-reader-card = Present a card: nothing will be paid.
page-cashier = Cashier
page-no-cashier = No cashier
page-cashier-change = Change the cashier
page-lock = Lock
page-locked = Locked: type your code
page-code = Code
page-code-send = Confirm
page-training-on = Train
page-training-off = End the training
page-training-short = TRAINING
page-training-banner = TRAINING – NO VALUE
page-training-means = No sale counts while the training lasts. All screens and receipts say so.
page-play = Training: what does the card do?
page-play-accepted = Accepted
page-play-not-proven = Not proven
page-play-declined = Not completed
page-play-offer = In part
page-play-in-doubt = Taken away too early
page-sound-on = Sound on
page-sound-off = Sound off
page-phones = Telephones
page-phone-pair = Add a telephone
page-phone-remove = Remove
page-phone-fingerprint = Fingerprint:
page-date = Day
page-search = Search
page-nothing-found = Nothing found
page-refund-part = Refund these amounts
page-refund-which = Write at least one amount.
page-print-short = Print
page-day = The day
page-sold = Sales
page-requested = Total of the purchases
page-reversed-sum = Reversed
page-refunds-sum = Refunds asked for
page-perpetual = Perpetual total
page-by-category = By category
page-by-cashier = By cashier
page-day-print = Print where it stands
page-close-day = Close the day
page-close-month = Close the month
page-close-year = Close the year
page-close-day-means = Closing writes down the day's totals for good. Sales after it count for the next day.
page-close-month-means = Closing writes down the month's totals for good. Do it once a month.
page-close-year-means = Closing writes down the year's totals for good. Do it once, at the end of the year.
page-closed-day = Day closed
page-closed-month = Month closed
page-closed-year = Year closed
page-closed-before = closed before
page-closings = Closings
page-no-closings = No closing yet
page-period-day = Day
page-period-month = Month
page-period-year = Year

# The counter: cashiers, lock, training, tests
error-locked = The counter is locked: type your code.
error-code-wrong = Nobody here has this code. Try again.
error-code-wait = Too many wrong codes. Wait { $wait } s, then try again.
error-no-cashiers = No cashier has a code on this terminal.
error-training = The terminal is in training. Leave the training first.
error-not-training = The terminal is not in training.
error-no-reader = No reader is ready: plug it in, then try again.
reader-test-purse = The reader works: a card of the fund, of those that count for themselves.
reader-test-identity = The reader works: a card of the fund, of those that prove who they are.
reader-test-plain = The reader works: a plain card of the fund.
reader-test-unknown = The reader works, but this card is not known here.
disk-ok = Disk: room enough
disk-low = Disk: full soon
disk-full = Disk: full
clock-synced = Clock agrees with the fund’s
clock-carried = Clock is plausible, not compared with the fund’s yet
clock-unknown = The terminal’s clock is uncertain

# What is wrong, and what the cashier does
advice-journal-disk-full = The disk is full: nothing can be sold.
advice-journal-disk-full-todo = Take another means of payment and call the food fund: room has to be made.
advice-journal-read-only = The terminal can write nothing any more: nothing can be sold.
advice-journal-read-only-todo = Restart the terminal. If nothing changes, call the food fund.
advice-journal-io-error = The terminal’s disk fails: nothing can be sold.
advice-journal-io-error-todo = Leave the terminal on and call the food fund: the disk has to be replaced.
advice-journal-corrupt = The terminal’s journal is damaged: nothing can be sold.
advice-journal-corrupt-todo = Touch nothing and call the food fund.
advice-journal-other = The terminal’s journal does not answer: nothing can be sold.
advice-journal-other-todo = Restart the terminal. If nothing changes, call the food fund.
advice-terminal-not-enrolled = This terminal is not enrolled yet.
advice-terminal-not-enrolled-todo = Ask the food fund for an enrolment code.
advice-terminal-revoked = The food fund has withdrawn this terminal: it sells no more.
advice-terminal-revoked-todo = Take another means of payment and call the fund to enrol it again.
advice-terminal-closed = This terminal’s enrolment is closed: it sells no more.
advice-terminal-closed-todo = Take another means of payment and call the food fund: it has to be enrolled again.
advice-terminal-quarantined = This terminal is suspended until it has been checked: it sells no more.
advice-terminal-quarantined-todo = Leave it on and connected, take another means of payment and call the food fund.
advice-terminal-paused = The food fund has paused payments at this shop.
advice-terminal-paused-todo = Take another means of payment. Payments go on by themselves when the fund says so.
advice-no-settings = The terminal has not received its settings yet.
advice-no-settings-todo = See that it is connected and wait a minute. If nothing changes, call the food fund.
advice-reader-no-service = The card reader does not answer.
advice-reader-no-service-todo = Unplug the reader and plug it in again. If nothing changes, restart the terminal.
advice-reader-none = No card reader is plugged in.
advice-reader-none-todo = Plug the reader in: it is found within seconds.
advice-reader-lost = The card reader was unplugged.
advice-reader-lost-todo = Plug it in again and look at its cable.
advice-disk-full = There is hardly any room on the disk: the next sale may be the last.
advice-disk-full-todo = Call the food fund today: room has to be made.
advice-disk-low = The terminal’s disk fills up.
advice-disk-low-todo = Sales go on. Tell the food fund this week.
advice-cashiers-unreadable = The list of cashiers cannot be read: those of before stay, nobody new is known.
advice-cashiers-unreadable-todo = Tell whoever looks after the terminal: “cabas-agent cashier list” says what is wrong.
advice-doubts = A payment is not cleared up: the card may have paid.
advice-doubts-todo = Have the same card presented again when the person comes back. Refund nothing until then.
advice-captive-portal = The network wants something before it lets anything through (a Wi-Fi portal?). Sales go on.
advice-captive-portal-todo = Open a web page on this network and agree to what it asks, or take another network.
advice-hub-refused = The food fund does not accept this terminal’s connection. Sales go on as far as the balances here reach.
advice-hub-refused-todo = Call the food fund today.
advice-list-too-old = Not connected for too long: plain cards are not accepted any more, others are.
advice-list-too-old-todo = Connect the terminal, if only for a minute.
advice-balances-old = The balances are more than three days old: a recent purchase or credit may be missing.
advice-balances-old-todo = Connect the terminal as soon as you can.
advice-unsynced-days = Sales have waited for more than two days: they are on this terminal alone.
advice-unsynced-days-todo = Connect the terminal today: if it were lost, so would these sales.
advice-printer-paper-out = The printer has no paper. Sales go on.
advice-printer-paper-out-todo = Put in a roll; receipts that wait are printed when you ask for them.
advice-printer-cover-open = The printer’s cover is open. Sales go on.
advice-printer-cover-open-todo = Close the cover until it clicks.
advice-printer-offline = The printer is paused. Sales go on.
advice-printer-offline-todo = Press its “feed” or “on line” key; otherwise switch it off and on.
advice-printer-unreachable = The printer cannot be reached. Sales go on.
advice-printer-unreachable-todo = See that it is switched on and its cable plugged in.
advice-printer-hanging = The printer takes nothing any more. Sales go on.
advice-printer-hanging-todo = Switch it off and on.
advice-printer-unsure = Whether the last receipt came out whole is not known.
advice-printer-unsure-todo = Look at the paper. If it did not come out, print it again from today’s list.
advice-network-offline = No network. Sales go on.
advice-network-offline-todo = Nothing to do: everything is sent when the network is back.
advice-receipts-kept = Receipts wait for the printer.
advice-receipts-kept-todo = Print them or throw them away.
advice-clock-unknown = The terminal’s clock is uncertain: receipts may carry a wrong time.
advice-clock-unknown-todo = Connect the terminal, or have its clock set.
advice-alarms = There is something to tell the food fund.
advice-alarms-todo = Open the state of the terminal and read to the fund what it says. Sales go on.
advice-closing-day-due = A past day is not closed.
advice-closing-day-due-todo = Close it when you have a moment.
advice-closing-month-due = A past month is not closed.
advice-closing-month-due-todo = Close it when you have a moment.
advice-closing-year-due = A past year is not closed.
advice-closing-year-due-todo = Close it when you have a moment.

# Closings and history
error-bad-query = The request does not have the parameters described for this address.
error-no-closing = This closing is not known here.
error-bad-day = Give a day such as 2026-11-28.
error-bad-number = Give a receipt's number from 1 to 999999.
closing-due-day = The day of { $date } is not closed: close it.
closing-due-month = The month open since { $date } is not closed: close it.
closing-due-year = The year open since { $date } is not closed: close it.
closing-title-day = DAY CLOSING No. { $number }
closing-title-month = MONTH CLOSING No. { $number }
closing-title-year = YEAR CLOSING No. { $number }
closing-title-running = RUNNING TOTALS
closing-not-a-closing = not a closing
closing-enrolment = Enrolment
closing-from = From
closing-to = To
closing-rows = Journal rows
closing-sales = Sales
closing-requested = Total of sales
closing-fund-part = Fund's part
closing-member-part = Members' part
closing-reversed = Reversals
closing-refunds = Refunds asked for
closing-by-category = Sales by category
closing-by-cashier = Fund's part by cashier
closing-cashier = Cashier
closing-no-cashier = No cashier
closing-others = Others
closing-perpetual = Perpetual total
closing-hash = Hash

# The counter's telephones
error-pair-first = This telephone is not let in here, or no longer. Ask for a code at the terminal's own screen.
error-pair-code = It is not the code that is shown, or its time is over. Ask for a new one at the terminal's own screen.
error-pair-spent = Too many wrong codes: the one that was shown is worth nothing. Ask for a new one.
error-phone-name = A telephone's name is one line of at most 24 characters.
error-phones-off = No telephone is let in: the terminal's setting phone_listen is empty, or its log says what is wrong.
error-phones-full = Four telephones are let in already. Remove one first.
error-phones-write = The list of telephones could not be written. What was removed is so until the next start only; check the disk.
error-phones-random = The terminal could not draw a code. Try again.
error-phones-not-there = The telephones' address is not there yet: is the stall's Wi-Fi on?
error-phone-unknown = This telephone is not in the list.
error-too-slow = The request came too slowly. Try again.
# A sale that was reversed, a longer list
sale-reversed = This sale is reversed: nothing is paid
page-older = Older

# The local API for other programs
error-bad-path = The address has a part that is not of the form described for it.

# A sale from a shell
sell-left = { $left } s left
sell-offer = A part is offered to the member, on their own screen (/customer). Wait; Ctrl-C declines it.
sell-same-card = Nobody knows whether the card has paid: present the same card again. Ctrl-C leaves the sale for later.
sell-doubt = Nobody knows whether the card has paid. Take no other payment for it: run the same command with --request-id { $request } and present the same card, or call the food fund.
sell-training = TRAINING: nothing is sold and no money moves.
sell-training-mark = TRAINING
sell-not-proven = The card proved nothing: anybody can copy such a card. The sale counts.
sell-too-late = Too late to take it back: a card is there. One moment…
sell-was-late = It was too late to take it back: the card has paid. Undo it on the cashier's page if need be.
sell-nothing-paid = Nothing was paid.
sell-failed = It could not be written down. Before anything else is taken, run the same command with --request-id { $request }: it tells what became of it.
sell-lost = The terminal gives no answer: what became of the sale is not known here. Once it runs, run the same command with --request-id { $request }: no sale is made twice.
sell-gone = The terminal was started anew and does not have this sale: nothing was written down. To sell, run the command again.
sell-goes-on = The sale goes on at the terminal without this command; --request-id { $request } finds it again.
sell-number = no. { $number }
sell-number-and-parts = no. { $number } (fund { $fund }, member { $member })

# Tills
decline-till-part = The fund pays only part of these goods. The till cannot ask for a part: this is what would pass.
till-again = The till asks again for a sale that is paid. Is it the same one?
till-again-back = The till asks again for money back that was given. Is it the same?
advice-till-unconfirmed = A till may not know that a sale is paid.
advice-till-unconfirmed-todo = Look at the till whether this sale is paid there. If not, enter it as paid by food card, then say here that it is settled.
advice-till-shut = The tills cannot reach this terminal.
advice-till-shut-todo = Type the amounts here. Tell the person who sets up the terminal: till_…_listen, till_concert_device.
advice-till-category = Sales from tills are refused: their category does not exist here, or the fund pays only part of it.
advice-till-category-todo = Type the amounts here. Tell the person who sets up the terminal: till_category.
page-from-till = Amount from the till
page-till-ago = Paid
page-till-resend = The same one: tell the till again
page-till-new = New purchase
page-till-cancel = Cancel
page-till-settled = It is settled
page-till-unconfirmed = Not confirmed by the till

# Concert: tills that are told no end.
page-till-blind-asked = The till will not know whether this is paid: look at this screen.
page-till-blind-paid = Paid. The till does not know of it by itself.
page-till-blind-not-paid = NOT PAID: the till may think it is. Cancel this payment there.
page-till-blind-unknown = It is not known yet whether this is paid. Look at today's list before handing over the goods.
page-till-blind-member = The till will not know whether this is paid: show this screen.

# hw_proxy
till-not-paid = Payment not completed. Look at the terminal's screen.
till-busy = Terminal busy, or the sale was cancelled there.
till-no-card = No card was presented in time.
till-key-taken = This payment was used before. Remove the line and begin again.
till-left = Sale taken back: the till waited no longer.

# The second copy of the journal

advice-second-absent = The USB stick with the sales is not there.
advice-second-absent-todo = Sales go on. Put the stick back: it catches up by itself.
advice-second-full = The USB stick with the sales is full.
advice-second-full-todo = Sales go on. Tell the food fund: another stick is needed.
advice-second-failing = The USB stick with the sales cannot be written.
advice-second-failing-todo = Sales go on. Pull the stick out and put it back; where nothing changes another one is needed.
advice-second-other = The USB stick holds sales that this terminal does not know.
advice-second-other-todo = Keep this stick, delete nothing, and call the food fund.
