package plot

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
)

// HeatmapPNG returns a matrix (rows, cols), row-major, as a PNG with one pixel
// for each value: low has the first colour of m, high the last, what lies
// outside is clamped and NaN is grey. The image has 8 bits per pixel before
// compression. Scale it up without smoothing ("image-rendering: pixelated").
func HeatmapPNG(values []float32, rows, cols int, low, high float64, m ColorMap) ([]byte, error) {
	const most = 1 << 28
	if rows < 1 || cols < 1 || rows > most/cols {
		return nil, fmt.Errorf("plot: heat map of %d x %d", rows, cols)
	}
	if len(values) != rows*cols {
		return nil, fmt.Errorf("plot: heat map of %d x %d has %d values", rows, cols, len(values))
	}
	if !(high > low) || math.IsInf(high-low, 0) {
		return nil, fmt.Errorf("plot: heat map from %v to %v", low, high)
	}
	// 255 levels and grey make the 256 colours of a palette.
	const levels = 255
	palette := make(color.Palette, 0, levels+1)
	for i := range levels {
		palette = append(palette, m.At(float64(i)/(levels-1)))
	}
	palette = append(palette, missing)
	img := image.NewPaletted(image.Rect(0, 0, cols, rows), palette)
	scale := (levels - 1) / (high - low)
	for i, v := range values {
		switch x := (float64(v)-low)*scale + 0.5; {
		case x != x:
			img.Pix[i] = levels
		case x >= levels-1:
			img.Pix[i] = levels - 1
		case x > 0:
			img.Pix[i] = uint8(x)
		}
	}
	var b bytes.Buffer
	e := png.Encoder{CompressionLevel: png.BestCompression}
	if err := e.Encode(&b, img); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
