package portal

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DefaultColor is that of buttons and links.
const DefaultColor = "#0b5394"

const (
	maxLogo  = 256 << 10
	maxName  = 100
	minRatio = 4.5 // WCAG 2.2, success criterion 1.4.3
)

// Brand is what the page shows of the host.
type Brand struct {
	// Name of the host, such as "Riverside Clinic". Defaults to the base URL's
	// host name.
	Name string
	// Logo is a picture: SVG, PNG, JPEG or WebP, at most 256 KiB. Defaults to
	// none.
	Logo []byte
	// Color of buttons and links, such as "#0b5394", which is the default. White
	// text on it must be readable: a contrast of 4.5 to 1. In dark mode the page
	// lightens it as far as needed.
	Color string
}

// faults says what is wrong with b.
func (b *Brand) faults() (errs []error) {
	fault := func(field, problem string) {
		errs = append(errs, &FieldError{Field: "Brand." + field, Problem: problem})
	}
	if len(b.Name) > maxName || !utf8.ValidString(b.Name) || strings.ContainsFunc(b.Name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		fault("Name", fmt.Sprintf("must be one line of text, at most %d bytes", maxName))
	}
	if len(b.Logo) > maxLogo || len(b.Logo) > 0 && logoType(b.Logo) == "" {
		fault("Logo", "must be SVG, PNG, JPEG or WebP, at most 256 KiB")
	}
	if c, ok := parseColor(b.Color); !ok {
		fault("Color", `must be six hex digits, such as "#0b5394"`)
	} else if contrast(c, white) < minRatio {
		fault("Color", "too light: white text on it can't be read; choose a darker one")
	}
	return errs
}

// logoType is the extension of what logo is, "" if it may not be shown.
func logoType(logo []byte) string {
	switch http.DetectContentType(logo) {
	case "image/png":
		return ".png"
	case "image/jpeg":
		return ".jpg"
	case "image/webp":
		return ".webp"
	}
	head := logo[:min(len(logo), 1<<10)]
	if utf8.Valid(logo) && bytes.Contains(head, []byte("<svg")) {
		return ".svg"
	}
	return ""
}

// color is red, green and blue, 0 to 255.
type color [3]float64

var (
	white = color{255, 255, 255}
	night = color{0x15, 0x18, 0x1c} // the page's ground in dark mode, as in page.css
)

func parseColor(s string) (color, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "#"), 16, 32)
	if err != nil || len(s) != 7 || s[0] != '#' {
		return color{}, false
	}
	return color{float64(n >> 16), float64(n >> 8 & 255), float64(n & 255)}, true
}

func (c color) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(c[0]+.5), int(c[1]+.5), int(c[2]+.5))
}

// luminance is the relative luminance of WCAG 2.2.
func (c color) luminance() float64 {
	var l float64
	for i, weight := range [3]float64{0.2126, 0.7152, 0.0722} {
		v := c[i] / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		l += weight * v
	}
	return l
}

// contrast is the contrast ratio of WCAG 2.2, 1 to 21.
func contrast(a, b color) float64 {
	la, lb := a.luminance(), b.luminance()
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// lightened mixes white into c until it can be read on the dark ground.
func (c color) lightened() color {
	for contrast(c, night) < minRatio+0.5 {
		for i := range c {
			c[i] += (255 - c[i]) * 0.1
		}
	}
	return c
}

// stylesheet sets the colours that page.css uses.
func (b *Brand) stylesheet() []byte {
	c, _ := parseColor(b.Color) // checked
	return fmt.Appendf(nil, ":root { --accent: %s; --accent-dark: %s; }\n", c, c.lightened())
}
