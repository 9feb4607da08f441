package browser_test

import (
	"bytes"
	"cmp"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/chromedp/chromedp"
)

// The pictures in ../../screens were made by
//
//	go test ./crypt/escrow/portal/internal/browser -screens ../../screens
var screens = flag.String("screens", "", "write a picture of each page into this folder")

// picture writes what the page looks like, where pictures are asked for.
func (b *tab) picture(name string) {
	b.t.Helper()
	if *screens == "" {
		return
	}
	shot, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	b.must(err)
	if shot, err = small(shot); err == nil {
		err = os.WriteFile(filepath.Join(*screens, name+".png"), shot, 0o644)
	}
	b.must(err)
}

// small keeps the colours that occur most, which is a fifth of the bytes.
func small(shot []byte) ([]byte, error) {
	full, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		return nil, err
	}
	area := full.Bounds()
	count := map[color.Color]int{}
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			count[full.At(x, y)]++
		}
	}
	most := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return cmp.Compare(count[b], count[a]) })
	few := image.NewPaletted(area, most[:min(len(most), 24)])
	draw.Draw(few, area, full, area.Min, draw.Src)
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	err = encoder.Encode(&out, few)
	return out.Bytes(), err
}
