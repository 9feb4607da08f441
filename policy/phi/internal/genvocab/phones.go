package main

import "github.com/nyaruka/phonenumbers"

// phoneLengths are the lengths of national numbers that each calling code has,
// bit n for n digits (ITU-T E.164 allows 15 with the code).
func phoneLengths() (lengths [1000]uint16) {
	for code := range phonenumbers.GetSupportedCallingCodes() {
		number := uint64(1000)
		for n := 4; n < 15; n++ {
			c := int32(code) //nolint:gosec // at most three digits
			if phonenumbers.IsPossibleNumber(&phonenumbers.PhoneNumber{CountryCode: &c, NationalNumber: &number}) {
				lengths[code] |= 1 << n
			}
			number *= 10
		}
	}
	return lengths
}
