package pgp

import (
	"bytes"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// joined reads two copies of a key anew and adds what b has and a has not.
func joined(a, b *PublicKey) (*PublicKey, bool) {
	ea, eb := readBinary(a.data), readBinary(b.data)
	if len(ea) != 1 || len(eb) != 1 {
		return nil, false
	}
	to, from := ea[0], eb[0]
	to.Revocations = append(to.Revocations, from.Revocations...)
	to.DirectSignatures = append(to.DirectSignatures, from.DirectSignatures...)
	for id, identity := range from.Identities {
		if known := to.Identities[id]; known != nil {
			known.SelfCertifications = append(known.SelfCertifications, identity.SelfCertifications...)
			known.Revocations = append(known.Revocations, identity.Revocations...)
			continue
		}
		identity.Primary = to
		to.Identities[id] = identity
	}
	for i := range from.Subkeys {
		addSubkey(to, &from.Subkeys[i])
	}
	tidy(to)
	return newPublicKey(to)
}

func addSubkey(to *openpgp.Entity, sub *openpgp.Subkey) {
	for i := range to.Subkeys {
		if known := &to.Subkeys[i]; bytes.Equal(known.PublicKey.Fingerprint, sub.PublicKey.Fingerprint) {
			known.Bindings = append(known.Bindings, sub.Bindings...)
			known.Revocations = append(known.Revocations, sub.Revocations...)
			return
		}
	}
	sub.Primary = to
	to.Subkeys = append(to.Subkeys, *sub)
}

// tidy removes signatures that both copies had.
func tidy(e *openpgp.Entity) {
	e.Revocations, e.DirectSignatures = once(e.Revocations), once(e.DirectSignatures)
	for _, identity := range e.Identities {
		identity.SelfCertifications, identity.Revocations = once(identity.SelfCertifications), once(identity.Revocations)
	}
	for i := range e.Subkeys {
		e.Subkeys[i].Bindings, e.Subkeys[i].Revocations = once(e.Subkeys[i].Bindings), once(e.Subkeys[i].Revocations)
	}
}

func once(list []*packet.VerifiableSignature) []*packet.VerifiableSignature {
	seen := map[string]bool{}
	var out []*packet.VerifiableSignature
	for _, s := range list {
		var b bytes.Buffer
		if s.Packet.Serialize(&b) != nil || seen[b.String()] {
			continue
		}
		seen[b.String()] = true
		out = append(out, s)
	}
	return out
}
