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
notice-several-cards = Plusieurs cartes : présentez-en une seule
notice-card-unreadable = Carte illisible : présentez-la à nouveau, bien à plat
notice-card-with-contacts = Présentez une carte sans contact
notice-reader-in-use = Le lecteur est occupé par un autre programme
notice-reader-missing = Aucun lecteur : branchez-le

# Raisons, côté membre
decline-not-enrolled = Ce terminal n'est pas encore inscrit auprès de la caisse de l'alimentation.
decline-terminal-revoked = La caisse de l'alimentation a retiré ce terminal. Appelez-la pour l'inscrire à nouveau.
decline-epoch-closed = L'inscription de ce terminal est close. Appelez la caisse de l'alimentation : il faut l'inscrire à nouveau.
decline-quarantined = Ce terminal est suspendu. Laissez-le allumé et connecté, et appelez la caisse de l'alimentation : elle le vérifie et l'inscrit à nouveau.
decline-paused = La caisse de l'alimentation a suspendu les paiements dans ce lieu. Proposez un autre moyen de paiement.
decline-no-policy = Ce terminal n'a pas encore reçu ses réglages. Réessayez dans un moment.
decline-unknown-card = Cette carte n'est pas connue ici. Une nouvelle carte l'est après la prochaine connexion.
decline-blocked = Cette carte est bloquée. Appelez la caisse de l'alimentation.
decline-tier-too-low = Cette carte n'a pas prouvé qu'elle est la vôtre. Appelez la caisse de l'alimentation.
decline-random-uid = Ce n'est pas une carte de la caisse (téléphone ou carte bancaire ?).
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
error-too-late = Une carte a été présentée ou la vente est terminée : elle ne peut plus être annulée.
error-no-card = Aucune carte n'a été présentée à temps.
error-not-accepted = Il n'y a de reçu que pour une vente acceptée.
error-printer-off = Aucune imprimante n'est réglée.
error-printer-busy = L'imprimante a déjà trop à faire. Réessayez dans un moment.
error-receipt = Le reçu n'a pas pu être composé.
error-journal = Le journal n'accepte pas d'écriture : les ventes sont arrêtées.
error-overloaded = Le terminal a trop à faire. Réessayez dans un moment.
error-host = Cette adresse n'est pas celle du terminal.
error-origin = Une autre page web a fait cette demande : elle est refusée.
error-content-type = La demande doit être du JSON (content-type: application/json).
error-body-too-large = La demande est trop longue.
error-bad-json = La demande n'a pas la forme décrite pour cette adresse.
error-unknown-path = Rien à cette adresse.
error-method = Cette adresse ne s'utilise pas ainsi.
error-not-enrolled = Ce terminal n'est pas encore inscrit : cabas-agent enrol --hub URL --code CODE

# Journal
journal-ok = Journal : en ordre
journal-disk-full = Disque plein : les ventes sont arrêtées. Libérez de la place.
journal-read-only = Le journal ne peut pas être écrit : les ventes sont arrêtées. Vérifiez le disque et ses droits.
journal-io-error = Le disque a une panne : les ventes sont arrêtées. Remplacez-le ; rien de ce qui est envoyé n'est perdu.
journal-corrupt = Le journal est abîmé : les ventes sont arrêtées. Appelez la caisse de l'alimentation.
journal-other = Le journal ne répond pas : les ventes sont arrêtées. Redémarrez le terminal.

# Réseau
network-unknown = Connexion en cours…
network-online = En ligne
network-offline = Hors ligne : les ventes continuent
network-not-the-hub = Hors ligne : autre chose que la caisse répond (portail Wi-Fi ?)
network-refused = La caisse a refusé la connexion de ce terminal

# Lecteur
reader-no-service = Le service du lecteur (pcscd) ne répond pas
reader-none = Aucun lecteur : branchez-le
reader-ready = Lecteur prêt
reader-lost = Le lecteur a été débranché

