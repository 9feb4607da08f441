// Package browser has the tests of the escrow page in a real browser, Chromium
// driven over its own protocol. It is a module of its own, so that nobody else
// needs the driver, and it holds nothing but tests.
package browser
