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
page-truncated = The list is longer: search by number.
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
