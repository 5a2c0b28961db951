# What is voted, the month's credit, what two people decide
menu-credits = Credits
menu-approvals = To approve
month-january = January
month-february = February
month-march = March
month-april = April
month-may = May
month-june = June
month-july = July
month-august = August
month-september = September
month-october = October
month-november = November
month-december = December
voted-tabs = Credits and rules
voted-tab-credits = Monthly credit
voted-tab-rules = Voted rules
voted-tab-expiries = Unspent money
voted-tab-corrections = Corrections
voted-tab-repayments = Debits without goods
voted-tab-goodwill = Advances
voted-tab-closings = Lost terminals
voted-month = Month
voted-month-hint = year and month, such as 2026-12
voted-month-wrong = Write the month like 2026-12.
voted-amount = Amount
voted-amount-hint = in euros, such as 12.50
voted-amount-wrong = Write an amount in euros, like 12.50.
voted-household = Household
voted-households = Households
voted-number = No.
voted-reason = Reason
voted-reason-hint = at most 64 letters, without anybody’s name: it is kept for ever
voted-reason-wrong = Give a reason of 1 to 64 letters.
voted-proposed = Proposed by
voted-state = State
voted-booked-before = Booked before
voted-more = … and { $count } more.
voted-people = { $count ->
    [one] 1 person
   *[other] { $count } people
}
voted-children = { $count ->
    [one] 1 of them a child under 14
   *[other] { $count } of them children under 14
}
voted-under-way = It is under way: see how far it is.
voted-see-approvals = See what waits for a second person.
voted-is-proposed = waits for a second person
voted-is-booked = approved
voted-is-closed = closed
voted-is-withdrawn = taken back or refused
voted-is-expired = too old
dashboard-waiting = { $count ->
    [one] 1 decision waits for a second person.
   *[other] { $count } decisions wait for a second person.
}

# The month's credit
credits-title = Monthly credit
credits-how = Look first at what would be booked; nothing changes before you agree. What you agree to is booked just as you saw it, once, even if a rule or a household changes meanwhile.
credits-period = Month to credit
credits-source = Funder
credits-source-hint = whose money is given first
credits-further = Then, where this funder has not enough
credits-further-how = Each household is paid whole by the first that has enough. An empty field does not count.
credits-source-nth = Funder { $number }
credits-source-wrong = Give the funder’s name, 1 to 64 letters.
credits-look = Look
credits-new-source = One of these funders never gave anything before. Is this the right name?
credits-for = { $count ->
    [0] No household to credit.
    [one] to credit to 1 household.
   *[other] to credit to { $count } households.
}
credits-before = Booked before: { $amount }.
credits-book = Credit { $amount }
credits-book-hint = A credit that is booked is not erased: a mistake is corrected by two people, household by household.
credits-from = Given by each
credits-then = then
credits-missing = { $amount } is missing. Name one more funder, raise a budget (page Funders), or agree below to go beyond a budget.
credits-missing-last = { $amount } is missing. Name a funder after the contributions: no more contributions are given than came in.
credits-over = Agreement to go beyond a budget
credits-over-hint = in euros, in all for this month, from the funder named last: at least { $amount }. Your name is kept with this agreement.
credits-elsewhere = Other funders gave { $amount } to these households for this month. Name them too, so that nobody is paid twice.
credits-extra = Credit these households once more
credits-open-asked = This credit was begun and is not finished: { $amount } is still to be booked, as it was fixed at the start.
credits-open-other = Another credit of this month was begun and is not finished: finish it first.
credits-open-see = See this credit
credits-go-on = Finish: credit { $amount }
credits-all-booked = Everything is booked for this month and these funders.
credits-exceptions = To look at first
credits-exceptions-list = Households that get nothing, or are worth a look
credits-no-exception = Nothing out of the ordinary.
credits-why = Why
credits-why-left = left: gets nothing
credits-why-other-source = credited for this month by another funder
credits-why-no-card = has no card in use
credits-why-owes = this is still to be withheld from what it gets
credits-lines-title = Household by household
credits-lines = What each household gets
credits-people = People
credits-children = of them under 14
credits-booked-title = Months that were credited
credits-booked = What was credited, month by month
credits-none = No month was credited yet.