# Imprimante
printer-off = Aucune imprimante
printer-unknown = Imprimante : état inconnu
printer-ready = Imprimante prête
printer-ready-mute = Imprimante joignable
printer-paper-out = Imprimante : plus de papier
printer-cover-open = Imprimante : capot ouvert
printer-offline = Imprimante hors ligne
printer-unreachable = Imprimante injoignable
printer-hanging = L'imprimante ne prend plus rien
printer-unsure = Regardez le papier : le dernier reçu est-il sorti ? Sinon, imprimez-le à nouveau.
printer-test-title = Page d'essai
printer-test-ok = L'imprimante est bien réglée si cette ligne est juste : é è à ç œ € ’

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
receipt-helpline = Aide :

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
page-hub-seen = Contact :
page-balances-age = Soldes :
page-list-age = Opposition :
page-unsynced = À envoyer :
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
page-why = Pourquoi ?
page-print-notice = Les reçus ne sont imprimés que sur demande (code de l'environnement, art. D541-370).

# Annulations, remboursements, paiements en partie
sale-offer = Le membre choisit sur son écran
notice-same-card = Présentez la même carte
decline-offer = Le solde disponible ici ne suffit pas pour tout. Voulez-vous payer le reste autrement ?
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
undo-nothing-paid = La caisse n'a rien payé de cela : il n'y a rien à lui rendre.
undo-too-large = Le montant est trop grand.
undo-done-reversal = Vente annulée. Le montant est de nouveau disponible.
refund-offline = Demande de remboursement écrite. Elle sera créditée dès que le réseau revient.
refund-received = Demande de remboursement envoyée. La caisse décide.
refund-credited = Remboursement crédité.
refund-refused = Remboursement refusé par la caisse. Appelez-la : elle dit pourquoi.
receipt-note-reverses = Annule le paiement N° { $stan }.
receipt-note-available-again = Le montant est de nouveau disponible.
receipt-note-refunds = Pour le paiement N° { $stan }.
receipt-note-refund-online = La caisse décide ; sa part est créditée après son accord.
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
notice-doubt-call = Le dernier paiement de cette carte ne peut pas être éclairci ici : appelez la caisse de l'alimentation
notice-paid-before = Le paiement précédent avait abouti. Ne présentez à nouveau la carte que pour celui-ci
notice-card-again = Rien n'a été payé : présentez à nouveau la carte
error-in-doubt = La carte a peut-être payé. Présentez à nouveau la même carte, ou appelez la caisse de l'alimentation.
page-doubts = À éclaircir :
page-card-keys = Clés des cartes
page-keys-credential = scellées par la machine
page-keys-file = scellées par fichier

# La page de la caisse : panneaux, écran du membre
page-online = En ligne
page-offline = Hors ligne
page-connecting = Connexion…
page-terminal = terminal
page-level-stop = Arrêt :
page-level-warn = Attention :
page-level-info = À savoir :
page-panels = Panneaux
page-tab-till = Caisse
page-tab-today = Ventes
page-tab-day = Journée
page-tab-tools = Outils
page-help = Aide
page-helpline = À appeler :
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
page-not-proven-do = Remettez les achats : le paiement compte
page-broken-off = La vente en cours a été interrompue et rien n'a été payé. Recommencez.
page-look = Voir
page-choice = Un choix vous attend ici
page-ours = Panne de notre terminal. Votre carte n'y est pour rien.
page-my-balance = Mon solde
page-as-of = vu par la caisse il y a
page-slip = Reçu sans papier
page-slip-scan = Photographiez ce code : c'est votre reçu.
page-balance = Solde (le membre le voit)
page-balance-at-display = Le membre voit son solde sur son écran.
page-display = Ouvrir l'écran du membre
page-test-printer = Essayer l'imprimante
page-test-reader = Essayer le lecteur
page-test-reader-card = Présentez une carte : rien ne sera payé.
page-cashier = Caissier
page-no-cashier = Sans caissier
page-cashier-change = Changer de caissier
page-lock = Verrouiller
page-locked = Verrouillé : tapez votre code
page-code = Code
page-code-send = Valider
page-training-on = S'exercer (formation)
page-training-off = Terminer la formation
page-training-short = FORMATION
page-training-banner = FORMATION – SANS VALEUR
page-training-means = Aucune vente ne compte tant que la formation dure. Tous les écrans et les reçus le disent.
page-play = Formation : que fait la carte ?
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
page-phone-fingerprint = Empreinte :
page-date = Jour
page-search = Chercher
page-nothing-found = Rien trouvé
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

# Le comptoir : caissiers, verrou, formation, essais
error-locked = Le comptoir est verrouillé : tapez votre code.
error-code-wrong = Ce code n'est celui de personne ici. Essayez encore.
error-code-wait = Trop de codes faux. Attendez { $wait } s, puis essayez encore.
error-no-cashiers = Aucun caissier n'a de code sur ce terminal.
error-training = Le terminal est en formation. Quittez la formation d'abord.
error-not-training = Le terminal n'est pas en formation.
error-no-reader = Aucun lecteur n'est prêt : branchez-le, puis essayez encore.
reader-test-purse = Le lecteur marche : carte de la caisse, de celles qui comptent elles-mêmes.
reader-test-identity = Le lecteur marche : carte de la caisse, de celles qui prouvent qui elles sont.
reader-test-plain = Le lecteur marche : carte simple de la caisse.
reader-test-unknown = Le lecteur marche, mais cette carte n'est pas connue ici.
disk-ok = Disque : assez de place
disk-low = Disque : bientôt plein
disk-full = Disque : plein
clock-synced = Heure réglée sur celle de la caisse
clock-carried = Heure vraisemblable, pas encore comparée à celle de la caisse
clock-unknown = Heure du terminal incertaine

# Ce qui ne va pas, et ce que fait le caissier
advice-journal-disk-full = Le disque est plein : aucune vente n'est possible.
advice-journal-disk-full-todo = Prenez un autre moyen de paiement et appelez la caisse de l'alimentation : il faut faire de la place.
advice-journal-read-only = Le terminal ne peut plus rien écrire : aucune vente n'est possible.
advice-journal-read-only-todo = Redémarrez le terminal. Si rien ne change, appelez la caisse de l'alimentation.
advice-journal-io-error = Le disque du terminal est en panne : aucune vente n'est possible.
advice-journal-io-error-todo = Laissez le terminal allumé et appelez la caisse de l'alimentation : le disque est à remplacer.
advice-journal-corrupt = Le journal du terminal est abîmé : aucune vente n'est possible.
advice-journal-corrupt-todo = Ne touchez à rien et appelez la caisse de l'alimentation.
advice-journal-other = Le journal du terminal ne répond pas : aucune vente n'est possible.
advice-journal-other-todo = Redémarrez le terminal. Si rien ne change, appelez la caisse de l'alimentation.
advice-terminal-not-enrolled = Ce terminal n'est pas encore inscrit.
advice-terminal-not-enrolled-todo = Demandez un code d'inscription à la caisse de l'alimentation.
advice-terminal-revoked = La caisse de l'alimentation a retiré ce terminal : il ne vend plus.
advice-terminal-revoked-todo = Prenez un autre moyen de paiement et appelez-la pour l'inscrire à nouveau.
advice-terminal-closed = L'inscription de ce terminal est close : il ne vend plus.
advice-terminal-closed-todo = Prenez un autre moyen de paiement et appelez la caisse de l'alimentation : il faut l'inscrire à nouveau.
advice-terminal-quarantined = Ce terminal est suspendu, le temps d'une vérification : il ne vend plus.
advice-terminal-quarantined-todo = Laissez-le allumé et connecté, prenez un autre moyen de paiement et appelez la caisse de l'alimentation.
advice-terminal-paused = La caisse de l'alimentation a suspendu les paiements dans ce lieu.
advice-terminal-paused-todo = Prenez un autre moyen de paiement. Les paiements reprennent d'eux-mêmes quand elle le décide.
advice-no-settings = Le terminal n'a pas encore reçu ses réglages.
advice-no-settings-todo = Vérifiez qu'il est connecté et attendez une minute. Si rien ne change, appelez la caisse de l'alimentation.
advice-reader-no-service = Le lecteur de cartes ne répond pas.
advice-reader-no-service-todo = Débranchez et rebranchez le lecteur. Si rien ne change, redémarrez le terminal.
advice-reader-none = Aucun lecteur de cartes n'est branché.
advice-reader-none-todo = Branchez le lecteur : il est reconnu en quelques secondes.
advice-reader-lost = Le lecteur de cartes a été débranché.
advice-reader-lost-todo = Rebranchez-le et vérifiez son câble.
advice-disk-full = Il n'y a presque plus de place sur le disque : la prochaine vente peut être la dernière.
advice-disk-full-todo = Appelez la caisse de l'alimentation aujourd'hui : il faut faire de la place.
advice-disk-low = Le disque du terminal se remplit.
advice-disk-low-todo = Les ventes continuent. Signalez-le à la caisse de l'alimentation cette semaine.
advice-cashiers-unreadable = La liste des caissiers ne peut pas être lue : ceux d'avant restent, aucun nouveau n'est reconnu.
advice-cashiers-unreadable-todo = Prévenez qui s'occupe du terminal : « cabas-agent cashier list » dit ce qui ne va pas.
advice-doubts = Un paiement n'est pas éclairci : la carte a peut-être payé.
advice-doubts-todo = Faites présenter à nouveau la même carte quand la personne revient. Ne remboursez rien d'ici là.
advice-captive-portal = Le réseau demande quelque chose avant de laisser passer (portail Wi-Fi ?). Les ventes continuent.
advice-captive-portal-todo = Ouvrez une page web sur ce réseau et acceptez ce qu'il demande, ou prenez un autre réseau.
advice-hub-refused = La caisse de l'alimentation n'accepte pas la connexion de ce terminal. Les ventes continuent tant que les soldes d'ici suffisent.
advice-hub-refused-todo = Appelez la caisse de l'alimentation aujourd'hui.
advice-list-too-old = Pas de connexion depuis trop longtemps : les cartes simples ne sont plus acceptées, les autres oui.
advice-list-too-old-todo = Connectez le terminal, ne serait-ce qu'une minute.
advice-balances-old = Les soldes ont plus de trois jours : un achat récent ou un crédit peut y manquer.
advice-balances-old-todo = Connectez le terminal dès que vous le pouvez.
advice-unsynced-days = Des ventes attendent depuis plus de deux jours : elles ne sont que sur ce terminal.
advice-unsynced-days-todo = Connectez le terminal aujourd'hui : s'il était perdu, ces ventes le seraient aussi.
advice-printer-paper-out = L'imprimante n'a plus de papier. Les ventes continuent.
advice-printer-paper-out-todo = Mettez un rouleau ; les reçus qui attendent s'impriment quand vous le demandez.
advice-printer-cover-open = Le capot de l'imprimante est ouvert. Les ventes continuent.
advice-printer-cover-open-todo = Fermez le capot jusqu'au déclic.
advice-printer-offline = L'imprimante est en pause. Les ventes continuent.
advice-printer-offline-todo = Appuyez sur sa touche « feed » ou « on line » ; sinon éteignez-la et rallumez-la.
advice-printer-unreachable = L'imprimante est injoignable. Les ventes continuent.
advice-printer-unreachable-todo = Vérifiez qu'elle est allumée et son câble branché.
advice-printer-hanging = L'imprimante ne prend plus rien. Les ventes continuent.
advice-printer-hanging-todo = Éteignez-la et rallumez-la.
advice-printer-unsure = On ne sait pas si le dernier reçu est sorti en entier.
advice-printer-unsure-todo = Regardez le papier. S'il n'est pas sorti, imprimez-le à nouveau depuis la liste du jour.
advice-network-offline = Pas de réseau. Les ventes continuent.
advice-network-offline-todo = Rien à faire : tout est envoyé quand le réseau revient.
advice-receipts-kept = Des reçus attendent l'imprimante.
advice-receipts-kept-todo = Imprimez-les ou jetez-les.
advice-clock-unknown = L'heure du terminal est incertaine : les reçus peuvent porter une mauvaise heure.
advice-clock-unknown-todo = Connectez le terminal, ou faites régler son heure.
advice-alarms = Quelque chose est à signaler à la caisse de l'alimentation.
advice-alarms-todo = Ouvrez l'état du terminal et lisez-lui ce qui y est écrit. Les ventes continuent.
advice-closing-day-due = Une journée passée n'est pas clôturée.
advice-closing-day-due-todo = Clôturez-la quand vous avez un moment.
advice-closing-month-due = Un mois passé n'est pas clôturé.
advice-closing-month-due-todo = Clôturez-le quand vous avez un moment.
advice-closing-year-due = Une année passée n'est pas clôturée.
advice-closing-year-due-todo = Clôturez-la quand vous avez un moment.

# Clôtures et historique
error-bad-query = La demande n'a pas les paramètres décrits pour cette adresse.
error-no-closing = Cette clôture n'est pas connue ici.
error-bad-day = Indiquez un jour comme 2026-11-28.
error-bad-number = Indiquez un numéro de reçu de 1 à 999999.
closing-due-day = La journée du { $date } n'est pas clôturée : clôturez-la.
closing-due-month = Le mois ouvert le { $date } n'est pas clôturé : clôturez-le.
closing-due-year = L'année ouverte le { $date } n'est pas clôturée : clôturez-la.
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

# Téléphones de la caisse
error-pair-first = Ce téléphone n'est pas admis ici, ou ne l'est plus. Demandez un code à l'écran du terminal.
error-pair-code = Ce n'est pas le code affiché, ou il a expiré. Demandez-en un nouveau à l'écran du terminal.
error-pair-spent = Trop de codes faux : celui qui était affiché ne vaut plus rien. Demandez-en un nouveau.
error-phone-name = Le nom du téléphone tient sur une ligne de 24 caractères au plus.
error-phones-off = Aucun téléphone n'est admis : le réglage phone_listen du terminal est vide, ou son journal dit ce qui manque.
error-phones-full = Quatre téléphones sont déjà admis. Retirez-en un d'abord.
error-phones-write = La liste des téléphones n'a pas pu être écrite. Ce qui est retiré l'est jusqu'au redémarrage seulement ; vérifiez le disque.
error-phones-random = Le terminal n'a pas pu tirer un code. Réessayez.
error-phones-not-there = L'adresse des téléphones n'existe pas encore : le Wi-Fi du stand est-il allumé ?
error-phone-unknown = Ce téléphone n'est pas dans la liste.
error-too-slow = La demande est arrivée trop lentement. Réessayez.
# Une vente annulée, une liste plus longue
sale-reversed = Cette vente est annulée : rien n'est payé
page-older = Plus anciennes

# The local API for other programs
error-bad-path = L'adresse contient une partie qui n'a pas la forme décrite.

# Une vente depuis un terminal de commande
sell-left = encore { $left } s
sell-offer = Une partie est proposée au membre, sur son écran (/customer). Attendez ; Ctrl-C la refuse.
sell-same-card = Personne ne sait si la carte a payé : présentez la même carte. Ctrl-C laisse la vente pour plus tard.
sell-doubt = Personne ne sait si la carte a payé. N'encaissez rien d'autre pour elle : relancez la même commande avec --request-id { $request } et présentez la même carte, ou appelez la caisse de l'alimentation.
sell-training = FORMATION : rien n'est vendu, aucun argent ne bouge.
sell-training-mark = FORMATION
sell-not-proven = La carte n'a rien prouvé : n'importe qui peut copier une telle carte. La vente compte.
sell-too-late = Trop tard pour annuler : une carte est là. Un instant…
sell-was-late = Il était trop tard pour annuler : la carte a payé. Annulez la vente sur la page de caisse s'il le faut.
sell-nothing-paid = Rien n'a été payé.
sell-failed = La vente n'a pas pu être enregistrée. Avant tout autre encaissement, relancez la même commande avec --request-id { $request } : elle dira ce qu'il en est.
sell-lost = Le terminal ne répond pas : ce qu'est devenue la vente n'est pas connu ici. Quand il répond, relancez la même commande avec --request-id { $request } : aucune vente n'est faite deux fois.
sell-gone = Le terminal a redémarré et n'a pas cette vente : rien n'a été enregistré. Pour vendre, relancez la commande.
sell-goes-on = La vente continue au terminal sans cette commande ; --request-id { $request } la retrouve.
sell-number = n° { $number }
sell-number-and-parts = n° { $number } (caisse { $fund }, membre { $member })

# Caisses
decline-till-part = Le fonds ne paie qu'une partie de ces produits. La caisse ne peut pas demander une partie : voici ce qui peut passer.
till-again = La caisse redemande une vente déjà payée. Est-ce la même ?
till-again-back = La caisse redemande un remboursement déjà fait. Est-ce le même ?
advice-till-unconfirmed = Une caisse n'a peut-être pas su qu'une vente est payée.
advice-till-unconfirmed-todo = Regardez à la caisse si cette vente y est payée. Sinon, notez-la payée par carte de l'alimentation, puis dites ici que c'est réglé.
advice-till-shut = Les caisses ne peuvent pas joindre ce terminal.
advice-till-shut-todo = Tapez les montants ici. Prévenez la personne qui règle le terminal : till_…_listen, till_concert_device.
advice-till-category = Les ventes des caisses sont refusées : leur catégorie n'existe pas ici, ou le fonds n'en paie qu'une partie.
advice-till-category-todo = Tapez les montants ici. Prévenez la personne qui règle le terminal : till_category.
page-from-till = Montant de la caisse
page-till-ago = Payée il y a
page-till-resend = C'est la même : le redire à la caisse
page-till-new = Nouvel achat
page-till-cancel = Annuler
page-till-settled = C'est réglé
page-till-unconfirmed = Pas confirmé par la caisse

# Concert: tills that are told no end.
page-till-blind-asked = La caisse ne saura pas si c'est payé : regardez cet écran.
page-till-blind-paid = Payé. La caisse ne le sait pas d'elle-même.
page-till-blind-not-paid = PAS PAYÉ : la caisse peut croire que si. Annulez-y ce paiement.
page-till-blind-unknown = On ne sait pas encore si c'est payé. Regardez la liste du jour avant de donner la marchandise.
page-till-blind-member = La caisse ne saura pas si c'est payé : montrez cet écran.

# hw_proxy
till-not-paid = Paiement non abouti. Voyez l'écran du terminal.
till-busy = Terminal occupé, ou vente annulée au terminal.
till-no-card = Aucune carte présentée à temps.
till-key-taken = Ce paiement a déjà servi. Supprimez la ligne et recommencez.
till-left = Vente reprise : la caisse n'attendait plus.

# The second copy of the journal

advice-second-absent = La clé USB des ventes n'est pas là.
advice-second-absent-todo = Les ventes continuent. Remettez la clé : elle se met à jour seule.
advice-second-full = La clé USB des ventes est pleine.
advice-second-full-todo = Les ventes continuent. Signalez-le à la caisse de l'alimentation : il faut une autre clé.
advice-second-failing = La clé USB des ventes ne peut pas être écrite.
advice-second-failing-todo = Les ventes continuent. Retirez la clé, remettez-la ; si rien ne change, il en faut une autre.
advice-second-other = La clé USB contient des ventes que ce terminal ne connaît pas.
advice-second-other-todo = Gardez cette clé, n'effacez rien, et appelez la caisse de l'alimentation.
