package transporttest

import "github.com/phimail/sdk/transport"

// certificateRows: each certificate is verified in full, every time.
func certificateRows() []row {
	good := []Kind{Valid, ValidRSA, ValidChain, ValidStaple}
	bad := []struct {
		kind    Kind
		reasons []transport.CertificateReason // any where libraries differ
	}{
		{Expired, []transport.CertificateReason{transport.CertExpired}},
		{NotYetValid, []transport.CertificateReason{transport.CertNotYetValid}},
		{WrongHost, []transport.CertificateReason{transport.CertWrongHost}},
		{IPOnly, []transport.CertificateReason{transport.CertWrongHost}},
		{CommonNameOnly, []transport.CertificateReason{transport.CertWrongHost}},
		{WildcardDeep, []transport.CertificateReason{transport.CertWrongHost}},
		{NULName, nil},
		{SelfSigned, []transport.CertificateReason{transport.CertUnknownCA}},
		{UnknownCA, []transport.CertificateReason{transport.CertUnknownCA}},
		{NoIntermediate, []transport.CertificateReason{transport.CertUnknownCA}},
		{LeafAsCA, nil},
		{Constrained, nil},
		{ClientOnly, []transport.CertificateReason{transport.CertUsage}},
		{WeakRSA, []transport.CertificateReason{transport.CertWeakKey}},
		{NoStaple, []transport.CertificateReason{transport.CertStapleMissing}},
		{StapleRevoked, []transport.CertificateReason{transport.CertRevoked}},
		{StapleForged, []transport.CertificateReason{transport.CertStaple}},
		{StapleStale, []transport.CertificateReason{transport.CertStaple}},
	}
	var rows []row
	for _, kind := range good {
		rows = append(rows, row{name: "certificate/" + string(kind), cert: kind, want: accepted()})
	}
	for _, b := range bad {
		rows = append(rows, row{
			name: "certificate/" + string(b.kind), cert: b.kind,
			want: refused(), bare: true,
			reasons: []transport.Reason{transport.ErrCertificate},
			badCert: b.reasons,
		})
	}
	return rows
}
