// Package mx finds out where mail for a domain goes and what its servers have
// to prove, by DANE (RFC 7672, RFC 7671) and MTA-STS (RFC 8461).
package mx
