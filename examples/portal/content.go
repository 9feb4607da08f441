package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"
)

// opener opens the same content each time.
func opener(content []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
}

// picture is a square with a cross.
func picture() []byte {
	const size, arm = 64, 10
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	for x := range size {
		for y := range size {
			c := color.RGBA{0x0b, 0x53, 0x94, 0xff}
			if abs(x-size/2) < arm && abs(y-size/2) < 24 || abs(y-size/2) < arm && abs(x-size/2) < 24 {
				c = color.RGBA{0xff, 0xff, 0xff, 0xff}
			}
			img.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img) // a buffer takes everything
	return b.Bytes()
}

func abs(n int) int { return max(n, -n) }

// report is a file large enough to show the progress of opening it.
func report() []byte {
	line := []byte("2026-03-09T09:40:00Z,pulse,62,bpm,within range\r\n")
	return bytes.Repeat(line, 10_000_000/len(line))
}
