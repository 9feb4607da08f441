// Package phi finds and marks protected health information (PHI).
//
// A [Detector] is the built-in [policy.Classifier]: it reads a message and says
// whether it holds an identifier of a person (45 CFR 164.514(b)(2)) together with
// their health, care or payment for it (45 CFR 160.103), where, and why. It works
// offline and gives the same answer to the same message.
//
// A [Value] marks a text as PHI, so that it is rendered into messages and shown
// nowhere else.
package phi
