# Ce que voient caissiers et membres. Côté caisse et passants : neutre. La raison n'est que côté membre.

# États d'une vente
sale-waiting = Présentez la carte
sale-authorizing = Un instant…
sale-accepted = Accepté
sale-accepted-not-proven = Accepté, carte non prouvée
sale-declined = Paiement non abouti
sale-cancelled = Vente annulée
sale-timed-out = Aucune carte présentée à temps
sale-failed = La vente n'a pas pu être enregistrée

# Ce que la caisse peut faire
class-another-means = Proposez un autre moyen de paiement
class-try-again = Réessayez dans un moment
class-call-fund = Appelez la caisse de l'alimentation

# Remarques pendant l'attente
notice-present-again = Retirez la carte, puis présentez-la à nouveau
notice-several-cards = Plusieurs cartes : présentez-en une seule
notice-card-unreadable = Carte illisible : présentez-la à nouveau, bien à plat
notice-card-with-contacts = Présentez une carte sans contact
notice-reader-in-use = Le lecteur est occupé par un autre programme
notice-reader-missing = Aucun lecteur : branchez-le

# Raisons, côté membre
decline-not-enrolled = Ce terminal n'est pas encore inscrit auprès de la caisse de l'alimentation.
decline-terminal-revoked = La caisse de l'alimentation a retiré ce terminal. Appelez-la pour l'inscrire à nouveau.
decline-epoch-closed = L'inscription de ce terminal est close. Appelez la caisse de l'alimentation : il faut l'inscrire à nouveau.
decline-quarantined = Ce terminal est suspendu. Laissez-le allumé et connecté, et appelez la caisse de l'alimentation : elle le vérifie et l'inscrit à nouveau.
decline-paused = La caisse de l'alimentation a suspendu les paiements dans ce lieu. Proposez un autre moyen de paiement.
decline-no-policy = Ce terminal n'a pas encore reçu ses réglages. Réessayez dans un moment.
decline-unknown-card = Cette carte n'est pas connue ici. Une nouvelle carte l'est après la prochaine connexion.
decline-blocked = Cette carte est bloquée. Appelez la caisse de l'alimentation.
decline-tier-too-low = Cette carte n'a pas prouvé qu'elle est la vôtre. Appelez la caisse de l'alimentation.
decline-random-uid = Ce n'est pas une carte de la caisse (téléphone ou carte bancaire ?).
decline-non-unique-uid = Ce n'est pas une carte de la caisse.
decline-no-balance = Aucun solde n'est disponible dans ce lieu sans connexion.
decline-balance-expired = Le terminal n'a pas été connecté depuis trop longtemps. Réessayez quand il l'est.
decline-list-too-old = Le terminal n'a pas été connecté depuis trop longtemps pour cette carte. Réessayez quand il l'est.
decline-above-sale-limit = Le montant dépasse la limite d'un achat.
decline-above-plain-sale-limit = Le montant dépasse la limite d'un achat avec cette sorte de carte.
decline-above-plain-day-limit = Le montant dépasse la limite du jour avec cette sorte de carte.
decline-insufficient-funds = Le solde disponible dans ce lieu ne suffit pas.

# Montants
amount-empty = Indiquez un montant.
amount-foreign-digits = Écrivez le montant avec les chiffres 0 à 9.
amount-not-a-number = Ce n'est pas un montant. Écrivez-le comme 12,50.
amount-negative = Un montant ne peut pas être négatif.
amount-too-many-decimals = Un montant a deux décimales au plus.
amount-zero = Le montant est nul.
amount-over-limit = Le montant dépasse la limite de { $max } pour une vente.

# Ventes
sale-empty = La vente n'a aucune ligne.
sale-too-many-lines = La vente a plus de 16 lignes.
sale-unknown-category = Ce lieu n'a pas cette catégorie.
sale-nothing-covered = La caisse ne prend rien en charge dans cette vente.
sale-too-large = Le montant est trop grand.

