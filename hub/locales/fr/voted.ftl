# What is voted, the month's credit, what two people decide
menu-credits = Crédits
menu-approvals = À valider
month-january = janvier
month-february = février
month-march = mars
month-april = avril
month-may = mai
month-june = juin
month-july = juillet
month-august = août
month-september = septembre
month-october = octobre
month-november = novembre
month-december = décembre
voted-tabs = Crédits et règles
voted-tab-credits = Crédit du mois
voted-tab-rules = Règles votées
voted-tab-expiries = Argent non dépensé
voted-tab-corrections = Corrections
voted-tab-repayments = Débits sans achat
voted-tab-goodwill = Avances
voted-tab-closings = Terminaux perdus
voted-month = Mois
voted-month-hint = année et mois, par exemple 2026-12
voted-month-wrong = Écrivez le mois comme 2026-12.
voted-amount = Montant
voted-amount-hint = en euros, par exemple 12,50
voted-amount-wrong = Écrivez un montant en euros, comme 12,50.
voted-household = Foyer
voted-households = Foyers
voted-number = N°
voted-reason = Raison
voted-reason-hint = 64 lettres au plus, sans le nom de personne : elle est gardée pour toujours
voted-reason-wrong = Donnez une raison de 1 à 64 lettres.
voted-proposed = Proposé par
voted-state = État
voted-booked-before = Déjà enregistré
voted-more = … et { $count } autres.
voted-people = { $count ->
    [one] 1 personne
   *[other] { $count } personnes
}
voted-children = { $count ->
    [one] dont 1 enfant de moins de 14 ans
   *[other] dont { $count } enfants de moins de 14 ans
}
voted-under-way = C’est en cours : voir où cela en est.
voted-see-approvals = Voir ce qui attend une seconde personne.
voted-is-proposed = attend une seconde personne
voted-is-booked = validé
voted-is-closed = fermé
voted-is-withdrawn = retiré ou refusé
voted-is-expired = trop ancien
dashboard-waiting = { $count ->
    [one] 1 décision attend une seconde personne.
   *[other] { $count } décisions attendent une seconde personne.
}

# The month's credit
credits-title = Crédit du mois
credits-how = Regardez d’abord ce qui serait enregistré ; rien ne change avant votre accord. Ce que vous validez est enregistré tel que vous l’avez vu, une seule fois, même si une règle ou un foyer change entre-temps.
credits-period = Mois à créditer
credits-source = Financeur
credits-source-hint = celui dont l’argent est donné d’abord
credits-further = Puis, si ce financeur n’a pas assez
credits-further-how = Chaque foyer est payé en entier par le premier qui a assez. Un champ vide ne compte pas.
credits-source-nth = Financeur { $number }
credits-source-wrong = Donnez le nom du financeur, de 1 à 64 lettres.
credits-look = Regarder
credits-new-source = Un de ces financeurs n’a encore jamais rien donné. Est-ce bien son nom ?
credits-for = { $count ->
    [0] Aucun foyer à créditer.
    [one] à créditer à 1 foyer.
   *[other] à créditer à { $count } foyers.
}
credits-before = Déjà enregistré : { $amount }.
credits-book = Créditer { $amount }
credits-book-hint = Un crédit enregistré ne s’efface pas : une erreur se corrige à deux, foyer par foyer.
credits-from = Donné par chacun
credits-then = puis
credits-missing = Il manque { $amount }. Nommez un financeur de plus, relevez un budget (page Financeurs), ou donnez ci-dessous votre accord pour dépasser un budget.
credits-missing-last = Il manque { $amount }. Nommez un financeur après les cotisations : on ne donne pas plus de cotisations qu’il n’en est venu.
credits-over = Accord pour dépasser un budget
credits-over-hint = en euros, en tout pour ce mois, sur le dernier financeur nommé : au moins { $amount }. Votre nom est gardé avec cet accord.
credits-elsewhere = D’autres financeurs ont déjà donné { $amount } à ces foyers pour ce mois. Nommez-les aussi pour ne pas payer deux fois.
credits-extra = Créditer une fois de plus ces foyers
credits-open-asked = Ce crédit a commencé et n’est pas terminé : { $amount } sont encore à enregistrer, comme prévu au départ.
credits-open-other = Un autre crédit de ce mois a commencé et n’est pas terminé : finissez-le d’abord.
credits-open-see = Voir ce crédit
credits-go-on = Terminer : créditer { $amount }
credits-all-booked = Tout est enregistré pour ce mois et ces financeurs.
credits-exceptions = À regarder avant
credits-exceptions-list = Foyers qui ne reçoivent rien, ou qui méritent un regard
credits-no-exception = Rien de particulier.
credits-why = Pourquoi
credits-why-left = parti : ne reçoit rien
credits-why-other-source = déjà crédité pour ce mois par un autre financeur
credits-why-no-card = n’a pas de carte en service
credits-why-owes = doit encore être retenu sur ce qu’il reçoit
credits-lines-title = Foyer par foyer
credits-lines = Ce que chaque foyer reçoit
credits-people = Personnes
credits-children = dont moins de 14 ans
credits-booked-title = Mois crédités
credits-booked = Ce qui a été crédité, mois par mois
credits-none = Aucun mois n’a encore été crédité.

