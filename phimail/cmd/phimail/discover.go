package main

import (
	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/pgp"
)

// discoverConfig is the discover block.
type discoverConfig struct {
	line int
}

func (d *discoverConfig) openPGP() bool { return false }

// discovery finds keys.
type discovery struct {
	pins crypt.Pins
}

func (d *discovery) openPGP() []pgp.KeySource { return nil }

func (d *discoverConfig) take(s *strict) setter { return s.later }