# Erreurs
error-busy = Une vente est en cours sur ce terminal. Terminez-la ou annulez-la d'abord.
error-request-conflict = Cet identifiant a déjà servi pour un autre montant. Utilisez-en un nouveau.
error-not-found = Cette vente n'est pas connue ici.
error-too-late = Une carte a été présentée ou la vente est terminée : elle ne peut plus être annulée.
error-no-card = Aucune carte n'a été présentée à temps.
error-not-accepted = Il n'y a de reçu que pour une vente acceptée.
error-printer-off = Aucune imprimante n'est réglée.
error-printer-busy = L'imprimante a déjà trop à faire. Réessayez dans un moment.
error-receipt = Le reçu n'a pas pu être composé.
error-journal = Le journal n'accepte pas d'écriture : les ventes sont arrêtées.
error-overloaded = Le terminal a trop à faire. Réessayez dans un moment.
error-host = Cette adresse n'est pas celle du terminal.
error-origin = Une autre page web a fait cette demande : elle est refusée.
error-content-type = La demande doit être du JSON (content-type: application/json).
error-body-too-large = La demande est trop longue.
error-bad-json = La demande n'a pas la forme décrite pour cette adresse.
error-unknown-path = Rien à cette adresse.
error-method = Cette adresse ne s'utilise pas ainsi.
error-not-enrolled = Ce terminal n'est pas encore inscrit : cabas-agent enrol --hub URL --code CODE

# Journal
journal-ok = Journal : en ordre
journal-disk-full = Disque plein : les ventes sont arrêtées. Libérez de la place.
journal-read-only = Le journal ne peut pas être écrit : les ventes sont arrêtées. Vérifiez le disque et ses droits.
journal-io-error = Le disque a une panne : les ventes sont arrêtées. Remplacez-le ; rien de ce qui est envoyé n'est perdu.
journal-corrupt = Le journal est abîmé : les ventes sont arrêtées. Appelez la caisse de l'alimentation.
journal-other = Le journal ne répond pas : les ventes sont arrêtées. Redémarrez le terminal.

# Réseau
network-unknown = Connexion en cours…
network-online = En ligne
network-offline = Hors ligne : les ventes continuent
network-not-the-hub = Hors ligne : autre chose que la caisse répond (portail Wi-Fi ?)
network-refused = La caisse a refusé la connexion de ce terminal

# Lecteur
reader-no-service = Le service du lecteur (pcscd) ne répond pas
reader-none = Aucun lecteur : branchez-le
reader-ready = Lecteur prêt
reader-lost = Le lecteur a été débranché

# Imprimante
printer-off = Aucune imprimante
printer-unknown = Imprimante : état inconnu
printer-ready = Imprimante prête
printer-ready-mute = Imprimante joignable
printer-paper-out = Imprimante : plus de papier
printer-cover-open = Imprimante : capot ouvert
printer-offline = Imprimante hors ligne
printer-unreachable = Imprimante injoignable
printer-hanging = L'imprimante ne prend plus rien
printer-unsure = Regardez le papier : le dernier reçu est-il sorti ? Sinon, imprimez-le à nouveau.
printer-test-title = Page d'essai
printer-test-ok = L'imprimante est bien réglée si cette ligne est juste : é è à ç œ € ’

# Reçus
receipt-title-sale = REÇU DE PAIEMENT
receipt-title-reversal = ANNULATION
receipt-title-refund = DEMANDE DE REMBOURSEMENT
receipt-not-an-invoice = reçu de paiement – ne vaut pas facture ni ticket de caisse
receipt-terminal = Terminal
receipt-number = N°
receipt-till = Réf. caisse
receipt-total = Total
receipt-fund-part = Part de la caisse
receipt-member-part = Part du membre
receipt-duplicate = DUPLICATA
receipt-training = FORMATION – SANS VALEUR
receipt-not-proven = accepté, carte non prouvée
receipt-helpline = Aide :

