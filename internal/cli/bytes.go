package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Bytes is a flag that is an amount of memory: a number and a unit, decimal (kB,
// MB, GB) or binary (KiB, MiB, GiB). It is a pflag.Value.
type Bytes int64

// Set reads text; "0" is no limit.
func (b *Bytes) Set(text string) error {
	if text == "0" {
		*b = 0
		return nil
	}
	number := strings.TrimRight(text, "BbGgIiKkMmTt ")
	unit, ok := map[string]float64{"": 1, "b": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "t": 1e12, "tb": 1e12,
		"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}[strings.ToLower(strings.TrimSpace(text[len(number):]))]
	x, err := strconv.ParseFloat(number, 64)
	if err != nil || !ok || !(x*unit >= 1 && x*unit < 1<<60) {
		return errors.New("want a number and a unit, such as 2GB or 500MiB")
	}
	*b = Bytes(x * unit)
	return nil
}

// String writes an amount in decimal units.
func (b *Bytes) String() string {
	n := float64(*b)
	switch {
	case n == 0:
		return "0"
	case n >= 1e9:
		return fmt.Sprintf("%.2f GB", n/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", n/1e6)
	}
	return fmt.Sprintf("%.1f kB", n/1e3)
}

// Type names the flag's value in help texts.
func (b *Bytes) Type() string { return "size" }
