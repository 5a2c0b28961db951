#!/bin/sh
# Chromium, that ends when who started it ends, however that was: chromedriver itself leaves it behind where it is killed.
exec setpriv --pdeathsig KILL /usr/bin/chromium "$@"