# Rules
rules-title = Règles votées
rules-how = Chaque règle vaut à partir d’un mois et reste inscrite. Les mois déjà crédités gardent la leur.
rules-from = À partir de { $month }
rules-until = jusqu’à { $month }
rules-holds-now = en vigueur
rules-holds-later = à venir
rules-holds-past = passée
rules-first = Première personne
rules-further = Chaque autre personne de 14 ans ou plus
rules-child = Chaque enfant de moins de 14 ans
rules-unspent = Argent non dépensé
rules-expires = { $count ->
    [one] expire au bout d’1 mois
   *[other] expire au bout de { $count } mois
}
rules-carried = reporté sans limite
rules-examples = Par mois :
rules-noted-by = Inscrite par { $name }
rules-new = Inscrire une nouvelle règle
rules-new-how = Inscrivez ce que les membres ont voté. Vous verrez des exemples avant de confirmer.
rules-new-from = Premier mois
rules-expire = L’argent non dépensé expire au bout de (mois)
rules-expire-hint = 1 à 120 ; laissez vide pour le reporter sans limite
rules-expire-wrong = Écrivez un nombre de mois de 1 à 120, ou rien.
rules-check = Voir des exemples
rule-check-title = Confirmer la nouvelle règle
rule-check-examples = Ce que reçoivent trois foyers par mois
rule-check-before = Jusque-là
rule-check-after = Avec la nouvelle règle
rule-check-ask = Une règle inscrite ne se change plus : la suivante la remplace à partir de son mois.
rule-check-go = Inscrire cette règle

# Unspent money
expiries-title = Argent non dépensé
expiries-how = Selon la règle votée, l’argent non dépensé est reporté, ou expire après quelques mois et revient au fonds. Le plus ancien est toujours dépensé d’abord.
expiries-period = À la fin de quel mois
expiries-look = Regarder
expiries-at-end = Fin { $month }
expiries-rules = Voir les règles
expiries-before = Déjà enregistré : { $amount }.
expiries-book = Laisser expirer { $amount }
expiries-book-hint = Cela ne s’efface pas. Ce qui est sur un terminal silencieux attend que son journal arrive.
expiries-nothing = Rien ne reste à laisser expirer.
expiries-lines = Foyers dont une part expire
expiries-carried = Selon la règle de ce mois, rien n’expire : tout est reporté.
expiries-booked-title = Déjà expiré
expiries-booked = Ce qui a expiré, mois par mois
expiries-none = Rien n’a encore expiré.

