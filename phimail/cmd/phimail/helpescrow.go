package main

const helpPortal = `usage: phimail portal -config FILE

Serves the pages on which recipients read the messages that were sent by escrow,
until it is interrupted, and destroys those that have expired. It writes one line
of JSON to standard output when it listens, {"listening","base_url"}, and one a
request to standard error: method, route, item, status, bytes and time, no path.

It needs the store, the audit log and the escrow block, and never reads
link_key_file. TLS is yours: set tls_cert and tls_key, or listen on 127.0.0.1
behind a proxy that has TLS, with its log of paths switched off.
`

const helpEscrow = `usage: phimail escrow recall -config FILE -actor ID [-role ROLE] ITEM
       phimail escrow unlock -config FILE -actor ID [-role ROLE] ITEM

recall takes a message back that was sent by escrow, and destroys it: nobody reads
it any more. unlock gives a recipient who was locked out their attempts again.

    -config FILE   the configuration file; see phimail help config
    -actor ID      who does this, for the record: an identifier, not a name
    -role ROLE     in which role
    ITEM           the escrow_id of a receipt, or its message_id for all recipients

It writes {"action","escrow_ids"} to standard output and exits with 0; with 65 if
there is no such item, 77 if it can't be read any more (unlock), 74 if the audit
log can't be written, and 75 if the store failed.
`

// helpConfigEscrow is the escrow block of the configuration file.
const helpConfigEscrow = `escrow:
  store: "escrow/"               # a directory, made with mode 0700
  # shares: "/other/disk/shares" # the server's shares of keys, apart from the rest; keep
                                 # them out of backups: what was erased must stay so
  base_url: "https://mail.clinic.example/m"   # where recipients reach phimail portal
  listen: "127.0.0.1:8080"       # where phimail portal serves; elsewhere with TLS only
  # tls_cert: portal.pem         # and tls_key: for a portal without a proxy
  expires: 720h                  # how long a message can be read
  factor: passcode               # generated, in the receipt; or none where the link is enough:
                                 # the relay gives attested or more, nothing specially protected
  attempts: 5                    # wrong passcodes until the message is locked
  language: en                   # of the notification: en or es
  link_key_file: link.key        # for a retry with the same link; the portal never reads it
  # forwarded_header: X-Forwarded-For  # set by a proxy on this machine: the reader's address
  record_network: false          # put the reader's network, truncated, into the audit log
  # brand:                       # how the page looks
  #   name: "Riverside Clinic"   # the name in from, if not given
  #   logo: logo.svg             # SVG, PNG, JPEG or WebP, at most 256 KiB
  #   color: "#0b5394"           # of buttons and links; white text on it must be readable
  #   texts: texts/              # further languages, and other words: fr.json, es.json, ...
  #   idle: 10m                  # after which an unused page closes the message
`