# Rules
rules-title = Voted rules
rules-how = Each rule holds from a month on and stays here. Months that were credited keep theirs.
rules-from = From { $month } on
rules-until = until { $month }
rules-holds-now = holds now
rules-holds-later = to come
rules-holds-past = past
rules-first = First person
rules-further = Each further person of 14 or more
rules-child = Each child under 14
rules-unspent = Unspent money
rules-expires = { $count ->
    [one] expires after 1 month
   *[other] expires after { $count } months
}
rules-carried = carried over without end
rules-examples = Each month:
rules-noted-by = Noted by { $name }
rules-new = Note a new rule
rules-new-how = Note what the members voted. You will see examples before you confirm.
rules-new-from = First month
rules-expire = Unspent money expires after (months)
rules-expire-hint = 1 to 120; leave it empty to carry it over without end
rules-expire-wrong = Write a number of months from 1 to 120, or nothing.
rules-check = See examples
rule-check-title = Confirm the new rule
rule-check-examples = What three households get each month
rule-check-before = Until then
rule-check-after = By the new rule
rule-check-ask = A rule that is noted is never changed: the next one takes its place from its month on.
rule-check-go = Note this rule

# Unspent money
expiries-title = Unspent money
expiries-how = By the voted rule unspent money is carried over, or expires after some months and goes back to the fund. The oldest is always spent first.
expiries-period = At the end of which month
expiries-look = Look
expiries-at-end = At the end of { $month }
expiries-rules = See the rules
expiries-before = Booked before: { $amount }.
expiries-book = Let { $amount } expire
expiries-book-hint = This is not erased. What lies at a silent terminal waits until its journal comes.
expiries-nothing = Nothing is left to expire.
expiries-lines = Households of whom a part expires
expiries-carried = By the rule of this month nothing expires: all is carried over.
expiries-booked-title = Expired before
expiries-booked = What expired, month by month
expiries-none = Nothing expired yet.

# Corrections
corrections-title = Corrections
corrections-how = A correction gives a household more or less than the rule. One person proposes it, another one approves it.
corrections-none = No correction.
corrections-list = The newest corrections
corrections-new = Propose a correction
corrections-no-source = No funder gave anything yet: credit a month first.
corrections-household = Code of the household
corrections-household-hint = as in the list of households
corrections-household-wrong = No household has this code.
corrections-direction = Direction
corrections-direction-wrong = Choose: give or take.
corrections-more = give to the household
corrections-less = take from the household (from what is free, then from what it gets)
corrections-amount-wrong = Write an amount in euros above zero, like 12.50.
corrections-source = Which funder’s money
corrections-source-wrong = Choose a funder from the list.
corrections-propose = Propose

# Repayments
repayments-title = Debits without goods
repayments-how = A chip card that was taken away in the middle of a payment may have counted a purchase that no shop claims. One person proposes to give the money back to the household, another one approves it.
repayments-none = Nothing was given back.
repayments-list = The newest requests
repayments-card = Number of the card
repayments-card-hint = printed on the card
repayments-card-wrong = No chip card has this number.
repayments-new = Look for a card
repayments-look = Look
repayments-nothing = All that this card counted is claimed by a shop: there is nothing to give back.
repayments-between = On the card’s counter:
repayments-told = { $count ->
    [one] Other cards tell of 1 sale here: the shop’s journal may still come.
   *[other] Other cards tell of { $count } sales here: the shop’s journal may still come.
}
repayments-propose = Propose to give it back

# Goodwill
goodwill-title = Advances
goodwill-how = When a terminal does not answer any more, the money of households is locked there. The fund can advance it, within these limits; if it was spent there as well, the fund loses it.
goodwill-on = on
goodwill-off = off
goodwill-switch = Advances
goodwill-switch-wrong = Choose: on or off.
goodwill-household = To one household, at the most
goodwill-total = In all, at the most
goodwill-limit-wrong = Write an amount in euros, above zero where advances are on.
goodwill-days = Days of silence before it is advanced
goodwill-days-hint = 1 to 365
goodwill-days-wrong = Write a number of days from 1 to 365.
goodwill-after-days = { $count ->
    [one] after 1 day
   *[other] after { $count } days
}
goodwill-outstanding = Advanced and not paid back
goodwill-list = The newest proposals
goodwill-asked = Proposal
goodwill-until = until { $when }
goodwill-new = Propose a change
goodwill-new-how = Another person approves it, within 30 days.
goodwill-propose = Propose

