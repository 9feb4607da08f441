package main

import (
	"errors"
	"os"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/phimail/sdk/crypt/escrow/portal"
)

// brandConfig is how the escrow page looks and speaks.
type brandConfig struct {
	line                     int
	name, logo, color, texts value[string]
	idle                     value[time.Duration]
}

func (b *brandConfig) take(s *strict) setter {
	return func(key string, n *yaml.Node) {
		b.line = n.Line
		s.mapping(key, n, map[string]setter{
			"name":  s.text(&b.name),
			"logo":  s.text(&b.logo),
			"color": s.text(&b.color),
			"texts": s.text(&b.texts),
			"idle":  s.duration(&b.idle),
		})
	}
}

// dress puts the brand into the page's configuration.
func (b *brandConfig) dress(c *config, pc *portal.Config) error {
	pc.Brand = portal.Brand{Name: fromAddress(c).Name, Color: b.color.v}
	if b.name.v != "" {
		pc.Brand.Name = b.name.v
	}
	pc.IdleLock = b.idle.v
	if b.logo.v != "" {
		logo, err := readSmall(c.path(b.logo))
		if err != nil {
			return c.fault(b.logo.line, b.logo.key, reasonOf("the logo", err))
		}
		pc.Brand.Logo = logo
	}
	if b.texts.v != "" {
		info, err := os.Stat(c.path(b.texts))
		if err != nil || !info.IsDir() {
			return c.fault(b.texts.line, b.texts.key, "must be a folder of files such as fr.json")
		}
		pc.Texts = os.DirFS(c.path(b.texts))
	}
	return nil
}

// pageFaults puts the file's keys in the place of the page's fields.
func (c *config) pageFaults(err error) error {
	b := &c.escrow.brand
	keys := map[string]value[string]{
		"BaseURL": c.escrow.baseURL, "Brand.Name": b.name, "Brand.Logo": b.logo, "Brand.Color": b.color, "Texts": b.texts,
		"IdleLock": {line: b.idle.line, key: b.idle.key},
	}
	var faults []error
	walk(err, func(e error) {
		f, ok := errors.AsType[*portal.FieldError](e)
		if !ok {
			faults = append(faults, c.fault(c.escrow.line, "escrow", strings.TrimPrefix(e.Error(), "portal: ")))
			return
		}
		v := keys[f.Field]
		if v.line == 0 {
			v = value[string]{line: c.escrow.line, key: "escrow"}
		}
		faults = append(faults, c.fault(v.line, v.key, f.Problem))
	})
	return errors.Join(faults...)
}
