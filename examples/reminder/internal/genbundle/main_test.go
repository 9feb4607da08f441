package main

import (
	"bytes"
	"os"
	"testing"
)

func TestTheBundleInTestdataIsWhatTheGeneratorWrites(t *testing.T) {
	t.Parallel()
	want, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../testdata/bundle.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("testdata/bundle.json is not current; run go generate in examples/reminder")
	}
}
