package phi

import "github.com/phimail/sdk/policy"

// Type is a kind of identifier, after 45 CFR 164.514(b)(2)(i)(A) to (R).
type Type uint8

// The types. Facility is none of the identifiers: it says where, not who.
const (
	TypeName Type = iota + 1
	TypeGeo
	TypeDate
	TypeAge
	TypePhone
	TypeFax
	TypeEmail
	TypeSSN
	TypeMRN
	TypeHealthPlan
	TypeAccount
	TypeLicense
	TypeVehicle
	TypeDevice
	TypeURL
	TypeIP
	TypeBiometric
	TypePhoto
	TypeOtherID
	TypeFacility
	types
)

var typeNames = [types]string{
	TypeName: "NAME", TypeGeo: "GEO", TypeDate: "DATE", TypeAge: "AGE90", TypePhone: "PHONE", TypeFax: "FAX", TypeEmail: "EMAIL", TypeSSN: "SSN", TypeMRN: "MRN", TypeHealthPlan: "HEALTH_PLAN",
	TypeAccount: "ACCOUNT", TypeLicense: "LICENSE", TypeVehicle: "VEHICLE", TypeDevice: "DEVICE", TypeURL: "URL", TypeIP: "IP", TypeBiometric: "BIOMETRIC", TypePhoto: "PHOTO",
	TypeOtherID: "OTHER_ID", TypeFacility: "FACILITY",
}

// String returns the name that stands in [policy.Finding].
func (t Type) String() string {
	if t == 0 || t >= types {
		return "invalid"
	}
	return typeNames[t]
}

// The specially protected categories as bits, within this package.
const (
	subUse uint8 = 1 << iota
	mental
	sexual
	repro
	genetic
	minors
)

var categories = [...]policy.Category{policy.SubstanceUse, policy.MentalHealth, policy.HIVSTI, policy.Reproductive, policy.Genetic, policy.Minors}

func categoriesOf(bits uint8) (out []policy.Category) {
	for i, c := range categories {
		if bits>>i&1 != 0 {
			out = append(out, c)
		}
	}
	return out
}