# Page de la caisse et affichage du membre
page-title = Cabas – caisse
page-charge = Encaisser
page-cancel = Annuler la vente
page-new-sale = Nouvelle vente
page-print = Imprimer le reçu
page-printed = Reçu envoyé à l'imprimante
page-amount = Montant
page-category = Catégorie
page-fund-part = Part de la caisse
page-member-part = Part du membre, par un autre moyen
page-number = N°
page-state = État du terminal
page-hub-seen = Contact :
page-balances-age = Soldes :
page-list-age = Opposition :
page-unsynced = À envoyer :
page-sales = ventes
page-never = jamais
page-hide = Masquer
page-available = Disponible ici
page-agent-gone = Le programme du terminal ne répond pas
page-alarm = À signaler à la caisse de l'alimentation
page-language = English
page-erase = Effacer
page-seconds = s
page-minutes = min
page-hours = h
page-days = j
page-approach = Approchez la carte
page-thanks = Merci
page-welcome = Bonjour
page-why = Pourquoi ?
page-print-notice = Les reçus ne sont imprimés que sur demande (code de l'environnement, art. D541-370).

# Annulations, remboursements, paiements en partie
sale-offer = Le membre choisit sur son écran
notice-same-card = Présentez la même carte
decline-offer = Le solde disponible ici ne suffit pas pour tout. Voulez-vous payer le reste autrement ?
error-no-offer = Il n'y a rien à accepter pour cette vente.
error-paused = La caisse de l'alimentation a suspendu les paiements. Proposez un autre moyen de paiement.
undo-unknown-sale = Cette vente n'a pas été faite sur ce terminal. Remboursez-la là où elle a été faite, ou appelez la caisse de l'alimentation.
undo-request-taken = Cet identifiant a déjà servi pour une autre opération. Utilisez-en un nouveau.
undo-terminal = Ce terminal ne peut plus rien écrire. Appelez la caisse de l'alimentation.
undo-reversed = Cette vente a déjà été annulée.
undo-refunded = Un remboursement de cette vente a déjà été demandé.
undo-too-late = Cette vente est trop ancienne pour être annulée. Demandez un remboursement.
undo-card-counts = La carte elle-même a compté cette vente et ne peut pas revenir en arrière. Demandez un remboursement.
undo-lines = Un remboursement a de 1 à 16 lignes.
undo-unknown-category = La vente n'a rien dans cette catégorie.
undo-too-much = On ne peut plus rembourser que { $max } dans cette catégorie.
undo-nothing-paid = La caisse n'a rien payé de cela : il n'y a rien à lui rendre.
undo-too-large = Le montant est trop grand.
undo-done-reversal = Vente annulée. Le montant est de nouveau disponible.
refund-offline = Demande de remboursement écrite. Elle sera créditée dès que le réseau revient.
refund-received = Demande de remboursement envoyée. La caisse décide.
refund-credited = Remboursement crédité.
refund-refused = Remboursement refusé par la caisse. Appelez-la : elle dit pourquoi.
receipt-note-reverses = Annule le paiement N° { $stan }.
receipt-note-available-again = Le montant est de nouveau disponible.
receipt-note-refunds = Pour le paiement N° { $stan }.
receipt-note-refund-online = La caisse décide ; sa part est créditée après son accord.
receipt-note-refund-offline = La part de la caisse sera créditée dès que le réseau revient et après son accord.
receipt-note-credited = La part de la caisse est créditée.
receipt-note-refused = La caisse a refusé cette demande. Renseignements auprès d’elle.
page-reverse = Annuler cette vente
page-refund = Rembourser
page-refund-all = Rembourser tout le reste
page-today = Aujourd'hui
page-today-empty = Rien aujourd'hui
page-kind-sale = Vente
page-kind-reversal = Annulation
page-kind-refund = Remboursement
page-is-reversed = annulée
page-is-refunded = remboursé
page-kept = reçus attendent l'imprimante
page-kept-print = Les imprimer
page-kept-discard = Les jeter
page-offer-part = La caisse paie
page-offer-rest = Vous payez autrement
page-offer-accept = D'accord
page-offer-decline = Non merci

# Cartes qui comptent elles-mêmes
sale-in-doubt = Présentez à nouveau la même carte
notice-doubt-call = Le dernier paiement de cette carte ne peut pas être éclairci ici : appelez la caisse de l'alimentation
notice-paid-before = Le paiement précédent avait abouti. Ne présentez à nouveau la carte que pour celui-ci
notice-card-again = Rien n'a été payé : présentez à nouveau la carte
error-in-doubt = La carte a peut-être payé. Présentez à nouveau la même carte, ou appelez la caisse de l'alimentation.
page-doubts = À éclaircir :
page-card-keys = Clés des cartes
page-keys-credential = scellées par la machine
page-keys-file = scellées par fichier

# La page de la caisse : panneaux, écran du membre
page-online = En ligne
page-offline = Hors ligne
page-connecting = Connexion…
page-terminal = terminal
page-level-stop = Arrêt :
page-level-warn = Attention :
page-level-info = À savoir :
page-panels = Panneaux
page-tab-till = Caisse
page-tab-today = Ventes
page-tab-day = Journée
page-tab-tools = Outils
page-help = Aide
page-helpline = À appeler :
page-sale = Vente
page-keys = Touches
page-comma = virgule
page-total = Total
page-remove = Retirer
page-back = Retour
page-retry = Refaire ce montant
page-later = Laisser pour plus tard
page-turn = Tourner vers le membre
page-turned = Écran du membre
page-turn-back = Rendre l'écran à la caisse
page-speak = Dire à voix haute
page-not-proven-do = Remettez les achats : le paiement compte
page-broken-off = La vente en cours a été interrompue et rien n'a été payé. Recommencez.
page-look = Voir
page-choice = Un choix vous attend ici
page-ours = Panne de notre terminal. Votre carte n'y est pour rien.
page-my-balance = Mon solde
page-as-of = vu par la caisse il y a
page-slip = Reçu sans papier
page-slip-scan = Photographiez ce code : c'est votre reçu.
page-balance = Solde (le membre le voit)
page-balance-at-display = Le membre voit son solde sur son écran.
page-display = Ouvrir l'écran du membre
page-test-printer = Essayer l'imprimante
page-test-reader = Essayer le lecteur
page-test-reader-card = Présentez une carte : rien ne sera payé.
page-cashier = Caissier
page-no-cashier = Sans caissier
page-cashier-change = Changer de caissier
page-lock = Verrouiller
page-locked = Verrouillé : tapez votre code
page-code = Code
page-code-send = Valider
page-training-on = S'exercer (formation)
page-training-off = Terminer la formation
page-training-short = FORMATION
page-training-banner = FORMATION – SANS VALEUR
page-training-means = Aucune vente ne compte tant que la formation dure. Tous les écrans et les reçus le disent.
page-play = Formation : que fait la carte ?
page-play-accepted = Accepté
page-play-not-proven = Non prouvée
page-play-declined = Non abouti
page-play-offer = En partie
page-play-in-doubt = Retirée trop tôt
page-sound-on = Remettre le son
page-sound-off = Couper le son
page-phones = Téléphones
page-phone-pair = Ajouter un téléphone
page-phone-remove = Retirer
page-phone-fingerprint = Empreinte :
page-date = Jour
page-search = Chercher
page-nothing-found = Rien trouvé
page-truncated = La liste est plus longue : cherchez par numéro.
page-refund-part = Rembourser ces montants
page-refund-which = Écrivez au moins un montant.
page-print-short = Imprimer
page-day = La journée
page-sold = Ventes
page-requested = Total des achats
page-reversed-sum = Annulé
page-refunds-sum = Remboursements demandés
page-perpetual = Total perpétuel
page-by-category = Par catégorie
page-by-cashier = Par caissier
page-day-print = Imprimer l'état du moment
page-close-day = Clôturer la journée
page-close-month = Clôturer le mois
page-close-year = Clôturer l'année
page-close-day-means = La clôture écrit les totaux de la journée pour toujours. Les ventes suivantes comptent pour la journée suivante.
page-close-month-means = La clôture écrit les totaux du mois pour toujours. Faites-la une fois par mois.
page-close-year-means = La clôture écrit les totaux de l'année pour toujours. Faites-la une fois, en fin d'exercice.
page-closed-day = Journée close
page-closed-month = Mois clos
page-closed-year = Année close
page-closed-before = déjà clos
page-closings = Clôtures
page-no-closings = Aucune clôture
page-period-day = Journée
page-period-month = Mois
page-period-year = Année

# Clôtures et historique
error-bad-query = La demande n'a pas les paramètres décrits pour cette adresse.
error-no-closing = Cette clôture n'est pas connue ici.
error-bad-day = Indiquez un jour comme 2026-11-28.
error-bad-number = Indiquez un numéro de reçu de 1 à 999999.
closing-due-day = La journée du { $date } n'est pas clôturée : clôturez-la.
closing-due-month = Le mois ouvert le { $date } n'est pas clôturé : clôturez-le.
closing-due-year = L'année ouverte le { $date } n'est pas clôturée : clôturez-la.
closing-title-day = CLÔTURE DU JOUR N° { $number }
closing-title-month = CLÔTURE DU MOIS N° { $number }
closing-title-year = CLÔTURE DE L'ANNÉE N° { $number }
closing-title-running = ÉTAT EN COURS
closing-not-a-closing = ne vaut pas clôture
closing-enrolment = Inscription
closing-from = Du
closing-to = Au
closing-rows = Lignes du journal
closing-sales = Ventes
closing-requested = Total des ventes
closing-fund-part = Part de la caisse
closing-member-part = Part des membres
closing-reversed = Annulations
closing-refunds = Remboursements demandés
closing-by-category = Ventes par catégorie
closing-by-cashier = Part de la caisse par caissier
closing-cashier = Caissier
closing-no-cashier = Sans caissier
closing-others = Autres
closing-perpetual = Total perpétuel
closing-hash = Empreinte
