package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The portal names each fault of its brand by line, and serves nothing.
func TestPortalNamesFaultsOfItsBrand(t *testing.T) {
	t.Parallel()
	for key, line := range map[string]string{
		"escrow.brand.color":     `color: "#ffee00"`,
		"escrow.brand.logo":      "logo: logo.gif",
		"escrow.brand.texts":     "texts: missing/",
		"escrow.brand.idle":      "idle: 100h",
		`"font" in escrow.brand`: "font: serif",
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "phimail.yaml")
		text := "from: no-reply@clinic.example\ntransport: {maildir: {dir: out}}\naudit: {file: audit.jsonl}\n" +
			"escrow:\n  store: escrow/\n  base_url: http://127.0.0.1:8080/m\n  listen: 127.0.0.1:0\n  brand:\n    " + line + "\n"
		for name, content := range map[string]string{"phimail.yaml": text, "logo.gif": "GIF89a"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got := world{}.run(t, "portal", "-config", file)
		if got.code != exitConfig || !strings.Contains(got.stderr, key) || !strings.Contains(got.stderr, ":9:") || got.stdout != "" {
			t.Errorf("%s: %d %s %s", key, got.code, got.stdout, got.stderr)
		}
	}
}