# Closings
closings-title = Lost terminals
closings-how = A terminal that will not come back is closed by two people, at the newest row that came. The money that lay there goes back to the households; sales that come later are not paid.
closings-open-title = Open enrolments
closings-open = What could be closed
closings-none-open = No enrolment is open.
closings-terminal = Terminal
closings-epoch = enrolment { $number }
closings-row = Newest row that came
closings-left = Left there
closings-do = Action
closings-close = Close…
closings-close-of = Close an enrolment of terminal { $number }
closings-past = Closings
closings-list = The newest closings
closings-none = No closing.
closing-ask-title = Close a lost terminal
closing-ask-what = Propose to close the enrolment at the newest row that came. Nothing changes before another person has approved it. If the terminal comes back later, it must be enrolled again.
closing-ask-propose = Propose to close it
closing-ask-back = All lost terminals

# What waits for a second person
approvals-title = To approve
approvals-how = These decisions need two people. Who proposes may take it back; another person approves or refuses.
approvals-none = Nothing waits for a second person.
approvals-correction = Correction
approvals-repayment = Debit without goods
approvals-closing = Closing of a terminal
approvals-goodwill = Advances
approvals-until = To be approved before
approvals-own = You proposed it: another person must approve.
approvals-approve = Approve
approvals-refuse = Refuse
approvals-withdraw = Take back

# What is refused
refusal-no-rule = No rule holds in this month.
refusal-rule-credited = This month or a later one was credited already: a new rule begins after it.
refusal-rule-nothing = Give an amount for the first person.
refusal-rule-taken = A rule begins in this month already, and rules are never changed: choose another month.
refusal-nothing-expires = By the rule of this month nothing expires.
refusal-not-over = This month is not over.
refusal-plan-changed = The amount, or a household, has changed since the page was opened. Nothing more was booked: look again.
refusal-nothing-to-book = Everything is booked already. Nothing was changed.
refusal-credited-elsewhere = Other funders credited households for this month. Name them too, or tick “credit once more”. Nothing was booked.
refusal-too-little = The funders have not enough for all. Add a funder, raise a budget, or agree to all that goes beyond. Nothing was booked.
refusal-run-open = Another credit of this month was begun, from other funders or in another order: finish it first. Nothing was booked.
refusal-ended = This was decided already, by you or by somebody else. Nothing was changed.
refusal-claimed = A shop claims this sum, or the card did not count it. Nothing was changed.
refusal-released = The money of this card went back to the household already.
refusal-closed-before = This enrolment is closed already, or was never opened.
refusal-other-row = More rows have come since: take the proposal back, look, and propose again. Nothing was changed.
refusal-closing-waits = This closing waits for a second person already.
refusal-goodwill-waits = Another proposal waits already: approve it or take it back first.
refusal-too-old = This proposal is older than 30 days: propose it again.

# Deeds and works
deed-rule-set = voted rule noted
deed-credit-asked = monthly credit asked for
deed-expiry-asked = expiry asked for
deed-correction-proposed = correction proposed
deed-correction-booked = correction approved
deed-correction-withdrawn = correction taken back or refused
deed-repayment-proposed = debit without goods: repayment proposed
deed-repayment-booked = debit without goods: repayment approved
deed-repayment-withdrawn = debit without goods: taken back or refused
deed-closing-proposed = closing of a terminal proposed
deed-closing-done = terminal closed
deed-closing-withdrawn = closing of a terminal taken back or refused
deed-goodwill-proposed = change of advances proposed
deed-goodwill-approved = change of advances approved
deed-goodwill-withdrawn = change of advances taken back or refused
job-expiry = Expiry of unspent money
job-gave-expired-cents = Expired at the end of this month

# Corrections of a run that was stopped
refusal-not-credited = The month’s credit that it corrects is not booked yet. Wait until the run of credits has ended. Nothing was changed.
corrections-stopped = What “cabas-hub” withdrew waited for a credit that stopped.
