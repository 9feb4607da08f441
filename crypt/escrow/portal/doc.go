// Package portal serves the page on which the recipient of an escrow item reads
// it: an http.Handler for the host to mount, below the path of its base URL.
//
// The page decrypts in the browser. What the server gets to see is an item's id,
// a key that shows that the reader has the link, one that shows that they have
// the passcode, and how much was read; it releases the server's share and the
// ciphertext by way of an escrow.Gate, which counts, compares and records.
//
// # Requests
//
// GET and HEAD yield the page and its assets, the same for every item whether it
// exists or not, and change, count and record nothing. All else is a POST of a
// small JSON object, from the page's own origin, to {base}/{id}/…:
//
//	ask   {"access"}                           what the reader has to show
//	      200 {"factor","salt","iterations","size","expires","token","token_expires","attempts_left","login_url"}
//	code  {"access"}                           sends a one-time code
//	      204
//	open  {"access","token","proof","code"}    one attempt
//	      200 application/octet-stream: the server's share (32 bytes), then the sealed form
//
// Keys and tokens are in base64url without padding. access is
// HKDF-SHA256(S, salt: the id's 16 bytes, info: "phimail escrow 1 access"); see
// package escrow for the others. A token comes from ask, ends after ten minutes,
// and is used up by an attempt. Refusals are {"error": CODE} with a status:
//
//	400 request   404 unknown   401 login   403 wrong, no-code   409 token
//	410 expired, recalled   423 locked   429 busy   503 failed
//
// An unknown item and a wrong link have the same answer.
//
// # The page
//
// It is one for all items: text as text, HTML without scripts, forms and anything
// from elsewhere in a frame that may run nothing, files as downloads. It speaks
// English and Spanish, and more by Config.Texts; Config.Brand gives it the host's
// name, logo and colour. It closes the message when nobody uses it. The link's
// secret leaves the address bar, and so the browser's history, for the memory of
// the tab. Its pictures are in SCREENS.md.
//
// What the page can't help: whoever serves it serves the script that decrypts. It
// protects what is stored, copied and logged, not against an operator who alters
// the page.
//
// # An origin of its own
//
// While a message may be opened again its link's secret is in the tab's session
// storage, which every page of the same scheme, host and port could read, and so
// could their scripts. Give the portal a host name of its own, and nothing else
// there that runs scripts of others.
//
// # Behind a proxy
//
// The portal speaks HTTP; TLS is the host's server's or proxy's. Paths hold item
// ids and no secret, but a link that a mail service has broken may bring its
// fragment into the path: keep paths out of the proxy's log.
package portal