# Corrections
corrections-title = Corrections
corrections-how = Une correction donne ou retire de l’argent à un foyer hors de la règle. Une personne la propose, une autre la valide.
corrections-none = Aucune correction.
corrections-list = Les dernières corrections
corrections-new = Proposer une correction
corrections-no-source = Aucun financeur n’a encore donné : créditez d’abord un mois.
corrections-household = Code du foyer
corrections-household-hint = comme dans la liste des foyers
corrections-household-wrong = Aucun foyer n’a ce code.
corrections-direction = Sens
corrections-direction-wrong = Choisissez : donner ou retirer.
corrections-more = donner au foyer
corrections-less = retirer au foyer (de ce qui est libre, puis de ce qu’il reçoit)
corrections-amount-wrong = Écrivez un montant en euros au-dessus de zéro, comme 12,50.
corrections-source = Argent de quel financeur
corrections-source-wrong = Choisissez un financeur de la liste.
corrections-propose = Proposer

# Repayments
repayments-title = Débits sans achat
repayments-how = Une carte à puce retirée au milieu d’un paiement peut avoir compté un achat qu’aucun magasin ne réclame. Une personne propose de rendre l’argent au foyer, une autre valide.
repayments-none = Rien n’a été rendu.
repayments-list = Les dernières demandes
repayments-card = Numéro de la carte
repayments-card-hint = imprimé sur la carte
repayments-card-wrong = Aucune carte à puce n’a ce numéro.
repayments-new = Chercher une carte
repayments-look = Chercher
repayments-nothing = Tout ce que cette carte a compté est réclamé par un magasin : rien n’est à rendre.
repayments-between = Au compteur de la carte :
repayments-told = { $count ->
    [one] D’autres cartes parlent d’1 vente ici : le journal du magasin peut encore arriver.
   *[other] D’autres cartes parlent de { $count } ventes ici : le journal du magasin peut encore arriver.
}
repayments-propose = Proposer de rendre

# Goodwill
goodwill-title = Avances
goodwill-how = Quand un terminal ne répond plus, l’argent des foyers y est bloqué. Le fonds peut l’avancer, dans ces limites ; s’il a été dépensé là-bas aussi, le fonds le perd.
goodwill-on = activées
goodwill-off = désactivées
goodwill-switch = Avances
goodwill-switch-wrong = Choisissez : activées ou désactivées.
goodwill-household = Par foyer, au plus
goodwill-total = En tout, au plus
goodwill-limit-wrong = Écrivez un montant en euros, au-dessus de zéro si les avances sont activées.
goodwill-days = Jours de silence avant d’avancer
goodwill-days-hint = 1 à 365
goodwill-days-wrong = Écrivez un nombre de jours de 1 à 365.
goodwill-after-days = { $count ->
    [one] après 1 jour
   *[other] après { $count } jours
}
goodwill-outstanding = Avancé et pas encore rendu
goodwill-list = Les dernières propositions
goodwill-asked = Proposition
goodwill-until = jusqu’au { $when }
goodwill-new = Proposer un changement
goodwill-new-how = Une autre personne le valide, dans les 30 jours.
goodwill-propose = Proposer

# Closings
closings-title = Terminaux perdus
closings-how = Un terminal qui ne reviendra pas est fermé par deux personnes, à la dernière ligne reçue. L’argent qui y restait revient aux foyers ; les ventes qui arriveraient plus tard ne sont pas payées.
closings-open-title = Inscriptions ouvertes
closings-open = Ce qui pourrait être fermé
closings-none-open = Aucune inscription n’est ouverte.
closings-terminal = Terminal
closings-epoch = inscription { $number }
closings-row = Dernière ligne reçue
closings-left = Y reste
closings-do = Action
closings-close = Fermer…
closings-close-of = Fermer une inscription du terminal { $number }
closings-past = Fermetures
closings-list = Les dernières fermetures
closings-none = Aucune fermeture.
closing-ask-title = Fermer un terminal perdu
closing-ask-what = Proposez de fermer l’inscription à la dernière ligne reçue. Rien ne change avant qu’une autre personne ait validé. Si le terminal revient ensuite, il faudra l’inscrire de nouveau.
closing-ask-propose = Proposer de fermer
closing-ask-back = Tous les terminaux perdus

