// Package phi knows protected health information (PHI): [Value] marks a text as
// PHI, so that it is rendered into messages and shown nowhere else.
package phi