# What waits for a second person
approvals-title = À valider
approvals-how = Ces décisions demandent deux personnes. Celle qui propose peut retirer ; une autre valide ou refuse.
approvals-none = Rien n’attend une seconde personne.
approvals-correction = Correction
approvals-repayment = Débit sans achat
approvals-closing = Fermeture d’un terminal
approvals-goodwill = Avances
approvals-until = À valider avant le
approvals-own = Vous l’avez proposé : une autre personne doit valider.
approvals-approve = Valider
approvals-refuse = Refuser
approvals-withdraw = Retirer

# What is refused
refusal-no-rule = Aucune règle ne vaut pour ce mois.
refusal-rule-credited = Ce mois, ou un mois suivant, est déjà crédité : une nouvelle règle commence après.
refusal-rule-nothing = Donnez un montant pour la première personne.
refusal-rule-taken = Une règle commence déjà ce mois-là, et une règle ne se change pas : choisissez un autre mois.
refusal-nothing-expires = Selon la règle de ce mois, rien n’expire.
refusal-not-over = Ce mois n’est pas terminé.
refusal-plan-changed = Le montant, ou un foyer, a changé depuis que la page a été ouverte. Rien de plus n’a été enregistré : regardez de nouveau.
refusal-nothing-to-book = Tout est déjà enregistré. Rien n’a été changé.
refusal-credited-elsewhere = D’autres financeurs ont déjà crédité des foyers pour ce mois. Nommez-les aussi, ou cochez « créditer une fois de plus ». Rien n’a été enregistré.
refusal-too-little = Les financeurs n’ont pas assez pour tous. Ajoutez un financeur, relevez un budget, ou donnez votre accord pour tout ce qui dépasse. Rien n’a été enregistré.
refusal-run-open = Un autre crédit de ce mois a commencé, avec d’autres financeurs ou dans un autre ordre : finissez-le d’abord. Rien n’a été enregistré.
refusal-ended = C’est déjà décidé, par vous ou par quelqu’un d’autre. Rien n’a été changé.
refusal-claimed = Un magasin réclame cette somme, ou la carte ne l’a pas comptée. Rien n’a été changé.
refusal-released = L’argent de cette carte est déjà revenu au foyer.
refusal-closed-before = Cette inscription est déjà fermée, ou n’a pas été ouverte.
refusal-other-row = D’autres lignes sont arrivées depuis : retirez la proposition, regardez, et proposez de nouveau. Rien n’a été changé.
refusal-closing-waits = Cette fermeture attend déjà une seconde personne.
refusal-goodwill-waits = Une autre proposition attend déjà : validez-la ou retirez-la d’abord.
refusal-too-old = Cette proposition a plus de 30 jours : proposez-la de nouveau.

# Deeds and works
deed-rule-set = règle votée inscrite
deed-credit-asked = crédit du mois demandé
deed-expiry-asked = expiration demandée
deed-correction-proposed = correction proposée
deed-correction-booked = correction validée
deed-correction-withdrawn = correction retirée ou refusée
deed-repayment-proposed = débit sans achat : remboursement proposé
deed-repayment-booked = débit sans achat : remboursement validé
deed-repayment-withdrawn = débit sans achat : retiré ou refusé
deed-closing-proposed = fermeture d’un terminal proposée
deed-closing-done = terminal fermé
deed-closing-withdrawn = fermeture d’un terminal retirée ou refusée
deed-goodwill-proposed = changement des avances proposé
deed-goodwill-approved = changement des avances validé
deed-goodwill-withdrawn = changement des avances retiré ou refusé
job-expiry = Expiration de l’argent non dépensé
job-gave-expired-cents = Expiré à la fin de ce mois

# Corrections of a run that was stopped
refusal-not-credited = Le crédit de ce mois que la correction concerne n’est pas encore enregistré. Attendez la fin du crédit en cours. Rien n’a été changé.
corrections-stopped = Ce que « cabas-hub » a retiré attendait un crédit qui s’est arrêté.
